//! Waiting for something to be so, and for something to happen.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::wait::{self, join_in, wait_in};
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Something that is so or not: whoever waits until it is goes on when somebody sets it, and nobody waits while it is set.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Event}, task};
///
/// switchback::run(|| {
///     let ready = Arc::new(Event::new());
///     let theirs = Arc::clone(&ready);
///     let waiting = task::spawn(move || theirs.wait());
///     ready.set();
///     waiting.join().unwrap().unwrap();
///     assert!(ready.is_set());
/// });
/// ```
pub struct Event {
    is_set: AtomicBool,
    queue: Latch<WaitQueue<Resumer<()>>>,
}

impl Event {
    /// One that is not set.
    #[must_use]
    pub const fn new() -> Self {
        Self { is_set: AtomicBool::new(false), queue: Latch::new(WaitQueue::new()) }
    }

    /// Sets it, and lets all go on that wait. What was written before is seen by them.
    pub fn set(&self) {
        let mut queue = self.queue.lock();
        self.is_set.store(true, Ordering::Release);
        let waiting = queue.take_all();
        drop(queue);
        wait::wake_all(waiting);
    }

    /// It is not set any more. Those that were let go on are not held back by this.
    pub fn clear(&self) {
        let _queue = self.queue.lock();
        self.is_set.store(false, Ordering::Relaxed);
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    ///
    /// When it would have to wait, and the task is cancelled, or cannot be suspended.
    pub fn wait(&self) -> Result<(), Cancelled> {
        wait::told(self.wait_until(Limit::Never))
    }

    /// [`wait`](Self::wait) for that long at most: whether it was set.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, longest: Duration) -> Result<bool, Cancelled> {
        Ok(wait::timed(self.wait_until(Limit::After(longest)))?.is_some())
    }

    fn wait_until(&self, limit: Limit) -> Result<(), Stopped> {
        wait_in(
            &self.queue,
            limit,
            |_| self.is_set().then_some(()),
            |queue, resumer| queue.push(resumer),
            |queue, place| drop(queue.remove(place)),
        )
    }

    /// See [`join_in`].
    pub(super) fn join(&self, resumer: Resumer<()>) -> Option<Place> {
        join_in(&self.queue, |_| self.is_set(), WaitQueue::push, resumer)
    }

    /// Does not wait any more: whether what was waited for has come meanwhile.
    pub(super) fn leave(&self, place: Place) -> bool {
        self.queue.lock().remove(place).is_none()
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

/// Something that happens: each notice lets one go on that waits. One that comes when nobody waits is kept, but no more than one.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Notify}, task};
///
/// switchback::run(|| {
///     let changed = Arc::new(Notify::new());
///     let theirs = Arc::clone(&changed);
///     let waiting = task::spawn(move || theirs.wait());
///     changed.notify_one(); // not lost, even if nobody waits yet
///     waiting.join().unwrap().unwrap();
/// });
/// ```
pub struct Notify {
    state: Latch<Notices>,
}

struct Notices {
    is_kept: bool,
    queue: WaitQueue<Resumer<()>>,
}

impl Notify {
    /// One without a notice.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: Latch::new(Notices { is_kept: false, queue: WaitQueue::new() }) }
    }

    /// Lets the one go on that has waited longest, or the next that will wait.
    pub fn notify_one(&self) {
        let mut state = self.state.lock();
        match wait::next(&mut state.queue) {
            Some(next) => {
                drop(state);
                next.send(());
            }
            None => state.is_kept = true,
        }
    }

    /// Lets all go on that wait now. None is kept.
    pub fn notify_all(&self) {
        let waiting = self.state.lock().queue.take_all();
        wait::wake_all(waiting);
    }

    /// Waits for a notice.
    ///
    /// # Errors
    ///
    /// When it would have to wait, and the task is cancelled, or cannot be suspended. A notice that comes then is for another.
    pub fn wait(&self) -> Result<(), Cancelled> {
        wait::told(self.wait_until(Limit::Never))
    }

    /// [`wait`](Self::wait) for that long at most: whether there was a notice.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, longest: Duration) -> Result<bool, Cancelled> {
        Ok(wait::timed(self.wait_until(Limit::After(longest)))?.is_some())
    }

    fn wait_until(&self, limit: Limit) -> Result<(), Stopped> {
        wait_in(
            &self.state,
            limit,
            |state| std::mem::take(&mut state.is_kept).then_some(()),
            |state, resumer| state.queue.push(resumer),
            |state, place| drop(state.queue.remove(place)),
        )
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}
