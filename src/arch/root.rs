//! Who gets a coroutine's next message: a record at the top of its stack, which unwinders and profilers can read.

use super::StackPointer;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;

#[cfg(switchback_fallback)]
use super::fallback::{bottom, follow};
#[cfg(not(switchback_fallback))]
use super::native::{bottom, follow};

/// Where the stack of a coroutine ends, as the assembly and unwinders see it. Lives above the stack's first frame.
///
/// It is three ABI frame records, {next record, return address}. The chain of frame pointers leads from the entry function
/// over the first one to the delegator, if there is one. Otherwise it goes on inward, over the second ones of this
/// coroutine's delegates, to the third one of the innermost, and so to the consumer, which only that one knows.
#[repr(C)]
pub(crate) struct Root {
    /// The coroutine parked in [`delegate`](super::delegate) on this one. If there is none, the second record.
    pub(crate) outward: Cell<StackPointer>,
    pub(super) return_address: *const (),
    /// While this coroutine delegates, the second record of its delegate; otherwise the third of its own. From here on
    /// it also looks like a `Frame`, which unwinders go to when they look for the consumer of a coroutine that delegates.
    pub(super) inward: Cell<*const Root>,
    pub(super) follow: *const (),
    /// The consumer: who gets the next message. Null while the coroutine delegates or something runs on its consumer's
    /// stack for it; of no meaning before the start.
    pub(crate) link: Cell<StackPointer>,
    consumer: *const (),
}

impl Root {
    /// Where the second record is.
    const MIDST: usize = offset_of!(Root, inward);

    /// The record that is to be at `this`.
    #[inline(always)]
    pub(crate) fn at(this: *const Root) -> Self {
        Self {
            outward: Cell::new(StackPointer(Self::midst(this).cast_mut().cast())),
            return_address: bottom(),
            inward: Cell::new(Self::end(this)),
            follow: follow(),
            link: Cell::new(StackPointer::NULL),
            consumer: bottom(),
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
        this.wrapping_byte_add(offset_of!(Root, link))
    }

    /// The coroutine parked in [`delegate`](super::delegate) on this one; `otherwise`, if there is none.
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

    /// To be called before a [`delegate`](super::delegate) to the coroutine of `inner`.
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
