//! A descriptor whose calls block the task, and outside of tasks the thread.

use super::cancel;
use super::claim::{Limit, Stopped, suspend_untold_until};
use super::current::{self, Current, Running, tell_wait};
use super::poller::timespec;
pub(crate) use super::reactor::Direction;
use super::reactor::{Key, Reactor};
use crate::cancelled::{CancelReason, Cancelled};
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// After that many calls in a row that need not wait, the others run.
const IN_A_ROW: u32 = 64;

/// A descriptor that does not block, and the reactors that watch it: in general one, because in general the tasks of one worker
/// wait for it.
///
/// It is watched from its first wait on, until it is closed, or only others wait for it. Calls try first.
pub(crate) struct Source<T: AsFd> {
    watchers: Mutex<Watchers>,
    last: Last,
    in_a_row: AtomicU32,
    /// Dropped last: what is watched has been taken out of the pollers by then (invariant 37).
    io: T,
}

/// The reactors that watch a descriptor, and those that have let it go. In general there is one.
#[derive(Default)]
struct Watchers {
    first: Option<Watched>,
    others: Vec<Watched>,
}

struct Watched {
    reactor: Weak<Reactor>,
    fd: RawFd,
    key: Key,
}

/// The one of the [`Watchers`] that was added last, and its [`Key`], to be found without the lock; or null. Written under the lock.
///
/// Whose reactor it names is one of them, so no other has its address.
struct Last {
    reactor: AtomicPtr<Reactor>,
    key: AtomicU64,
}

/// Whom a [`Last`] names, to a worker.
enum Named {
    Nobody,
    /// Its own reactor, which has given this key.
    Own(Key),
    Another,
}

/// What was known of a descriptor before a try: its slot, and how many events that has had. None where nobody watches it.
type Seen = Option<(Key, u64)>;

impl<T: AsFd> Source<T> {
    /// `io` does not block. It has one descriptor, the same as long as it lives, and only its drop closes it.
    pub(crate) fn new(io: T) -> Self {
        Self { watchers: Mutex::default(), last: Last::none(), in_a_row: AtomicU32::new(0), io }
    }

    pub(crate) fn get(&self) -> &T {
        &self.io
    }

