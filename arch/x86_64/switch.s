# switch: park this side, hand a message to the other, wake up when somebody hands one to us.
# Used inline, in the middle of a Rust function, by whoever resumes and by whoever yields: the two are the same act.
#
#   in   rdi kind   rsi r8 r9 r10 words   rcx target (the other side's frame record)
#   out  rdi kind   rsi r8 r9 r10 words   rdx from   (the frame record of whoever woke us)
#
# rbx and rbp are saved here because the compiler keeps them for itself and takes no clobber for them. Every other
# register is a clobber of the asm block: the compiler spills just what is alive. Nothing is called and nothing returns,
# so the CPU's return predictor still holds the right addresses for the functions that are around us on either side.

    push rbx
    lea rax, [rip + 2f]
    push rax                    # frame record: where to wake up
    push rbp                    # frame record: the frame pointer (its address is our stack pointer)
    mov rdx, rsp                # tell the other side whom to answer
    jmp [rcx + 8]

2:  endbr64                     # we are woken by an indirect jump, with rcx = our own frame record
    mov rbp, [rcx]
    mov rbx, [rcx + 16]
    lea rsp, [rcx + 24]
