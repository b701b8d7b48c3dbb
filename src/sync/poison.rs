//! Whether what a lock guards was left in the midst of a change by a panic. As in std.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError};
use std::thread;

/// The mark of a lock.
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// What is done when a guard that can change something is dropped.
    #[inline(always)]
    pub(super) fn done(&self, was_panicking: bool) {
        if !was_panicking && thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(super) fn result<T>(&self, value: T) -> LockResult<T> {
        if self.get() { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}
