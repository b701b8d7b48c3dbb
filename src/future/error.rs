//! What an await can come back with instead of a value.
#![forbid(unsafe_code)]

use crate::coroutine::Thrown;
use core::fmt;
use std::error::Error;
use std::io;

/// What [`await_`](crate::await_) returns when the future will not be waited for to its end: it has been dropped.
///
/// Most often the [`Stackful`](super::Stackful) that the body belongs to is being dropped. Clean up and return, with `?` for
/// instance. From then on every await of that body returns this at once, without polling its future.
///
/// In an [`io::Error`] it becomes the source of an error of kind [`Other`](io::ErrorKind::Other): never
/// [`Interrupted`](io::ErrorKind::Interrupted), which std tries again for ever.
///
/// # Examples
///
/// ```
/// use std::io;
/// use switchback::{Cancelled, await_, future::CancelReason};
///
/// fn wait() -> io::Result<()> {
///     await_(std::future::pending::<()>())?;
///     Ok(())
/// }
///
/// let mut task = Box::pin(switchback::stackful(|_| {
///     let error = wait().expect_err("it is pending for ever");
///     let cancelled = error.get_ref().and_then(|source| source.downcast_ref::<Cancelled>());
///     assert_eq!(cancelled.map(|cancelled| cancelled.reason()), Some(CancelReason::Dropped));
/// }));
/// let waker = std::task::Waker::noop();
/// assert!(task.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
/// drop(task);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Cancelled {
    reason: CancelReason,
}

/// Why an await was [`Cancelled`].
// As wide as a word, so that `Result<u64, Cancelled>` is a pair of words, which functions return in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(usize)]
pub enum CancelReason {
    /// The future or stream that the body belongs to is being dropped, or the [`Host`](super::Host) that it runs on.
    Dropped,
    /// The awaited future was not ready, and the thread is unwinding from a panic: suspending now would make unrelated code
    /// believe that it is panicking.
    Panicking,
    /// The awaited future was not ready, and there was nothing to suspend in this place any more: it was awaited in a plain
    /// coroutine, which left the body in the midst of a poll and was resumed outside of any. Or it was awaited outside of any
    /// body during a panic, when another panic would end the process.
    Outside,
}

impl Cancelled {
    #[cold]
    pub(super) fn new(reason: CancelReason) -> Self {
        Self { reason }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> CancelReason {
        self.reason
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            CancelReason::Dropped => "the await was cancelled: its task is being dropped",
            CancelReason::Panicking => {
                "the await was cancelled: a thread cannot wait while it is unwinding from a panic"
            }
            CancelReason::Outside => "the await was cancelled: there is nothing to suspend in this place",
        })
    }
}

impl Error for Cancelled {}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        Self::other(cancelled)
    }
}

/// By `?` in the body of a plain coroutine that awaits: it ends by an exit, as if it had been closed.
///
/// Whoever resumes it gets that as an error. A `for` loop over it has no place for errors, and panics: such a body had better
/// use [`await_or_unwind`](super::await_or_unwind), which leaves the loop and all around it without a panic's message.
impl From<Cancelled> for Thrown {
    fn from(_: Cancelled) -> Self {
        Self::Exit
    }
}

/// Why [`try_await`](super::try_await) has not waited.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AwaitError<F> {
    /// The call was made outside of any body that can be suspended. Here is the future, which has not been polled.
    Outside(F),
    /// The future has been dropped.
    Cancelled(Cancelled),
}

// By hand: `unwrap` must not ask for `Debug` of the future.
impl<F> fmt::Debug for AwaitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(_) => f.write_str("Outside(..)"),
            Self::Cancelled(cancelled) => f.debug_tuple("Cancelled").field(cancelled).finish(),
        }
    }
}

impl<F> fmt::Display for AwaitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(_) => f.write_str(OUTSIDE),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
        }
    }
}

impl<F> Error for AwaitError<F> {}

/// What is said to those who await where nothing can be suspended.
pub(super) const OUTSIDE: &str = "await_ was called outside of any stackful body, so there is nothing to suspend: \
     run what calls it inside switchback::stackful(|cx| ..) and await that, or block on the future with an executor";
