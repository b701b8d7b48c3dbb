//! A descriptor whose calls block the task, and outside of tasks the thread.

use super::cancel;
use super::claim::{Limit, Stopped, suspend_until};
use super::current::{self, Current, Running, tell_wait};
pub(crate) use super::reactor::Direction;
use super::reactor::{Key, Reactor};
use crate::cancelled::Cancelled;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// After that many calls in a row that need not wait, the others run.
const IN_A_ROW: u32 = 64;

/// A descriptor that does not block, and the reactors that watch it: in general one, because in general the tasks of one worker
/// wait for it.
///
/// It is watched from its first wait on, until it is closed, or only others wait for it. Calls try first.
pub(crate) struct Source<T: AsFd> {
    /// The first reactor, and the others. What is written here stays, although a reactor may have let it go.
    watched: OnceLock<Watched>,
    others: Mutex<Vec<Watched>>,
    in_a_row: AtomicU32,
    /// Dropped last: what is watched has been taken out of the pollers by then (invariant 37).
    io: T,
}

struct Watched {
    reactor: Weak<Reactor>,
    fd: RawFd,
    /// A [`Key`], written when it is added, under the lock of `others`.
    key: AtomicU64,
}

/// What was known of a descriptor before a try: its slot, and how many events that has had. None where nobody watches it.
type Seen = Option<(Key, u64)>;

impl<T: AsFd> Source<T> {
    /// `io` does not block. It has one descriptor, the same as long as it lives, and only its drop closes it.
    pub(crate) fn new(io: T) -> Self {
        Self { watched: OnceLock::new(), others: Mutex::default(), in_a_row: AtomicU32::new(0), io }
    }

    pub(crate) fn get(&self) -> &T {
        &self.io
    }

    /// Nobody watches it any more.
    pub(crate) fn into_inner(self) -> T {
        let Self { watched, others, io, .. } = self;
        drop((watched, others));
        io
    }

    /// Calls `attempt` until it does not say [`ErrorKind::WouldBlock`], and waits in between: for `longest` altogether.
    pub(crate) fn call<R>(
        &self,
        direction: Direction,
        longest: Option<Duration>,
        attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.call_emptying(direction, longest, attempt, |_| false)
    }

