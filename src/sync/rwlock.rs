//! [`std::sync::RwLock`] for tasks.

use super::poison;
use super::raw_rwlock::{Access, RawRwLock};
use super::wait;
use crate::cancelled::Cancelled;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::thread;

/// [`std::sync::RwLock`] for tasks: whoever waits for it stops a task, and not a thread. Threads outside of any runtime may
/// use it too.
///
/// Readers and writers are let in in the order in which they came: a reader that comes after a writer waits until that is done,
/// so no writer waits for ever. A task that reads must not read again: between the two a writer may have come. The calls
/// are not cut short when the task is cancelled; [`task::read`](crate::task::read) and [`task::write`](crate::task::write) are.
///
/// # Examples
///
/// ```
/// use switchback::sync::RwLock;
///
/// let lock = RwLock::new(5);
/// {
///     let (one, two) = (lock.read().unwrap(), lock.read().unwrap());
///     assert_eq!(*one + *two, 10);
/// }
/// *lock.write().unwrap() += 1;
/// assert_eq!(lock.into_inner().unwrap(), 6);
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    poison: poison::Flag,
    value: UnsafeCell<T>,
}

// SAFETY: it owns the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: a writer has the value alone, and readers share it (invariant 27): so it must be Send and Sync.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock that is free.
    pub const fn new(value: T) -> Self {
        Self { raw: RawRwLock::new(), poison: poison::Flag::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// The value too, if the lock is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.result(self.value.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until there is no writer, neither at work nor waiting before the caller, and returns a guard to read with.
    ///
    /// # Errors
    ///
    /// The guard too, if a writer has panicked.
    ///
    /// # Panics
    ///
    /// When it would have to wait where nothing can be suspended: while a panic unwinds, and in the closure of
    /// [`suspend`](crate::task::suspend).
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        wait::surely(self.raw.lock(Access::Read, true), "a lock");
        // SAFETY: it was locked just now.
        unsafe { RwLockReadGuard::new(self) }
    }

    /// Waits until the lock is the caller's alone, and returns a guard to write with.
    ///
    /// # Errors
    ///
    /// The guard too, if a writer has panicked.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        wait::surely(self.raw.lock(Access::Write, true), "a lock");
        // SAFETY: it was locked just now.
        unsafe { RwLockWriteGuard::new(self) }
    }

    /// [`read`](Self::read) that does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when a writer has the lock or waits for it; [`TryLockError::Poisoned`], with the guard.
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if !self.raw.try_lock(Access::Read) {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: it was locked just now.
        Ok(unsafe { RwLockReadGuard::new(self) }?)
    }

    /// [`write`](Self::write) that does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when somebody has the lock; [`TryLockError::Poisoned`], with the guard.
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if !self.raw.try_lock(Access::Write) {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: it was locked just now.
        Ok(unsafe { RwLockWriteGuard::new(self) }?)
    }

    /// [`read`](Self::read) that is cut short when the task is cancelled.
    pub(crate) fn read_or_cancelled(&self) -> Result<LockResult<RwLockReadGuard<'_, T>>, Cancelled> {
        wait::told(self.raw.lock(Access::Read, false))?;
        // SAFETY: it was locked just now.
        Ok(unsafe { RwLockReadGuard::new(self) })
    }

    /// [`write`](Self::write) that is cut short when the task is cancelled.
    pub(crate) fn write_or_cancelled(&self) -> Result<LockResult<RwLockWriteGuard<'_, T>>, Cancelled> {
        wait::told(self.raw.lock(Access::Write, false))?;
        // SAFETY: it was locked just now.
        Ok(unsafe { RwLockWriteGuard::new(self) })
    }

    /// Whether a writer has panicked.
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
    /// The reference too, if the lock is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.result(self.value.get_mut())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => debug.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => debug.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => debug.field("data", &format_args!("<locked>")),
        };
        debug.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

/// Reads what a [`RwLock`] guards, until it is dropped.
#[must_use = "the lock is free again when the guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// As in std, it stays where it was made.
    _not_send: PhantomData<*const ()>,
}

/// Writes to what a [`RwLock`] guards, until it is dropped.
#[must_use = "the lock is free again when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    was_panicking: bool,
    /// As in std, it stays where it was made.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: through a shared guard only `&T` is reached.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// # Safety
    ///
    /// The caller has locked it to read, and gives the lock to this guard.
    #[inline(always)]
    unsafe fn new(lock: &'a RwLock<T>) -> LockResult<Self> {
        lock.poison.result(Self { lock, _not_send: PhantomData })
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// # Safety
    ///
    /// The caller has locked it to write, and gives the lock to this guard.
    #[inline(always)]
    unsafe fn new(lock: &'a RwLock<T>) -> LockResult<Self> {
        lock.poison.result(Self { lock, was_panicking: thread::panicking(), _not_send: PhantomData })
    }

    /// Goes on as a reader, with no writer in between.
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let lock = this.lock;
        lock.poison.done(this.was_panicking);
        mem::forget(this);
        lock.raw.downgrade();
        RwLockReadGuard { lock, _not_send: PhantomData }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock (invariant 27).
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock (invariant 27).
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.raw.unlock(Access::Read);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.poison.done(self.was_panicking);
        self.lock.raw.unlock(Access::Write);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
