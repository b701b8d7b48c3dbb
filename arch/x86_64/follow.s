# follow: a frame that never runs. Unwinders find it where a coroutine delegates, and it leads them one coroutine further
# in, until they come to the one that knows the consumer.
#
# The Root record of each coroutine holds a frame record in its midst, at root + 16, whose return address is here, and
# root itself at root + 40:  *rsp, seen from here. The next frame is parked at
#   root.link, if it is not null;
#   else this one delegates too: root.delegate + 16, which leads here again.

    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape {DW_CFA_def_cfa_expression}, 24
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}                        # link
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}                                 # 0 - (link == 0)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 32, {DW_OP_deref} # delegate
    .cfi_escape {DW_OP_plus_uconst}, 16, {DW_OP_and}, {DW_OP_plus}                      # link, or delegate + 16
    .cfi_escape {DW_OP_plus_uconst}, 24                                                 # CFA
    .cfi_offset rbp, -24
    .cfi_offset rip, -16
    .cfi_offset rbx, -8
    nop                         # the return address is just past it, so that it is in this function for everybody
    ud2
    .cfi_endproc
