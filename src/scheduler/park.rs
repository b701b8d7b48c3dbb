//! Parking a task until somebody lets it go on, as `std::thread::park` does a thread.
//! The word by which it does so is in `word.rs`.
#![forbid(unsafe_code)]

use super::current::{Current, tell_wait};
use super::header::Header;
use super::suspend::{Interrupted, Resumer, suspend};
use super::timers::{Alarm, set_alarm, unset_alarm};
use super::wait_as_thread;
use crate::cancelled::Cancelled;
use core::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

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
        None => wait_as_thread(thread::park),
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
        None => wait_as_thread(|| thread::park_timeout(longest)),
    })
}

fn park_in(current: Current<'_>, deadline: Option<u64>) -> Result<(), Cancelled> {
    let header = current.running.header();
    if !current.running.can_switch() {
        return Err(current.running.refusal());
    }
    if header.park.end() {
        // A task that parks and finds a notice each time goes through the scheduler like others. The notice was for this
        // call, cancelled or not.
        current.running.yield_now();
        return Ok(());
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
