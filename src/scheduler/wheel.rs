//! A timer wheel: what is to happen at which time, in the order of time and then of age.
//!
//! It is hierarchical, as that of Varghese and Lauck ("Hashed and Hierarchical Timing Wheels", 1987, scheme 7): level 0 has a slot for
//! each of 64 ticks, level 1 for each of 64 times as many, and so on, up to all that a `u64` counts. A tick is the smallest unit of
//! time, so what is in one slot of level 0 is due at the same time, and the order is exact.
//!
//! An entry is in the level of the highest digit (of six bits) in which its time differs from `elapsed`, and in the slot of that
//! digit. Before `elapsed` moves on into a slot, what is there comes down into lower levels: at most ten times for each entry, and not
//! at all for one that is taken out before, as most timeouts are. Setting and taking out is constant.
//!
//! **Invariants.** All in level L have with `elapsed` the digits above L in common, and a greater digit L (in level 0: not a smaller
//! one). So the lowest level that has any has the first, in its first slot that has any; and `elapsed` may be any time up to the
//! beginning of that slot. Those of the same time are in one slot, whatever `elapsed` was when they were set, and in the order in
//! which they were set, as a slot comes down from its head.
#![forbid(unsafe_code)]

use core::mem;
use core::sync::atomic::{AtomicU32, Ordering};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// No entry.
const NONE: u32 = u32::MAX;

/// How many wheels there have been.
static WHEELS: AtomicU32 = AtomicU32::new(0);

/// See the module.
pub(super) struct Wheel<T> {
    elapsed: u64,
    /// Which levels have any; and of each, which slots.
    levels: u16,
    occupied: [u64; LEVELS],
    /// Made when the first is set.
    slots: Vec<Slot>,
    entries: Vec<Entry<T>>,
    /// The first of those that are free, linked by `next`.
    free: u32,
    /// Which wheel this is, and how many entries were set in it.
    id: u32,
    set: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    tail: u32,
    /// No time in it is smaller. Some may be greater, all of them even, when what had it was taken out.
    least: u64,
}

struct Entry<T> {
    time: u64,
    /// The number of the entry; 0 if it is free.
    number: u64,
    slot: u16,
    before: u32,
    next: u32,
    value: Option<T>,
}

/// Which entry: of which wheel, where it is, and its number. (Who keeps one may come to another wheel: a generator that is resumed in
/// the next runtime of its thread.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    wheel: u32,
    index: u32,
    number: u64,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            elapsed: 0,
            levels: 0,
            occupied: [0; LEVELS],
            slots: Vec::new(),
            entries: Vec::new(),
            free: NONE,
            id: WHEELS.fetch_add(1, Ordering::Relaxed),
            set: 0,
        }
    }
}

