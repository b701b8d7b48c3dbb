//! A channel for one message: a value that comes later.
//!
//! # Examples
//!
//! ```
//! use switchback::{sync::oneshot, task};
//!
//! switchback::run(|| {
//!     let (sender, mut receiver) = oneshot::channel();
//!     task::spawn(move || sender.send(5).unwrap());
//!     assert_eq!(receiver.recv(), Ok(5));
//! });
//! ```
#![forbid(unsafe_code)]

use super::faces::RecvError;
use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::wait::{self, wait_in};
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A channel for one message.
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { value: None, has_sender: true, has_receiver: true, queue: WaitQueue::new() };
    let state = Arc::new(Latch::new(state));
    (Sender(Arc::clone(&state)), Receiver(state))
}

pub(super) struct State<T> {
    value: Option<T>,
    has_sender: bool,
    has_receiver: bool,
    /// The receiver, while it waits. What it waits for stays in `value`, so that it is there for whoever looks next.
    queue: WaitQueue<Resumer<()>>,
}

/// Sends the message, or none when it is dropped.
pub struct Sender<T>(Arc<Latch<State<T>>>);

/// Receives the message.
pub struct Receiver<T>(Arc<Latch<State<T>>>);

impl<T> Sender<T> {
    /// Sends, without waiting.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut state = self.0.lock();
        if !state.has_receiver {
            return Err(value);
        }
        state.value = Some(value);
        // The drop of the sender, which follows, wakes the receiver.
        Ok(())
    }

    /// Whether the receiver is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.0.lock().has_receiver
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
    /// Waits for the message. It can be called again after it was cancelled.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] when the sender was dropped without sending, or the message was received before;
    /// [`RecvError::Cancelled`] when it would have to wait, and the task is cancelled, or cannot be suspended.
    pub fn recv(&mut self) -> Result<T, RecvError> {
        wait::told(self.wait_until(Limit::Never))?;
        self.take().ok_or(RecvError::Closed)
    }

    /// [`recv`](Self::recv) for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, longest: Duration) -> Result<Option<T>, RecvError> {
        match wait::timed(self.wait_until(Limit::After(longest)))? {
            Some(()) => self.take().map(Some).ok_or(RecvError::Closed),
            None => Ok(None),
        }
    }

    /// The message, if it is there: none if it may still come.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`], as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<T>, RecvError> {
        let is_over = self.is_over();
        match self.take() {
            None if is_over => Err(RecvError::Closed),
            value => Ok(value),
        }
    }

    fn take(&self) -> Option<T> {
        self.0.lock().value.take()
    }

    /// Whether there is a message, or none will come.
    pub(super) fn is_over(&self) -> bool {
        !self.0.lock().has_sender
    }

    fn wait_until(&self, limit: Limit) -> Result<(), Stopped> {
        wait_in(
            &*self.0,
            limit,
            |state| (!state.has_sender).then_some(()),
            |state, resumer| state.queue.push(resumer),
            |state, place| drop(state.queue.remove(place)),
        )
    }

    /// Waits, among several things. None where it need not wait: then it is to look again.
    pub(super) fn join(&self, resumer: Resumer<()>) -> Option<Place> {
        let mut state = self.0.lock();
        if state.has_sender {
            return Some(state.queue.push(resumer));
        }
        drop(state);
        let _ = resumer.send(());
        None
    }

    pub(super) fn leave(&self, place: Place) {
        drop(self.0.lock().queue.remove(place));
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_receiver = false;
        let value = state.value.take();
        drop(state);
        drop(value);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
