//! What an idle worker waits on.
#![forbid(unsafe_code)]

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// What an idle worker waits on. The one that there is, [`Parker`], knows of nothing but calls of `unpark`; one that waits
/// for I/O as well wakes tasks by their resumers while it is in `park` or `poll`.
pub(crate) trait Driver: Send + Sync {
    /// Waits until `unpark` is called, or has been called since the last time, or `longest` is over.
    fn park(&self, longest: Option<Duration>);

    /// Ends a `park`, or the next one. Any thread may call it, also when the worker is gone.
    fn unpark(&self);

    /// Looks for what has happened, without waiting. A worker that has work calls it now and then.
    fn poll(&self) {}
}

/// A flag and a condition variable.
#[derive(Default)]
pub(crate) struct Parker {
    is_unparked: Mutex<bool>,
    changed: Condvar,
}

impl Driver for Parker {
    fn park(&self, longest: Option<Duration>) {
        let mut is_unparked = self.is_unparked.lock();
        if !*is_unparked {
            match longest {
                // Woken without a reason now and then, which a worker does not mind.
                None => self.changed.wait(&mut is_unparked),
                Some(longest) => drop(self.changed.wait_for(&mut is_unparked, longest)),
            }
        }
        *is_unparked = false;
    }

    fn unpark(&self) {
        let mut is_unparked = self.is_unparked.lock();
        *is_unparked = true;
        self.changed.notify_one();
    }
}
