//! Each side finds every register as it left it.

use super::{Root, Side, StackPointer, resume, word};
use core::arch::{asm, naked_asm};
use core::cell::Cell;

/// Fills every register that a function must preserve with `seed` and what follows, calls `f`, and returns which of them
/// `f` has changed, a bit each.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn poisoned(seed: usize, f: extern "C" fn(*mut ()), argument: *mut ()) -> usize {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdi", // the seed; the stack pointer is a multiple of 16 now
        "mov rax, rsi",
        "lea rbx, [rdi + 0]",
        "lea rbp, [rdi + 1]",
        "lea r12, [rdi + 2]",
        "lea r13, [rdi + 3]",
        "lea r14, [rdi + 4]",
        "lea r15, [rdi + 5]",
        "mov rdi, rdx",
        "call rax",
        "pop rdi",
        "xor eax, eax",
        "lea rcx, [rdi + 0]",
        "cmp rbx, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 0",
        "or eax, ecx",
        "lea rcx, [rdi + 1]",
        "cmp rbp, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 1",
        "or eax, ecx",
        "lea rcx, [rdi + 2]",
        "cmp r12, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 2",
        "or eax, ecx",
        "lea rcx, [rdi + 3]",
        "cmp r13, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 3",
        "or eax, ecx",
        "lea rcx, [rdi + 4]",
        "cmp r14, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 4",
        "or eax, ecx",
        "lea rcx, [rdi + 5]",
        "cmp r15, rcx",
        "setne cl",
        "movzx ecx, cl",
        "shl ecx, 5",
        "or eax, ecx",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn poisoned(seed: usize, f: extern "C" fn(*mut ()), argument: *mut ()) -> usize {
    naked_asm!(
        "stp x29, x30, [sp, #-176]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "str x0, [sp, #160]",
        "mov x9, x1",
        "add x19, x0, #0",
        "add x20, x0, #1",
        "add x21, x0, #2",
        "add x22, x0, #3",
        "add x23, x0, #4",
        "add x24, x0, #5",
        "add x25, x0, #6",
        "add x26, x0, #7",
        "add x27, x0, #8",
        "add x28, x0, #9",
        "add x29, x0, #10",
        "add x10, x0, #11",
        "fmov d8, x10",
        "add x10, x0, #12",
        "fmov d9, x10",
        "add x10, x0, #13",
        "fmov d10, x10",
        "add x10, x0, #14",
        "fmov d11, x10",
        "add x10, x0, #15",
        "fmov d12, x10",
        "add x10, x0, #16",
        "fmov d13, x10",
        "add x10, x0, #17",
        "fmov d14, x10",
        "add x10, x0, #18",
        "fmov d15, x10",
        "mov x0, x2",
        "blr x9",
        "ldr x9, [sp, #160]",
        "mov x0, #0",
        "add x10, x9, #0",
        "cmp x19, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #0",
        "add x10, x9, #1",
        "cmp x20, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #1",
        "add x10, x9, #2",
        "cmp x21, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #2",
        "add x10, x9, #3",
        "cmp x22, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #3",
        "add x10, x9, #4",
        "cmp x23, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #4",
        "add x10, x9, #5",
        "cmp x24, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #5",
        "add x10, x9, #6",
        "cmp x25, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #6",
        "add x10, x9, #7",
        "cmp x26, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #7",
        "add x10, x9, #8",
        "cmp x27, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #8",
        "add x10, x9, #9",
        "cmp x28, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #9",
        "add x10, x9, #10",
        "cmp x29, x10",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #10",
        "add x10, x9, #11",
        "fmov x11, d8",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #11",
        "add x10, x9, #12",
        "fmov x11, d9",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #12",
        "add x10, x9, #13",
        "fmov x11, d10",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #13",
        "add x10, x9, #14",
        "fmov x11, d11",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #14",
        "add x10, x9, #15",
        "fmov x11, d12",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #15",
        "add x10, x9, #16",
        "fmov x11, d13",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #16",
        "add x10, x9, #17",
        "fmov x11, d14",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #17",
        "add x10, x9, #18",
        "fmov x11, d15",
        "cmp x10, x11",
        "cset x11, ne",
        "orr x0, x0, x11, lsl #18",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp x29, x30, [sp], #176",
        "ret",
    )
}

/// Overwrites what a function need not preserve: general, vector and, where there are any, mask registers.
#[inline(always)]
fn trash_the_rest() {
    // SAFETY: every register written is declared.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "mov rax, -1",
            "mov rcx, -1",
            "mov rdx, -1",
            "mov rsi, -1",
            "mov rdi, -1",
            "mov r8, -1",
            "mov r9, -1",
            "mov r10, -1",
            "mov r11, -1",
            "pcmpeqd xmm0, xmm0",
            "pcmpeqd xmm1, xmm1",
            "pcmpeqd xmm2, xmm2",
            "pcmpeqd xmm3, xmm3",
            "pcmpeqd xmm4, xmm4",
            "pcmpeqd xmm5, xmm5",
            "pcmpeqd xmm6, xmm6",
            "pcmpeqd xmm7, xmm7",
            "pcmpeqd xmm8, xmm8",
            "pcmpeqd xmm9, xmm9",
            "pcmpeqd xmm10, xmm10",
            "pcmpeqd xmm11, xmm11",
            "pcmpeqd xmm12, xmm12",
            "pcmpeqd xmm13, xmm13",
            "pcmpeqd xmm14, xmm14",
            "pcmpeqd xmm15, xmm15",
            clobber_abi("sysv64"),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: every register written is declared.
    unsafe {
        asm!(
            "mov x0, #-1",
            "mov x1, #-1",
            "mov x2, #-1",
            "mov x3, #-1",
            "mov x4, #-1",
            "mov x5, #-1",
            "mov x6, #-1",
            "mov x7, #-1",
            "mov x8, #-1",
            "mov x9, #-1",
            "mov x10, #-1",
            "mov x11, #-1",
            "mov x12, #-1",
            "mov x13, #-1",
            "mov x14, #-1",
            "mov x15, #-1",
            "mov x16, #-1",
            "mov x17, #-1",
            "movi v0.16b, #255",
            "movi v1.16b, #255",
            "movi v2.16b, #255",
            "movi v3.16b, #255",
            "movi v4.16b, #255",
            "movi v5.16b, #255",
            "movi v6.16b, #255",
            "movi v7.16b, #255",
            "movi v16.16b, #255",
            "movi v17.16b, #255",
            "movi v18.16b, #255",
            "movi v19.16b, #255",
            "movi v20.16b, #255",
            "movi v21.16b, #255",
            "movi v22.16b, #255",
            "movi v23.16b, #255",
            "movi v24.16b, #255",
            "movi v25.16b, #255",
            "movi v26.16b, #255",
            "movi v27.16b, #255",
            "movi v28.16b, #255",
            "movi v29.16b, #255",
            "movi v30.16b, #255",
            "movi v31.16b, #255",
            clobber_abi("C"),
        );
    }
}

/// One switch in a frame of its own that needs no register for anything else: what `poisoned` finds changed after it,
/// the compiler was not told of.
extern "C" fn switch_bare(target: *mut ()) {
    // SAFETY: the argument is a cell of the caller's with the other side's stack pointer.
    let target = unsafe { &*target.cast::<Cell<StackPointer>>() };
    // SAFETY: it is the other side's.
    target.set(unsafe { resume(target.get(), 1, word(0)) }.from);
}

/// One switch in a frame of its own, with values in registers of every class across it.
extern "C" fn switch_laden(target: *mut ()) {
    // SAFETY: the argument is a cell of the caller's with the other side's stack pointer.
    let target = unsafe { &*target.cast::<Cell<StackPointer>>() };
    let floats = core::hint::black_box([1.5_f64, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5]);
    let wide = core::hint::black_box([1_u128, 2, 3, 4, 5, 6]);
    let words = core::hint::black_box([1_usize, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let [a, b, c, d, e, f, g, h, i, j] = floats.map(|x| x * 2.0);
    let [k, l, m, n, o, p] = wide.map(|x| x + 1);
    let [q, r, s, t, u, v, w, x, y, z, aa, bb] = words.map(|x| x ^ 0x55);
    // SAFETY: it is the other side's.
    let arrival = unsafe { resume(target.get(), 1, word(0)) };
    target.set(arrival.from);
    trash_the_rest();
    assert_eq!([a, b, c, d, e, f, g, h, i, j], floats.map(|x| x * 2.0));
    assert_eq!([k, l, m, n, o, p], wide.map(|x| x + 1));
    assert_eq!([q, r, s, t, u, v, w, x, y, z, aa, bb], words.map(|x| x ^ 0x55));
}

thread_local! {
    static CHANGED: Cell<usize> = const { Cell::new(0) };
}

/// The other side of the register test, which does what the first does, with other values.
unsafe extern "C" fn poisoner(root: *const Root, _kind: usize) -> ! {
    // SAFETY: as in `doubler`.
    let root = unsafe { &*root };
    let mut seed = 0x7000_0000;
    loop {
        for switch_once in [switch_bare, switch_laden] {
            trash_the_rest();
            let changed = poisoned(seed, switch_once, (&raw const root.link).cast_mut().cast());
            CHANGED.set(CHANGED.get() | changed);
            seed += 0x100;
        }
    }
}

#[test]
fn both_sides_find_every_register_as_they_left_it() {
    let side = Side::new(poisoner);
    let target = Cell::new(side.fresh);
    for seed in (0x1000..0x9000).step_by(0x100) {
        // Three in a row, so that each kind of switch meets each kind on the other side.
        for switch_once in [switch_bare, switch_laden, switch_laden] {
            let changed = poisoned(seed, switch_once, (&raw const target).cast_mut().cast());
            assert_eq!(changed, 0, "changed on the first side, a bit a register");
        }
    }
    assert_eq!(CHANGED.get(), 0, "changed on the other side, a bit a register");
}
