//! How many mappings the process has, where stacks take some: what is left of `vm.max_map_count`.
#![forbid(unsafe_code)]

use super::StackError;
use super::system;
use parking_lot::Mutex;
use std::time::Instant;

/// Refuses when the mappings that the process may have are nearly used up: the last ones are for its heap and its
/// threads, which would end it otherwise. `stacks_ever` is how many have been made.
pub(super) fn leave_some(spacing: usize, stacks_ever: usize, stacks: fn() -> usize) -> Result<(), StackError> {
    static COUNT: Mutex<Count> = Mutex::new(Count::NONE);
    let Some(most) = system::most_mappings_cached() else { return Ok(()) };
    let is_room = COUNT.lock().has_room(most, stacks_ever, Instant::now, || {
        // Two for each stack.
        system::mappings().unwrap_or(2 * stacks_ever)
    });
    if is_room { Ok(()) } else { Err(StackError::mappings(most, spacing, stacks())) }
}

/// The last count of the process's mappings. Where there are many, one takes many milliseconds.
struct Count {
    mappings: usize,
    /// How many stacks had been made then.
    stacks: usize,
    /// Until when it is good, if there was no room: many may ask in vain, one after another.
    refuses_until: Option<Instant>,
}

impl Count {
    const NONE: Self = Self { mappings: 0, stacks: 0, refuses_until: None };
    /// How many mappings are left to others.
    const LEFT: usize = 2_000;
    /// How many stacks are made without a count while the limit is far away.
    const STEP: usize = 1_024;
    /// A count that refuses is good for so many times as long as it has taken.
    const REFUSES_FOR: u32 = 10;

    /// Whether there is room for another stack, by a new count if need be.
    fn has_room(
        &mut self,
        most: usize,
        stacks: usize,
        now: impl Fn() -> Instant,
        count: impl FnOnce() -> usize,
    ) -> bool {
        let left = Self::LEFT.min(most / 16);
        // Two for each stack, and room for what the rest of the process does meanwhile.
        let has_room = |this: &Self| this.mappings + 2 * (stacks - this.stacks.min(stacks)) + left < most;
        if !stacks.is_multiple_of(Self::STEP) && has_room(self) {
            return true;
        }
        let begins = now();
        if self.refuses_until.is_some_and(|until| begins < until) {
            return false;
        }
        (self.mappings, self.stacks) = (count(), stacks);
        if has_room(self) {
            return true;
        }
        let ends = now();
        self.refuses_until = Some(ends + (ends - begins) * Self::REFUSES_FOR);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Count;
    use core::cell::Cell;
    use std::time::{Duration, Instant};

    /// Thousands may ask, where one count takes tens of milliseconds.
    #[test]
    fn mappings_are_not_counted_for_each_who_asks_in_vain() {
        const MOST: usize = 65_530;
        let (start, seconds, counts) = (Instant::now(), Cell::new(0), Cell::new(0));
        // Each count takes a second.
        let count = |mappings| {
            seconds.set(seconds.get() + 1);
            counts.set(counts.get() + 1);
            mappings
        };
        let now = || start + Duration::from_secs(seconds.get());
        let mut all = Count::NONE;
        assert!(all.has_room(MOST, 0, now, || count(30)) && counts.get() == 1);
        assert!((1..1_024).all(|stacks| all.has_room(MOST, stacks, now, || count(0))) && counts.get() == 1);
        assert!(!all.has_room(MOST, 31_765, now, || count(63_530)) && counts.get() == 2);
        assert!((0..9).all(|_| !all.has_room(MOST, 31_765, now, || count(0))) && counts.get() == 2);
        // Others have given some of theirs back meanwhile.
        seconds.set(seconds.get() + 10);
        assert!(all.has_room(MOST, 31_765, now, || count(63_000)) && counts.get() == 3);
        assert!(all.has_room(MOST, 31_766, now, || count(0)) && counts.get() == 3);
    }
}