    /// Nobody watches it any more.
    pub(crate) fn into_inner(self) -> T {
        let Self { watchers, io, .. } = self;
        drop(watchers);
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
                let may_be_there = is_empty || is_by_time(&stopped);
                return if may_be_there { last_try(attempt(&self.io), stopped) } else { Err(told(stopped)) };
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
        limit: Limit,
        mut attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        all[0].take_turn();
        loop {
            let seen = all.map(|source| source.seen(direction).0);
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => return done,
            }
            all[0].in_a_row.store(0, Ordering::Relaxed);
            Self::wait(all, direction, limit, seen).map_err(told)?;
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

    /// Its place in the calling worker's reactor, if that watches it, or has.
    #[inline(always)]
    fn key(&self, reactor: &Arc<Reactor>) -> Option<Key> {
        match self.last.named(reactor) {
            Named::Nobody => None,
            Named::Own(key) => Some(key),
            Named::Another => self.other_key(reactor),
        }
    }

    #[inline(never)]
    fn other_key(&self, reactor: &Arc<Reactor>) -> Option<Key> {
        self.watchers.lock().iter().find(|watched| watched.is_by(reactor)).map(|watched| watched.key)
    }

    /// Waits until it is worth another try. Of one that was not watched at the time of the last, all events are new.
    ///
    /// Whoever was cancelled learns of it only if the call gives up: see [`told`].
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
        let waited = suspend_untold_until(limit, |resumer| {
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
        waited.map_err(Into::into)
    }

    /// Lets `reactor`, which is the calling worker's, watch it, and those no more of whose tasks none waits for it: each would be
    /// told of every event for nothing.
    #[cold]
    fn watch(&self, reactor: &Arc<Reactor>) -> io::Result<Key> {
        // Under this lock, so that nobody lets go of what another adds just now.
        let mut watchers = self.watchers.lock();
        self.last.clear();
        watchers.forget_ended();
        let fd = self.io.as_fd();
        let mut place = None;
        for watched in watchers.iter_mut() {
            if watched.is_by(reactor) {
                place = Some(watched);
            } else if let Some(reactor) = watched.reactor.upgrade() {
                reactor.let_go(fd, watched.key);
            }
        }
        let key = match place {
            Some(watched) if reactor.slot_of(watched.key).is_some() => watched.key,
            Some(watched) => {
                watched.key = reactor.add(fd)?;
                watched.key
            }
            None => {
                let key = reactor.add(fd)?;
                watchers.push(Watched { reactor: Arc::downgrade(reactor), fd: fd.as_raw_fd(), key });
                key
            }
        };
        self.last.set(reactor, key);
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
            match poll(&mut all.map(|source| PollFd::new(&source.io, flags)), left.map(timespec).as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return Err(timed_out()),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(crate) fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the time of the socket's timeout is over")
}

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::TimedOut => timed_out(),
            Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => cancelled.into(),
        }
    }
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

/// Whether a wait has ended because its time is over. Something may have come before that: a worker that was busy looks at its timers
/// before it looks for I/O.
#[cold]
fn is_by_time(stopped: &io::Error) -> bool {
    stopped.kind() == ErrorKind::TimedOut
        || Cancelled::find_in(stopped).is_some_and(|cancelled| *cancelled.reason() == CancelReason::TimedOut)
}

/// What is there wins, although no event has told of it yet.
#[cold]
fn last_try<R>(tried: io::Result<R>, stopped: io::Error) -> io::Result<R> {
    match tried {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Err(told(stopped)),
        done => done,
    }
}

/// A call gives up. If that is because of a cancellation, and not of where it was made, whoever was cancelled learns of that.
#[cold]
fn told(stopped: io::Error) -> io::Error {
    if Cancelled::find_in(&stopped).is_some() && super::can_wait() {
        cancel::tell();
    }
    stopped
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

impl Watchers {
    fn iter(&self) -> impl Iterator<Item = &Watched> {
        self.first.iter().chain(&self.others)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.first.iter_mut().chain(&mut self.others)
    }

    fn push(&mut self, watched: Watched) {
        match &self.first {
            None => self.first = Some(watched),
            Some(_) => self.others.push(watched),
        }
    }

    /// A reactor whose runtime has ended watches nothing.
    fn forget_ended(&mut self) {
        let has_ended = |watched: &Watched| watched.reactor.strong_count() == 0;
        self.others.retain(|watched| !has_ended(watched));
        if self.first.as_ref().is_some_and(has_ended) {
            self.first = self.others.pop();
        }
    }
}

impl Watched {
    fn is_by(&self, reactor: &Arc<Reactor>) -> bool {
        self.reactor.as_ptr() == Arc::as_ptr(reactor)
    }
}

impl Last {
    const fn none() -> Self {
        Self { reactor: AtomicPtr::new(ptr::null_mut()), key: AtomicU64::new(0) }
    }

    /// `reactor` is the calling worker's.
    #[inline(always)]
    fn named(&self, reactor: &Arc<Reactor>) -> Named {
        let own = Arc::as_ptr(reactor).cast_mut();
        let named = self.reactor.load(Ordering::Relaxed);
        if named != own {
            return if named.is_null() { Named::Nobody } else { Named::Another };
        }
        let key = self.key.load(Ordering::Acquire);
        // Only the worker itself names its reactor here. So if that is named still, the key was not another's.
        if self.reactor.load(Ordering::Relaxed) == own { Named::Own(Key::from_bits(key)) } else { Named::Another }
    }

    fn clear(&self) {
        self.reactor.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Names it, after [`clear`](Self::clear): whoever reads the key sees by then that the last one is not named any more.
    fn set(&self, reactor: &Arc<Reactor>, key: Key) {
        self.key.store(key.to_bits(), Ordering::Release);
        self.reactor.store(Arc::as_ptr(reactor).cast_mut(), Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        // SAFETY: it is open: a source closes it after this (invariant 37).
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        reactor.remove(fd, self.key);
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
