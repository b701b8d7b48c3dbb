//! Who waits, first come, first served.
#![forbid(unsafe_code)]

use core::mem;
use core::num::NonZeroU64;
use std::collections::VecDeque;

/// Where somebody waits: the number of those that came before.
pub(super) type Place = NonZeroU64;

/// A queue out of which those can be taken that do not wait any more, wherever they are.
///
/// Places only grow, so the entry of a place is found by bisection. One that is taken out in the midst leaves a gap; both ends
/// are always entries, and when most of the queue is gaps it is closed up. So all of it is constant or logarithmic, on average.
///
/// Most often there is one, who is not in a queue at all, but beside it.
#[repr(C)]
pub(super) struct WaitQueue<W> {
    /// Before all others. Whoever comes when nobody waits.
    first: Option<(Place, W)>,
    entries: VecDeque<(Place, Option<W>)>,
    last: u64,
    gaps: usize,
}

impl<W> WaitQueue<W> {
    pub(super) const fn new() -> Self {
        Self { first: None, entries: VecDeque::new(), last: 0, gaps: 0 }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, waiter: W) -> Place {
        self.last += 1;
        let place = Place::new(self.last).unwrap_or(Place::MAX);
        if self.is_empty() {
            self.first = Some((place, waiter));
        } else {
            self.push_behind(place, waiter);
        }
        place
    }

    #[inline(never)]
    fn push_behind(&mut self, place: Place, waiter: W) {
        self.entries.push_back((place, Some(waiter)));
    }

    /// Takes all of them out. Places go on from there, so that no late one is taken for another.
    pub(super) fn take_all(&mut self) -> Self {
        let rest = Self { last: self.last, ..Self::new() };
        mem::replace(self, rest)
    }

    /// Lets somebody wait again at the place that it had before.
    pub(super) fn push_at(&mut self, place: Place, waiter: W) {
        if let Some((first, other)) = self.first.take() {
            self.entries.push_front((first, Some(other)));
        }
        let index = self.index(place);
        self.entries.insert(index, (place, Some(waiter)));
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.entries.len() - self.gaps
    }

    pub(super) fn front(&self) -> Option<&W> {
        Some(self.entries().next()?.1)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Place, &W)> {
        let first = self.first.iter().map(|(place, waiter)| (*place, waiter));
        first.chain(self.entries.iter().filter_map(|(place, waiter)| Some((*place, waiter.as_ref()?))))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &W> {
        self.entries().map(|(_, waiter)| waiter)
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(Place, W)> {
        if self.first.is_some() { self.first.take() } else { self.pop_behind() }
    }

    /// Who waits alone, if `is_meant`. (A [`pop`](Self::pop) moves what it finds through memory.)
    #[inline(always)]
    pub(super) fn pop_lone(&mut self, is_meant: impl FnOnce(&W) -> bool) -> Option<(Place, W)> {
        if !self.entries.is_empty() || !is_meant(&self.first.as_ref()?.1) {
            return None;
        }
        self.first.take()
    }

    #[inline(never)]
    fn pop_behind(&mut self) -> Option<(Place, W)> {
        let (place, waiter) = self.entries.pop_front()?;
        self.trim();
        Some((place, waiter?))
    }

    /// Takes out who waits at that place. None if it does not any more.
    pub(super) fn remove(&mut self, place: Place) -> Option<W> {
        if self.first.as_ref().is_some_and(|first| first.0 == place) {
            return self.first.take().map(|(_, waiter)| waiter);
        }
        let index = self.index(place);
        let entry = self.entries.get_mut(index).filter(|entry| entry.0 == place)?;
        let waiter = entry.1.take()?;
        self.gaps += 1;
        self.trim();
        if self.gaps > 16 && self.gaps > self.entries.len() / 2 {
            self.entries.retain(|entry| entry.1.is_some());
            self.gaps = 0;
        }
        Some(waiter)
    }

    fn index(&self, place: Place) -> usize {
        self.entries.partition_point(|entry| entry.0 < place)
    }

    /// Takes the gaps off both ends.
    fn trim(&mut self) {
        if self.gaps == 0 {
            return;
        }
        while self.entries.front().is_some_and(|entry| entry.1.is_none()) {
            self.entries.pop_front();
            self.gaps -= 1;
        }
        while self.entries.back().is_some_and(|entry| entry.1.is_none()) {
            self.entries.pop_back();
            self.gaps -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WaitQueue;
    use std::collections::BTreeMap;

    /// Against a model: a map by place.
    #[test]
    fn it_is_a_map_by_place() {
        let mut queue = WaitQueue::new();
        let mut model = BTreeMap::new();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for n in 0..20_000 {
            match random(8) {
                0..=2 => drop(model.insert(queue.push(n), n)),
                3 => assert_eq!(queue.pop(), model.pop_first()),
                4 if !model.is_empty() => {
                    let (&place, &value) = model.iter().nth(random(model.len())).expect("one");
                    assert_eq!(queue.remove(place), Some(value));
                    queue.push_at(place, value);
                }
                // Whole runs, so that gaps are closed up.
                5 if n % 64 == 0 => {
                    for place in model.keys().copied().filter(|_| random(4) > 0).collect::<Vec<_>>() {
                        assert_eq!(queue.remove(place), model.remove(&place));
                        assert_eq!(queue.remove(place), None);
                    }
                }
                _ if !model.is_empty() => {
                    let &place = model.keys().nth(random(model.len())).expect("one");
                    assert_eq!(queue.remove(place), model.remove(&place));
                }
                _ => {}
            }
            assert_eq!(queue.front(), model.first_key_value().map(|(_, value)| value));
            assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
    }
}
