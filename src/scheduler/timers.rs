//! The timers of a worker. A task that waits for a time stays on its worker, so its timer does too: no lock, no atomics.
//!
//! They are in a B-tree, by time and then by age, and not in a wheel of ticks: a virtual clock jumps from one timer to the
//! next, so their order must be exact to the nanosecond, and those of the same time are to go off in the order in which they
//! were set. Setting one and taking it out again, which is what most timeouts come to, costs a few comparisons in a node of
//! eleven.
#![forbid(unsafe_code)]

use super::cancel::Node;
use super::claim::Expiry;
use super::clock::Clock;
use super::current::with_worker;
use super::suspend::Resumer;
use crate::cancelled::CancelReason;
use core::cell::RefCell;
use std::collections::BTreeMap;
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

/// Which timer of its worker: its time, and how many were set before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AlarmKey(u64, u64);

/// See the module.
#[derive(Default)]
pub(crate) struct Timers {
    alarms: BTreeMap<AlarmKey, Alarm>,
    set: u64,
}

impl Timers {
    fn set(&mut self, time: u64, alarm: Alarm) -> AlarmKey {
        self.set += 1;
        let key = AlarmKey(time, self.set);
        self.alarms.insert(key, alarm);
        key
    }

    /// The time of the first one.
    pub(super) fn next(&self) -> Option<u64> {
        self.alarms.first_key_value().map(|(key, _)| key.0)
    }

    /// Lets those go off whose time has come.
    pub(super) fn fire(this: &RefCell<Self>, clock: &Clock) {
        if this.borrow().alarms.is_empty() {
            return;
        }
        let now = clock.now();
        loop {
            let mut timers = this.borrow_mut();
            let Some(first) = timers.alarms.first_entry().filter(|first| first.key().0 <= now) else { return };
            let alarm = first.remove();
            drop(timers);
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
    with_worker(|worker| worker.timers().borrow_mut().set(time, alarm))
}

/// Takes a timer out again, if it has not gone off.
pub(crate) fn unset_alarm(key: AlarmKey) {
    take_alarm(key);
}

/// [`unset_alarm`]; whether it had not gone off.
pub(super) fn take_alarm(key: AlarmKey) -> bool {
    // Dropped after the borrow: a resumer that nobody waits for comes to nothing, but that is not for this map to know.
    let alarm = with_worker(|worker| worker.timers().borrow_mut().alarms.remove(&key));
    alarm.flatten().is_some()
}

/// Lets the timers go off whose time has come, without waiting for the worker to look.
pub(crate) fn fire_alarms() {
    with_worker(|worker| Timers::fire(worker.timers(), &worker.shared().clock));
}
