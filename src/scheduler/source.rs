//! A descriptor whose calls block the task, and outside of tasks the thread.

use super::claim::{Limit, Stopped, suspend_until};
use super::current::{self, Current, tell_wait};
pub(crate) use super::reactor::Direction;
use super::reactor::{Reactor, Slot};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use parking_lot::Mutex;
use polling::{Event, PollMode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// After that many calls in a row that need not wait, the others run.
const IN_A_ROW: u32 = 64;

/// A descriptor that does not block, and the reactors that watch it: in general one, because in general one runtime uses it.
///
/// It is watched from its first wait on, until it is closed. Calls try first.
pub(crate) struct Source<T: AsFd> {
    watched: Mutex<Vec<Arc<Watched>>>,
    in_a_row: AtomicU32,
    /// Dropped last: what is watched has been taken out of the pollers by then (invariant 37).
    io: T,
}

struct Watched {
    reactor: Weak<Reactor>,
    fd: RawFd,
    key: usize,
    slot: Arc<Slot>,
}

impl<T: AsFd> Source<T> {
    /// `io` does not block. It has one descriptor, the same as long as it lives, and only its drop closes it.
    pub(crate) fn new(io: T) -> Self {
        Self { watched: Mutex::default(), in_a_row: AtomicU32::new(0), io }
    }

    pub(crate) fn get(&self) -> &T {
        &self.io
    }

    /// Nobody watches it any more.
    pub(crate) fn into_inner(self) -> T {
        let Self { watched, io, .. } = self;
        drop(watched);
        io
    }

    /// Calls `attempt` until it does not say [`ErrorKind::WouldBlock`], and waits in between: for `longest` altogether.
    pub(crate) fn call<R>(
        &self,
        direction: Direction,
        longest: Option<Duration>,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        Self::call_any([self], direction, longest, || attempt(&self.io))
    }

    /// [`call`](Self::call) that waits for any of several: what `attempt` tries is theirs.
    pub(crate) fn call_any<R, const N: usize>(
        all: [&Self; N],
        direction: Direction,
        longest: Option<Duration>,
        mut attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let in_a_row = &all[0].in_a_row;
        if in_a_row.fetch_add(1, Ordering::Relaxed) >= IN_A_ROW {
            in_a_row.store(0, Ordering::Relaxed);
            // What is there is returned all the same.
            let _ = super::yield_now();
        }
        let mut limit = None;
        loop {
            let seen = all.map(|source| source.seen(direction));
            match attempt() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => return done,
            }
            let limit = *limit.get_or_insert_with(|| {
                longest
                    .map_or(Limit::Never, |longest| super::now().checked_add(longest).map_or(Limit::Never, Limit::At))
            });
            in_a_row.store(0, Ordering::Relaxed);
            Self::wait(all, direction, limit, seen)?;
        }
    }

    /// How many events the calling task's reactor has seen, if it watches this.
    fn seen(&self, direction: Direction) -> Option<u64> {
        let here = Current::with(|current| current?.running.worker().shared().reactor.get().map(Arc::as_ptr))?;
        let all = self.watched.lock();
        let watched = all.iter().find(|watched| watched.reactor.as_ptr() == here)?;
        Some(watched.slot.events(direction))
    }

    /// Waits until it is worth another try. Of one that was not watched at the time of the last, all events are new.
    fn wait<const N: usize>(
        all: [&Self; N],
        direction: Direction,
        limit: Limit,
        seen: [Option<u64>; N],
    ) -> io::Result<()> {
        let reactor = Current::with(|current| Some(current?.running.worker().shared().reactor().cloned()));
        let Some(reactor) = reactor.transpose()? else {
            if current::is_worker() {
                return Err(super::refusal().into());
            }
            return Self::wait_on_thread(all, direction, limit);
        };
        let mut watched = [const { None }; N];
        for (place, source) in watched.iter_mut().zip(all) {
            *place = Some(source.watch(&reactor)?);
        }
        let mut numbers = [None; N];
        let waited = suspend_until(limit, false, |resumer| {
            tell_wait("I/O", None);
            for ((number, watched), seen) in numbers.iter_mut().zip(watched.iter().flatten()).zip(seen) {
                match watched.slot.join(direction, seen.unwrap_or(0), resumer.another(), &reactor) {
                    Ok(joined) => *number = Some(joined),
                    Err(resumer) => drop(resumer.send(())),
                }
            }
            resumer.forget();
        });
        // An event takes all waiters of its descriptor out. What this one has left at others is taken out here.
        if N > 1 || waited.is_err() {
            for (number, watched) in numbers.into_iter().zip(watched.iter().flatten()) {
                number.into_iter().for_each(|number| watched.slot.leave(direction, number, &reactor));
            }
        }
        waited.map_err(|stopped| match stopped {
            Stopped::TimedOut => timed_out(),
            Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => cancelled.into(),
        })
    }

    /// Lets `reactor` watch it, if that does not yet.
    fn watch(&self, reactor: &Arc<Reactor>) -> io::Result<Arc<Watched>> {
        let mut all = self.watched.lock();
        if let Some(watched) = all.iter().find(|watched| watched.reactor.as_ptr() == Arc::as_ptr(reactor)) {
            return Ok(Arc::clone(watched));
        }
        // A poller that is gone watches nothing.
        all.retain(|watched| watched.reactor.strong_count() > 0);
        let (key, slot) = reactor.add();
        let fd = self.io.as_fd().as_raw_fd();
        // SAFETY: it is taken out before it is closed (invariant 37).
        if let Err(error) = unsafe { reactor.poller().add_with_mode(fd, Event::all(key), PollMode::Edge) } {
            reactor.remove(key);
            return Err(error);
        }
        let watched = Arc::new(Watched { reactor: Arc::downgrade(reactor), fd, key, slot });
        all.push(Arc::clone(&watched));
        Ok(watched)
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

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        // SAFETY: it is open: a source closes it after this (invariant 37).
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        // It fails only if it is not watched.
        let _ = reactor.poller().delete(fd);
        reactor.remove(self.key);
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
