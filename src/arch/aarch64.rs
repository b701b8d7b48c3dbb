//! aarch64, AAPCS64: binds Rust values to the registers of `arch/aarch64/*.s`. Its twin is `x86_64.rs`.

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
    // SAFETY: the text saves x19, x29 and the stack pointer and declares every other register as clobbered (all of
    // v0 to v31: `clobber_abi` counts the low halves of v8 to v15 too), so the block may be left by a jump and entered
    // again at its label, as the Reference asks of a block that switches contexts: it goes on as if it had never been
    // left, with the same stack pointer. `target` is a live frame record by this function's contract.
    unsafe {
        asm!(
            include_str!("../../arch/aarch64/switch.s"),
            inlateout("x0") kind,
            inlateout("x1") words.0[0],
            inlateout("x4") words.0[1],
            inlateout("x5") words.0[2],
            inlateout("x6") words.0[3],
            lateout("x2") from,
            in("x3") target.0,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _,
            lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            clobber_abi("C"),
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
            include_str!("../../arch/aarch64/delegate.s"),
            inlateout("x0") kind,
            inlateout("x1") words.0[0],
            inlateout("x4") words.0[1],
            inlateout("x5") words.0[2],
            inlateout("x6") words.0[3],
            inlateout("x2") link.0 => from,
            in("x3") target.0,
            in("x7") slot,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _,
            lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            clobber_abi("C"),
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
            include_str!("../../arch/aarch64/finish.s"),
            in("x0") kind,
            in("x1") words.0[0],
            in("x4") words.0[1],
            in("x5") words.0[2],
            in("x6") words.0[3],
            in("x2") link.0,
            in("x3") target.0,
            options(noreturn),
        );
    }
}

/// Where a fresh stack begins: see `arch/aarch64/start.s`. Reached by a jump only.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn start() {
    naked_asm!(include_str!("../../arch/aarch64/start.s"))
}

dwarf::frame! {
    /// The outermost frame of a coroutine: see `arch/aarch64/bottom.s`. It never runs.
    bottom, "../../arch/aarch64/bottom.s"
}

dwarf::frame! {
    /// What unwinders find where a coroutine delegates: see `arch/aarch64/follow.s`. It never runs.
    follow, "../../arch/aarch64/follow.s"
}

/// The length of a frame record, in bytes: what is parked there had this much less on its stack.
pub(super) const FRAME: usize = 32;

/// The length of the nop that `bottom` and `follow` begin with, in bytes.
pub(super) const NOP: usize = 4;

/// The caller's stack pointer.
#[cfg(feature = "capi")]
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: it reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// What tells the calling thread from the others that are alive.
#[cfg(all(feature = "capi", target_os = "linux"))]
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: it reads a register.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// Whether the CPU checks returns of this thread against a guarded control stack (Arm ARM, FEAT_GCS).
///
/// A switch leaves such a stack where it was, so that the first return on the other side would be a fault.
pub(crate) fn shadow_stack_is_active() -> bool {
    let cleared: usize;
    // SAFETY: CHKFEAT (hint 40) clears bit 0 of x16 if GCS is active, and is a no-op on CPUs without it.
    unsafe {
        asm!("mov x16, #1", "hint #40", out("x16") cleared, options(nomem, nostack));
    }
    cleared == 0
}
