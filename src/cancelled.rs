//! Cancellation as a value: what a call returns that would have waited, and was not to.
#![forbid(unsafe_code)]

use core::fmt;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The call did not wait to its end, because its task, or a part of its task, has been cancelled; or, in an
/// [`await_`](crate::await_), because the future that the body belongs to is being dropped.
///
/// A function that has nothing to say about it passes it on with `?`, up to whoever has cancelled. Cancellation is a state,
/// not an event: each further call that could wait says so again, until the part that was cancelled is left; except inside
/// [`shield`](crate::task::shield), where cleaning up may wait.
///
/// # Examples
///
/// ```
/// use switchback::{Cancelled, CancelReason, task};
///
/// fn wait_for_ever() -> Result<(), Cancelled> {
///     loop {
///         task::park()?;
///     }
/// }
///
/// switchback::run(|| {
///     let waiting = task::spawn_local(wait_for_ever);
///     task::yield_now().unwrap();
///     waiting.cancel();
///     let cancelled = waiting.join().unwrap().unwrap_err();
///     assert_eq!(cancelled.reason(), &CancelReason::Requested);
/// });
/// ```
// One word, so that `Result<u64, Cancelled>` is a pair of words, which functions return in registers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cancelled(Arc<Details>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Details {
    reason: CancelReason,
    scope: Option<ScopeId>,
}

const _: () = assert!(size_of::<Option<Cancelled>>() == size_of::<usize>());

/// Why something was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody has called `cancel`.
    Requested,
    /// Somebody has called `cancel_with`, and given this for a reason.
    Message(Arc<str>),
    /// The time of a timeout is over.
    TimedOut,
    /// Another part of the same scope has failed.
    SiblingFailed,
    /// Another contender of the same race has won.
    RaceLost,
    /// The runtime is being shut down.
    Shutdown,
    /// The process has been interrupted, by Ctrl-C in a terminal, and the runtime was to
    /// [cancel main](crate::RuntimeBuilder::cancel_on_sigint) then.
    Interrupted,
    /// The future or stream that the body belongs to is being dropped, or the [`Host`](crate::future::Host) that it runs on.
    Dropped,
    /// Nothing was cancelled, but the thread is unwinding from a panic: suspending now would make unrelated code believe that
    /// it is panicking.
    Panicking,
    /// Nothing was cancelled, but there was nothing to suspend in this place: inside of the closure of a
    /// [`suspend`](crate::task::suspend), or on a worker's own stack. Or, in an [`await_`](crate::await_) whose future was not
    /// ready: in a plain coroutine, which left the body or task in the midst of a poll and was resumed outside of any; or outside
    /// of any during a panic, when another panic would end the process.
    Outside,
}

/// What was cancelled: a task, a timeout, or a scope. No two of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(u64);

impl ScopeId {
    /// One that was never used before.
    pub(crate) fn new() -> Self {
        // One a nanosecond would last for 584 years.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The one of a task.
    pub(crate) fn of_task(number: u64) -> Self {
        Self(number | 1 << 63)
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Cancelled {
    pub(crate) fn new(reason: CancelReason, scope: ScopeId) -> Self {
        Self(Arc::new(Details { reason, scope: Some(scope) }))
    }

    /// One that is about no scope.
    #[cold]
    pub(crate) fn alone(reason: CancelReason) -> Self {
        Self(Arc::new(Details { reason, scope: None }))
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &CancelReason {
        &self.0.reason
    }

    /// What was cancelled: the task itself, or the timeout or scope that the call is inside of. `None` of what is no part of
    /// a task: an await outside of any runtime.
    #[must_use]
    pub fn scope(&self) -> Option<ScopeId> {
        self.0.scope
    }

    /// The `Cancelled` that is, or has caused, `error`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use switchback::{Cancelled, task};
    ///
    /// switchback::run(|| {
    ///     let handle = task::spawn_local(|| Ok::<(), io::Error>(task::park()?));
    ///     task::yield_now().unwrap();
    ///     handle.cancel();
    ///     let error = handle.join().unwrap().unwrap_err();
    ///     assert!(Cancelled::find_in(&error).is_some());
    /// });
    /// ```
    #[must_use]
    pub fn find_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Cancelled> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(cancelled) = error.downcast_ref::<Cancelled>() {
                return Some(cancelled);
            }
            // The source of an io::Error is that of its payload, which is stepped over so.
            if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                next = Some(inner);
                continue;
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("reason", self.reason()).field("scope", &self.scope()).finish()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            CancelReason::Requested => f.write_str("cancelled"),
            CancelReason::Message(message) => write!(f, "cancelled: {message}"),
            CancelReason::TimedOut => f.write_str("cancelled: the time is over"),
            CancelReason::SiblingFailed => f.write_str("cancelled: another part of the scope has failed"),
            CancelReason::RaceLost => f.write_str("cancelled: another contender has won"),
            CancelReason::Shutdown => f.write_str("cancelled: the runtime is shutting down"),
            CancelReason::Interrupted => f.write_str("cancelled: the process was interrupted"),
            CancelReason::Dropped => f.write_str("cancelled: what waits is being dropped"),
            CancelReason::Panicking => f.write_str("a thread cannot wait while it is unwinding from a panic"),
            CancelReason::Outside => f.write_str("there is nothing to suspend in this place"),
        }
    }
}

impl Error for Cancelled {}

/// By `?` in a function that does I/O: an error of kind [`Other`](io::ErrorKind::Other) with this as its source. Never
/// [`Interrupted`](io::ErrorKind::Interrupted), which std tries again for ever.
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        Self::other(cancelled)
    }
}
