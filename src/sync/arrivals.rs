//! Things that have come and that nobody has taken yet, each of them once: one that comes again before it is taken is merged
//! with itself.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use super::select::sealed::Step;
use super::wait::{self, join_in, wait_in};
use crate::scheduler::{Limit, Resumer, Stopped};
use core::fmt;
use std::collections::VecDeque;

/// See the module. They are taken in the order in which they came.
pub(crate) struct Arrivals<T> {
    state: Latch<State<T>>,
}

struct State<T> {
    items: VecDeque<T>,
    /// All of them are woken by each item, and look: items are few, and so are those that wait.
    queue: WaitQueue<Resumer<()>>,
}

impl<T: Copy + PartialEq> Arrivals<T> {
    pub(crate) const fn new() -> Self {
        Self { state: Latch::new(State { items: VecDeque::new(), queue: WaitQueue::new() }) }
    }

    /// It has come.
    pub(crate) fn put(&self, item: T) {
        let mut state = self.state.lock();
        if state.items.contains(&item) {
            return;
        }
        state.items.push_back(item);
        let waiting = state.queue.take_all();
        drop(state);
        wait::wake_all(waiting);
    }

    /// What has come first, if anything has.
    pub(crate) fn take(&self) -> Option<T> {
        self.state.lock().items.pop_front()
    }

    /// [`take`](Self::take) that waits.
    pub(crate) fn take_until(&self, limit: Limit) -> Result<T, Stopped> {
        let limit = match limit {
            Limit::After(longest) => wait::deadline(longest),
            limit => limit,
        };
        loop {
            if let Some(item) = self.take() {
                return Ok(item);
            }
            wait_in(
                &self.state,
                limit,
                |state| (!state.items.is_empty()).then_some(()),
                |state, resumer| state.queue.push(resumer),
                |state, place| drop(state.queue.remove(place)),
            )?;
        }
    }

    /// An arm of a select that takes.
    pub(crate) fn arm(&self) -> Arriving<'_, T> {
        Arriving { arrivals: self, place: None, item: None }
    }
}

/// An arm that waits for what comes from outside of the program: see `signal::Signals::arm`.
pub struct Arriving<'a, T> {
    arrivals: &'a Arrivals<T>,
    place: Option<Place>,
    item: Option<T>,
}

impl<T> Arriving<'_, T> {
    /// What has come, if this arm was chosen.
    ///
    /// # Panics
    ///
    /// When it was not chosen.
    #[track_caller]
    pub fn finish(self) -> T {
        self.item.expect("the arm that was chosen")
    }
}

impl<T: Copy + PartialEq> Step for Arriving<'_, T> {
    fn poll(&mut self) -> bool {
        if self.item.is_none() {
            self.item = self.arrivals.take();
        }
        self.item.is_some()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = join_in(
            &self.arrivals.state,
            |state| !state.items.is_empty(),
            |state, resumer| state.queue.push(resumer),
            resumer.another(),
        );
    }

    fn unregister(&mut self) -> bool {
        // What has come stays there, and is seen by the next look.
        self.place.take().into_iter().for_each(|place| drop(self.arrivals.state.lock().queue.remove(place)));
        false
    }
}

impl<T> fmt::Debug for Arriving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").finish_non_exhaustive()
    }
}
