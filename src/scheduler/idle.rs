//! What a worker does that has nothing to do: it looks around, and sleeps. And what it does about I/O: it looks for it now and then,
//! and waits for it when it sleeps.
#![forbid(unsafe_code)]

#[cfg(unix)]
use super::reactor::{Poll, Reactor};
use super::worker::Worker;
use crate::stack::pool::tidy;
use core::ptr;
#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::sync::Arc;
use std::time::Duration;

/// How often an idle worker looks into its inbox before it sleeps, where there is more than one CPU: for some 20 us.
const SPINS: u32 = 1_000;
/// After how many of these looks it looks around for other work, which takes several times as long.
const LOOKS: u32 = 16;
/// Every so many of a worker's turns it looks for I/O.
const TURNS: u32 = 4;
/// And every so many for stacks that nobody needs.
const TIDY_TURNS: u32 = 64;

impl Worker {
    /// Looks elsewhere for something to do, and sleeps if there is nothing, for that time at most.
    pub(super) fn idle(&self, longest: Option<Duration>) {
        // Who waits for I/O is woken by it sooner than by looking around.
        let spins = if self.shared.may_spin && !self.does_io() { SPINS } else { 1 };
        for spin in 0..spins {
            if spin % LOOKS == 0 || self.remote.inbox().has_some() {
                self.look();
                if !self.ready.is_empty() || self.find() {
                    return;
                }
            }
            core::hint::spin_loop();
        }
        if self.share_stacks() {
            return;
        }
        let tidied = self.tidy_stacks(true);
        if tidied == Some(Duration::ZERO) {
            // There is more of that. Who waits for I/O does not wait for it.
            self.poll_io();
            return;
        }
        let longest = [longest, tidied].into_iter().flatten().min();
        match &self.shared.watch {
            // Between two looks around: in a hook this worker is awake, and no clock jumps over what that wakes or spawns here.
            Some(watch) if watch.sees_parks() => {
                if self.sleep(longest, false) {
                    watch.parks(self.index);
                    if self.ready.is_empty() && self.fresh.is_empty() {
                        self.sleep(longest, true);
                    }
                    watch.unparks(self.index);
                }
            }
            _ => {
                self.sleep(longest, true);
            }
        }
    }

    /// Looks around for the last time, and returns whether there is nothing but to park. If so, and it `parks`, it does that first.
    fn sleep(&self, longest: Option<Duration>, parks: bool) -> bool {
        let deadline = self.timers().borrow().next();
        self.shared.announce_sleep(self.index, deadline);
        let mut has_nothing = false;
        if !self.shared.has_work() && self.remote.inbox().go_to_sleep() {
            // With a virtual clock, what has come is before any timer. The last looks, as nobody sends any more.
            let since = if self.shared.clock.is_virtual() { self.shared.is_last() } else { None };
            let jumps = since.is_some_and(|since| self.has_seen_all_io() && self.shared.all_asleep(self.index, since));
            has_nothing = self.ready.is_empty() && !jumps && !self.retry_if_stuck();
            if has_nothing && parks {
                let until = deadline.and_then(|deadline| self.shared.clock.real_time_to(deadline));
                self.park_somewhere([until, longest].into_iter().flatten().min());
            }
            self.remote.inbox().wake_up();
        }
        self.shared.end_sleep(self.index);
        has_nothing
    }

    /// What this worker's tasks wait in for I/O, made when the first of the runtime does.
    #[cfg(unix)]
    pub(super) fn reactor(&self) -> io::Result<&Arc<Reactor>> {
        if let Some(reactor) = self.reactor.get() {
            return Ok(reactor);
        }
        let reactors = self.shared.reactors.get_or_make(self.shared.remotes.len())?;
        Ok(self.reactor.get_or_init(|| Arc::clone(&reactors[self.index])))
    }

    /// The same, if any of them does now.
    #[cfg(unix)]
    fn waits_in(&self) -> Option<&Arc<Reactor>> {
        self.reactor.get().filter(|reactor| reactor.has_waiters())
    }

    /// Whether tasks of this worker wait for I/O.
    pub(super) fn does_io(&self) -> bool {
        #[cfg(unix)]
        return self.waits_in().is_some();
        #[cfg(not(unix))]
        false
    }

    /// [`poll_io`](Self::poll_io) every so many times, and [`tidy_stacks`](Self::tidy_stacks) more rarely.
    pub(super) fn poll_io_in_turn(&self) {
        let turns = self.turns.get() + 1;
        self.turns.set(turns % TIDY_TURNS);
        if turns.is_multiple_of(TURNS) {
            self.poll_io();
        }
        if turns == TIDY_TURNS {
            self.tidy_stacks(false);
        }
    }

    /// Gives memory back that free stacks have had for too long. In how long there may be more of it, or None if there is none.
    ///
    /// Under a virtual clock nothing is to depend on what time it is.
    pub(super) fn tidy_stacks(&self, is_idle: bool) -> Option<Duration> {
        if self.shared.clock.is_virtual() { None } else { tidy(is_idle) }
    }

    /// Wakes those whose I/O can go on.
    pub(super) fn poll_io(&self) {
        #[cfg(unix)]
        if let Some(reactor) = self.waits_in() {
            reactor.poll().wait(Some(Duration::ZERO));
        }
    }

    /// Looks for I/O of all workers, for the last to have nothing to do: whether none has come that its worker has not got to yet.
    ///
    /// What has come for another one is left to that, which is woken, if it is not about to wake. It is the last itself when it
    /// has nothing to do either.
    pub(super) fn has_seen_all_io(&self) -> bool {
        #[cfg(unix)]
        if let Some(reactors) = self.shared.reactors.get() {
            if let Some(reactor) = self.waits_in() {
                self.get_up(reactor.poll());
            }
            if !self.ready.is_empty() {
                return false;
            }
            for (reactor, remote) in reactors.iter().zip(&self.shared.remotes) {
                if !ptr::eq(*remote, self.remote) && reactor.poll().has_unseen() {
                    remote.driver().unpark();
                    return false;
                }
            }
        }
        true
    }

    /// Looks for I/O; not asleep any more if there is something to do: or another would find nothing in the poller, and nobody awake.
    #[cfg(unix)]
    fn get_up(&self, mut poll: Poll<'_>) {
        poll.wait(Some(Duration::ZERO));
        if !self.ready.is_empty() {
            self.shared.end_sleep(self.index);
        }
        drop(poll);
    }

    /// Waits until it is unparked, or I/O can go on, or for that time.
    pub(super) fn park_somewhere(&self, longest: Option<Duration>) {
        let parker = self.remote.driver();
        #[cfg(unix)]
        if let Some(reactor) = self.waits_in() {
            if self.shared.clock.is_virtual() {
                // In two steps, as others look into this poller too.
                parker.park_in(reactor, || reactor.await_any(longest));
                self.get_up(reactor.poll());
            } else {
                parker.park_in(reactor, || reactor.poll().wait(longest));
            }
            return;
        }
        parker.park(longest);
    }
}
