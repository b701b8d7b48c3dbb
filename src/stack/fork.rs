//! Locks that are free in a child of `fork`, which has only the thread that has called it: what another had locked stays so there.
//!
//! So who forks takes them first, and both of parent and child give them back (pthread_atfork(3)). It takes a mutex that is nothing but
//! a word: those of parking_lot have queues of waiting threads beside them, which would be wrong in the child.
//!
//! Handlers of others run in between, on the thread that forks: what this has taken is lent to them.
//!
//! A fork that has begun before a process's first lock was asked for does not know of it, as nobody had said so to libc. What one thread
//! finds out for all is no `Once` or `OnceLock` either, which nothing would give back in the child.

use core::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

#[cfg(unix)]
use core::cell::RefCell;
#[cfg(unix)]
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
#[cfg(unix)]
use core::{mem, ptr};
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

    #[inline]
    pub(crate) fn lock(&'static self) -> Guard<T> {
        #[cfg(unix)]
        if !self.is_known.load(Ordering::Relaxed) {
            make_known(&self.is_known, self);
        }
        Guard::of(&self.mutex)
    }
}

/// What is locked, until this is dropped.
pub(crate) struct Guard<T: 'static> {
    /// There until the end.
    guard: Option<MutexGuard<'static, T>>,
    /// Whose it is, if it is lent: the thread's, that forks.
    #[cfg(unix)]
    lent_by: Option<&'static Mutex<T>>,
}

impl<T> Guard<T> {
    #[inline]
    fn of(mutex: &'static Mutex<T>) -> Self {
        match mutex.try_lock() {
            Ok(guard) => Self::own(guard),
            // Nobody panics who has one; and if so, what it is around is not the worse for it.
            Err(TryLockError::Poisoned(poisoned)) => Self::own(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Self::lent_or_awaited(mutex),
        }
    }

    fn own(guard: MutexGuard<'static, T>) -> Self {
        Self {
            guard: Some(guard),
            #[cfg(unix)]
            lent_by: None,
        }
    }

    #[cold]
    fn lent_or_awaited(mutex: &'static Mutex<T>) -> Self {
        #[cfg(unix)]
        if let Ok(Some(guard)) = HELD.try_with(|held| held.borrow_mut().lend(mutex)) {
            return Self { guard: Some(guard), lent_by: Some(mutex) };
        }
        Self::own(mutex.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().unwrap_or_else(|| unreachable!("it is there until the end"))
    }
}

impl<T> DerefMut for Guard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().unwrap_or_else(|| unreachable!("it is there until the end"))
    }
}

#[cfg(unix)]
impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        if let (Some(mutex), Some(guard)) = (self.lent_by, self.guard.take()) {
            let back = Held::entry(mutex, guard);
            let _ = HELD.try_with(|held| held.borrow_mut().guards.push(back));
        }
    }
}

/// A [`Lock`] of any type.
#[cfg(unix)]
trait Hold: Sync {
    fn hold(&'static self) -> Entry;
}

#[cfg(unix)]
impl<T: Send> Hold for Lock<T> {
    fn hold(&'static self) -> Entry {
        Held::entry(&self.mutex, self.mutex.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those that were ever locked.
#[cfg(unix)]
static ALL: Mutex<Vec<&'static dyn Hold>> = Mutex::new(Vec::new());

/// A mutex, and its guard.
#[cfg(unix)]
type Entry = (*const (), Box<dyn Any>);

/// How often this process's line of ancestors has forked. See [`generation`].
#[cfg(unix)]
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Another number in a child than in its parent, once a stack was asked for: what was made under another one may be shared with the parent.
#[cfg(unix)]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// What the thread holds that forks just now.
#[cfg(unix)]
struct Held {
    /// A handler may fork.
    forks: usize,
    guards: Vec<Entry>,
}

#[cfg(unix)]
thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held { forks: 0, guards: Vec::new() }) };
}

#[cfg(unix)]
impl Held {
    fn entry<T>(mutex: &'static Mutex<T>, guard: MutexGuard<'static, T>) -> Entry {
        (ptr::from_ref(mutex).cast(), Box::new(guard))
    }

    fn lend<T>(&mut self, mutex: &'static Mutex<T>) -> Option<MutexGuard<'static, T>> {
        let place = self.guards.iter().position(|(held, _)| ptr::eq(*held, ptr::from_ref(mutex).cast()))?;
        self.guards.swap_remove(place).1.downcast().ok().map(|guard| *guard)
    }
}

#[cfg(unix)]
#[cold]
fn make_known(is_known: &AtomicBool, lock: &'static dyn Hold) {
    let mut all = Guard::of(&ALL);
    if all.is_empty() {
        // If it fails, for want of memory, children are as they would be without it.
        // SAFETY: the functions stay, take locks that the calling thread does not have, and call nobody else's code.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
    }
    if !is_known.swap(true, Ordering::Relaxed) {
        all.push(lock);
        // By a handler: it is held like the others.
        let _ = HELD.try_with(|held| {
            if held.borrow().forks > 0 {
                let entry = lock.hold();
                held.borrow_mut().guards.push(entry);
            }
        });
    }
}

#[cfg(unix)]
extern "C" fn before() {
    // A thread that has destroyed this is at its very end.
    let _ = HELD.try_with(|held| {
        held.borrow_mut().forks += 1;
        if held.borrow().forks == 1 {
            let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
            let mut guards: Vec<Entry> = all.iter().map(|lock| lock.hold()).collect();
            guards.push(Held::entry(&ALL, all));
            held.borrow_mut().guards = guards;
        }
    });
}

/// In the parent, and in the child.
#[cfg(unix)]
extern "C" fn after() {
    let _ = HELD.try_with(|held| {
        held.borrow_mut().forks -= 1;
        if held.borrow().forks == 0 {
            let guards = mem::take(&mut held.borrow_mut().guards);
            drop(guards);
        }
    });
}

#[cfg(unix)]
extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    after();
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Lock, after, before};
    use std::thread;

    static LOCK: Lock<i32> = Lock::new(0);

    fn is_free() -> bool {
        thread::spawn(|| LOCK.mutex.try_lock().is_ok()).join().expect("no panic")
    }

    /// As libc calls them, for a fork whose handlers fork too.
    #[test]
    fn what_is_held_is_lent_to_handlers_and_held_until_the_outer_fork_is_over() {
        *LOCK.lock() += 1;
        before();
        before();
        *LOCK.lock() += 1;
        after();
        *LOCK.lock() += 1;
        let was_free = is_free();
        after();
        assert!(!was_free && is_free());
        assert_eq!(*LOCK.lock(), 3);
    }
}
