//! The switch: how one stack stops and another goes on.
//!
//! This module knows stack pointers, frame records and messages. It does not know what a coroutine is.
//!
//! # The contract
//!
//! A *side* is a stretch of execution on one stack: a coroutine's body, or the code that resumes it. A side that waits
//! is *parked*: it has written a frame record on its stack and its [`StackPointer`] is the record's address.
//!
//! | operation | who calls it | what happens |
//! |---|---|---|
//! | [`prepare`] | the creator of a coroutine | a fresh stack gets a frame that looks parked: jumping to it starts the entry function |
//! | [`resume`] | a consumer | parks the caller and wakes the target, which learns the caller's stack pointer |
//! | [`suspend`] | a body | the same act in the other direction |
//! | [`delegate`] | a body that delegates | parks the caller, wakes the target, and hands it the caller's own consumer |
//! | [`finish`] | a body that has ended | wakes the target for good; nothing of the caller is kept |
//!
//! A message is a kind, which this module does not interpret, and one [`Word`]. `resume`, `suspend` and `delegate` are
//! inlined where they are used, assembly included: `arch/README.md` says why and accounts for every register.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr;

mod dwarf;

#[cfg(all(unix, target_arch = "x86_64", target_pointer_width = "64"))]
#[path = "x86_64.rs"]
mod cpu;
#[cfg(all(unix, target_arch = "aarch64", target_pointer_width = "64", target_endian = "little"))]
#[path = "aarch64.rs"]
mod cpu;
#[cfg(not(any(
    all(unix, target_arch = "x86_64", target_pointer_width = "64"),
    all(unix, target_arch = "aarch64", target_pointer_width = "64", target_endian = "little")
)))]
compile_error!("switchback has its own switch for x86_64 and aarch64 on Unix; other targets are not supported yet");

#[cfg(any(switchback_asan, switchback_tsan))]
mod annotate;
#[cfg(any(switchback_asan, switchback_tsan))]
pub(crate) use annotate::{delegate, finish, resume};
pub(crate) use cpu::shadow_stack_is_active;
#[cfg(not(any(switchback_asan, switchback_tsan)))]
pub(crate) use cpu::{delegate, finish, resume};
#[cfg(test)]
mod tests;

/// What travels in a register beside the kind: a small value itself, or the address of a larger one.
///
/// It is a pointer, not an integer, so that a pointer inside a small value keeps its provenance, and `MaybeUninit`
/// because a small value may have padding.
pub(crate) type Word = MaybeUninit<*mut ()>;

/// The parked frame of one side, at the top of what that side has used of its stack.
///
/// The first two words have the shape of an ABI frame record, so that profilers can follow the chain through it.
#[repr(C)]
pub(crate) struct Frame {
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
    assert!(core::mem::offset_of!(Frame, frame_pointer) == 0);
    assert!(core::mem::offset_of!(Frame, wake_up) == 8);
    assert!(core::mem::offset_of!(Frame, reserved) == 16);
    assert!(core::mem::offset_of!(FreshFrame, return_address) == 24);
    assert!(core::mem::offset_of!(FreshFrame, root) == 32);
    assert!(core::mem::offset_of!(FreshFrame, entry) == 40);
    assert!(size_of::<FreshFrame>() == 48);
    assert!(core::mem::offset_of!(Root, outward) == 0);
    assert!(core::mem::offset_of!(Root, inward) == Root::MIDST);
    assert!(core::mem::offset_of!(Root, link) == 32);
    assert!(size_of::<Root>() == 48);
};

/// The address of a parked side's frame record, or null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct StackPointer(*mut Frame);

impl StackPointer {
    pub(crate) const NULL: Self = Self(ptr::null_mut());

    /// Marks are below this, and stack pointers, with or without their lowest bit set, are not.
    const MARKS: usize = 64;

    /// A value that is no stack pointer: odd, so that it differs from all of them, which are multiples of eight.
    pub(crate) const fn mark(odd: usize) -> Self {
        assert!(odd % 2 == 1 && odd < Self::MARKS);
        Self(ptr::without_provenance_mut(odd))
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Whether this is a mark, or a stack pointer that carries one.
    #[inline(always)]
    pub(crate) fn is_marked(self) -> bool {
        self.0.addr() & 1 != 0
    }

    /// Whether this is a mark and no stack pointer.
    #[inline(always)]
    pub(crate) fn is_mark(self) -> bool {
        self.0.addr() < Self::MARKS
    }

    /// The same stack pointer with its lowest bit set.
    pub(crate) fn marked(self) -> Self {
        Self(self.0.map_addr(|address| address | 1))
    }

    /// The stack pointer that [`marked`](Self::marked) was called on.
    pub(crate) fn unmarked(self) -> Self {
        Self(self.0.map_addr(|address| address & !1))
    }
}

/// Where the stack of a coroutine ends, as the assembly and unwinders see it. Lives above the stack's first frame.
///
/// It is three ABI frame records, {next record, return address}. The chain of frame pointers leads from the entry function
/// over the first one to the delegator, if there is one. Otherwise it goes on inward, over the second ones of this
/// coroutine's delegates, to the third one of the innermost, and so to the consumer, which only that one knows.
#[repr(C)]
pub(crate) struct Root {
    /// The coroutine parked in [`delegate`] on this one. If there is none, the second record.
    pub(crate) outward: Cell<StackPointer>,
    return_address: *const (),
    /// While this coroutine delegates, the second record of its delegate; otherwise the third of its own. From here on
    /// it also looks like a [`Frame`], which unwinders go to when they look for the consumer of a coroutine that delegates.
    inward: Cell<*const Root>,
    follow: *const (),
    /// The consumer: who gets the next message. Null while the coroutine delegates or something runs on its consumer's
    /// stack for it; of no meaning before the start.
    pub(crate) link: Cell<StackPointer>,
    consumer: *const (),
}

impl Root {
    /// Where the second record is.
    const MIDST: usize = 16;

