//! The timers of a worker. A task that waits for a time stays on its worker, so its timer does too: no lock, no atomics.
//!
//! They are in a [wheel](Wheel) whose tick is the clock's, a nanosecond: a virtual clock jumps from one timer to the next, so
//! their order must be exact, and those of the same time go off in the order in which they were set.
#![forbid(unsafe_code)]

use super::cancel::Node;
use super::claim::Expiry;
use super::clock::Clock;
use super::current::with_worker;
use super::suspend::Resumer;
use super::wheel::Wheel;
use crate::cancelled::CancelReason;
use core::cell::RefCell;
use std::sync::Arc;

/// What a timer does.
pub(crate) enum Alarm {
    /// Resumes a task.
    Wake(Resumer<()>),
    /// Ends a wait without a value.
    Expire(Expiry),
    /// Cancels a part of a task.
    Cancel(Arc<Node>),
}

/// Which timer of its worker.
pub(crate) type AlarmKey = super::wheel::Key;

/// See the module.
#[derive(Default)]
pub(crate) struct Timers(Wheel<Alarm>);

impl Timers {
    /// When to look at the timers again: see [`Wheel::next`].
    pub(super) fn next(&self) -> Option<u64> {
        self.0.next()
    }

    /// Lets those go off whose time has come.
    pub(super) fn fire(this: &RefCell<Self>, clock: &Clock) {
        if this.borrow().0.is_empty() {
            return;
        }
        let now = clock.now();
        loop {
            let due = this.borrow_mut().0.due(now);
            let Some(alarm) = due else { return };
            match alarm {
                Alarm::Wake(resumer) => {
                    let _ = resumer.send(());
                }
                Alarm::Expire(expiry) => expiry.expire(),
                Alarm::Cancel(node) => {
                    node.cancel(CancelReason::TimedOut);
                }
            }
        }
    }
}

/// Sets a timer of the calling task's worker; none outside of tasks.
pub(crate) fn set_alarm(time: u64, alarm: Alarm) -> Option<AlarmKey> {
    with_worker(|worker| worker.timers().borrow_mut().0.set(time, alarm))
}

/// Takes a timer out again, if it has not gone off.
pub(crate) fn unset_alarm(key: AlarmKey) {
    take_alarm(key);
}

/// [`unset_alarm`]; whether it had not gone off.
pub(super) fn take_alarm(key: AlarmKey) -> bool {
    // Dropped after the borrow: a resumer that nobody waits for comes to nothing, but that is not for the wheel to know.
    let alarm = with_worker(|worker| worker.timers().borrow_mut().0.take(key));
    alarm.flatten().is_some()
}

/// Lets the timers go off whose time has come, without waiting for the worker to look.
pub(crate) fn fire_alarms() {
    with_worker(|worker| Timers::fire(worker.timers(), &worker.shared().clock));
}
