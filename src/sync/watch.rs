//! A value that changes, and those that want to know of it: each sees the newest one, and not each one.
//!
//! # Examples
//!
//! ```
//! use switchback::{sync::watch, task};
//!
//! switchback::run(|| {
//!     let (settings, mut seen) = watch::channel("old");
//!     assert_eq!(*seen.get(), "old");
//!     let waiting = task::spawn(move || seen.changed().map(|settings| *settings));
//!     settings.send("new");
//!     assert_eq!(waiting.join().unwrap(), Ok("new"));
//! });
//! ```
#![forbid(unsafe_code)]

use super::faces::RecvError;
use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::wait::{self, join_in, wait_in};
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use core::mem;
use std::sync::Arc;
use std::time::Duration;

/// A value, and a receiver that has seen it.
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State { value: Arc::new(value), version: 0, has_sender: true, queue: WaitQueue::new() };
    let state = Arc::new(Latch::new(state));
    (Sender(Arc::clone(&state)), Receiver { state, seen: 0 })
}

struct State<T> {
    value: Arc<T>,
    version: u64,
    has_sender: bool,
    queue: WaitQueue<Resumer<()>>,
}

/// Changes the value.
pub struct Sender<T>(Arc<Latch<State<T>>>);

/// Sees the value, and waits for the next one. A clone has seen what this has seen.
pub struct Receiver<T> {
    state: Arc<Latch<State<T>>>,
    seen: u64,
}

impl<T> Sender<T> {
    /// Changes the value, and returns the one before. Nobody need be there to see it.
    pub fn send(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut state = self.0.lock();
        let before = mem::replace(&mut state.value, value);
        state.version += 1;
        let waiting = state.queue.take_all();
        drop(state);
        wait::wake_all(waiting);
        before
    }

    /// The value.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().value)
    }

    /// Another receiver, which has seen the value as it is.
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.lock().version;
        Receiver { state: Arc::clone(&self.0), seen }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_sender = false;
        let waiting = state.queue.take_all();
        drop(state);
        wait::wake_all(waiting);
    }
}

impl<T> Receiver<T> {
    /// The value. It counts as seen only by [`changed`](Self::changed).
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.state.lock().value)
    }

    /// Whether there is a value that this has not seen.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.state.lock().version != self.seen
    }

    /// Waits for a value that this has not seen, and returns the newest.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] when the last value was seen and the sender is gone; [`RecvError::Cancelled`] when it would have to
    /// wait, and the task is cancelled, or cannot be suspended.
    pub fn changed(&mut self) -> Result<Arc<T>, RecvError> {
        wait::told(self.wait_until(Limit::Never))?;
        self.see()
    }

    /// [`changed`](Self::changed) for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed).
    pub fn changed_timeout(&mut self, longest: Duration) -> Result<Option<Arc<T>>, RecvError> {
        match wait::timed(self.wait_until(Limit::After(longest)))? {
            Some(()) => self.see().map(Some),
            None => Ok(None),
        }
    }

    fn see(&mut self) -> Result<Arc<T>, RecvError> {
        let state = self.state.lock();
        if state.version == self.seen {
            return Err(RecvError::Closed);
        }
        self.seen = state.version;
        Ok(Arc::clone(&state.value))
    }

    fn wait_until(&self, limit: Limit) -> Result<(), Stopped> {
        wait_in(
            &*self.state,
            limit,
            |state| self.knows(state).then_some(()),
            |state, resumer| state.queue.push(resumer),
            |state, place| drop(state.queue.remove(place)),
        )
    }

    /// Whether there is a value that this has not seen, or none will come.
    pub(super) fn is_ready(&self) -> bool {
        self.knows(&self.state.lock())
    }

    fn knows(&self, state: &State<T>) -> bool {
        state.version != self.seen || !state.has_sender
    }

    /// See [`join_in`].
    pub(super) fn join(&self, resumer: Resumer<()>) -> Option<Place> {
        join_in(&*self.state, |state| self.knows(state), |state, resumer| state.queue.push(resumer), resumer)
    }

    pub(super) fn leave(&self, place: Place) {
        drop(self.state.lock().queue.remove(place));
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), seen: self.seen }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.get()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.get()).finish()
    }
}
