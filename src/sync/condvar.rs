//! [`std::sync::Condvar`] for tasks.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::mutex::{Mutex, MutexGuard};
use super::queue::WaitQueue;
use super::wait;
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped, suspend_until};
use core::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

/// [`std::sync::Condvar`] for tasks: whoever waits for it stops a task, and not a thread. Threads outside of any runtime may
/// use it too.
///
/// Notices reach those that wait in the order in which they came, and none goes to a task that was cancelled.
///
/// std's calls have no error to say that the task was cancelled. Here they leave by an unwind then, whose payload is the
/// [`Cancelled`]: the task ends, and its [`join`](crate::thread::JoinHandle::join) returns that as `Err`. Where a panic aborts,
/// they wait on instead. [`task::wait`](crate::task::wait) returns it.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Condvar, Mutex}, thread};
///
/// switchback::run(|| {
///     let pair = Arc::new((Mutex::new(false), Condvar::new()));
///     let theirs = Arc::clone(&pair);
///     thread::spawn(move || {
///         *theirs.0.lock().unwrap() = true;
///         theirs.1.notify_one();
///     });
///     let mut is_ready = pair.0.lock().unwrap();
///     while !*is_ready {
///         is_ready = pair.1.wait(is_ready).unwrap();
///     }
/// });
/// ```
pub struct Condvar {
    waiting: AtomicUsize,
    queue: Latch<WaitQueue<Resumer<()>>>,
}

impl Condvar {
    /// One that nobody waits for.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), queue: Latch::new(WaitQueue::new()) }
    }

    /// Gives the mutex up, waits for a notice, and takes the mutex again. No notice is lost in between.
    ///
    /// # Errors
    ///
    /// The guard too, if the mutex is poisoned.
    ///
    /// # Panics
    ///
    /// Where nothing can be suspended: while a panic unwinds, and in the closure of [`suspend`](crate::task::suspend). And see
    /// the type for what happens when the task is cancelled.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, Limit::Never).0
    }

    /// [`wait`](Self::wait) as long as `condition` is true.
    ///
    /// # Errors
    ///
    /// The guard too, if the mutex is poisoned.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// [`wait`](Self::wait) for that long at most.
    ///
    /// # Errors
    ///
    /// The guard too, if the mutex is poisoned.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        longest: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let (guard, has_timed_out) = self.wait_until(guard, Limit::After(longest));
        let result = WaitTimeoutResult(has_timed_out);
        match guard {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    /// [`wait_while`](Self::wait_while) for that long at most. It has timed out if the condition is still true.
    ///
    /// # Errors
    ///
    /// The guard too, if the mutex is poisoned.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        longest: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let limit = wait::deadline(longest);
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let (locked, has_timed_out) = self.wait_until(guard, limit);
            guard = match locked {
                Ok(guard) => guard,
                Err(poisoned) => {
                    return Err(PoisonError::new((poisoned.into_inner(), WaitTimeoutResult(has_timed_out))));
                }
            };
            if has_timed_out {
                let is_true = condition(&mut *guard);
                return Ok((guard, WaitTimeoutResult(is_true)));
            }
        }
    }

    /// Lets the one go on that has waited longest.
    pub fn notify_one(&self) {
        // Whoever has begun to wait before the mutex was given to this thread is counted.
        if self.waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut queue = self.queue.lock();
        let next = wait::next(&mut queue);
        self.waiting.store(queue.len(), Ordering::Relaxed);
        drop(queue);
        if let Some(next) = next {
            next.send(());
        }
    }

    /// Lets all of them go on that wait now.
    pub fn notify_all(&self) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut queue = self.queue.lock();
        let waiting = queue.take_all();
        self.waiting.store(0, Ordering::Relaxed);
        drop(queue);
        wait::wake_all(waiting);
    }

    /// Waits with std's ways of ending: the guard, and whether the time was over.
    #[track_caller]
    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Limit,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        let mutex = guard.mutex();
        match self.wait_unlocked(guard, limit, !wait::CAN_UNWIND) {
            Ok(()) => (mutex.lock(), false),
            Err(Stopped::TimedOut) => (mutex.lock(), true),
            Err(Stopped::Cancelled(cancelled)) => wait::unwind(cancelled),
            Err(stopped) => wait::surely(Err(stopped), "a condition"),
        }
    }

    /// [`wait`](Self::wait) that is cut short when the task is cancelled.
    pub(crate) fn wait_or_cancelled<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> Result<LockResult<MutexGuard<'a, T>>, Cancelled> {
        let mutex: &'a Mutex<T> = guard.mutex();
        wait::told(self.wait_unlocked(guard, Limit::Never, false))?;
        // The notice has come, so it is not told of a cancellation any more.
        Ok(mutex.lock())
    }

    /// Gives the mutex up, however this ends, and waits for a notice.
    fn wait_unlocked<T: ?Sized>(&self, guard: MutexGuard<'_, T>, limit: Limit, shielded: bool) -> Result<(), Stopped> {
        let mut guard = Some(guard);
        let mut place = None;
        let waited = suspend_until(limit, shielded, |resumer| {
            let mut queue = self.queue.lock();
            place = Some(queue.push(resumer));
            self.waiting.store(queue.len(), Ordering::Relaxed);
            drop(queue);
            // Releases the count, for those that take the mutex.
            guard = None;
        });
        if waited.is_err()
            && let Some(place) = place
        {
            let mut queue = self.queue.lock();
            drop(queue.remove(place));
            self.waiting.store(queue.len(), Ordering::Relaxed);
        }
        waited
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// Whether a wait has ended because its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it has.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
