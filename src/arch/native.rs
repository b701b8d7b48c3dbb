//! What the CPUs with assembly of their own have in common: the frames that it reads and writes.

use super::{Arrival, Entry, Root, StackPointer, Words, cpu};
use core::mem::offset_of;

/// The parked frame of one side, at the top of what that side has used of its stack.
///
/// The first two words have the shape of an ABI frame record, so that profilers can follow the chain through it.
#[repr(C)]
struct Frame {
    frame_pointer: *const (),
    wake_up: *const (),
    /// The other register that compilers keep to themselves: rbx, or x19.
    reserved: *const (),
}

/// A fresh stack's first frame: parked as if it had been switched away from just before [`start`](cpu::start).
#[repr(C, align(16))]
struct FreshFrame {
    parked: Frame,
    return_address: *const (),
    root: *const Root,
    entry: Entry,
}

const _: () = {
    assert!(size_of::<Frame>() == 24);
    assert!(offset_of!(Frame, frame_pointer) == 0);
    assert!(offset_of!(Frame, wake_up) == 8);
    assert!(offset_of!(Frame, reserved) == 16);
    assert!(offset_of!(FreshFrame, return_address) == 24);
    assert!(offset_of!(FreshFrame, root) == 32);
    assert!(offset_of!(FreshFrame, entry) == 40);
    assert!(size_of::<FreshFrame>() == 48);
    assert!(offset_of!(Root, outward) == 0);
    assert!(offset_of!(Root, inward) == 16);
    assert!(offset_of!(Root, link) == 32);
    assert!(size_of::<Root>() == 48);
};

/// A return address in a frame that never runs and begins with a nop.
#[inline(always)]
fn past_nop(frame: unsafe extern "C" fn()) -> *const () {
    (frame as *const u8).wrapping_add(cpu::NOP).cast()
}

/// The return address of the entry function, and of the consumer's record: see `bottom.s`.
#[inline(always)]
pub(super) fn bottom() -> *const () {
    past_nop(cpu::bottom)
}

/// The return address of the record in the midst of a [`Root`]: see `follow.s`.
#[inline(always)]
pub(super) fn follow() -> *const () {
    past_nop(cpu::follow)
}

/// Writes the first frame of a fresh stack, which reaches from `limit` up to `top`, and returns its stack pointer.
///
/// # Safety
///
/// `top` is a multiple of 16, and the memory between is writable and belongs to nobody else: more than the 48 bytes of a
/// frame. `root` is what `entry` expects, and stays where it is until the coroutine has ended.
#[inline(always)]
#[cfg_attr(not(any(switchback_asan, switchback_tsan)), expect(unused_variables, reason = "`limit` is for sanitizers"))]
pub(crate) unsafe fn prepare(limit: *mut u8, top: *mut u8, entry: Entry, root: *const Root) -> StackPointer {
    // SAFETY: by this function's contract the memory is there, aligned, and ours.
    unsafe {
        let frame = top.cast::<FreshFrame>().sub(1);
        #[cfg(any(switchback_asan, switchback_tsan))]
        let entry = super::annotate::fresh(limit, top, StackPointer(frame.cast()), entry);
        (&raw mut (*frame).parked.wake_up).write(cpu::start as *const ());
        (&raw mut (*frame).return_address).write(bottom());
        (&raw mut (*frame).entry).write(entry);
        (&raw mut (*frame).root).write(root);
        StackPointer(frame.cast())
    }
}

/// [`resume`](super::resume) as a body calls it: parks the body and wakes its consumer. One act, two names.
///
/// # Safety
///
/// As for [`resume`](super::resume).
#[inline(always)]
pub(crate) unsafe fn suspend(link: StackPointer, kind: usize, words: Words) -> Arrival {
    // SAFETY: the caller answers for it.
    unsafe { super::resume(link, kind, words) }
}

/// Where debuggers find the parts of a [`Root`] and of a parked side, in bytes.
#[repr(C)]
pub(crate) struct RootLayout {
    outward: usize,
    bottom: usize,
    inward: usize,
    follow: usize,
    link: usize,
    /// What a side that is parked at a frame record had as its stack pointer, from there.
    frame: usize,
    /// From a fresh frame to the address of the entry function.
    entry: usize,
}

impl RootLayout {
    pub(crate) const fn new() -> Self {
        Self {
            outward: offset_of!(Root, outward),
            bottom: offset_of!(Root, return_address),
            inward: offset_of!(Root, inward),
            follow: offset_of!(Root, follow),
            link: offset_of!(Root, link),
            frame: cpu::FRAME,
            entry: offset_of!(FreshFrame, entry),
        }
    }
}
