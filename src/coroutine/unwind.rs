//! Private unwinds: how a body is made to leave its frames when returning errors cannot or does not do it.
//!
//! The payload of such a panic is an id that is never used again. The root of the coroutine that the unwind is meant for
//! knows the id ([`Control::pending`]) and takes it for its own; every other root hands the payload on like any panic.

use super::control::Control;
use super::error::Thrown;
use core::cell::Cell;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

struct Unwinding {
    id: u64,
}

/// Whether this program can unwind at all.
pub(super) const POSSIBLE: bool = cfg!(panic = "unwind");

/// An id that was never used before. It is even and not 0.
pub(super) fn new_id() -> u64 {
    // One a nanosecond would last for 292 years.
    static NEXT: AtomicU64 = AtomicU64::new(2);
    NEXT.fetch_add(2, Ordering::Relaxed)
}

/// Unwinds to the root that `id` is pending at.
#[cold]
pub(super) fn raise(id: u64) -> ! {
    panic::resume_unwind(Box::new(Unwinding { id }))
}

/// Drops `value`, and returns what its destructor panics with. Where two values are to be dropped one after the other, the
/// second would otherwise be dropped during the panic of the first, and if it panicked as well, that would be the end of
/// the process.
pub(super) fn drop_caught<T>(value: T) -> Result<(), Box<dyn Any + Send>> {
    panic::catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// Drops what a panic carries that nobody is to hear of. Its destructor may panic as well, and so may that of what that
/// panic carries, and so on: the second is not dropped any more.
pub(crate) fn lose(payload: Box<dyn Any + Send>) {
    mem::forget(drop_caught(payload));
}

/// Where the root of a coroutine keeps what an unwinding yield carries. It is there and not in the payload because the
/// payload of a panic may be sent to another thread, and E may not.
///
/// # Safety
///
/// The coroutine has been started and has not ended, and its errors are E's.
pub(super) unsafe fn escape_of<E>(control: &Control) -> &Cell<Option<Thrown<E>>> {
    // SAFETY: `entry` has set it to a cell of this type, in a frame that is there as long as the coroutine.
    unsafe { &*control.escape.get().cast() }
}

/// Whether `payload` is the unwind that is pending at `control`.
pub(super) fn is_own(payload: &(dyn Any + Send), control: &Control) -> bool {
    let pending = control.pending();
    pending != 0 && payload.downcast_ref::<Unwinding>().is_some_and(|unwinding| unwinding.id == pending)
}
