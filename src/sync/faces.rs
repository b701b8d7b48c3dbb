//! The calls of this module that tell of cancellation: what `task` has of them.
#![forbid(unsafe_code)]

use super::barrier::{Barrier, BarrierWaitResult};
use super::channel::{RecvStop, SendStop};
use super::condvar::Condvar;
use super::mpsc::{Receiver, SyncSender};
use super::mutex::{Mutex, MutexGuard};
use super::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use super::wait;
use crate::cancelled::Cancelled;
use crate::scheduler::Limit;
use core::fmt;
use std::error::Error;
use std::sync::LockResult;

/// [`Mutex::lock`] that is cut short when the task is cancelled. What it returns otherwise may be poisoned, as there.
///
/// # Errors
///
/// When it would have to wait, and the task is cancelled, or cannot be suspended. A mutex that is free is locked, cancelled or
/// not; so is one that was handed over just before.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{sync::Mutex, task};
///
/// switchback::run(|| {
///     let mutex = Mutex::new(1);
///     *task::lock(&mutex).unwrap().unwrap() += 1;
///     let _held = mutex.lock().unwrap();
///     assert!(task::timeout(Duration::from_millis(1), || task::lock(&mutex).is_err()).is_err());
/// });
/// ```
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> Result<LockResult<MutexGuard<'_, T>>, Cancelled> {
    mutex.lock_or_cancelled()
}

/// [`RwLock::read`] that is cut short when the task is cancelled.
///
/// # Errors
///
/// As [`lock`].
pub fn read<T: ?Sized>(lock: &RwLock<T>) -> Result<LockResult<RwLockReadGuard<'_, T>>, Cancelled> {
    lock.read_or_cancelled()
}

/// [`RwLock::write`] that is cut short when the task is cancelled.
///
/// # Errors
///
/// As [`lock`].
pub fn write<T: ?Sized>(lock: &RwLock<T>) -> Result<LockResult<RwLockWriteGuard<'_, T>>, Cancelled> {
    lock.write_or_cancelled()
}

/// [`Condvar::wait`] that is cut short when the task is cancelled: the mutex has been given up then, and a notice goes to
/// another that waits. A notice that has come before is used, and the mutex taken again, whatever that takes.
///
/// # Errors
///
/// When the task is cancelled, or cannot be suspended.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Condvar, Mutex}, task};
///
/// switchback::run(|| {
///     let (ready, changed) = (Mutex::new(false), Condvar::new());
///     task::scope(|s| {
///         s.spawn(|| {
///             *task::lock(&ready)?.unwrap() = true;
///             changed.notify_one();
///             Ok(())
///         });
///         let mut guard = task::lock(&ready)?.unwrap();
///         while !*guard {
///             guard = task::wait(&changed, guard)?.unwrap();
///         }
///         Ok::<_, switchback::Cancelled>(())
///     })
///     .unwrap();
/// });
/// ```
pub fn wait<'a, T: ?Sized>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
) -> Result<LockResult<MutexGuard<'a, T>>, Cancelled> {
    condvar.wait_or_cancelled(guard)
}

/// [`Barrier::wait`] that is cut short when the task is cancelled, which does not count any more then.
///
/// # Errors
///
/// When it would have to wait, and the task is cancelled, or cannot be suspended.
pub fn wait_at(barrier: &Barrier) -> Result<BarrierWaitResult, Cancelled> {
    barrier.wait_or_cancelled()
}

/// [`SyncSender::send`] that tells of cancellation.
///
/// # Errors
///
/// See [`SendError`]: the value is in it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{sync::mpsc::sync_channel, task::{self, SendError}};
///
/// switchback::run(|| {
///     let (sender, _receiver) = sync_channel(1);
///     assert!(task::send(&sender, 1).is_ok());
///     let late = task::timeout(Duration::from_millis(1), || task::send(&sender, 2));
///     assert!(matches!(late.unwrap_err().into_value(), Err(SendError::Cancelled(2, _))));
/// });
/// ```
#[inline]
pub fn send<T>(sender: &SyncSender<T>, value: T) -> Result<(), SendError<T>> {
    sender.channel().send(value, Limit::Never).map_err(SendError::from)
}

/// [`Receiver::recv`] that tells of cancellation.
///
/// # Errors
///
/// See [`RecvError`].
#[inline]
pub fn recv<T>(receiver: &Receiver<T>) -> Result<T, RecvError> {
    receiver.recv_stopping(Limit::Never).map_err(RecvError::from)
}

/// Why a message was not sent, with the message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// Nobody will ever receive it.
    Closed(T),
    /// The task was cancelled while it waited for room, or could not wait.
    Cancelled(T, Cancelled),
}

/// Why nothing was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// There is nothing, and nobody who could send.
    Closed,
    /// The task was cancelled while it waited, or could not wait. What is sent later is for others.
    Cancelled(Cancelled),
}

impl<T> SendError<T> {
    /// What was to be sent.
    pub fn into_value(self) -> T {
        match self {
            Self::Closed(value) | Self::Cancelled(value, _) => value,
        }
    }
}

impl<T> From<SendStop<T>> for SendError<T> {
    fn from(stop: SendStop<T>) -> Self {
        match stop {
            SendStop::Closed(value) => Self::Closed(value),
            SendStop::Stopped(value, stopped) => Self::Cancelled(value, wait::why(stopped)),
        }
    }
}

impl From<RecvStop> for RecvError {
    fn from(stop: RecvStop) -> Self {
        match stop {
            RecvStop::Closed => Self::Closed,
            RecvStop::Stopped(stopped) => Self::Cancelled(wait::why(stopped)),
        }
    }
}

impl From<Cancelled> for RecvError {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::Cancelled(_, cancelled) => f.debug_tuple("Cancelled").field(cancelled).finish(),
        }
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("nobody is left to receive it"),
            Self::Cancelled(_, cancelled) => cancelled.fmt(f),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("nobody is left to send anything"),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
        }
    }
}

impl<T> Error for SendError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closed(_) => None,
            Self::Cancelled(_, cancelled) => Some(cancelled),
        }
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closed => None,
            Self::Cancelled(cancelled) => Some(cancelled),
        }
    }
}
