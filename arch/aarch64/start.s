// start: the first instructions of a coroutine, reached by the jump of a switch or a delegate on its fresh frame.
// It is the outermost frame of the stack: its call-frame information leads unwinders to whoever gets our next message.
//
//   in   x0 kind   x1 word (unused)   x2 link   x3 our fresh frame:
//
//        x3 + 48   16-byte boundary; the stack above it is not ours
//        x3 + 40   (unused)
//        x3 + 32   address of the Root record; stays, for unwinders
//        x3 + 24   the entry function
//        x3 + 16   (where a parked side has x19)
//        x3 +  8   start
//        x3        (where a parked side has x29)
//
// Unwinding from the entry function: its caller has sp = x3 + 32, so root = *sp. The next frame is parked at
//   root.delegator, if there is one;
//   else root.link, if it is not null;
//   else this coroutine delegates, and what it would answer to is known to the innermost of its delegates only: the
//   next frame is follow's, for which root.delegate + 16 looks like a frame record.
// A frame record is (x29, pc, x19, unused), and what is parked at it had sp = record + 32. The expression has no branches:
// Valgrind's reader knows none. It picks by masks instead, 0 - (x == 0).

    .cfi_startproc
    .cfi_signal_frame           // what we "return" to is the wake-up address itself, not the end of a call
    .cfi_escape {DW_CFA_def_cfa_expression}, 42
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16, {DW_OP_deref} // delegator
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}                                 // 0 - (delegator == 0)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}                        // link
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}                                 // 0 - (link == 0)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 32, {DW_OP_deref} // delegate
    .cfi_escape {DW_OP_plus_uconst}, 16, {DW_OP_and}, {DW_OP_plus}                      // link, or delegate + 16
    .cfi_escape {DW_OP_and}, {DW_OP_plus}                                               // delegator, or that
    .cfi_escape {DW_OP_plus_uconst}, 32                                                 // CFA
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    .cfi_offset x19, -16

    hint #36                    // bti j
    ldr x8, [x3, #32]           // the Root record
    ldr x9, [x3, #24]           // the entry function
    adr x30, 3f
    str x2, [x8]                // root.link
    str x30, [x8, #8]           // root.return_address: with root.link it forms a frame record, by which the chain of
    mov x29, x8                 // frame pointers leads from the entry function to the consumer, whoever it is just then
    add sp, x3, #32
    mov x1, x0                  // entry(root, kind)
    mov x0, x8
    br x9
3:  brk #1                      // the entry function never returns
    .cfi_endproc
