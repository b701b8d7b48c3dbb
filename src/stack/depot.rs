//! Free stacks that no thread has, and how many of them keep their memory for how long.
//!
//! Threads move stacks to and from here in batches, so that its lock is taken once for many: the depot of *magazines* of
//! Bonwick and Adams, "Magazines and Vmem" (USENIX 2001). From there is also what is kept: the depot's *working set*. What
//! has lain in it untouched for a whole interval, which is the least that it has held in that time, was needed by nobody,
//! and its memory goes back to the system. What comes and goes within the interval stays. So memory follows the peaks of
//! use, and goes one to two intervals after the last one.
//!
//! Stacks are taken newest first, because those may be in the CPU's caches, and so it is the oldest that are untouched.
#![forbid(unsafe_code)]

use super::class::{CLASSES, Class};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// See the module. What lies in it are Ts.
pub(super) struct Depot<T> {
    shelves: [Shelf<T>; CLASSES],
    len: usize,
    /// When the interval has begun. None while the depot is empty.
    since: Option<Instant>,
}

/// What is there of one size.
struct Shelf<T> {
    /// Oldest first.
    free: VecDeque<T>,
    /// The least that was there in this interval.
    least: usize,
    /// How many of the oldest are to go.
    due: usize,
}

impl<T> Shelf<T> {
    const fn new() -> Self {
        Self { free: VecDeque::new(), least: 0, due: 0 }
    }

    /// What is left has been looked at by somebody.
    fn lessen(&mut self) {
        self.least = self.least.min(self.free.len());
        self.due = self.due.min(self.least);
    }

    /// So many of the oldest.
    fn drain(&mut self, count: usize) -> Vec<T> {
        let drained = self.free.drain(..count).collect();
        self.least -= count.min(self.least);
        self.due -= count.min(self.due);
        if self.free.len() < self.free.capacity() / 4 {
            self.free.shrink_to(self.free.len() * 2);
        }
        drained
    }
}

impl<T> Depot<T> {
    pub(super) const fn new() -> Self {
        Self { shelves: [const { Shelf::new() }; CLASSES], len: 0, since: None }
    }

    /// How many there are, of all sizes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes the newest of a size, as many as `into` has places for and as there are. Returns how many.
    pub(super) fn take(&mut self, class: Class, into: &mut [Option<T>]) -> usize {
        let shelf = &mut self.shelves[class.index()];
        let mut count = 0;
        while count < into.len()
            && let Some(newest) = shelf.free.pop_back()
        {
            into[count] = Some(newest);
            count += 1;
        }
        shelf.lessen();
        self.len -= count;
        count
    }

    /// Puts some of a size there.
    pub(super) fn give(&mut self, class: Class, some: impl IntoIterator<Item = T>) {
        let shelf = &mut self.shelves[class.index()];
        let before = shelf.free.len();
        shelf.free.extend(some);
        self.len += shelf.free.len() - before;
    }

    /// What is more than `limit`, oldest first: of a size that nobody has needed lately, or else of this one, if there are any.
    pub(super) fn over(&mut self, class: Class, limit: usize, most: usize) -> Vec<T> {
        let own = class.index();
        // Sizes that nobody has needed lately do not keep others out.
        let worth = |place: usize| (self.shelves[place].least, place == own, self.shelves[place].free.len());
        let place =
            (0..CLASSES).filter(|&place| !self.shelves[place].free.is_empty()).max_by_key(|&place| worth(place));
        let shelf = &mut self.shelves[place.unwrap_or(own)];
        let count = self.len.saturating_sub(limit).min(shelf.free.len()).min(most);
        self.len -= count;
        shelf.drain(count)
    }

