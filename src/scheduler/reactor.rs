//! Waiting for I/O: which descriptors a runtime watches, and who waits for each.
//!
//! A wake is no more than a hint to try again. So one that is for a descriptor which has been closed, or whose number belongs to
//! another by now, harms nobody: a key is an index and a generation, and one that is stale by its generation is passed over.
#![forbid(unsafe_code)]

use super::ahead::fetch_slot;
use super::poller::{Event, Events, KEY_MASK, Poller};
use super::suspend::Resumer;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::Duration;

/// What is waited for at a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What a runtime waits in for I/O.
pub(crate) struct Reactor {
    poller: Poller,
    /// Locked by the one worker that waits.
    events: Mutex<(Events, Vec<Resumer<()>>)>,
    /// Page by page, each twice as large as the last, as they are needed: so they stay where they are, and are found without a lock.
    pages: [OnceLock<Box<[Slot]>>; PAGES],
    free: Mutex<Free>,
    waiters: AtomicUsize,
}

/// How many slots the first page has.
const FIRST_PAGE: usize = 64;
/// Enough for every descriptor that there can be.
const PAGES: usize = 26;

/// Slots that nobody has: those that somebody has had, and those from `next` on.
#[derive(Default)]
struct Free {
    indices: Vec<usize>,
    next: usize,
}

/// The right to wait in the reactor. One worker has it at a time.
pub(crate) struct Seat<'a> {
    reactor: &'a Reactor,
    /// What has happened, and those who have waited for it and are about to be woken.
    events: MutexGuard<'a, (Events, Vec<Resumer<()>>)>,
}

/// A slot of the reactor: an index and a generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64);

/// Who waits for a descriptor.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Slot {
    /// How many events there have been in each direction. Whoever has tried before the last of them tries again. Written under the
    /// lock of `waiting`.
    events: [AtomicU64; 2],
    /// How many there had been before a read that has found the end of what was there, and one more; or 0.
    emptied: AtomicU64,
    /// Whether no read tells that any more: see [`Event::hides_more`].
    hides_more: AtomicBool,
    waiting: Mutex<Waiting>,
    /// Whose turn with this slot it is.
    generation: AtomicU64,
}

// Two cache lines: with a thousand connections each of them is fetched from afar.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Slot>() == 128);

/// Those who wait, with the numbers that they have got: in each direction hardly ever more than one.
#[derive(Default)]
struct Waiting {
    joined: u64,
    first: [Option<(u64, Resumer<()>)>; 2],
    others: Vec<(u64, Resumer<()>, Direction)>,
}

