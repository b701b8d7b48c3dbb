//! A lock that goes from one holder to the next in the order in which they came.
//!
//! The state has two bits:
//!
//! | state | meaning |
//! |---|---|
//! | 0 | free |
//! | LOCKED | held, and nobody waits |
//! | LOCKED, QUEUED | held, and somebody may wait: whoever unlocks looks into the queue |
//! | QUEUED | for a moment, while the latch is held: it was free, and whoever has set the bit takes it |
//!
//! QUEUED is set and cleared under the queue's latch only. Unlocking with QUEUED does not free the lock: it gives it to the
//! first in the queue whose wait can be claimed, so nobody who comes later can be before. A waiter that is cancelled loses its
//! place; one that was given the lock has it, cancelled or not.

use super::latch::Latch;
use super::poison;
use super::queue::WaitQueue;
use super::wait;
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped, suspend_until};
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::thread;

const LOCKED: u8 = 1;
const QUEUED: u8 = 2;

/// The lock without what it guards.
pub(super) struct RawMutex {
    state: AtomicU8,
    queue: Latch<WaitQueue<Resumer<()>>>,
}

impl RawMutex {
    const fn new() -> Self {
        Self { state: AtomicU8::new(0), queue: Latch::new(WaitQueue::new()) }
    }

    #[inline(always)]
    fn try_lock(&self) -> bool {
        self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn lock(&self, shielded: bool) -> Result<(), Stopped> {
        if self.try_lock() { Ok(()) } else { self.lock_slow(shielded) }
    }

    #[inline(never)]
    fn lock_slow(&self, shielded: bool) -> Result<(), Stopped> {
        let mut place = None;
        let mut is_taken = false;
        let waited = suspend_until(Limit::Never, shielded, |resumer| {
            let mut queue = self.queue.lock();
            // Under the latch nobody clears QUEUED, and as long as it is set nobody frees the lock.
            if self.state.load(Ordering::Relaxed) & QUEUED == 0
                && self.state.fetch_or(QUEUED, Ordering::Acquire) & LOCKED == 0
            {
                self.state.store(LOCKED, Ordering::Relaxed);
                drop(queue);
                is_taken = true;
                let _ = resumer.send(());
                return;
            }
            place = Some(queue.push(resumer));
        });
        if is_taken {
            // Cancelled at the same time, it has it all the same.
            return Ok(());
        }
        if waited.is_err()
            && let Some(place) = place
        {
            let mut queue = self.queue.lock();
            drop(queue.remove(place));
            if queue.is_empty() {
                let _ = self.state.compare_exchange(LOCKED | QUEUED, LOCKED, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        waited
    }

    /// The caller has the lock.
    #[inline(always)]
    pub(super) fn unlock(&self) {
        if self.state.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.unlock_slow();
        }
    }

    #[inline(never)]
    fn unlock_slow(&self) {
        let mut queue = self.queue.lock();
        let Some(next) = wait::next(&mut queue) else {
            self.state.store(0, Ordering::Release);
            return;
        };
        if queue.is_empty() {
            self.state.store(LOCKED, Ordering::Relaxed);
        }
        drop(queue);
        next.send(());
    }
}

/// [`std::sync::Mutex`] for tasks: whoever waits for it stops a task, and not a thread. Threads outside of any runtime may
/// use it too.
///
/// The lock is given to those that wait in the order in which they came. [`lock`](Self::lock) is not cut short when its task is
/// cancelled; [`task::lock`](crate::task::lock) is.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Mutex}, thread};
///
/// switchback::run(|| {
///     let counter = Arc::new(Mutex::new(0));
///     let handles: Vec<_> = (0..10)
///         .map(|_| {
///             let counter = Arc::clone(&counter);
///             thread::spawn(move || *counter.lock().unwrap() += 1)
///         })
///         .collect();
///     for handle in handles {
///         handle.join().unwrap();
///     }
///     assert_eq!(*counter.lock().unwrap(), 10);
/// });
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    poison: poison::Flag,
    value: UnsafeCell<T>,
}

// SAFETY: it owns the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: a guard is had by one at a time (invariant 27), so the value must be Send and no more.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex that is free.
    pub const fn new(value: T) -> Self {
        Self { raw: RawMutex::new(), poison: poison::Flag::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// The value too, if the mutex is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.result(self.value.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is the caller's, and returns the guard that has it.
    ///
    /// # Errors
    ///
    /// The guard too, if somebody has panicked who had it.
    ///
    /// # Panics
    ///
    /// When it would have to wait where nothing can be suspended: while a panic unwinds, and in the closure of
    /// [`suspend`](crate::task::suspend).
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        wait::surely(self.raw.lock(true), "a mutex");
        // SAFETY: it was locked just now.
        unsafe { MutexGuard::new(self) }
    }

    /// [`lock`](Self::lock) that does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when somebody else has it; [`TryLockError::Poisoned`], with the guard.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if !self.raw.try_lock() {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: it was locked just now.
        Ok(unsafe { MutexGuard::new(self) }?)
    }

    /// [`lock`](Self::lock) that is cut short when the task is cancelled.
    pub(crate) fn lock_or_cancelled(&self) -> Result<LockResult<MutexGuard<'_, T>>, Cancelled> {
        wait::told(self.raw.lock(false))?;
        // SAFETY: it was locked just now.
        Ok(unsafe { MutexGuard::new(self) })
    }

