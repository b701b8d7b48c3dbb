//! Waiting for I/O: which descriptors a runtime watches, and who waits for each.
//!
//! A wake is no more than a hint to try again. So one that is for a descriptor which has been closed, or whose number belongs to
//! another by now, harms nobody: a key is an index and a generation, and a stale one is not found.
#![forbid(unsafe_code)]

use super::suspend::Resumer;
use core::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::{Mutex, MutexGuard};
use polling::{Events, Poller};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What is waited for at a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What a runtime waits in for I/O.
pub(crate) struct Reactor {
    poller: Poller,
    /// Locked by the one worker that waits.
    events: Mutex<Events>,
    slots: Mutex<Slots>,
    waiters: AtomicUsize,
}

/// The right to wait in the reactor. One worker has it at a time.
pub(crate) struct Seat<'a> {
    reactor: &'a Reactor,
    events: MutexGuard<'a, Events>,
}

#[derive(Default)]
struct Slots {
    /// With their generations.
    slots: Vec<(u32, Option<Arc<Slot>>)>,
    free: Vec<usize>,
}

/// Who waits for a descriptor.
#[derive(Default)]
pub(super) struct Slot {
    sides: [Mutex<Side>; 2],
}

#[derive(Default)]
struct Side {
    /// How many events there have been. Whoever has tried before the last of them tries again.
    events: u64,
    joined: u64,
    waiters: Vec<(u64, Resumer<()>)>,
}

impl Reactor {
    pub(super) fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        if !poller.supports_edge() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell of I/O by edges"));
        }
        let (events, slots) = (Mutex::new(Events::new()), Mutex::default());
        Ok(Self { poller, events, slots, waiters: AtomicUsize::new(0) })
    }

    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// The seat, if it is free and anybody waits.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat<'_>> {
        let events = self.has_waiters().then(|| self.events.try_lock())??;
        Some(Seat { reactor: self, events })
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }

    /// Ends the wait of the one that has the seat, or the next.
    pub(super) fn notify(&self) {
        // It fails where its counter is full, and then there is a notice.
        let _ = self.poller.notify();
    }

    /// A new slot, and the key of its events.
    pub(super) fn add(&self) -> (usize, Arc<Slot>) {
        let slot = Arc::<Slot>::default();
        let mut slots = self.slots.lock();
        let index = slots.free.pop().unwrap_or_else(|| {
            slots.slots.push((0, None));
            slots.slots.len() - 1
        });
        let place = &mut slots.slots[index];
        place.1 = Some(Arc::clone(&slot));
        (key(place.0, index), slot)
    }

    pub(super) fn remove(&self, key: usize) {
        let index = index(key);
        let mut slots = self.slots.lock();
        let place = &mut slots.slots[index];
        // All ones is the key that the poller has for itself.
        place.0 = (place.0 + 1) & (u32::MAX >> 1);
        let slot = place.1.take();
        slots.free.push(index);
        drop(slots);
        drop(slot);
    }

    fn find(&self, of: usize) -> Option<Arc<Slot>> {
        let slots = self.slots.lock();
        let (generation, slot) = slots.slots.get(index(of))?;
        slot.clone().filter(|_| key(*generation, index(of)) == of)
    }
}

/// Where a word has no room for the generation, a stale event leads to a try in vain.
fn key(generation: u32, index: usize) -> usize {
    if usize::BITS > 32 { ((u64::from(generation) << 32) | index as u64) as usize } else { index }
}

fn index(key: usize) -> usize {
    key & u32::MAX as usize
}

impl Seat<'_> {
    /// Waits for events, for a notice, or for that time, and wakes whom the events are for.
    pub(super) fn wait(&mut self, longest: Option<Duration>) {
        self.events.clear();
        // Interrupted by a signal, it is over early, which a worker does not mind.
        let _ = self.reactor.poller.wait(&mut self.events, longest);
        for event in self.events.iter() {
            let Some(slot) = self.reactor.find(event.key) else { continue };
            if event.readable {
                slot.wake(Direction::Read, self.reactor);
            }
            if event.writable {
                slot.wake(Direction::Write, self.reactor);
            }
        }
    }
}

impl Slot {
    fn side(&self, direction: Direction) -> MutexGuard<'_, Side> {
        self.sides[direction as usize].lock()
    }

    /// How many events there have been.
    pub(super) fn events(&self, direction: Direction) -> u64 {
        self.side(direction).events
    }

    fn wake(&self, direction: Direction, reactor: &Reactor) {
        let mut side = self.side(direction);
        side.events += 1;
        let waiters = core::mem::take(&mut side.waiters);
        reactor.waiters.fetch_sub(waiters.len(), Ordering::SeqCst);
        drop(side);
        for (_, waiter) in waiters {
            let _ = waiter.send(());
        }
    }

    /// Leaves a resumer for the next event after the first `seen`, and returns its number; or gives it back if that has come.
    pub(super) fn join(
        &self,
        direction: Direction,
        seen: u64,
        resumer: Resumer<()>,
        reactor: &Reactor,
    ) -> Result<u64, Resumer<()>> {
        let mut side = self.side(direction);
        if side.events != seen {
            return Err(resumer);
        }
        side.joined += 1;
        let number = side.joined;
        side.waiters.push((number, resumer));
        reactor.waiters.fetch_add(1, Ordering::SeqCst);
        Ok(number)
    }

    /// Takes a waiter out that has given up.
    pub(super) fn leave(&self, direction: Direction, number: u64, reactor: &Reactor) {
        let mut side = self.side(direction);
        let place = side.waiters.iter().position(|waiter| waiter.0 == number);
        let waiter = place.map(|place| side.waiters.swap_remove(place));
        reactor.waiters.fetch_sub(usize::from(waiter.is_some()), Ordering::SeqCst);
        drop(side);
        drop(waiter);
    }
}
