//! Waiting for I/O: which descriptors a worker watches, and who of its tasks waits for each.
//!
//! A reactor belongs to its worker's thread, which alone adds descriptors, joins and leaves, and waits. Other threads end its wait
//! ([`Reactor::notify`]), ask whether it has anything to see ([`Poll::has_unseen`]), and take descriptors out: when they are closed,
//! and when tasks of another worker wait for them and none of this one does ([`Reactor::let_go`]). So a task may find that the key
//! that it has is not good any more; but whose slot it was is somebody else's only after the worker's own thread has added that.
//!
//! A wake is no more than a hint to try again. So one that is for a descriptor which has been closed, or whose number belongs to
//! another by now, harms nobody: a key is an index and a generation, and one that is stale by its generation is passed over.
#![forbid(unsafe_code)]

use super::ahead::{fetch_cell, fetch_slot};
use super::poller::{Event, Events, KEY_MASK, Poller};
use super::suspend::Resumer;
use crate::stack::fork;
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

/// What a worker waits in for I/O.
pub(crate) struct Reactor {
    poller: Poller,
    /// In a child of `fork` the poller is the parent's.
    made_in: u32,
    /// Locked while the worker asks the poller, until it is known to be awake: see [`Poll`].
    events: Mutex<(Events, Vec<Resumer<()>>)>,
    /// Page by page, each twice as large as the last, as they are needed: so they stay where they are, and are found without a lock.
    pages: [OnceLock<Box<[Slot]>>; PAGES],
    free: Mutex<Free>,
    /// How many tasks wait. Written by the worker's thread alone.
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

/// The right to ask the poller. The worker has it until those who were woken are known to be, so that others who have it do not
/// miss what is neither in the poller any more nor in a queue yet.
pub(super) struct Poll<'a> {
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
    /// Whose turn with this slot it is. Written under the lock of `waiting`.
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
            made_in: fork::generation(),
            events: Mutex::new((Events::new(), Vec::new())),
            pages: [const { OnceLock::new() }; PAGES],
            free: Mutex::default(),
            waiters: AtomicUsize::new(0),
        })
    }

    /// Waits until nobody else asks.
    pub(super) fn poll(&self) -> Poll<'_> {
        Poll { reactor: self, events: self.events.lock() }
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    fn count_waiters(&self, change: impl FnOnce(usize) -> usize) {
        self.waiters.store(change(self.waiters.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Waits until there is something to ask for, or for that time, and leaves it there. It may also end without a reason.
    pub(super) fn await_any(&self, longest: Option<Duration>) {
        self.poller.has_any(longest);
    }

    /// Ends the worker's wait, or the next.
    pub(super) fn notify(&self) {
        self.poller.notify();
    }

    /// Watches a descriptor until it is [removed](Self::remove), before it is closed (invariant 37), or [let go](Self::let_go).
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
            drop(slot.end(key, true));
            self.free.lock().indices.push(index);
            return Err(error);
        }
        Ok(key)
    }

    /// Watches it no more.
    pub(super) fn remove(&self, fd: BorrowedFd<'_>, key: Key) {
        self.forget(fd, key, true);
    }

    /// [`remove`](Self::remove), if nobody waits.
    pub(super) fn let_go(&self, fd: BorrowedFd<'_>, key: Key) {
        self.forget(fd, key, false);
    }

    fn forget(&self, fd: BorrowedFd<'_>, key: Key, even_if_waited_for: bool) {
        // First, so that nobody joins who would not be told.
        let Some(left) = self.slot(key).end(key, even_if_waited_for) else { return };
        // What the child of a fork drops, its parent may still have.
        if self.made_in == fork::generation() {
            // It fails only if it is not watched.
            let _ = self.poller.delete(fd);
        }
        self.free.lock().indices.push(index(key.0));
        drop(left);
    }

    /// The slot of a key, if it is still that.
    #[inline(always)]
    pub(super) fn slot_of(&self, key: Key) -> Option<&Slot> {
        let slot = self.slot(key);
        slot.is_of(key).then_some(slot)
    }

    /// The slot of a key, whose it may not be any more.
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

impl Key {
    pub(super) fn to_bits(self) -> u64 {
        self.0
    }

    /// What [`to_bits`](Self::to_bits) has said of a key of the same reactor.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl Poll<'_> {
    /// Whether somebody waits, and the poller has something that the worker has not seen.
    pub(super) fn has_unseen(&self) -> bool {
        self.reactor.has_waiters() && self.reactor.poller.has_any(Some(Duration::ZERO))
    }

    /// Waits for events, for a notice, or for that time, and wakes whom the events are for. The worker's thread calls it.
    pub(super) fn wait(&mut self, longest: Option<Duration>) {
        let Self { reactor, events } = self;
        let (events, woken) = &mut **events;
        reactor.poller.wait(events, longest);
        // Each is likely to be out of the CPU's caches, and its lock would wait for it alone.
        events.iter().filter_map(|event| reactor.slot_at(event.key)).for_each(fetch_slot);
        for event in events.iter() {
            if let Some(slot) = reactor.find(event.key) {
                slot.tell(&event, woken);
            }
        }
        reactor.count_waiters(|waiters| waiters - woken.len());
        woken.iter().for_each(fetch_cell);
        for waiter in woken.drain(..) {
            let _ = waiter.send(());
        }
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

    #[inline(always)]
    fn is_of(&self, key: Key) -> bool {
        self::key(self.generation.load(Ordering::Relaxed), index(key.0)) == key.0
    }

    /// Ends the turn of `key`, and returns whom it leaves waiting. None if it is over already, or somebody waits who is not to be left.
    fn end(&self, key: Key, even_if_waited_for: bool) -> Option<Waiting> {
        let mut waiting = self.waiting.lock();
        let is_waited_for = waiting.first.iter().any(Option::is_some) || !waiting.others.is_empty();
        if !self.is_of(key) || is_waited_for && !even_if_waited_for {
            return None;
        }
        self.generation.fetch_add(1, Ordering::Relaxed);
        Some(mem::take(&mut waiting))
    }

    /// How many events there have been.
    #[inline(always)]
    pub(super) fn events(&self, direction: Direction) -> u64 {
        self.events[direction as usize].load(Ordering::Acquire)
    }

    /// A read of a stream has brought less than it might, after `seen` events: what came later, and nothing else, is still there,
    /// and there is an event for it. Told by the worker's thread, of a slot that is still the reader's: if it is not any more when
    /// this is written, then that is before [`begin`](Self::begin).
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

    /// Leaves a resumer for the next event after the first `seen`, and returns its number; or gives it back if that has come, or
    /// nobody would tell of it, because the slot is not that of `key` any more.
    pub(super) fn join(
        &self,
        (key, seen): (Key, u64),
        direction: Direction,
        resumer: Resumer<()>,
        reactor: &Reactor,
    ) -> Result<u64, Resumer<()>> {
        let mut waiting = self.waiting.lock();
        if !self.is_of(key) || self.events[direction as usize].load(Ordering::Relaxed) != seen {
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
        reactor.count_waiters(|waiters| waiters + 1);
        Ok(number)
    }

    /// Takes a waiter out that has given up.
    pub(super) fn leave(&self, key: Key, direction: Direction, number: u64, reactor: &Reactor) {
        let mut waiting = self.waiting.lock();
        if !self.is_of(key) {
            // It was told, and the slot may have others by now.
            return;
        }
        let first = &mut waiting.first[direction as usize];
        let waiter = if first.as_ref().is_some_and(|first| first.0 == number) {
            first.take().map(|waiter| waiter.1)
        } else {
            let place = waiting.others.iter().position(|waiter| waiter.0 == number);
            place.map(|place| waiting.others.swap_remove(place).1)
        };
        drop(waiting);
        reactor.count_waiters(|waiters| waiters - usize::from(waiter.is_some()));
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Reactor};
    use crate::scheduler::suspend::{Interrupted, Resumer, suspend};
    use std::io::pipe;
    use std::os::fd::AsFd;

    /// As a task finds it that has its key from before.
    #[test]
    fn a_slot_that_was_let_go_is_nobodys_and_then_anothers() {
        let reactor = Reactor::new().expect("a reactor");
        let (one, other) = pipe().expect("a pipe");
        let old = reactor.add(one.as_fd()).expect("it is watched");
        reactor.let_go(one.as_fd(), old);
        let joined = suspend(|resumer: Resumer<()>| {
            let refused = reactor.slot(old).join((old, 0), Direction::Read, resumer, &reactor);
            refused.expect_err("nobody would tell").send(()).expect("it waits");
        });
        assert_eq!((joined, reactor.has_waiters()), (Ok(()), false));

        let key = reactor.add(other.as_fd()).expect("it is watched");
        assert!(std::ptr::eq(reactor.slot(old), reactor.slot(key)) && reactor.slot_of(old).is_none());
        let waited = suspend(|resumer: Resumer<()>| {
            let slot = reactor.slot(key);
            let number = slot.join((key, 0), Direction::Read, resumer, &reactor).expect("no event");
            slot.leave(old, Direction::Read, number, &reactor);
            reactor.let_go(one.as_fd(), old);
            reactor.let_go(other.as_fd(), key);
            assert!(reactor.has_waiters() && reactor.slot_of(key).is_some());
            slot.leave(key, Direction::Read, number, &reactor);
            assert!(!reactor.has_waiters());
        });
        assert_eq!(waited, Err(Interrupted::Abandoned));
        reactor.let_go(other.as_fd(), key);
        assert!(reactor.slot_of(key).is_none());
    }
}