    /// Whether somebody has panicked who had it.
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Takes the poison away.
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, which is the caller's alone.
    ///
    /// # Errors
    ///
    /// The reference too, if the mutex is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.result(self.value.get_mut())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => debug.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => debug.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => debug.field("data", &format_args!("<locked>")),
        };
        debug.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

/// Has a [`Mutex`] until it is dropped.
#[must_use = "the mutex is free again when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    was_panicking: bool,
    /// As in std, it stays where it was made.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: through a shared guard only `&T` is reached.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// # Safety
    ///
    /// The caller has locked the mutex, and gives the lock to this guard.
    #[inline(always)]
    unsafe fn new(mutex: &'a Mutex<T>) -> LockResult<Self> {
        let guard = Self { mutex, was_panicking: thread::panicking(), _not_send: PhantomData };
        mutex.poison.result(guard)
    }

    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock (invariant 27).
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.mutex.poison.done(self.was_panicking);
        self.mutex.raw.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{LOCKED, Mutex, RawMutex};
    use crate::{Runtime, task};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    /// The lock gets free while a task joins the queue, which is cancelled at that very time: it has it, or nobody has.
    #[test]
    fn a_lock_is_not_lost_with_who_is_cancelled_while_joining_the_queue() {
        let runtime = Runtime::builder().workers(1).build().expect("a runtime");
        for _ in 0..4 {
            let (mutex, comes) = (Mutex::new(()), AtomicBool::new(false));
            let raw: &RawMutex = &mutex.raw;
            assert!(raw.try_lock());
            let (tell, told) = std::sync::mpsc::channel();
            thread::scope(|s| {
                let queue = raw.queue.lock();
                let taking = s.spawn(|| {
                    runtime.run(|| {
                        let handle = task::current().expect("a task");
                        tell.send(handle).expect("somebody listens");
                        comes.store(true, Ordering::SeqCst);
                        task::lock(&mutex).is_ok_and(|guard| guard.is_ok())
                    })
                });
                let handle = told.recv().expect("it tells");
                while !comes.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                // Most often it has come to the queue after that, for which it has to wait. (Where the machine is busy, each of
                // these takes long.)
                (0..20).for_each(|_| thread::yield_now());
                handle.cancel();
                raw.state.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed).expect("nobody waits");
                drop(queue);
                taking.join().expect("it ends well");
            });
            assert!(mutex.try_lock().is_ok(), "nobody has it any more");
        }
    }
}
