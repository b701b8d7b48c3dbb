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
# Unwinding from the entry function: its caller has rsp = rcx + 32, so root = *rsp. We go on at
#   root.delegator, if there is one; else at the link of the innermost coroutine that root delegates to (often itself).
# Either is a frame record (rbp, rip, rbx), and what is parked there had rsp = record + 24.

    .cfi_startproc
    .cfi_signal_frame           # what we "return" to is the wake-up address itself, not the end of a call
    .cfi_escape {DW_CFA_def_cfa_expression}, 34
    .cfi_escape {DW_OP_breg_sp}, 0                                        #  0 rsp
    .cfi_escape {DW_OP_deref}                                           #  2   root
    .cfi_escape {DW_OP_dup}, {DW_OP_plus_uconst}, 16, {DW_OP_deref}     #  3   root delegator
    .cfi_escape {DW_OP_dup}, {DW_OP_bra}, 19, 0                         #  7 if it is not null, go to 30
    .cfi_escape {DW_OP_drop}                                            # 11   root
    .cfi_escape {DW_OP_dup}, {DW_OP_plus_uconst}, 24, {DW_OP_deref}     # 12   root delegate
    .cfi_escape {DW_OP_dup}, {DW_OP_bra}, 5, 0                          # 16 if it is not null, go to 25
    .cfi_escape {DW_OP_drop}, {DW_OP_deref}                             # 20   link
    .cfi_escape {DW_OP_skip}, 7, 0                                      # 22 go to 32
    .cfi_escape {DW_OP_swap}, {DW_OP_drop}                              # 25   delegate, which takes root's place
    .cfi_escape {DW_OP_skip}, 0xee, 0xff                                # 27 go to 12 (-18)
    .cfi_escape {DW_OP_swap}, {DW_OP_drop}                              # 30   delegator
    .cfi_escape {DW_OP_plus_uconst}, 24                                 # 32   CFA
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
