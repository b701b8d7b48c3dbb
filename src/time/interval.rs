//! Again and again.
#![forbid(unsafe_code)]

use super::{now, sleep_until};
use crate::cancelled::Cancelled;
use std::time::{Duration, Instant};

/// Ticks every `period`, the first time at once.
///
/// # Panics
///
/// When `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::task;
///
/// switchback::run(|| {
///     let start = task::now();
///     let mut ticks = task::interval(Duration::from_millis(1));
///     for _ in 0..3 {
///         ticks.tick().unwrap();
///     }
///     assert!(task::now() - start >= Duration::from_millis(2));
/// });
/// ```
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval must have a length");
    Interval { next: now(), period }
}

/// What [`interval`] makes.
#[derive(Clone, Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
}

impl Interval {
    /// Waits for the next tick, and returns the time that it was due at.
    ///
    /// Whoever comes late gets the tick that is due at once, and those that were missed on the way are left out: the ticks stay
    /// multiples of the period from the first.
    ///
    /// # Errors
    ///
    /// When the task is cancelled. The tick is not used up by that.
    pub fn tick(&mut self) -> Result<Instant, Cancelled> {
        sleep_until(self.next)?;
        let late = now().saturating_duration_since(self.next);
        let missed = late.as_nanos() / self.period.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let due = self.next + self.period * missed;
        self.next = due + self.period;
        Ok(due)
    }
}