    /// The record that is to be at `this`.
    #[inline(always)]
    pub(crate) fn at(this: *const Root) -> Self {
        Self {
            outward: Cell::new(StackPointer(Self::midst(this).cast_mut().cast())),
            return_address: past_nop(cpu::bottom),
            inward: Cell::new(Self::end(this)),
            follow: past_nop(cpu::follow),
            link: Cell::new(StackPointer::NULL),
            consumer: past_nop(cpu::bottom),
        }
    }

    /// A record that no coroutine uses.
    pub(crate) const fn unused() -> Self {
        Self {
            outward: Cell::new(StackPointer::NULL),
            return_address: ptr::null(),
            inward: Cell::new(ptr::null()),
            follow: ptr::null(),
            link: Cell::new(StackPointer::NULL),
            consumer: ptr::null(),
        }
    }

    #[inline(always)]
    fn midst(this: *const Root) -> *const Root {
        this.wrapping_byte_add(Self::MIDST)
    }

    #[inline(always)]
    fn end(this: *const Root) -> *const Root {
        this.wrapping_byte_add(core::mem::offset_of!(Root, link))
    }

    /// The coroutine parked in [`delegate`] on this one; `otherwise`, if there is none.
    #[inline(always)]
    pub(crate) fn delegator_or(&self, otherwise: StackPointer) -> StackPointer {
        let outward = self.outward.get();
        if outward.0.addr() == Self::midst(self).addr() { otherwise } else { outward }
    }

    /// The coroutine that this one delegates to, or null.
    pub(crate) fn delegate(&self) -> *const Root {
        let inward = self.inward.get();
        if inward.is_null() || inward.addr() == Self::end(self).addr() {
            return ptr::null();
        }
        inward.wrapping_byte_sub(Self::MIDST)
    }

    /// To be called before a [`delegate`] to the coroutine of `inner`.
    #[inline(always)]
    pub(crate) fn lead_to(&self, inner: *const Root) {
        self.link.set(StackPointer::NULL);
        self.inward.set(Self::midst(inner));
    }

    /// To be called after it.
    #[inline(always)]
    pub(crate) fn part_from(&self, inner: &Root) {
        self.inward.set(Self::end(self));
        inner.outward.set(StackPointer(Self::midst(inner).cast_mut().cast()));
    }
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
        use core::mem::offset_of;
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

/// A return address in a frame that never runs and begins with a nop.
#[inline(always)]
fn past_nop(frame: unsafe extern "C" fn()) -> *const () {
    (frame as *const u8).wrapping_add(cpu::NOP).cast()
}

/// What a fresh stack runs, with the kind of the message that started it. It never returns and never unwinds.
pub(crate) type Entry = unsafe extern "C" fn(root: *const Root, kind: usize) -> !;

/// A message, and the stack pointer of the side that it came from.
///
/// After a [`delegate`] or a [`finish`], `from` is the link that was handed on, not the sender.
pub(crate) struct Arrival {
    pub(crate) kind: usize,
    pub(crate) word: Word,
    pub(crate) from: StackPointer,
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
        let entry = annotate::fresh(limit, top, StackPointer(frame.cast()), entry);
        (&raw mut (*frame).parked.wake_up).write(cpu::start as *const ());
        (&raw mut (*frame).return_address).write(past_nop(cpu::bottom));
        (&raw mut (*frame).entry).write(entry);
        (&raw mut (*frame).root).write(root);
        StackPointer(frame.cast())
    }
}

/// [`resume`] as a body calls it: parks the body and wakes its consumer. One act, two names.
///
/// # Safety
///
/// As for [`resume`].
#[inline(always)]
pub(crate) unsafe fn suspend(link: StackPointer, kind: usize, word: Word) -> Arrival {
    // SAFETY: the caller answers for it.
    unsafe { resume(link, kind, word) }
}