    /// Ends the interval if it is over.
    pub(super) fn tick(&mut self, now: Instant, interval: Duration) {
        if self.len == 0 {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= interval {
            self.since = Some(now);
            for shelf in &mut self.shelves {
                shelf.due = shelf.least;
                shelf.least = shelf.free.len();
            }
        }
    }

    /// Everything that is there by now is to go.
    pub(super) fn condemn(&mut self) {
        for shelf in &mut self.shelves {
            (shelf.least, shelf.due) = (shelf.free.len(), shelf.free.len());
        }
    }

    /// Takes some that are to go, all of one size, or none if none are.
    pub(super) fn take_due(&mut self, most: usize) -> Vec<T> {
        let Some(shelf) = self.shelves.iter_mut().find(|shelf| shelf.due != 0) else { return Vec::new() };
        let count = shelf.due.min(most);
        self.len -= count;
        shelf.drain(count)
    }

    /// In how long there may be more to go. None if nothing is there.
    pub(super) fn next(&self, now: Instant, interval: Duration) -> Option<Duration> {
        if self.shelves.iter().any(|shelf| shelf.due != 0) {
            return Some(Duration::ZERO);
        }
        let since = self.since.filter(|_| self.len != 0)?;
        Some(interval.saturating_sub(now.saturating_duration_since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const CLASS: Class = Class::DEFAULT;

    /// A depot of numbers, with a clock.
    struct Timed(Depot<u32>, Instant);

    impl Timed {
        fn with(numbers: u32) -> Self {
            let mut timed = Self(Depot::new(), Instant::now());
            timed.give(0..numbers);
            timed
        }

        fn give(&mut self, numbers: core::ops::Range<u32>) {
            self.0.give(CLASS, numbers);
            self.0.tick(self.1, INTERVAL);
        }

        fn take(&mut self, count: usize) -> Vec<u32> {
            let mut into = vec![None; count];
            self.0.take(CLASS, &mut into);
            into.into_iter().flatten().collect()
        }

        /// Lets time go by, and returns what goes for it.
        fn pass(&mut self, seconds: u64) -> Vec<u32> {
            self.1 += Duration::from_secs(seconds);
            self.0.tick(self.1, INTERVAL);
            core::iter::from_fn(|| Some(self.0.take_due(3)).filter(|some| !some.is_empty())).flatten().collect()
        }
    }

    #[test]
    fn what_nobody_takes_goes_after_one_to_two_intervals() {
        let mut depot = Timed::with(100);
        assert_eq!(depot.0.next(depot.1, INTERVAL), Some(INTERVAL));
        assert_eq!(depot.pass(9), []);
        assert_eq!(depot.pass(1), [], "it has come within this interval");
        assert_eq!(depot.pass(9), []);
        assert_eq!(depot.0.next(depot.1, INTERVAL), Some(Duration::from_secs(1)));
        assert_eq!(depot.pass(1), Vec::from_iter(0..100));
        assert_eq!((depot.0.len(), depot.0.next(depot.1, INTERVAL)), (0, None));
    }

    #[test]
    fn what_comes_and_goes_stays() {
        let mut depot = Timed::with(100);
        for _ in 0..50 {
            assert_eq!(depot.take(80), Vec::from_iter((20..100).rev()), "newest first");
            assert_eq!(depot.pass(1), if depot.0.len() == 20 { vec![] } else { Vec::from_iter(0..20) });
            depot.give(20..100);
            if depot.pass(4) == Vec::from_iter(0..20) {
                // What is more than the peak of use went, once.
                for _ in 0..50 {
                    assert_eq!(depot.take(80).len(), 80);
                    assert_eq!(depot.pass(4), []);
                    depot.give(20..100);
                    assert_eq!(depot.pass(4), []);
                }
                return;
            }
        }
        panic!("the oldest stay for ever");
    }

    #[test]
    fn what_is_taken_while_it_is_to_go_does_not_go() {
        let mut depot = Timed::with(10);
        depot.0.condemn();
        assert_eq!(depot.0.next(depot.1, INTERVAL), Some(Duration::ZERO));
        assert_eq!(depot.take(7).len(), 7);
        depot.give(100..107);
        assert_eq!(depot.pass(0), [0, 1, 2]);
        assert_eq!(depot.0.len(), 7);
    }

    #[test]
    fn over_the_limit_the_oldest_go() {
        let mut depot = Timed::with(10);
        assert_eq!(depot.0.over(CLASS, 10, 9), []);
        assert_eq!(depot.0.over(CLASS, 7, 9), [0, 1, 2]);
        assert_eq!(depot.0.over(CLASS, 0, 5), [3, 4, 5, 6, 7]);
        assert_eq!(depot.take(9), [9, 8]);
        assert_eq!((depot.0.len(), depot.0.over(CLASS, 0, 5)), (0, vec![]));
    }

    #[test]
    fn over_the_limit_what_nobody_needs_goes_before_what_comes() {
        let mut depot = Timed::with(10);
        let other = Class::of_index(CLASS.index() + 1);
        depot.0.give(other, 50..53);
        assert_eq!(depot.0.over(other, 12, 9), [50], "both have come just now");
        assert_eq!(depot.pass(10), []);
        depot.0.give(other, 60..63);
        assert_eq!(depot.0.over(other, 12, 9), [0, 1, 2], "these have been there all the time");
        assert_eq!(depot.take(9).len(), 7);
        assert_eq!(depot.0.over(CLASS, 1, 9), [51, 52, 60, 61], "of its own there is none");
    }
}
