//! No more than so much time.
#![forbid(unsafe_code)]

use crate::scheduler::{self, Alarm, AlarmKey, Entered, Kind};
use core::fmt;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs `f`, and cancels what waits inside of it when `limit` is over: `f` leaves with what its calls then tell it, and so
/// does everything that it has called, in this task and in scopes that it has opened.
///
/// Timeouts nest; what is called inside has no more time than the outer one leaves. `f` is not stopped where it computes,
/// nor where it is [shielded](crate::task::shield). A limit of zero is over at once: the first call that waits says so. Outside
/// of a task nothing can be cut short, and `f` runs to its end.
///
/// # Errors
///
/// [`Elapsed`], if a call in `f` was cut short because of this timeout, whatever `f` has made of it; what `f` has returned is
/// in it. If none was, a result that has come late is a result. Cancellations of others pass through, in what `f` returns.
///
/// # Panics
///
/// When `f` does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{Cancelled, task};
///
/// switchback::run(|| {
///     let quick = task::timeout(Duration::from_secs(60), || 5);
///     assert_eq!(quick, Ok(5));
///
///     let slow = task::timeout(Duration::from_millis(1), || {
///         task::sleep(Duration::from_secs(60))?;
///         Ok::<_, Cancelled>("late")
///     });
///     assert!(slow.is_err());
/// });
/// ```
pub fn timeout<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Elapsed<T>> {
    match scheduler::with_clock(|clock| clock.after(limit)) {
        Some(deadline) => until(deadline, f),
        None => Ok(f()),
    }
}

/// [`timeout`] at a time of the task's clock, [`now`](crate::task::now).
///
/// # Errors
///
/// As [`timeout`].
///
/// # Panics
///
/// When `f` does.
pub fn timeout_at<T>(deadline: Instant, f: impl FnOnce() -> T) -> Result<T, Elapsed<T>> {
    match scheduler::with_clock(|clock| clock.of(deadline)) {
        Some(deadline) => until(deadline, f),
        None => Ok(f()),
    }
}

/// When the innermost place that this is called in will be cut short: the earliest of the timeouts around it, up to the next
/// shield. None, if there is no such timeout.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::task;
///
/// switchback::run(|| {
///     assert_eq!(task::deadline(), None);
///     let left = task::timeout(Duration::from_secs(1), || {
///         task::timeout(Duration::from_secs(60), || task::deadline().unwrap() - task::now())
///     });
///     assert!(left.unwrap().unwrap() <= Duration::from_secs(1));
/// });
/// ```
#[must_use]
pub fn deadline() -> Option<Instant> {
    let deadline = scheduler::deadline()?;
    scheduler::with_clock(|clock| clock.instant_of(deadline))
}

fn until<T>(deadline: u64, f: impl FnOnce() -> T) -> Result<T, Elapsed<T>> {
    let Some(entered) = Entered::new(Kind::Timeout(deadline)) else { return Ok(f()) };
    let alarm = scheduler::set_alarm(deadline, Alarm::Cancel(Arc::clone(entered.node()))).map(Unset);
    scheduler::fire_alarms();
    let value = f();
    drop(alarm);
    if entered.node().was_told() { Err(Elapsed(value)) } else { Ok(value) }
}

/// Takes the timer out again however `f` is left.
struct Unset(AlarmKey);

impl Drop for Unset {
    fn drop(&mut self) {
        scheduler::unset_alarm(self.0);
    }
}

/// The time of a [`timeout`] was over, and something in it was cut short.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Elapsed<T = ()>(T);

impl<T> Elapsed<T> {
    /// What the function has returned that was cut short: an error that says so, most often.
    pub fn into_value(self) -> T {
        self.0
    }
}

// By hand: `unwrap` must not ask for `Debug` of what was returned.
impl<T> fmt::Debug for Elapsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elapsed(..)")
    }
}

impl<T> fmt::Display for Elapsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl<T> Error for Elapsed<T> {}

impl<T> From<Elapsed<T>> for std::io::Error {
    /// An error of kind [`TimedOut`](std::io::ErrorKind::TimedOut). What the function has returned is dropped.
    fn from(_: Elapsed<T>) -> Self {
        Self::from(std::io::ErrorKind::TimedOut)
    }
}
