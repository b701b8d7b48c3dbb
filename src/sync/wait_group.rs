//! Waiting until all have done their part.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::wait::{self, join_in, wait_in};
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A count of those that are at work, each of which has a clone: whoever waits goes on when all others have dropped theirs.
///
/// # Examples
///
/// ```
/// use switchback::{sync::WaitGroup, task};
///
/// switchback::run(|| {
///     let group = WaitGroup::new();
///     for _ in 0..3 {
///         let part = group.clone();
///         task::spawn(move || {
///             let _ = task::yield_now();
///             drop(part);
///         });
///     }
///     group.wait().unwrap();
/// });
/// ```
pub struct WaitGroup(Arc<Latch<State>>);

struct State {
    count: usize,
    queue: WaitQueue<Resumer<()>>,
    /// They have a part, and wait until it is the last.
    keepers: WaitQueue<Resumer<()>>,
}

impl WaitGroup {
    /// One with a single part, the caller's.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Latch::new(State { count: 1, queue: WaitQueue::new(), keepers: WaitQueue::new() })))
    }

    /// Gives up the caller's part, and waits until all others have been dropped.
    ///
    /// # Errors
    ///
    /// When it would have to wait, and the task is cancelled, or cannot be suspended.
    pub fn wait(self) -> Result<(), Cancelled> {
        let state = self.give_up();
        wait::told(wait_on(&state, Limit::Never))
    }

    /// [`wait`](Self::wait) for that long at most: whether all were dropped.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, longest: Duration) -> Result<bool, Cancelled> {
        let state = self.give_up();
        Ok(wait::timed(wait_on(&state, Limit::After(longest)))?.is_some())
    }

    fn give_up(self) -> Arc<Latch<State>> {
        Arc::clone(&self.0)
    }

    /// Whether all other parts have been dropped.
    pub(super) fn is_last(&self) -> bool {
        self.0.lock().count == 1
    }

    /// See [`join_in`].
    pub(super) fn join(&self, resumer: Resumer<()>) -> Option<Place> {
        join_in(&*self.0, |state| state.count == 1, |state, resumer| state.keepers.push(resumer), resumer)
    }

    /// Does not wait any more: whether what was waited for has come meanwhile.
    pub(super) fn leave(&self, place: Place) -> bool {
        self.0.lock().keepers.remove(place).is_none()
    }
}

fn wait_on(state: &Latch<State>, limit: Limit) -> Result<(), Stopped> {
    wait_in(
        state,
        limit,
        |state| (state.count == 0).then_some(()),
        |state, resumer| state.queue.push(resumer),
        |state, place| drop(state.queue.remove(place)),
    )
}

impl Clone for WaitGroup {
    fn clone(&self) -> Self {
        self.0.lock().count += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.count -= 1;
        let waiting = match state.count {
            0 => state.queue.take_all(),
            1 => state.keepers.take_all(),
            _ => return,
        };
        drop(state);
        wait::wake_all(waiting);
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.0.lock().count).finish_non_exhaustive()
    }
}