impl<T> Wheel<T> {
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.levels == 0
    }

    /// Sets something for that time. What is overdue comes after what is due.
    pub(super) fn set(&mut self, time: u64, value: T) -> Key {
        if self.slots.is_empty() {
            self.slots = vec![Slot { head: NONE, tail: NONE, least: 0 }; LEVELS * SLOTS];
        }
        self.set += 1;
        let entry = Entry { time, number: self.set, slot: 0, before: NONE, next: NONE, value: Some(value) };
        let index = self.free;
        let index = match self.entries.get_mut(index as usize) {
            Some(free) => {
                self.free = free.next;
                *free = entry;
                index
            }
            None => {
                let Some(index) = u32::try_from(self.entries.len()).ok().filter(|&index| index != NONE) else {
                    panic!("more than four thousand million timers");
                };
                self.entries.push(entry);
                index
            }
        };
        self.link(index);
        Key { wheel: self.id, index, number: self.set }
    }

    /// Takes it out again, if it is there.
    pub(super) fn take(&mut self, key: Key) -> Option<T> {
        let found = self.entries.get(key.index as usize).is_some_and(|entry| entry.number == key.number);
        if !found || key.wheel != self.id {
            return None;
        }
        self.unlink(key.index);
        self.release(key.index)
    }

    /// A time before which nothing is due. Most often it is when something is; if what was the first has been taken out, it may be
    /// earlier, but once it is over, and [`due`](Self::due) has been asked, the next one is known.
    pub(super) fn next(&self) -> Option<u64> {
        let (level, slot, start) = self.first()?;
        Some(if level == 0 { start } else { self.slots[slot].least })
    }

    /// Takes out what is due first, if that is now or was before.
    pub(super) fn due(&mut self, now: u64) -> Option<T> {
        while let Some((level, slot, start)) = self.first().filter(|&(.., start)| start <= now) {
            self.elapsed = start;
            if level == 0 {
                let head = self.slots[slot].head;
                self.unlink(head);
                return self.release(head);
            }
            self.come_down(slot);
        }
        self.elapsed = self.elapsed.max(now);
        None
    }

    /// The first slot that has any, and the time at which it begins.
    fn first(&self) -> Option<(usize, usize, u64)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let digit = self.occupied[level].trailing_zeros();
        let shift = BITS * level as u32;
        let above = u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
        let start = (self.elapsed & above) | (u64::from(digit) << shift);
        Some((level, level * SLOTS + digit as usize, start))
    }

    /// Puts what is in a slot, which begins now, into lower levels.
    fn come_down(&mut self, slot: usize) {
        let mut next = mem::replace(&mut self.slots[slot].head, NONE);
        self.slots[slot].tail = NONE;
        self.vacate(slot);
        while next != NONE {
            let index = next;
            next = self.entries[index as usize].next;
            self.link(index);
        }
    }

    /// Puts an entry at the end of the slot of its time.
    fn link(&mut self, index: u32) {
        let time = self.entries[index as usize].time.max(self.elapsed);
        let level = (time ^ self.elapsed).checked_ilog2().unwrap_or(0) / BITS;
        let digit = (time >> (BITS * level)) as usize % SLOTS;
        let level = level as usize;
        let place = level * SLOTS + digit;
        let slot = &mut self.slots[place];
        let before = mem::replace(&mut slot.tail, index);
        slot.least = if before == NONE { time } else { slot.least.min(time) };
        if before == NONE {
            slot.head = index;
            self.occupied[level] |= 1 << digit;
            self.levels |= 1 << level;
        } else {
            self.entries[before as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.slot = place as u16;
        entry.before = before;
        entry.next = NONE;
    }

    /// Takes an entry out of its slot.
    fn unlink(&mut self, index: u32) {
        let Entry { slot, before, next, .. } = self.entries[index as usize];
        let place = slot as usize;
        match self.entries.get_mut(before as usize) {
            Some(before) => before.next = next,
            None => self.slots[place].head = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(next) => next.before = before,
            None => self.slots[place].tail = before,
        }
        if self.slots[place].head == NONE {
            self.vacate(place);
        }
    }

    /// Nothing is in that slot any more.
    fn vacate(&mut self, place: usize) {
        let level = place / SLOTS;
        self.occupied[level] &= !(1 << (place % SLOTS));
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Lets the place of an entry be used again.
    fn release(&mut self, index: u32) -> Option<T> {
        let free = mem::replace(&mut self.free, index);
        let entry = self.entries.get_mut(index as usize)?;
        entry.number = 0;
        entry.next = free;
        entry.value.take()
    }
}

#[cfg(test)]
mod tests {
    use super::Wheel;
    use std::collections::BTreeMap;

    /// Against a model: a map by time and age. Times of all magnitudes, entries that are taken out, and clocks that stand still.
    #[test]
    fn it_is_a_map_by_time_and_age() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((u128::from(state >> 1) * u128::from(below)) >> 63) as u64
        };
        for _ in 0..if cfg!(switchback_valgrind) { 20 } else { 200 } {
            let mut wheel = Wheel::default();
            let mut model = BTreeMap::new();
            let magnitude = random(63);
            let mut now = random(1 << magnitude);
            assert_eq!(wheel.due(now), None::<u32>);
            for age in 0..400_u32 {
                let magnitude = random(50);
                let delay = random(1 << magnitude);
                match random(8) {
                    0..=3 => {
                        let time = now.saturating_add(delay);
                        model.insert((time, age), wheel.set(time, age));
                    }
                    4 | 5 if !model.is_empty() => {
                        let (&(time, age), &key) = model.iter().nth(random(model.len() as u64) as usize).expect("one");
                        assert_eq!(wheel.take(key), Some(age));
                        assert_eq!(wheel.take(key), None);
                        model.remove(&(time, age));
                    }
                    6 => now = now.saturating_add(delay),
                    // To the next, and no further.
                    _ => now = now.max(wheel.next().unwrap_or(now)),
                }
                while let Some(value) = wheel.due(now) {
                    let ((time, age), _) = model.pop_first().expect("one");
                    assert_eq!(value, age);
                    assert!(time <= now);
                }
                let first = model.first_key_value().map(|(&(time, _), _)| time);
                assert!(first.is_none_or(|first| first > now), "everything that was due has come");
                assert_eq!(wheel.next().is_some(), first.is_some());
                assert!(wheel.next().is_none_or(|next| now < next && next <= first.unwrap_or(0)));
                assert_eq!(wheel.is_empty(), model.is_empty());
            }
        }
    }

    /// The last tick of all, and one that was over before it was set.
    #[test]
    fn at_the_ends_of_time() {
        let mut wheel = Wheel::default();
        wheel.set(u64::MAX, "last");
        wheel.set(7, "first");
        assert_eq!((wheel.next(), wheel.due(6)), (Some(7), None));
        assert_eq!((wheel.due(u64::MAX - 1), wheel.due(u64::MAX - 1)), (Some("first"), None));
        wheel.set(8, "late");
        assert_eq!(wheel.next(), Some(u64::MAX - 1));
        assert_eq!((wheel.due(u64::MAX - 1), wheel.next()), (Some("late"), Some(u64::MAX)));
        assert_eq!((wheel.due(u64::MAX), wheel.next()), (Some("last"), None));
    }
}
