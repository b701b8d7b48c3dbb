//! Waiting for several tasks: for all, for the first, for each as it ends.
#![forbid(unsafe_code)]

use super::cancel::shield;
use super::children::Children;
use super::current::tell_wait;
use super::errors::{Errors, Failure};
use super::join::{JoinError, JoinHandle};
use super::panicked::Panic;
use super::scope::scope;
use super::spawn::spawn_in_seat;
use super::suspend::{Interrupted, Resumer, suspend};
use crate::cancelled::{CancelReason, Cancelled};
use core::convert::Infallible;
use core::fmt;
use core::mem;
use core::panic::Location;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

/// Runs each of the closures as a task, all at once, and returns what they return, in their own order. They may borrow.
///
/// # Errors
///
/// The first failure cancels the others: see [`scope`].
///
/// # Panics
///
/// When one of them does, after the others have ended, or had no stack; and outside of a runtime, if there are any.
///
/// # Examples
///
/// ```
/// use switchback::{Cancelled, task};
///
/// switchback::run(|| {
///     let words = ["a", "bc", "def"];
///     let lengths = task::join_all(words.iter().map(|word| || Ok::<_, Cancelled>(word.len())));
///     assert_eq!(lengths.unwrap(), [1, 2, 3]);
/// });
/// ```
#[track_caller]
pub fn join_all<F, T, E, M>(tasks: impl IntoIterator<Item = F>) -> Result<Vec<T>, Errors<E>>
where
    F: FnOnce() -> Result<T, E> + Send,
    T: Send,
    E: Failure<M> + From<Cancelled> + Send + 'static,
{
    let here = Location::caller();
    scope(|s| {
        let handles: Vec<_> = tasks.into_iter().map(|task| s.spawn_at(task, here)).collect();
        handles.into_iter().map(|handle| handle.join().map_err(E::from)).collect()
    })
}

/// Runs each of the closures as a task, all at once, and returns how each has ended, in their own order. None is cancelled
/// because another fails; when the caller is cancelled, all are.
///
/// # Panics
///
/// Outside of a runtime, if there are any.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let ended = task::join_all_settled([1, 0].map(|n: i32| move || 10 / n));
///     assert_eq!(ended[0].as_ref().unwrap(), &10);
///     assert!(ended[1].is_err()); // it has divided by zero
/// });
/// ```
#[track_caller]
pub fn join_all_settled<F, T>(tasks: impl IntoIterator<Item = F>) -> Vec<Result<T, JoinError>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let here = Location::caller();
    let ended = scope(|s| {
        let caught = |task: F| move || Ok::<_, Infallible>(panic::catch_unwind(AssertUnwindSafe(task)));
        let mut handles: Vec<_> = tasks.into_iter().map(|task| s.spawn_at(caught(task), here)).collect();
        if handles.iter_mut().any(|handle| handle.wait().is_err()) {
            s.cancel();
        }
        let ended = shield(|| {
            let ended = handles.into_iter().map(|handle| match handle.outcome()? {
                Some(Ok(value)) => Ok(value),
                Some(Err(payload)) => Err(JoinError::Panicked(Panic::new(payload))),
                None => unreachable!("it cannot fail, and its panics are caught"),
            });
            ended.collect::<Vec<_>>()
        });
        s.tell_no_stack();
        Ok(ended)
    });
    match ended {
        Ok(ended) => ended,
        Err(errors) => match *errors.first() {},
    }
}

/// Runs each of the closures as a task, all at once, and returns what the first to end returns. The others are cancelled, and
/// have ended when this returns; what they return is dropped.
///
/// None, if there are no closures, or none of them has run because the caller was cancelled before.
///
/// # Panics
///
/// When one of them does, after the others have ended, or had no stack; and outside of a runtime, if there are any.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{Cancelled, task};
///
/// switchback::run(|| {
///     let contenders = [60_000, 1].map(|delay| move || {
///         task::sleep(Duration::from_millis(delay))?;
///         Ok::<_, Cancelled>(delay)
///     });
///     assert_eq!(task::race(contenders), Some(Ok(1)));
/// });
/// ```
#[track_caller]
pub fn race<F, T>(contenders: impl IntoIterator<Item = F>) -> Option<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let here = Location::caller();
    let winner = Mutex::new(None);
    let first = &winner;
    let raced = scope(|s| {
        for contender in contenders {
            let contends = move || {
                let value = contender();
                let mut winner = first.lock();
                if winner.is_some() {
                    // What has lost is dropped without the lock.
                    drop(winner);
                    drop(value);
                } else {
                    *winner = Some(value);
                    drop(winner);
                    s.cancel_because(CancelReason::RaceLost);
                }
                Ok::<(), Infallible>(())
            };
            s.spawn_at(contends, here);
        }
        Ok(())
    });
    match raced {
        Ok(()) => winner.into_inner(),
        Err(errors) => match *errors.first() {},
    }
}