impl Reactor {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            events: Mutex::new((Events::new(), Vec::new())),
            pages: [const { OnceLock::new() }; PAGES],
            free: Mutex::default(),
            waiters: AtomicUsize::new(0),
        })
    }

    /// The seat, if it is free and anybody waits.
    pub(super) fn seat(&self) -> Option<Seat<'_>> {
        self.has_waiters().then(|| self.free_seat())?
    }

    /// The seat, if it is free.
    pub(super) fn free_seat(&self) -> Option<Seat<'_>> {
        Some(Seat { reactor: self, events: self.events.try_lock()? })
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }

    /// Ends the wait of the one that has the seat, or the next.
    pub(super) fn notify(&self) {
        self.poller.notify();
    }

    /// Watches a descriptor until it is [removed](Self::remove), before it is closed (invariant 37).
    pub(super) fn add(&self, fd: BorrowedFd<'_>) -> io::Result<Key> {
        let index = {
            let mut free = self.free.lock();
            free.indices.pop().unwrap_or_else(|| {
                free.next += 1;
                free.next - 1
            })
        };
        let (page, place) = place(index);
        let new_page = || (0..FIRST_PAGE << page).map(|_| Slot::default()).collect();
        let slot = &self.pages[page].get_or_init(new_page)[place];
        slot.begin();
        let key = Key(key(slot.generation.load(Ordering::Relaxed), index));
        if let Err(error) = self.poller.add(fd, key.0) {
            self.give_back(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Watches it no more.
    pub(super) fn remove(&self, fd: BorrowedFd<'_>, key: Key) {
        // It fails only if it is not watched.
        let _ = self.poller.delete(fd);
        self.give_back(key);
    }

    fn give_back(&self, key: Key) {
        let slot = self.slot(key);
        slot.generation.fetch_add(1, Ordering::Relaxed);
        let waiting = mem::take(&mut *slot.waiting.lock());
        self.free.lock().indices.push(index(key.0));
        drop(waiting);
    }

    /// The slot of somebody who has a key, and has not given it back.
    #[inline(always)]
    pub(super) fn slot(&self, key: Key) -> &Slot {
        let Some(slot) = self.slot_at(key.0) else { unreachable!("a key has a slot") };
        slot
    }

    #[inline(always)]
    fn slot_at(&self, key: u64) -> Option<&Slot> {
        let (page, place) = place(index(key));
        self.pages.get(page)?.get()?.get(place)
    }

    fn find(&self, of: u64) -> Option<&Slot> {
        let slot = self.slot_at(of)?;
        (key(slot.generation.load(Ordering::Relaxed), index(of)) & KEY_MASK == of & KEY_MASK).then_some(slot)
    }
}

/// All ones is no key: pollers have it for themselves.
fn key(generation: u64, index: usize) -> u64 {
    (generation << 32) & (u64::MAX >> 1) | index as u64
}

fn index(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// The page of a slot, and its place there.
#[inline(always)]
fn place(index: usize) -> (usize, usize) {
    let page = (index / FIRST_PAGE + 1).ilog2() as usize;
    (page, index - ((FIRST_PAGE << page) - FIRST_PAGE))
}

impl Seat<'_> {
    /// Waits for events, for a notice, or for that time, and wakes whom the events are for: true if there have been any.
    pub(super) fn wait(&mut self, longest: Option<Duration>) -> bool {
        let Self { reactor, events } = self;
        let (events, woken) = &mut **events;
        reactor.poller.wait(events, longest);
        // Each is likely to be out of the CPU's caches, and its lock would wait for it alone.
        events.iter().filter_map(|event| reactor.slot_at(event.key)).for_each(fetch_slot);
        let mut has_come = false;
        for event in events.iter() {
            has_come = true;
            if let Some(slot) = reactor.find(event.key) {
                slot.tell(&event, woken);
            }
        }
        if !woken.is_empty() {
            reactor.waiters.fetch_sub(woken.len(), Ordering::SeqCst);
        }
        for waiter in woken.drain(..) {
            let _ = waiter.send(());
        }
        has_come
    }
}

impl Slot {
    /// Nobody but the caller has it now. A late event of its last turn may be told all the same.
    fn begin(&self) {
        let waiting = self.waiting.lock();
        self.events.iter().for_each(|events| events.store(0, Ordering::Relaxed));
        self.emptied.store(0, Ordering::Relaxed);
        self.hides_more.store(false, Ordering::Relaxed);
        drop(waiting);
    }

    /// How many events there have been.
    #[inline(always)]
    pub(super) fn events(&self, direction: Direction) -> u64 {
        self.events[direction as usize].load(Ordering::Acquire)
    }

    /// A read of a stream has brought less than it might, after `seen` events: what came later, and nothing else, is still there,
    /// and there is an event for it.
    #[inline(always)]
    pub(super) fn empty(&self, seen: u64) {
        self.emptied.store(seen + 1, Ordering::Relaxed);
    }

    /// Whether nothing has come since then.
    #[inline(always)]
    pub(super) fn is_empty(&self, seen: u64) -> bool {
        self.emptied.load(Ordering::Relaxed) == seen + 1 && !self.hides_more.load(Ordering::Relaxed)
    }

    /// Counts an event, and takes out those who wait for it.
    fn tell(&self, event: &Event, woken: &mut Vec<Resumer<()>>) {
        let mut waiting = self.waiting.lock();
        if event.hides_more {
            self.hides_more.store(true, Ordering::Relaxed);
        }
        for (direction, is_ready) in [(Direction::Read, event.is_readable), (Direction::Write, event.is_writable)] {
            if !is_ready {
                continue;
            }
            let side = direction as usize;
            let events = self.events[side].load(Ordering::Relaxed);
            // After `hides_more`, which whoever sees the one is to see as well.
            self.events[side].store(events + 1, Ordering::Release);
            // Not chained: a move through an iterator is written in words and read in pairs, and the CPU waits for that.
            if let Some((_, waiter)) = waiting.first[side].take() {
                woken.push(waiter);
            }
            if !waiting.others.is_empty() {
                woken.extend(waiting.others.extract_if(.., |waiter| waiter.2 == direction).map(|waiter| waiter.1));
            }
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
        let mut waiting = self.waiting.lock();
        if self.events[direction as usize].load(Ordering::Relaxed) != seen {
            return Err(resumer);
        }
        waiting.joined += 1;
        let number = waiting.joined;
        let first = &mut waiting.first[direction as usize];
        if first.is_none() {
            *first = Some((number, resumer));
        } else {
            waiting.others.push((number, resumer, direction));
        }
        reactor.waiters.fetch_add(1, Ordering::SeqCst);
        Ok(number)
    }

    /// Takes a waiter out that has given up.
    pub(super) fn leave(&self, direction: Direction, number: u64, reactor: &Reactor) {
        let mut waiting = self.waiting.lock();
        let first = &mut waiting.first[direction as usize];
        let waiter = if first.as_ref().is_some_and(|first| first.0 == number) {
            first.take().map(|waiter| waiter.1)
        } else {
            let place = waiting.others.iter().position(|waiter| waiter.0 == number);
            place.map(|place| waiting.others.swap_remove(place).1)
        };
        drop(waiting);
        reactor.waiters.fetch_sub(usize::from(waiter.is_some()), Ordering::SeqCst);
        drop(waiter);
    }
}
