//! x86_64, System V: binds Rust values to the registers of `arch/x86_64/*.s`. Its twin is `aarch64.rs`.

use super::{Arrival, StackPointer, Words, dwarf};
use core::arch::{asm, naked_asm};

/// Parks the caller, wakes `target` with a message, and returns the next message that wakes the caller.
///
/// # Safety
///
/// `target` is the stack pointer of a parked side of this thread that nobody else will wake. What it expects of the
/// message (the kinds it knows, what the words mean) holds. The stacks of both sides stay mapped and untouched while
/// they are parked.
#[inline(always)]
pub(crate) unsafe fn resume(target: StackPointer, mut kind: usize, mut words: Words) -> Arrival {
    let from;
    // SAFETY: the text saves rbx, rbp and the stack pointer and declares every other register as clobbered, so the
    // block may be left by a jump and entered again at its label, as the Reference asks of a block that switches
    // contexts: it goes on as if it had never been left, with the same stack pointer. `target` is a live frame record
    // by this function's contract.
    unsafe {
        asm!(
            include_str!("../../arch/x86_64/switch.s"),
            inlateout("rdi") kind,
            inlateout("rsi") words.0[0],
            inlateout("r8") words.0[1],
            inlateout("r9") words.0[2],
            inlateout("r10") words.0[3],
            lateout("rdx") from,
            in("rcx") target.0,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Arrival { kind, words, from: StackPointer(from) }
}

/// Parks the caller in `*slot`, wakes `target` with a message and the caller's `link`, and returns the message that
/// wakes the caller.
///
/// # Safety
///
/// As for [`resume`]; besides, `link` is a parked side that the target may answer instead of the caller, and `slot` is
/// where the target's end looks for the caller.
#[inline(always)]
pub(crate) unsafe fn delegate(
    target: StackPointer,
    mut kind: usize,
    mut words: Words,
    link: StackPointer,
    slot: *mut StackPointer,
) -> Arrival {
    let from;
    // SAFETY: as in `resume`; `slot` is writable by this function's contract.
    unsafe {
        asm!(
            include_str!("../../arch/x86_64/delegate.s"),
            inlateout("rdi") kind,
            inlateout("rsi") words.0[0],
            inlateout("r8") words.0[1],
            inlateout("r9") words.0[2],
            inlateout("r10") words.0[3],
            inlateout("rdx") link.0 => from,
            in("rcx") target.0,
            in("r11") slot,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Arrival { kind, words, from: StackPointer(from) }
}

/// Wakes `target` with a last message, handing `link` on, and abandons the caller's stack.
///
/// # Safety
///
/// As for [`resume`]; besides, nothing on the caller's stack needs to be dropped.
#[inline(always)]
pub(crate) unsafe fn finish(target: StackPointer, kind: usize, words: Words, link: StackPointer) -> ! {
    // SAFETY: `target` is a live frame record by this function's contract, and we do not come back.
    unsafe {
        asm!(
            include_str!("../../arch/x86_64/finish.s"),
            in("rdi") kind,
            in("rsi") words.0[0],
            in("r8") words.0[1],
            in("r9") words.0[2],
            in("r10") words.0[3],
            in("rdx") link.0,
            in("rcx") target.0,
            options(noreturn),
        );
    }
}

/// Where a fresh stack begins: see `arch/x86_64/start.s`. Reached by a jump only.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn start() {
    naked_asm!(include_str!("../../arch/x86_64/start.s"))
}

dwarf::frame! {
    /// The outermost frame of a coroutine: see `arch/x86_64/bottom.s`. It never runs.
    bottom, "../../arch/x86_64/bottom.s"
}

dwarf::frame! {
    /// What unwinders find where a coroutine delegates: see `arch/x86_64/follow.s`. It never runs.
    follow, "../../arch/x86_64/follow.s"
}

/// The length of a frame record, in bytes: what is parked there had this much less on its stack.
pub(super) const FRAME: usize = 24;

/// The length of the nop that `bottom` and `follow` begin with, in bytes.
pub(super) const NOP: usize = 1;

/// The caller's stack pointer.
#[cfg(feature = "capi")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: it reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// What tells the calling thread from the others that are alive.
#[cfg(all(feature = "capi", target_os = "linux"))]
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the first word of a thread's block of thread-locals is its own address (System V, "ELF Handling for TLS").
    unsafe { asm!("mov {}, fs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// Whether the CPU checks returns of this thread against a shadow stack (Intel SDM volume 1, chapter 17, CET).
///
/// A switch leaves such a shadow stack where it was, so that the first return on the other side would be a fault.
pub(crate) fn shadow_stack_is_active() -> bool {
    let pointer: usize;
    // SAFETY: RDSSPQ reads the shadow stack pointer, and is a no-op that leaves its operand where there is none.
    unsafe {
        asm!("xor {0:e}, {0:e}", "rdsspq {0}", out(reg) pointer, options(nomem, nostack));
    }
    pointer != 0
}