/// Tasks that are waited for as they end. Dropping the set cancels those that are left.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::task;
///
/// switchback::run(|| {
///     let mut set = task::JoinSet::new();
///     for delay in [20, 1, 10] {
///         set.spawn(move || { task::sleep(Duration::from_millis(delay)).unwrap(); delay });
///     }
///     let mut ended = Vec::new();
///     for delay in set.completed() {
///         ended.push(delay.unwrap());
///     }
///     assert_eq!(ended.len(), 3);
///     assert_eq!(ended[0], 1);
/// });
/// ```
pub struct JoinSet<T> {
    /// In the order in which they were spawned, and so are they cancelled: by a seed, a run is the same each time.
    handles: BTreeMap<usize, JoinHandle<T>>,
    spawned: usize,
    children: Arc<Children>,
}

impl<T: Send + 'static> JoinSet<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { handles: BTreeMap::new(), spawned: 0, children: Children::of_set() }
    }

    /// Starts a task in the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn(&mut self, f: impl FnOnce() -> T + Send + 'static) {
        self.spawned += 1;
        let handle = spawn_in_seat(f, || self.children.seat_in_set(self.spawned));
        self.handles.insert(self.spawned, handle);
    }

    /// Waits for the next task to end, and returns how it has. None, if the set is empty.
    ///
    /// # Errors
    ///
    /// When the caller is cancelled, or cannot wait here. No outcome is lost.
    pub fn join_next(&mut self) -> Result<Option<Result<T, JoinError>>, Cancelled> {
        loop {
            if self.handles.is_empty() {
                return Ok(None);
            }
            if let Some(handle) = self.children.take_ended().and_then(|number| self.handles.remove(&number)) {
                // It is complete, so this does not wait.
                return Ok(Some(handle.join()));
            }
            self.wait()?;
        }
    }

    fn wait(&self) -> Result<(), Cancelled> {
        let waited = suspend(|resumer: Resumer<()>| {
            tell_wait("a task of a set", None);
            self.children.begin_wait_for_one(resumer);
        });
        match waited {
            Ok(()) | Err(Interrupted::Abandoned) => Ok(()),
            Err(Interrupted::Cancelled(cancelled)) => Err(cancelled),
            Err(_) => Err(super::refusal()),
        }
    }

    /// The outcomes, as the tasks end, until there are none left. When the caller is cancelled,
    /// [`JoinError::Interrupted`] is the last.
    pub fn completed(&mut self) -> Completed<'_, T> {
        Completed { set: self, is_over: false }
    }

    /// How many tasks there are whose outcome nobody has got.
    #[must_use]
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Cancels all of them. Their outcomes are still to be had.
    pub fn cancel_all(&self) {
        for handle in self.handles.values() {
            handle.cancel();
        }
    }
}

impl<T: Send + 'static> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for handle in mem::take(&mut self.handles).into_values() {
            handle.cancel();
        }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.handles.len()).finish_non_exhaustive()
    }
}

/// See [`JoinSet::completed`].
#[derive(Debug)]
pub struct Completed<'a, T> {
    set: &'a mut JoinSet<T>,
    is_over: bool,
}

impl<T: Send + 'static> Iterator for Completed<'_, T> {
    type Item = Result<T, JoinError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.set.join_next() {
            Ok(next) => next,
            Err(cancelled) => {
                self.is_over = true;
                Some(Err(JoinError::Interrupted(cancelled)))
            }
        }
    }
}
