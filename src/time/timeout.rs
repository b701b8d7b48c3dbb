//! No more than so much time.
#![forbid(unsafe_code)]

use crate::scheduler::{self, Alarm, AlarmKey, Entered, Kind, Node};
use core::cell::Cell;
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

/// [`timeout`] that can be moved while it runs: `f` gets it. For a limit on each step of something instead of all of it.
///
/// # Errors
///
/// As [`timeout`].
///
/// # Panics
///
/// When `f` does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{Cancelled, Runtime, task};
///
/// let runtime = Runtime::builder().workers(1).virtual_clock(true).build()?;
/// let copied = runtime.run(|| {
///     let idle = Duration::from_secs(10);
///     task::timeout_with(idle, |timeout| {
///         for _ in 0..100 {
///             task::sleep(Duration::from_secs(9))?; // a block arrives
///             timeout.reschedule(task::now() + idle).expect("it did in time");
///         }
///         Ok::<_, Cancelled>(100)
///     })
/// });
/// assert!(matches!(copied, Ok(Ok(100))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn timeout_with<T>(limit: Duration, f: impl FnOnce(&Timeout) -> T) -> Result<T, Elapsed<T>> {
    match scheduler::with_clock(|clock| clock.after(limit)) {
        Some(deadline) => until_moved(deadline, f),
        None => Ok(f(&Timeout { node: None, alarm: Cell::new(None) })),
    }
}

fn until<T>(deadline: u64, f: impl FnOnce() -> T) -> Result<T, Elapsed<T>> {
    until_moved(deadline, |_| f())
}

fn until_moved<T>(deadline: u64, f: impl FnOnce(&Timeout) -> T) -> Result<T, Elapsed<T>> {
    let entered = Entered::new(Kind::Timeout(deadline));
    let timeout = Timeout { node: entered.as_ref().map(|entered| Arc::clone(entered.node())), alarm: Cell::new(None) };
    timeout.set_alarm(deadline);
    let value = f(&timeout);
    let was_told = timeout.node.as_ref().is_some_and(|node| node.was_told());
    drop(timeout);
    drop(entered);
    if was_told { Err(Elapsed(value)) } else { Ok(value) }
}

/// A timeout that runs: see [`timeout_with`].
pub struct Timeout {
    /// None outside of tasks.
    node: Option<Arc<Node>>,
    /// On the task's own worker, where this stays.
    alarm: Cell<Option<AlarmKey>>,
}

impl Timeout {
    /// When it will be over, by the task's clock, [`now`](crate::task::now). None outside of tasks.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.node.as_ref()?.deadline();
        scheduler::with_clock(|clock| clock.instant_of(deadline))
    }

    /// Moves it, to an earlier or a later time. One that has passed is over at once. Outside of tasks it does nothing.
    ///
    /// # Errors
    ///
    /// When it is over: what waits inside of it has been cancelled, and that is not taken back.
    pub fn reschedule(&self, deadline: Instant) -> Result<(), Elapsed> {
        let Some(node) = &self.node else { return Ok(()) };
        if node.is_cancelled() {
            return Err(Elapsed(()));
        }
        if let Some(deadline) = scheduler::with_clock(|clock| clock.of(deadline)) {
            node.set_deadline(deadline);
            self.set_alarm(deadline);
        }
        Ok(())
    }

    fn set_alarm(&self, deadline: u64) {
        let alarm = |node: &Arc<Node>| scheduler::set_alarm(deadline, Alarm::Cancel(Arc::clone(node)));
        let before = self.alarm.replace(self.node.as_ref().and_then(alarm));
        before.into_iter().for_each(scheduler::unset_alarm);
        scheduler::fire_alarms();
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("deadline", &self.deadline()).finish()
    }
}

impl Drop for Timeout {
    /// Takes the timer out again however the function is left.
    fn drop(&mut self) {
        self.alarm.take().into_iter().for_each(scheduler::unset_alarm);
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
