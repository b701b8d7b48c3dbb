// follow: a frame that never runs. Unwinders find it where a coroutine delegates, and it leads them one coroutine further
// in, until they come to the one that knows the consumer.
//
// The Root of each coroutine looks like a frame record from root + 16 on, with a return address that is here; seen from
// here, root is sp - 48. The next frame is parked at
//   root.link, at sp - 16, if it is not null;
//   else this one delegates too: root.inward, at sp - 32, which leads here again.

    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape {DW_CFA_def_cfa_expression}, 17
    .cfi_escape {DW_OP_breg_sp}, 0x70, {DW_OP_deref}                                    // link
    .cfi_escape {DW_OP_breg_sp}, 0x60, {DW_OP_deref}                                    // inward
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0x70, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}, {DW_OP_and}                    // 0 - (link == 0)
    .cfi_escape {DW_OP_plus}                                                            // link, or inward
    .cfi_escape {DW_OP_plus_uconst}, 32                                                 // CFA
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    .cfi_offset x19, -16
    nop                         // the return address is just past it, so that it is in this function for everybody
    brk #1
    .cfi_endproc
