//! So many at a time.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::WaitQueue;
use super::wait::{self, wait_in};
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use core::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A number of permits: whoever wants one when all are given out waits.
///
/// Permits go to those that wait in the order in which they came: one who wants many is not passed by those that want few.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Semaphore}, task, Cancelled};
///
/// switchback::run(|| {
///     let connections = Arc::new(Semaphore::new(2));
///     let tasks: Vec<_> = (0..5)
///         .map(|_| {
///             let connections = Arc::clone(&connections);
///             task::spawn(move || {
///                 let _permit = connections.acquire()?; // three wait here
///                 task::yield_now()
///             })
///         })
///         .collect();
///     tasks.into_iter().for_each(|task| task.join().unwrap().unwrap());
///     assert_eq!(connections.available(), 2);
/// });
/// ```
pub struct Semaphore {
    state: Latch<State>,
}

struct State {
    free: usize,
    queue: WaitQueue<(usize, Resumer<()>)>,
}

impl State {
    fn take(&mut self, count: usize) -> Option<()> {
        if !self.queue.is_empty() {
            // The first may have been cancelled, and not have come to leave the queue.
            self.give();
        }
        if !self.queue.is_empty() || self.free < count {
            return None;
        }
        self.free -= count;
        Some(())
    }

    /// Gives permits to those at the front, as far as they go.
    fn give(&mut self) {
        while self.queue.front().is_some_and(|(count, resumer)| *count <= self.free || !resumer.is_waiting()) {
            let Some((_, (count, resumer))) = self.queue.pop() else { return };
            if let Some(claimed) = resumer.claim() {
                self.free -= count;
                claimed.send(());
            }
        }
    }
}

impl Semaphore {
    /// One with that many permits.
    #[must_use]
    pub const fn new(permits: usize) -> Self {
        Self { state: Latch::new(State { free: permits, queue: WaitQueue::new() }) }
    }

    /// Waits for a permit, which is given back when it is dropped.
    ///
    /// # Errors
    ///
    /// When it would have to wait, and the task is cancelled, or cannot be suspended.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<&Self>, Cancelled> {
        self.acquire_many(1)
    }

    /// Waits for that many permits at once.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn acquire_many(&self, count: usize) -> Result<Permit<&Self>, Cancelled> {
        wait::told(self.wait(count, Limit::Never))?;
        Ok(Permit { semaphore: self, count })
    }

    /// [`acquire`](Self::acquire) for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, longest: Duration) -> Result<Option<Permit<&Self>>, Cancelled> {
        let waited = wait::timed(self.wait(1, Limit::After(longest)))?;
        Ok(waited.map(|()| Permit { semaphore: self, count: 1 }))
    }

    /// [`acquire`](Self::acquire) of a permit that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, Cancelled> {
        wait::told(self.wait(1, Limit::Never))?;
        Ok(Permit { semaphore: Arc::clone(self), count: 1 })
    }

    /// A permit, if one is free and nobody waits.
    pub fn try_acquire(&self) -> Option<Permit<&Self>> {
        self.state.lock().take(1)?;
        Some(Permit { semaphore: self, count: 1 })
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.state.lock().free
    }

    /// Adds permits that nobody has had.
    ///
    /// # Panics
    ///
    /// When there were more than `usize::MAX` then.
    #[track_caller]
    pub fn add(&self, count: usize) {
        let mut state = self.state.lock();
        let sum = state.free.checked_add(count);
        // Dropped first: a panic is no business of those that wait for the latch.
        let Some(sum) = sum else {
            drop(state);
            panic!("too many permits");
        };
        state.free = sum;
        state.give();
    }

    fn wait(&self, count: usize, limit: Limit) -> Result<(), Stopped> {
        wait_in(
            &self.state,
            limit,
            |state| state.take(count),
            |state, resumer| state.queue.push((count, resumer)),
            |state, place| {
                drop(state.queue.remove(place));
                // Those behind may want less.
                state.give();
            },
        )
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish_non_exhaustive()
    }
}

/// Permits of a [`Semaphore`], given back when this is dropped.
#[must_use = "the permit is given back when this is dropped"]
pub struct Permit<S: Deref<Target = Semaphore>> {
    semaphore: S,
    count: usize,
}

/// A permit that borrows nothing.
pub type OwnedPermit = Permit<Arc<Semaphore>>;

impl<S: Deref<Target = Semaphore>> Permit<S> {
    /// The permits are not given back: there are fewer from now on.
    pub fn forget(self) {
        let mut this = self;
        this.count = 0;
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Permit<S> {
    fn drop(&mut self) {
        if self.count > 0 {
            let mut state = self.semaphore.state.lock();
            // A destructor does not panic; and nobody misses one of so many.
            state.free = state.free.saturating_add(self.count);
            state.give();
        }
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for Permit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}
