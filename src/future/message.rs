//! What a switch carries between a body and whoever polls it.

use crate::coroutine::Yielder;
use core::ptr::{self, NonNull};
use core::task::Waker;

/// What a body is suspended with, and woken by.
pub(super) type Inner = Yielder<Signal, Lent>;

/// What a body yields: null when it waits, or the address of what it hands out (invariant 15).
#[derive(Clone, Copy)]
pub(super) struct Signal(*const ());

impl Signal {
    pub(super) const PENDING: Self = Self(ptr::null());

    pub(super) fn address<T>(of: &T) -> Self {
        Self((&raw const *of).cast())
    }

    #[inline(always)]
    pub(super) fn is_pending(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    pub(super) fn to<T>(self) -> *const T {
        self.0.cast()
    }
}

/// What a body is sent: the waker of the poll that resumes it, which is there as long as that poll (invariant 14).
#[derive(Clone, Copy)]
pub(super) struct Lent(NonNull<Waker>);

impl Lent {
    #[inline(always)]
    pub(super) fn new(waker: &Waker) -> Self {
        Self(NonNull::from(waker))
    }

    /// # Safety
    ///
    /// The body runs, in the poll that has sent it this, and uses the reference before it gives control away.
    #[inline(always)]
    pub(super) unsafe fn waker<'a>(self) -> &'a Waker {
        // SAFETY: by this function's contract (invariant 14).
        unsafe { self.0.as_ref() }
    }
}
