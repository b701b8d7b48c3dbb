//! Parking a task until somebody lets it go on, as `std::thread::park` does a thread.
//!
//! The task's `park` has three values:
//!
//! | value | meaning | who sets it |
//! |---|---|---|
//! | EMPTY | it does not park, and the next park waits | the task, whenever a park ends |
//! | PARKED | it parks, and `parked` is the generation of its wait | the task, from EMPTY |
//! | NOTIFIED | the next park does not wait, or the present one is over | `unpark` |
//!
//! Whoever changes PARKED to NOTIFIED claims the wait of that generation. A task that is cancelled while it is PARKED may have
//! begun another wait by then: the claim of an old generation fails, and NOTIFIED stays for the next park. An unparker that is
//! late may read the generation of a later park: that one then ends without a reason, as parks may.
#![forbid(unsafe_code)]

use super::current::{Current, tell_wait};
use super::header::Header;
use super::suspend::{Interrupted, Resumer, suspend};
use super::timers::{Alarm, set_alarm, unset_alarm};
use crate::cancelled::Cancelled;
use core::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

const EMPTY: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// The word of parking: see the module.
pub(crate) struct ParkWord(AtomicU8);

impl ParkWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(EMPTY))
    }

    /// The wait has begun and its generation is known: false if it is over already.
    pub(crate) fn begin(&self) -> bool {
        self.0.compare_exchange(EMPTY, PARKED, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// A wait is over, or was not needed: whether it was because of a notice, which is used up by this.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// The wait was given up: a notice stays for the next.
    pub(crate) fn give_up(&self) {
        let _ = self.0.compare_exchange(PARKED, EMPTY, Ordering::Acquire, Ordering::Relaxed);
    }

    /// Whether there is a wait to be claimed.
    pub(crate) fn notify(&self) -> bool {
        self.0.swap(NOTIFIED, Ordering::AcqRel) == PARKED
    }
}

impl Header {
    pub(super) fn unpark(&self) {
        if self.park.notify() {
            self.wake_parked(self.parked.load(Ordering::Relaxed));
        }
    }
}

/// Waits until somebody calls [`Task::unpark`](super::Task::unpark), or has called it since the last time. It may also
/// return without a reason. Outside of a task, [`std::thread::park`].
///
/// # Errors
///
/// When the task, or the part of it that this is called in, is cancelled: a notice that comes then is kept for the next
/// `park`. And where it cannot be suspended.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let main = task::current().unwrap();
///     task::spawn(move || main.unpark());
///     task::park().unwrap();
/// });
/// ```
pub fn park() -> Result<(), Cancelled> {
    Current::with(|current| match current {
        Some(current) => park_in(current, None),
        None => {
            thread::park();
            Ok(())
        }
    })
}

/// [`park`] for that long at most.
///
/// # Errors
///
/// As [`park`].
pub fn park_timeout(longest: Duration) -> Result<(), Cancelled> {
    Current::with(|current| match current {
        Some(current) => park_in(current, Some(current.running.worker().shared().clock.after(longest))),
        None => {
            thread::park_timeout(longest);
            Ok(())
        }
    })
}

fn park_in(current: Current<'_>, deadline: Option<u64>) -> Result<(), Cancelled> {
    let header = current.running.header();
    if header.park.end() {
        // A task that parks and finds a notice each time goes through the scheduler like others.
        return super::yield_now();
    }
    let mut alarm = None;
    let waited = suspend(|resumer: Resumer<()>| {
        tell_wait("unpark", deadline);
        let generation = resumer.generation();
        header.parked.store(generation, Ordering::Relaxed);
        match deadline {
            Some(deadline) => alarm = set_alarm(deadline, Alarm::Wake(resumer)),
            // From here on the wait is known by its number alone.
            None => resumer.forget(),
        }
        if !header.park.begin() {
            header.wake_parked(generation);
        }
    });
    alarm.into_iter().for_each(unset_alarm);
    match waited {
        Ok(()) => {
            header.park.end();
            Ok(())
        }
        Err(interrupted) => {
            header.park.give_up();
            match interrupted {
                Interrupted::Cancelled(cancelled) => Err(cancelled),
                _ => Err(super::refusal()),
            }
        }
    }
}
