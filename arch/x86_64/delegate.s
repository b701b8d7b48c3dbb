# delegate: park this side as the delegator of another coroutine and jump to wherever that one was parked.
# Like switch, with two differences: the link handed on is not our own frame record but our consumer's, so that the
# other side's yields go straight there; and our frame record is left in *slot, where the other side's end finds it.
#
#   in   rdi kind   rsi r8 r9 r10 words   rdx link (our consumer's frame record)   rcx target   r11 slot
#   out  rdi kind   rsi r8 r9 r10 words   rdx from (the frame record of whoever is our consumer by then)

    push rbx
    lea rax, [rip + 2f]
    push rax
    push rbp
    mov [r11], rsp
    jmp [rcx + 8]

2:  endbr64
    mov rbp, [rcx]
    mov rbx, [rcx + 16]
    lea rsp, [rcx + 24]
