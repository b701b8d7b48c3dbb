//! What guards the queues of this module: a lock that is held for a few instructions, and across no code of others.
//!
//! It is one locked instruction where a mutex takes two, of which each costs as much as a switch; and queues are what every
//! hand-off goes through. Nobody waits for anything while holding it, so whoever finds it held has to wait only if the holder's
//! thread was interrupted there, and then gives the CPU away.

use core::cell::UnsafeCell;
use core::hint;
use core::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// See the module. What is at the beginning of the value is beside the flag.
#[repr(C)]
pub(super) struct Latch<T> {
    is_held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time (invariant 26), so it must be Send and no more.
unsafe impl<T: Send> Sync for Latch<T> {}

// A panic leaves nothing in its midst here: no code of users runs while it is held.
impl<T> UnwindSafe for Latch<T> {}
impl<T> RefUnwindSafe for Latch<T> {}

/// How often to look before the CPU is given away.
const SPINS: u32 = 100;

impl<T> Latch<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { is_held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> Held<'_, T> {
        if self.is_held.swap(true, Ordering::Acquire) {
            self.lock_slow();
        }
        Held(self)
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self) {
        let mut spins = 0;
        while self.is_held.load(Ordering::Relaxed) || self.is_held.swap(true, Ordering::Acquire) {
            spins += 1;
            if spins < SPINS {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

/// The latch is held until this is dropped.
pub(super) struct Held<'a, T>(&'a Latch<T>);

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the latch is held, by this (invariant 26).
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.is_held.store(false, Ordering::Release);
    }
}
