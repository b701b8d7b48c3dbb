//! What an await can come back with instead of a value.
#![forbid(unsafe_code)]

use crate::cancelled::Cancelled;
use crate::coroutine::Thrown;
use core::fmt;
use std::error::Error;

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
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AwaitError<F> {
    /// The call was made outside of any body or task that can be suspended. Here is the future, which has not been polled.
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
pub(super) const OUTSIDE: &str = "await_ was called outside of any stackful body and any task, so there is nothing to suspend: \
     run what calls it inside switchback::stackful(|cx| ..) and await that, or in switchback::run(|| ..), or block on the \
     future with an executor";
