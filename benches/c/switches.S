/*
 * Two switches in the manner of two well-known libraries, for x86_64 and System V. Both are functions that are called.
 *
 *   save_and_jump(struct context *from, const struct context *to)
 *       as minicoro: all that a callee preserves is kept in the context, with the place to go on at, which is a `ret`.
 *   save_and_pop(void **from, void **to)
 *       as libco: that is kept in the context too, but the place to go on at is the return address, taken off the stack
 *       and jumped to. So no `ret` is mispredicted, as long as nobody between the switch and the loop returns.
 */
    .intel_syntax noprefix
    .text

    .globl save_and_jump
    .type save_and_jump, @function
save_and_jump:
    .cfi_startproc
    lea rax, [rip + 1f]
    mov [rdi], rax
    mov [rdi + 8], rsp
    mov [rdi + 16], rbx
    mov [rdi + 24], rbp
    mov [rdi + 32], r12
    mov [rdi + 40], r13
    mov [rdi + 48], r14
    mov [rdi + 56], r15
    mov rsp, [rsi + 8]
    mov rbx, [rsi + 16]
    mov rbp, [rsi + 24]
    mov r12, [rsi + 32]
    mov r13, [rsi + 40]
    mov r14, [rsi + 48]
    mov r15, [rsi + 56]
    jmp [rsi]
1:  ret
    .cfi_endproc
    .size save_and_jump, . - save_and_jump

    .globl save_and_pop
    .type save_and_pop, @function
save_and_pop:
    .cfi_startproc
    mov [rdi], rsp
    mov [rdi + 8], rbx
    mov [rdi + 16], rbp
    mov [rdi + 24], r12
    mov [rdi + 32], r13
    mov [rdi + 40], r14
    mov [rdi + 48], r15
    mov rsp, [rsi]
    pop rax
    mov rbx, [rsi + 8]
    mov rbp, [rsi + 16]
    mov r12, [rsi + 24]
    mov r13, [rsi + 32]
    mov r14, [rsi + 40]
    mov r15, [rsi + 48]
    jmp rax
    .cfi_endproc
    .size save_and_pop, . - save_and_pop

    .section .note.GNU-stack, "", @progbits
