//! [`std::sync::mpsc`] for tasks: channels from many senders to one receiver. Whoever waits stops a task, and not a thread;
//! threads outside of any runtime may have either end.
//!
//! Messages arrive in the order in which they were sent, and senders that wait for room have it in the order in which they came.
//! std's calls cannot say that the task was cancelled: they say then that the channel is closed, and give the message
//! back. [`task::send`](crate::task::send) and [`task::recv`](crate::task::recv) say it. A message that is there is
//! received, and one for which there is room is sent, cancelled or not.
#![forbid(unsafe_code)]

use super::channel::{Channel, RecvStop, Run, SendStop};
use super::select;
use crate::scheduler::{Limit, Stopped};
use core::fmt;
use std::sync::Arc;
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

/// A channel for any number of messages: sending never waits.
///
/// # Examples
///
/// ```
/// use switchback::{sync::mpsc, thread};
///
/// switchback::run(|| {
///     let (sender, receiver) = mpsc::channel();
///     for n in 0..3 {
///         let sender = sender.clone();
///         thread::spawn(move || sender.send(n).unwrap());
///     }
///     drop(sender);
///     assert_eq!(receiver.iter().sum::<i32>(), 3);
/// });
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Channel::new(None);
    (Sender(Arc::clone(&channel)), Receiver::new(channel))
}

/// A channel for at most `bound` messages that nobody has received: who sends more waits. With 0, each message waits for the
/// receiver: a rendezvous. Room for all of them is taken at once, as std's does.
///
/// # Panics
///
/// When no memory can be that large.
///
/// # Examples
///
/// ```
/// use switchback::{sync::mpsc::{self, TrySendError}, thread};
///
/// switchback::run(|| {
///     let (sender, receiver) = mpsc::sync_channel(1);
///     sender.send(1).unwrap();
///     assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
///     thread::spawn(move || sender.send(2).unwrap()); // waits until there is room
///     assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Ok(2)));
///     assert!(receiver.recv().is_err());
/// });
/// ```
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let channel = Channel::new(Some(bound));
    (SyncSender(Arc::clone(&channel)), Receiver::new(channel))
}

/// The sending end of a [`channel`].
pub struct Sender<T>(Arc<Channel<T>>);

/// The sending end of a [`sync_channel`].
pub struct SyncSender<T>(Arc<Channel<T>>);

/// The receiving end of a [`channel`] or [`sync_channel`]. Dropping it drops the messages that nobody has received.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// As in std, it may be sent to others, but not be shared.
    /// Not for several threads at once, so neither is the receiver.
    run: Run,
}

impl<T> Sender<T> {
    /// Sends, without waiting.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.try_send(value).map_err(|error| match error {
            TrySendError::Disconnected(value) | TrySendError::Full(value) => SendError(value),
        })
    }
}

impl<T> SyncSender<T> {
    /// Sends, and waits for room.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone. And when it would have to wait, and the task is cancelled, or cannot be suspended.
    #[inline(always)]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.send(value, Limit::Never).map_err(|stop| match stop {
            SendStop::Closed(value) | SendStop::Stopped(value, _) => SendError(value),
        })
    }

    /// Sends without waiting.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone, and when there is no room: with a bound of 0, when nobody receives now.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(value)
    }

    /// [`send`](Self::send) that waits for that long at most.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and the value too when the time is over.
    pub fn send_timeout(&self, value: T, longest: Duration) -> Result<(), SendTimeoutError<T>> {
        self.0.send(value, Limit::After(longest)).map_err(|stop| match stop {
            SendStop::Stopped(value, Stopped::TimedOut) => SendTimeoutError::Timeout(value),
            SendStop::Closed(value) | SendStop::Stopped(value, _) => SendTimeoutError::Disconnected(value),
        })
    }

    pub(crate) fn channel(&self) -> &Channel<T> {
        &self.0
    }
}

/// Why [`SyncSender::send_timeout`] has not sent. As in std, where it is not stable yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The time was over before there was room.
    Timeout(T),
    /// The receiver is gone, or the task was cancelled.
    Disconnected(T),
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out waiting on send operation",
            Self::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl<T> std::error::Error for SendTimeoutError<T> {}

impl<T> Receiver<T> {
    fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel, run: Run::default() }
    }

    pub(crate) fn channel(&self) -> &Channel<T> {
        &self.channel
    }

    /// What `recv` is in [`select!`](crate::select!), where it may also be that of another receiver.
    #[doc(hidden)]
    #[inline(always)]
    pub fn arm(&self) -> select::Receiving<'_, T> {
        select::recv(self)
    }

    #[inline(always)]
    pub(super) fn recv_stopping(&self, limit: Limit) -> Result<T, RecvStop> {
        self.channel.recv_in(&self.run, limit)
    }

    /// Waits for a message.
    ///
    /// # Errors
    ///
    /// When there is none, and all senders are gone. And when it would have to wait, and the task is cancelled, or cannot be
    /// suspended.
    #[inline(always)]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_stopping(Limit::Never).map_err(|_| RecvError)
    }

    /// Receives without waiting.
    ///
    /// # Errors
    ///
    /// When there is no message; and when none will come, because all senders are gone.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.try_recv()
    }

    /// [`recv`](Self::recv) that waits for that long at most.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and when the time is over.
    pub fn recv_timeout(&self, longest: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_stopping(Limit::After(longest)).map_err(|stop| match stop {
            RecvStop::Stopped(Stopped::TimedOut) => RecvTimeoutError::Timeout,
            RecvStop::Closed | RecvStop::Stopped(_) => RecvTimeoutError::Disconnected,
        })
    }

    /// The messages, each waited for, until all senders are gone or the task is cancelled.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The messages that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.add_sender();
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        self.0.add_sender();
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.drop_sender();
    }
}

impl<T> Drop for SyncSender<T> {
    fn drop(&mut self) {
        self.0.drop_sender();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.drop_receiver();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("messages", &self.channel.len()).finish_non_exhaustive()
    }
}

/// What [`Receiver::iter`] returns.
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

/// What [`Receiver::try_iter`] returns.
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

/// The messages of a receiver, which it owns.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}
