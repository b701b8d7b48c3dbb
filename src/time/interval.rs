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
        let due = self.next + (late - remainder(late, self.period));
        // What no clock can tell is as far away as anybody may want.
        self.next = due.checked_add(self.period).unwrap_or_else(|| due + CENTURY);
        Ok(due)
    }
}

const CENTURY: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

/// What is left of `time` when as many periods as fit are taken off it.
fn remainder(time: Duration, period: Duration) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let rest = time.as_nanos() % period.as_nanos();
    // Both fit, as it is less than `period`.
    Duration::new((rest / SECOND) as u64, (rest % SECOND) as u32)
}
