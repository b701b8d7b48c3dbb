# start: the first instructions of a coroutine, reached by the jump of a switch or a delegate on its fresh frame.
# It is the outermost frame of the stack: its call-frame information leads unwinders to whoever gets our next message.
#
#   in   rdi kind   rsi word (unused)   rdx link   rcx our fresh frame:
#
#        rcx + 48   16-byte boundary; the stack above it is not ours
#        rcx + 40   (unused)
#        rcx + 32   address of the Root record; stays, for unwinders
#        rcx + 24   the entry function; then its return address, which points at 3: below
#        rcx + 16   (where a parked side has rbx)
#        rcx +  8   start
#        rcx        (where a parked side has rbp)
#
# Unwinding from the entry function: its caller has rsp = rcx + 32, so root = *rsp. The next frame is parked at
#   root.delegator, if there is one;
#   else root.link, if it is not null;
#   else this coroutine delegates, and what it would answer to is known to the innermost of its delegates only: the
#   next frame is follow's, for which root.delegate + 16 looks like a frame record.
# A frame record is (rbp, rip, rbx), and what is parked at it had rsp = record + 24. The expression has no branches:
# Valgrind's reader knows none. It picks by masks instead, 0 - (x == 0).

    .cfi_startproc
    .cfi_signal_frame           # what we "return" to is the wake-up address itself, not the end of a call
    .cfi_escape {DW_CFA_def_cfa_expression}, 42
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16, {DW_OP_deref} # delegator
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 16, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}                                 # 0 - (delegator == 0)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}                        # link
    .cfi_escape {DW_OP_lit0}, {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_deref}
    .cfi_escape {DW_OP_lit0}, {DW_OP_eq}, {DW_OP_minus}                                 # 0 - (link == 0)
    .cfi_escape {DW_OP_breg_sp}, 0, {DW_OP_deref}, {DW_OP_plus_uconst}, 32, {DW_OP_deref} # delegate
    .cfi_escape {DW_OP_plus_uconst}, 16, {DW_OP_and}, {DW_OP_plus}                      # link, or delegate + 16
    .cfi_escape {DW_OP_and}, {DW_OP_plus}                                               # delegator, or that
    .cfi_escape {DW_OP_plus_uconst}, 24                                                 # CFA
    .cfi_offset rbp, -24
    .cfi_offset rip, -16
    .cfi_offset rbx, -8

    endbr64
    mov r8, [rcx + 32]          # the Root record
    mov rax, [rcx + 24]         # the entry function
    lea r9, [rip + 3f]
    mov [r8], rdx               # root.link
    mov [r8 + 8], r9            # root.return_address: with root.link it forms a frame record, by which the chain of
    mov rbp, r8                 # frame pointers leads from the entry function to the consumer, whoever it is just then
    mov [rcx + 24], r9
    lea rsp, [rcx + 24]         # as after a call: rsp + 8 is a multiple of 16
    mov esi, edi                # entry(root, kind)
    mov rdi, r8
    jmp rax
3:  ud2                         # the entry function never returns
    .cfi_endproc
