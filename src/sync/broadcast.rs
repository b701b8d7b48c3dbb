//! A channel whose messages go to each receiver.
//!
//! Sending never waits: the channel keeps so many messages, and a receiver that is further behind is told how many it has missed.
//!
//! # Examples
//!
//! ```
//! use switchback::{sync::broadcast::{self, RecvError}, task};
//!
//! switchback::run(|| {
//!     let (news, mut first) = broadcast::channel(2);
//!     let mut second = news.subscribe();
//!     let reading = task::spawn(move || second.recv().map(|line| *line));
//!     for line in ["one", "two", "three"] {
//!         news.send(line);
//!     }
//!     assert_eq!(first.recv(), Err(RecvError::Lagged(1)));
//!     assert_eq!(first.recv().map(|line| *line), Ok("two"));
//!     assert!(reading.join().is_ok());
//! });
//! ```
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::wait::{self, join_in, wait_in};
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// A channel that keeps `capacity` messages, and a receiver for what is sent from now on.
///
/// # Panics
///
/// When `capacity` is zero.
#[must_use]
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel must keep a message");
    // It grows to what is in it: a capacity may be a wish that no memory can fulfil at once.
    let kept = VecDeque::with_capacity(capacity.min(64));
    let state = State { kept, capacity, sent: 0, senders: 1, queue: WaitQueue::new() };
    let state = Arc::new(Latch::new(state));
    (Sender(Arc::clone(&state)), Receiver { state, next: 0 })
}

struct State<T> {
    /// The last messages that were sent.
    kept: VecDeque<Arc<T>>,
    capacity: usize,
    /// How many messages were sent.
    sent: u64,
    senders: usize,
    queue: WaitQueue<Resumer<()>>,
}

impl<T> State<T> {
    /// The number of the oldest message that is kept.
    fn oldest(&self) -> u64 {
        self.sent - self.kept.len() as u64
    }
}

/// Sends to all receivers.
pub struct Sender<T>(Arc<Latch<State<T>>>);

/// Receives each message that was sent since it was made. A clone goes on where this is.
pub struct Receiver<T> {
    state: Arc<Latch<State<T>>>,
    next: u64,
}

/// Why a receiver has no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// So many messages were dropped before this receiver came to them. The next call returns the oldest that is there.
    Lagged(u64),
    /// All has been received, and all senders are gone.
    Closed,
    /// The task was cancelled while it waited, or could not wait.
    Cancelled(Cancelled),
}

impl<T> Sender<T> {
    /// Sends, without waiting. Nobody need be there to receive it.
    pub fn send(&self, value: T) {
        let value = Arc::new(value);
        let mut state = self.0.lock();
        let dropped = if state.kept.len() == state.capacity { state.kept.pop_front() } else { None };
        state.kept.push_back(value);
        state.sent += 1;
        let waiting = state.queue.take_all();
        drop(state);
        wait::wake_all(waiting);
        // Last: its destructor may panic, or wait for those that have just been woken.
        drop(dropped);
    }

    /// Another receiver, for what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        let next = self.0.lock().sent;
        Receiver { state: Arc::clone(&self.0), next }
    }
}

impl<T> Receiver<T> {
    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// See [`RecvError`].
    pub fn recv(&mut self) -> Result<Arc<T>, RecvError> {
        wait::told(self.wait_until(Limit::Never)).map_err(RecvError::Cancelled)?;
        self.take().unwrap_or(Err(RecvError::Closed))
    }

    /// [`recv`](Self::recv) for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, longest: Duration) -> Result<Option<Arc<T>>, RecvError> {
        match wait::timed(self.wait_until(Limit::After(longest))).map_err(RecvError::Cancelled)? {
            Some(()) => self.take().unwrap_or(Err(RecvError::Closed)).map(Some),
            None => Ok(None),
        }
    }

    /// The next message, if it is there: none if it may still come.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] and [`RecvError::Closed`], as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<Arc<T>>, RecvError> {
        let is_closed = self.state.lock().senders == 0;
        match self.take() {
            Some(taken) => taken.map(Some),
            None if is_closed => Err(RecvError::Closed),
            None => Ok(None),
        }
    }

    fn take(&mut self) -> Option<Result<Arc<T>, RecvError>> {
        let state = self.state.lock();
        let oldest = state.oldest();
        if self.next < oldest {
            let missed = oldest - self.next;
            self.next = oldest;
            return Some(Err(RecvError::Lagged(missed)));
        }
        let index = usize::try_from(self.next - oldest).unwrap_or(usize::MAX);
        let value = Arc::clone(state.kept.get(index)?);
        self.next += 1;
        Some(Ok(value))
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

    /// Whether there is a message, or none will come.
    pub(super) fn is_ready(&self) -> bool {
        self.knows(&self.state.lock())
    }

    fn knows(&self, state: &State<T>) -> bool {
        state.sent > self.next || state.senders == 0
    }

    /// See [`join_in`].
    pub(super) fn join(&self, resumer: Resumer<()>) -> Option<Place> {
        join_in(&*self.state, |state| self.knows(state), |state, resumer| state.queue.push(resumer), resumer)
    }

    pub(super) fn leave(&self, place: Place) {
        drop(self.state.lock().queue.remove(place));
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        if state.senders == 0 {
            let waiting = state.queue.take_all();
            drop(state);
            wait::wake_all(waiting);
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), next: self.next }
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

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(missed) => write!(f, "{missed} messages were missed"),
            Self::Closed => f.write_str("nobody is left to send anything"),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
        }
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cancelled) => Some(cancelled),
            Self::Lagged(_) | Self::Closed => None,
        }
    }
}
