//! The switch alone, with no coroutine around it: what it carries, and that each side finds its registers as it left them.

use super::{Arrival, Root, StackPointer, Word, delegate, finish, prepare, resume, suspend};
use crate::stack::{GuardedStack, Stack, notices};
use core::arch::{asm, naked_asm};
use core::cell::Cell;

/// A stack with a side on it, as a coroutine would have it: a `Root` at the top, the fresh frame below.
struct Side {
    stack: GuardedStack,
    root: *const Root,
    fresh: StackPointer,
}

impl Side {
    fn new(entry: super::Entry) -> Self {
        let stack = GuardedStack::new(64 * 1024).expect("a stack");
        notices::register(stack.limit().as_ptr(), stack.top());
        // SAFETY: there is room for a Root and a frame at the top of 64 KiB, and both places are aligned.
        let (root, fresh) = unsafe {
            let root = stack.top().as_ptr().cast::<Root>().sub(2);
            root.write(Root::at(root));
            (root, prepare(stack.limit().as_ptr(), root.cast(), entry, root))
        };
        Self { stack, root, fresh }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        notices::unregister(&self.stack);
    }
}

fn word(value: usize) -> Word {
    Word::new(core::ptr::without_provenance_mut(value))
}

fn value(arrival: &Arrival) -> usize {
    // SAFETY: every message of these tests carries a word made by `word`.
    unsafe { arrival.word.assume_init() }.addr()
}

/// Echoes each message with its word doubled, until the kind is 0.
unsafe extern "C" fn doubler(root: *const Root, kind: usize) -> ! {
    // SAFETY: `Side::new` has written it, and `start` its link.
    let root = unsafe { &*root };
    let mut answer = word(kind);
    loop {
        // SAFETY: the link is parked in a resume of the test.
        let arrival = unsafe { suspend(root.link.get(), 1, answer) };
        root.link.set(arrival.from);
        if arrival.kind == 0 {
            // SAFETY: as above, and nothing here needs to be dropped.
            unsafe { finish(arrival.from, 2, word(99), StackPointer::NULL) };
        }
        answer = word(2 * value(&arrival));
    }
}

#[test]
fn messages_arrive_with_kind_word_and_sender() {
    let side = Side::new(doubler);
    // SAFETY: the side is fresh, then parked where the last arrival says.
    unsafe {
        let started = resume(side.fresh, 77, word(0));
        assert_eq!((started.kind, value(&started)), (1, 77));
        let mut parked = started.from;
        for n in 0..1_000 {
            let answer = resume(parked, 5, word(n));
            assert_eq!((answer.kind, value(&answer)), (1, 2 * n));
            parked = answer.from;
        }
        let last = resume(parked, 0, word(0));
        assert_eq!((last.kind, value(&last)), (2, 99));
        assert_eq!(last.from, StackPointer::NULL);
    }
}

thread_local! {
    static INNER: Cell<Option<(StackPointer, *const Root)>> = const { Cell::new(None) };
}

/// Delegates to the side in `INNER`, and tells what it ended with.
unsafe extern "C" fn delegator(root: *const Root, _kind: usize) -> ! {
    let (target, inner) = INNER.take().expect("set by the test");
    // SAFETY: the inner side is fresh, its root is valid, and this side's link waits for it.
    unsafe {
        let arrival = delegate(target, 41, word(0), (*root).link.get(), (*inner).delegator.as_ptr());
        finish(arrival.from, arrival.kind, word(value(&arrival) + 1), StackPointer::NULL)
    }
}

/// Yields its kind, and finishes into its delegator with the word that it is sent.
unsafe extern "C" fn leaf(root: *const Root, kind: usize) -> ! {
    // SAFETY: as in `doubler`; the delegator is parked in its `delegate`.
    unsafe {
        let arrival = suspend((*root).link.get(), 1, word(kind));
        finish((*root).delegator.get(), 7, word(value(&arrival)), arrival.from)
    }
}

#[test]
fn a_delegate_answers_the_consumer_and_ends_at_its_delegator() {
    let (outer, inner) = (Side::new(delegator), Side::new(leaf));
    INNER.set(Some((inner.fresh, inner.root)));
    // SAFETY: the outer side is fresh; then the inner one is parked where the arrival says.
    unsafe {
        let yielded = resume(outer.fresh, 1, word(0));
        assert_eq!((yielded.kind, value(&yielded)), (1, 41), "the delegate's yield comes straight here");
        let last = resume(yielded.from, 5, word(1_000));
        assert_eq!((last.kind, value(&last)), (7, 1_001), "its end went to the delegator, whose end came here");
    }
}

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

#[test]
fn this_thread_has_no_shadow_stack() {
    // It would have been refused a stack; here it is only told that the probe itself does no harm.
    assert!(!super::shadow_stack_is_active());
}
