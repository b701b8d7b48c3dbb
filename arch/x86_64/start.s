# start: the first instructions of a coroutine, reached by the jump of a switch or a delegate on its fresh frame.
#
#   in   rdi kind (the words are not looked at)   rdx link   rcx our fresh frame:
#
#        rcx + 48   16-byte boundary; the stack above it is not ours
#        rcx + 40   the entry function
#        rcx + 32   address of the Root record; stays, for unwinders
#        rcx + 24   the entry function's return address: in bottom
#        rcx + 16   (where a parked side has rbx)
#        rcx +  8   start
#        rcx        (where a parked side has rbp)

    .cfi_startproc
    .cfi_undefined rip
    endbr64
    mov r8, [rcx + 32]          # the Root record
    mov rax, [rcx + 40]
    mov [r8 + 32], rdx          # root.link
    mov rbp, r8                 # the chain of frame pointers goes on over the records in the Root
    lea rsp, [rcx + 24]         # as after a call: rsp + 8 is a multiple of 16
    mov esi, edi                # entry(root, kind)
    mov rdi, r8
    jmp rax
    .cfi_endproc
