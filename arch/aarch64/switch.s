// switch: park this side, hand a message to the other, wake up when somebody hands one to us.
// Used inline, in the middle of a Rust function, by whoever resumes and by whoever yields: the two are the same act.
//
//   in   x0 kind   x1 x4 x5 x6 words   x3 target (the other side's frame record)
//   out  x0 kind   x1 x4 x5 x6 words   x2 from   (the frame record of whoever woke us)
//
// x19 and x29 are saved here because the compiler keeps them for itself and takes no clobber for them. Every other
// register is a clobber of the asm block: the compiler spills just what is alive. Nothing is called and nothing returns,
// so the CPU's return predictor still holds the right addresses for the functions that are around us on either side.

    adr x16, 2f
    stp x29, x16, [sp, #-32]!   // frame record: the frame pointer and where to wake up
    str x19, [sp, #16]
    mov x2, sp                  // tell the other side whom to answer
    ldr x16, [x3, #8]
    br x16

2:  hint #36                    // bti j: we are woken by an indirect jump, with x3 = our own frame record
    ldr x29, [x3]
    ldr x19, [x3, #16]
    add sp, x3, #32
