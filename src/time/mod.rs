//! Time: waiting for it, and giving things no more than so much of it.
#![forbid(unsafe_code)]

mod interval;
mod timeout;

pub use interval::{Interval, interval};
pub use timeout::{Elapsed, Timeout, deadline, timeout, timeout_at, timeout_with};

use crate::cancelled::Cancelled;
use crate::scheduler::{self, Alarm, Interrupted, Resumer, suspend};
use std::thread;
use std::time::{Duration, Instant};

/// Waits for that long, at least. Outside of a task, [`std::thread::sleep`].
///
/// A `Duration::ZERO` lets others run, as [`yield_now`](crate::task::yield_now).
///
/// # Errors
///
/// When the task, or the part of it that this is called in, is cancelled; and where it cannot be suspended.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::task;
///
/// switchback::run(|| task::sleep(Duration::from_millis(1)).unwrap());
/// ```
pub fn sleep(duration: Duration) -> Result<(), Cancelled> {
    match scheduler::with_clock(|clock| clock.after(duration)) {
        Some(_) if duration.is_zero() => scheduler::yield_now(),
        Some(deadline) => sleep_to(deadline),
        None => scheduler::wait_as_thread(|| thread::sleep(duration)),
    }
}

/// Waits until that time of the task's clock, [`now`]. If it is over, lets others run, as [`yield_now`](crate::task::yield_now).
///
/// # Errors
///
/// As [`sleep`].
pub fn sleep_until(deadline: Instant) -> Result<(), Cancelled> {
    match scheduler::with_clock(|clock| (clock.of(deadline), clock.now())) {
        Some((deadline, now)) if deadline <= now => scheduler::yield_now(),
        Some((deadline, _)) => sleep_to(deadline),
        None => scheduler::wait_as_thread(|| thread::sleep(deadline.saturating_duration_since(Instant::now()))),
    }
}

fn sleep_to(deadline: u64) -> Result<(), Cancelled> {
    let mut key = None;
    let waited = suspend(|resumer: Resumer<()>| {
        scheduler::tell_wait("a time", Some(deadline));
        key = scheduler::set_alarm(deadline, Alarm::Wake(resumer));
    });
    match waited {
        Ok(()) => Ok(()),
        Err(interrupted) => {
            key.into_iter().for_each(scheduler::unset_alarm);
            match interrupted {
                Interrupted::Cancelled(cancelled) => Err(cancelled),
                _ => Err(scheduler::refusal()),
            }
        }
    }
}

/// The time of the calling task's clock, which may be a [virtual](crate::RuntimeBuilder::virtual_clock) one. Outside of
/// tasks, [`Instant::now`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use switchback::task;
///
/// assert!(task::now() <= Instant::now());
/// ```
#[must_use]
pub fn now() -> Instant {
    scheduler::now()
}
