// start: the first instructions of a coroutine, reached by the jump of a switch or a delegate on its fresh frame.
//
//   in   x0 kind (the words are not looked at)   x2 link   x3 our fresh frame:
//
//        x3 + 48   16-byte boundary; the stack above it is not ours
//        x3 + 40   the entry function
//        x3 + 32   address of the Root record; stays, for unwinders
//        x3 + 24   the entry function's return address: in bottom
//        x3 + 16   (where a parked side has x19)
//        x3 +  8   start
//        x3        (where a parked side has x29)

    .cfi_startproc
    .cfi_undefined x30
    hint #36                    // bti j
    ldr x8, [x3, #32]           // the Root record
    ldr x16, [x3, #40]
    ldr x30, [x3, #24]
    str x2, [x8, #32]           // root.link
    mov x29, x8                 // the chain of frame pointers goes on over the records in the Root
    add sp, x3, #32
    mov x1, x0                  // entry(root, kind)
    mov x0, x8
    br x16                      // not any other: a `bti c` at the beginning of a function lets in this one
    .cfi_endproc