    /// [`call`](Self::call) of what can tell by its result that it has left nothing behind that could be read: the next one waits
    /// without a try, unless there has been an event.
    ///
    /// What need not be done often is in functions of its own, and the rest, with `attempt`, where it is called: see `net/stream.rs`.
    #[inline(always)]
    pub(crate) fn call_emptying<R>(
        &self,
        direction: Direction,
        longest: Option<Duration>,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
        has_emptied: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        self.take_turn();
        let mut limit = None;
        loop {
            let (seen, is_empty) = self.seen(direction);
            // What is there goes to whoever asks for it, also to one that was cancelled before: nobody is told of that then.
            let is_empty = is_empty && may_wait();
            if !is_empty {
                match attempt(&self.io) {
                    Ok(result) => {
                        if has_emptied(&result) {
                            tell_empty(seen);
                        }
                        return Ok(result);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
            }
            if let Err(stopped) = self.wait_alone(direction, &mut limit, longest, seen) {
                // A cancellation that has come since has been told of, and nothing has been read.
                let is_over = is_empty && Cancelled::find_in(&stopped).is_none();
                return if is_over { last_try(attempt(&self.io), stopped) } else { Err(stopped) };
            }
        }
    }

    /// [`wait`](Self::wait), until `limit`, which begins with the first wait of a call.
    #[inline(never)]
    fn wait_alone(
        &self,
        direction: Direction,
        limit: &mut Option<Limit>,
        longest: Option<Duration>,
        seen: Seen,
    ) -> io::Result<()> {
        let limit = *limit.get_or_insert_with(|| Limit::from(longest));
        self.in_a_row.store(0, Ordering::Relaxed);
        Self::wait([self], direction, limit, [seen])
    }

    /// [`call`](Self::call) that waits for any of several: what `attempt` tries is theirs.
    pub(crate) fn call_any<R, const N: usize>(
        all: [&Self; N],
        direction: Direction,
        longest: Option<Duration>,
        mut attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        all[0].take_turn();
        let mut limit = None;
        loop {
            let seen = all.map(|source| source.seen(direction).0);
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => return done,
            }
            let limit = *limit.get_or_insert_with(|| Limit::from(longest));
            all[0].in_a_row.store(0, Ordering::Relaxed);
            Self::wait(all, direction, limit, seen)?;
        }
    }

    /// Counts the calls in a row, about: those of several threads may count as one.
    #[inline(always)]
    fn take_turn(&self) {
        let calls = self.in_a_row.load(Ordering::Relaxed);
        self.in_a_row.store(calls + 1, Ordering::Relaxed);
        if calls >= IN_A_ROW {
            self.let_others_run();
        }
    }

    #[cold]
    #[inline(never)]
    fn let_others_run(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
        match running() {
            // What is there is returned all the same: a cancellation is not told of here.
            Some(running) => _ = running.yield_now(),
            None => std::thread::yield_now(),
        }
    }

    /// How many events the calling task's reactor has seen, if it watches this; and whether there is nothing to be read.
    #[inline(always)]
    fn seen(&self, direction: Direction) -> (Seen, bool) {
        let Some(reactor) = running().and_then(|running| running.worker().reactor.get()) else {
            return (None, false);
        };
        let Some(key) = self.key(reactor) else { return (None, false) };
        let Some(slot) = reactor.slot_of(key) else { return (None, false) };
        let events = slot.events(direction);
        (Some((key, events)), matches!(direction, Direction::Read) && slot.is_empty(events))
    }

    /// Its place in a reactor that watches it, or has.
    #[inline(always)]
    fn key(&self, reactor: &Arc<Reactor>) -> Option<Key> {
        let first = self.watched.get()?;
        if first.is_by(reactor) { Some(first.key()) } else { self.other_key(reactor) }
    }

    #[inline(never)]
    fn other_key(&self, reactor: &Arc<Reactor>) -> Option<Key> {
        self.others.lock().iter().find(|watched| watched.is_by(reactor)).map(Watched::key)
    }

    /// Waits until it is worth another try. Of one that was not watched at the time of the last, all events are new.
    fn wait<const N: usize>(
        all: [&Self; N],
        direction: Direction,
        limit: Limit,
        mut seen: [Seen; N],
    ) -> io::Result<()> {
        let Some(running) = running() else {
            if current::is_worker() {
                return Err(super::refusal().into());
            }
            return Self::wait_on_thread(all, direction, limit);
        };
        let reactor = running.worker().reactor()?;
        for (seen, source) in seen.iter_mut().zip(all) {
            if seen.is_none() {
                *seen = Some((source.watch(reactor)?, 0));
            }
        }
        let mut numbers = [None; N];
        running.worker().ready.fetch_ahead();
        if let Some((key, _)) = seen[0] {
            running.header().looks_at.set(ptr::from_ref(reactor.slot(key)).cast());
        }
        let waited = suspend_until(limit, false, |resumer| {
            tell_wait("I/O", None);
            for (number, seen) in numbers.iter_mut().zip(seen.into_iter().flatten()) {
                match reactor.slot(seen.0).join(seen, direction, resumer.another(), reactor) {
                    Ok(joined) => *number = Some(joined),
                    Err(resumer) => drop(resumer.send(())),
                }
            }
            resumer.forget();
        });
        // An event takes all waiters of its descriptor out. What this one has left at others is taken out here.
        if N > 1 || waited.is_err() {
            for (number, (key, _)) in numbers.into_iter().zip(seen.into_iter().flatten()) {
                number.into_iter().for_each(|number| reactor.slot(key).leave(key, direction, number, reactor));
            }
        }
        waited.map_err(|stopped| match stopped {
            Stopped::TimedOut => timed_out(),
            Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => cancelled.into(),
        })
    }

    /// Lets `reactor`, which is the calling worker's, watch it, and those no more of whose tasks none waits for it: each would be
    /// told of every event for nothing.
    #[cold]
    fn watch(&self, reactor: &Arc<Reactor>) -> io::Result<Key> {
        // Under this lock, so that nobody lets go of what another adds just now.
        let mut others = self.others.lock();
        // A poller that is gone watches nothing.
        others.retain(|watched| watched.reactor.strong_count() > 0);
        let fd = self.io.as_fd();
        let mut place = None;
        for watched in self.watched.get().into_iter().chain(&*others) {
            if watched.is_by(reactor) {
                place = Some(watched);
            } else if let Some(reactor) = watched.reactor.upgrade() {
                reactor.let_go(fd, watched.key());
            }
        }
        if let Some(key) = place.map(Watched::key).filter(|&key| reactor.slot_of(key).is_some()) {
            return Ok(key);
        }
        let key = reactor.add(fd)?;
        if let Some(place) = place {
            place.key.store(key.to_bits(), Ordering::Relaxed);
        } else {
            let key = AtomicU64::new(key.to_bits());
            let watched = Watched { reactor: Arc::downgrade(reactor), fd: fd.as_raw_fd(), key };
            others.extend(self.watched.set(watched).err());
        }
        Ok(key)
    }

    fn wait_on_thread<const N: usize>(all: [&Self; N], direction: Direction, limit: Limit) -> io::Result<()> {
        let flags = match direction {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
        };
        loop {
            let left = match limit {
                Limit::Never => None,
                Limit::After(delay) => Some(delay),
                Limit::At(instant) => Some(instant.saturating_duration_since(Instant::now())),
            };
            // What is too long for the system is cut, and waited for again by the caller's loop.
            let left = left.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1 << 30, tv_nsec: 0 }));
            match poll(&mut all.map(|source| PollFd::new(&source.io, flags)), left.as_ref()) {
                Ok(0) => return Err(timed_out()),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(crate) fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the time of the socket's timeout is over")
}

impl From<Option<Duration>> for Limit {
    fn from(longest: Option<Duration>) -> Self {
        longest.map_or(Self::Never, |longest| super::now().checked_add(longest).map_or(Self::Never, Self::At))
    }
}

/// The task that calls, which does not end before the call does.
#[inline(always)]
fn running<'a>() -> Option<&'a Running> {
    // SAFETY: it is used in the frames of the task that it is of, by the calls of a source, and given to nobody.
    unsafe { Current::get() }.map(|current| current.running)
}

/// Whether a wait of the calling task would begin.
#[inline(always)]
fn may_wait() -> bool {
    running().is_none_or(|running| running.can_switch() && !cancel::is_pending(running))
}

/// What is there wins, although no event has told of it yet.
#[cold]
fn last_try<R>(tried: io::Result<R>, stopped: io::Error) -> io::Result<R> {
    match tried {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Err(stopped),
        done => done,
    }
}

/// A read has found the end of what was there: see [`Slot::empty`](super::reactor::Slot::empty).
#[inline(always)]
fn tell_empty(seen: Seen) {
    let reactor = running().and_then(|running| running.worker().reactor.get());
    if let (Some(reactor), Some((key, events))) = (reactor, seen)
        && let Some(slot) = reactor.slot_of(key)
    {
        slot.empty(events);
    }
}

impl Watched {
    #[inline(always)]
    fn is_by(&self, reactor: &Arc<Reactor>) -> bool {
        self.reactor.as_ptr() == Arc::as_ptr(reactor)
    }

    #[inline(always)]
    fn key(&self) -> Key {
        Key::from_bits(self.key.load(Ordering::Relaxed))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        // SAFETY: it is open: a source closes it after this (invariant 37).
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        reactor.remove(fd, self.key());
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
