//! The time of a runtime: the system's, or one that jumps.
#![forbid(unsafe_code)]

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Where a runtime has its time from, in nanoseconds since it was started.
pub(crate) struct Clock {
    start: Instant,
    /// The time of a virtual clock, which stands still while anything runs.
    now: Option<Mutex<u64>>,
}

impl Clock {
    pub(super) fn new(is_virtual: bool) -> Self {
        Self { start: Instant::now(), now: is_virtual.then(Mutex::default) }
    }

    pub(crate) fn now(&self) -> u64 {
        match &self.now {
            None => nanoseconds(self.start.elapsed()),
            Some(now) => *now.lock(),
        }
    }

    /// The time as an `Instant`.
    pub(crate) fn instant(&self) -> Instant {
        self.instant_of(self.now())
    }

    /// That time as an `Instant`.
    pub(crate) fn instant_of(&self, time: u64) -> Instant {
        self.start + Duration::from_nanos(time)
    }

    /// The nanoseconds that `instant` stands for; 0 for what was before the start.
    pub(crate) fn of(&self, instant: Instant) -> u64 {
        nanoseconds(instant.saturating_duration_since(self.start))
    }

    /// That much later than now.
    pub(crate) fn after(&self, delay: Duration) -> u64 {
        self.now().saturating_add(nanoseconds(delay))
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.now.is_some()
    }

    /// Lets a virtual clock jump.
    pub(super) fn jump_to(&self, time: u64) {
        if let Some(now) = &self.now {
            let mut now = now.lock();
            *now = (*now).max(time);
        }
    }

    /// How long to wait for `deadline`; none where waiting does not help.
    pub(super) fn real_time_to(&self, deadline: u64) -> Option<Duration> {
        (!self.is_virtual()).then(|| Duration::from_nanos(deadline.saturating_sub(self.now())))
    }
}

/// In 584 years it comes to its end, and stays there.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
