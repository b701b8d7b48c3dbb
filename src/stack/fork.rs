//! Locks that are free in a child of `fork`, which has only the thread that has called it: what another had locked stays so there.
//!
//! So who forks takes them first, and both of parent and child give them back (pthread_atfork(3)). It takes a mutex that is nothing but
//! a word: those of parking_lot have queues of waiting threads beside them, which would be wrong in the child.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use core::cell::Cell;
#[cfg(unix)]
use core::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::any::Any;

/// See the module. Who has one takes no other.
pub(crate) struct Lock<T: 'static> {
    mutex: Mutex<T>,
    /// Whether it is among [`ALL`].
    #[cfg(unix)]
    is_known: AtomicBool,
}

impl<T: Send> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            mutex: Mutex::new(value),
            #[cfg(unix)]
            is_known: AtomicBool::new(false),
        }
    }

    pub(crate) fn lock(&'static self) -> MutexGuard<'static, T> {
        #[cfg(unix)]
        if !self.is_known.load(Ordering::Relaxed) {
            make_known(&self.is_known, self);
        }
        locked(&self.mutex)
    }
}

/// Nobody panics who has one; and if so, what it is around is not the worse for it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`Lock`] of any type.
#[cfg(unix)]
trait Hold: Sync {
    fn hold(&'static self) -> Box<dyn Any>;
}

#[cfg(unix)]
impl<T: Send> Hold for Lock<T> {
    fn hold(&'static self) -> Box<dyn Any> {
        Box::new(locked(&self.mutex))
    }
}

/// Those that were ever locked.
#[cfg(unix)]
static ALL: Mutex<Vec<&'static dyn Hold>> = Mutex::new(Vec::new());

#[cfg(unix)]
thread_local! {
    /// What the thread holds that forks just now.
    static HELD: Cell<Vec<Box<dyn Any>>> = const { Cell::new(Vec::new()) };
}

#[cfg(unix)]
#[cold]
fn make_known(is_known: &AtomicBool, lock: &'static dyn Hold) {
    let mut all = locked(&ALL);
    if all.is_empty() {
        // If it fails, for want of memory, children are as they would be without it.
        // SAFETY: the functions stay, take locks that the calling thread does not have, and call nobody else's code.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    }
    if !is_known.swap(true, Ordering::Relaxed) {
        all.push(lock);
    }
}

#[cfg(unix)]
extern "C" fn before() {
    let all = locked(&ALL);
    let mut held: Vec<Box<dyn Any>> = all.iter().map(|lock| lock.hold()).collect();
    held.push(Box::new(all));
    // A thread that has destroyed this is at its very end.
    let _ = HELD.try_with(|place| place.set(held));
}

/// In the parent, and in the child.
#[cfg(unix)]
extern "C" fn after() {
    let _ = HELD.try_with(|place| drop(place.take()));
}
