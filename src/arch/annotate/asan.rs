//! AddressSanitizer's notices: `sanitizer/common_interface_defs.h` of compiler-rt, "fiber annotations".

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr;

unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(save: *mut *mut c_void, bottom: *const c_void, size: usize);
    fn __sanitizer_finish_switch_fiber(saved: *mut c_void, old_bottom: *mut *const c_void, old_size: *mut usize);
    fn __asan_unpoison_memory_region(start: *const c_void, size: usize);
    fn __lsan_disable();
    fn __lsan_enable();
}

/// The stack that a side is on.
#[derive(Clone, Copy)]
pub(super) struct Side {
    bottom: *const c_void,
    size: usize,
}

/// A side's *fake stack*: where its local variables are when a use after return is to be found. It keeps it while it is
/// parked.
#[derive(Clone, Copy)]
pub(super) struct Kept(*mut c_void);

impl Kept {
    pub(super) const NOTHING: Self = Self(ptr::null_mut());
}

thread_local! {
    /// The fake stack of the coroutine that ended last on this thread. The last message may be the address of a local
    /// variable, and whoever gets it reads it before the next switch: so the fake stack lives until then.
    static ENDED: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
}

impl Side {
    pub(super) fn fresh(limit: *mut u8, top: *mut u8) -> Self {
        let side = Self { bottom: limit.cast_const().cast(), size: top.addr() - limit.addr() };
        side.unpoison();
        side
    }

    /// The side that runs. The other end of the switch is told its stack by the sanitizer.
    pub(super) fn here() -> Self {
        destroy_ended();
        Self { bottom: ptr::null(), size: 0 }
    }

    /// The coroutine has ended, and the stack is somebody else's from now on.
    pub(super) fn ended(self) {
        self.unpoison();
    }

    /// The last frames of whoever had the stack have never returned, so what was poisoned around their variables is
    /// poisoned still. (It is not if the stack was left by a coroutine that ended; a test may have left one that did not.)
    fn unpoison(self) {
        // SAFETY: these are the bounds of a stack on which nothing runs.
        unsafe { __asan_unpoison_memory_region(self.bottom, self.size) };
    }
}

/// The notice before a switch to `next`.
///
/// # Safety
///
/// The switch and [`arrive`] on the other side follow.
#[inline(always)]
pub(super) unsafe fn depart(next: Side, kept: &mut Kept) {
    // SAFETY: `next` is a stack that the sanitizer has told of, or that has been prepared.
    unsafe { __sanitizer_start_switch_fiber(&raw mut kept.0, next.bottom, next.size) };
}

/// The notice before the last switch of a coroutine.
///
/// # Safety
///
/// As for [`depart`].
#[inline(always)]
pub(super) unsafe fn depart_for_good(next: Side) {
    // SAFETY: as in `depart`; a thread-local without a destructor is there as long as the thread.
    unsafe { __sanitizer_start_switch_fiber(ENDED.with(Cell::as_ptr), next.bottom, next.size) };
}

/// The notice after a switch: returns the stack that has been left.
///
/// # Safety
///
/// `kept` is what [`depart`] has kept for this side, or nothing if it is fresh.
#[inline(always)]
pub(super) unsafe fn arrive(kept: Kept) -> Option<Side> {
    let mut side = Side { bottom: ptr::null(), size: 0 };
    // SAFETY: by this function's contract.
    unsafe { __sanitizer_finish_switch_fiber(kept.0, &raw mut side.bottom, &raw mut side.size) };
    Some(side)
}

/// A fake stack is destroyed by leaving it for good. This pretends to be on it, and to leave it.
#[inline(never)]
fn destroy_ended() {
    let ended = ENDED.replace(ptr::null_mut());
    if ended.is_null() {
        return;
    }
    let mut mine = ptr::null_mut();
    let (mut bottom, mut size) = (ptr::null(), 0);
    // SAFETY: two switches without a jump, so the thread is where it was; nobody reads what is on `ended` any more. The
    // bounds of the pretended stack are of no matter: no function is called there.
    unsafe {
        __sanitizer_start_switch_fiber(&raw mut mine, ptr::null(), 0);
        __sanitizer_finish_switch_fiber(ended, &raw mut bottom, &raw mut size);
        __sanitizer_start_switch_fiber(ptr::null_mut(), bottom, size);
        __sanitizer_finish_switch_fiber(mine, ptr::null_mut(), ptr::null_mut());
    }
}

/// Runs `f`, whose allocations may leak: those of the table are never freed. `f` does not unwind.
pub(super) fn forgetting<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the two are paired, and ask no more of their caller.
    unsafe { __lsan_disable() };
    let result = f();
    // SAFETY: as above.
    unsafe { __lsan_enable() };
    result
}
