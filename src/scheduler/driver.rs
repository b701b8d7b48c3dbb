//! What an idle worker waits on.
#![forbid(unsafe_code)]

use core::mem;
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

#[cfg(unix)]
use super::reactor::Reactor;
#[cfg(unix)]
use std::sync::Arc;

/// What a worker waits on: a flag and a condition variable, or, while its tasks wait for I/O, its reactor.
#[derive(Default)]
pub(crate) struct Parker {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_unparked: bool,
    /// What the worker waits in instead.
    #[cfg(unix)]
    waits_in: Option<Arc<Reactor>>,
}

impl Parker {
    /// Waits until `unpark` is called, or has been called since the last time, or `longest` is over.
    pub(super) fn park(&self, longest: Option<Duration>) {
        let mut state = self.state.lock();
        if !state.is_unparked {
            match longest {
                // Woken without a reason now and then, which a worker does not mind.
                None => self.changed.wait(&mut state),
                Some(longest) => drop(self.changed.wait_for(&mut state, longest)),
            }
        }
        state.is_unparked = false;
    }

    /// [`park`](Self::park) that waits for I/O too, by `wait`.
    #[cfg(unix)]
    pub(super) fn park_in(&self, reactor: &Arc<Reactor>, wait: impl FnOnce()) {
        let mut state = self.state.lock();
        if !state.is_unparked {
            state.waits_in = Some(Arc::clone(reactor));
            drop(state);
            // An `unpark` from here on is a notice, and one that comes before the wait ends it at once.
            wait();
            state = self.state.lock();
            state.waits_in = None;
        }
        state.is_unparked = false;
    }

    /// Ends a `park`, or the next one. Any thread may call it, also when the worker is gone.
    pub(super) fn unpark(&self) {
        let mut state = self.state.lock();
        if mem::replace(&mut state.is_unparked, true) {
            // It has been told.
            return;
        }
        #[cfg(unix)]
        if let Some(reactor) = state.waits_in.clone() {
            // Without the lock, for which it would wait again. If it has got up by then, its next wait is cut short.
            drop(state);
            return reactor.notify();
        }
        self.changed.notify_one();
    }
}
