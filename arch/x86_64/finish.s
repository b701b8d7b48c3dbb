# finish: hand over the last message of a coroutine and never come back. Nothing is saved.
#
#   in   rdi kind   rsi r8 r9 r10 words   rdx link (handed on to a delegator)   rcx target

    jmp [rcx + 8]
