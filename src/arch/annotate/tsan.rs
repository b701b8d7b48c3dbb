//! ThreadSanitizer's notices: `sanitizer/tsan_interface.h` of compiler-rt, "fiber switching API".

use core::ffi::{c_uint, c_void};
use core::ptr;

unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_create_fiber(flags: c_uint) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: c_uint);
}

/// A side's fiber. Null before its first run: a process can have about 8,000.
#[derive(Clone, Copy)]
pub(super) struct Side(*mut c_void);

/// A side keeps nothing while it is parked.
#[derive(Clone, Copy)]
pub(super) struct Kept(());

impl Kept {
    pub(super) const NOTHING: Self = Self(());
}

impl Side {
    pub(super) fn fresh(_limit: *mut u8, _top: *mut u8) -> Self {
        Self(ptr::null_mut())
    }

    /// The side that runs.
    pub(super) fn here() -> Self {
        // SAFETY: it asks nothing of its caller.
        Self(unsafe { __tsan_get_current_fiber() })
    }

    /// The coroutine has ended.
    pub(super) fn ended(self) {
        // SAFETY: it is not the fiber that runs, and nobody switches to it again.
        unsafe { __tsan_destroy_fiber(self.0) };
    }
}

/// The notice before a switch to `next`.
///
/// # Safety
///
/// The switch and [`arrive`] on the other side follow.
#[inline(always)]
pub(super) unsafe fn depart(next: Side, _kept: &mut Kept) {
    // SAFETY: as for `depart`.
    unsafe { depart_for_good(next) };
}

/// The notice before the last switch of a coroutine.
///
/// # Safety
///
/// As for [`depart`].
#[inline(always)]
pub(super) unsafe fn depart_for_good(next: Side) {
    // 0: what this side has done happens before what the other does, as is true on one thread.
    // SAFETY: the fiber is new, or of a side that is parked, and the jump to it follows.
    unsafe {
        let fiber = if next.0.is_null() { __tsan_create_fiber(0) } else { next.0 };
        __tsan_switch_to_fiber(fiber, 0);
    }
}

/// The notice after a switch: there is nothing to tell, and the side that has been left is known.
///
/// # Safety
///
/// The switch has been made.
#[inline(always)]
pub(super) unsafe fn arrive(_kept: Kept) -> Option<Side> {
    None
}

/// Runs `f`. Leaks are not looked for.
pub(super) fn forgetting<T>(f: impl FnOnce() -> T) -> T {
    f()
}
