# bottom: the outermost frame of every coroutine. It never runs: the entry function, which `start` jumps to, has its return
# address here, just past the nop (unwinders look up the instruction before a return address), and never returns. What
# counts is its call-frame information, which leads unwinders to whoever gets our next message.
#
# It has rsp = the fresh frame + 32, where the address of the Root is, so root = *rsp. The next frame is parked at
#   root.outward, if that is not root + 16: it is our delegator;
#   else root.link, if it is not null: our consumer;
#   else this coroutine delegates, and what it would answer to is known to the innermost of its delegates only: the
#   next frame is follow's, parked as it seems at root.inward.
# A frame record is (rbp, rip, rbx), and what is parked at it had rsp = record + 24. The expression has no branches:
# Valgrind's reader knows none. It picks by masks instead, 0 - (x == y).

    .cfi_startproc
    .cfi_signal_frame           # what we "return" to is the wake-up address itself, not the end of a call
    .cfi_escape {DW_CFA_def_cfa_expression}, 59
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}                        # outward
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16
    .cfi_escape {DW_OP_eq}, {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}, {DW_OP_and}        # 0 - (outward != root + 16)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 32, {DW_OP_deref} # link
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16, {DW_OP_deref} # inward
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 32, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}, {DW_OP_and}                    # 0 - (link == 0)
    .cfi_escape {DW_OP_plus}                                                            # link, or inward
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16
    .cfi_escape {DW_OP_eq}, {DW_OP_minus}, {DW_OP_and}                                  # 0 - (outward == root + 16)
    .cfi_escape {DW_OP_plus}                                                            # outward, or that
    .cfi_escape {DW_OP_plus_uconst}, 24                                                 # CFA
    .cfi_offset rbp, -24
    .cfi_offset rip, -16
    .cfi_offset rbx, -8
    nop
    ud2
    .cfi_endproc
