//! What a worker does about I/O: it looks for it now and then, and waits for it when it has nothing else to do.
#![forbid(unsafe_code)]

#[cfg(unix)]
use super::reactor::Seat;
use super::worker::Worker;
use crate::stack::pool::tidy;
use std::time::Duration;

/// Every so many of a worker's turns it looks for I/O.
const TURNS: u32 = 4;
/// And every so many for stacks that nobody needs.
const TIDY_TURNS: u32 = 64;

/// What the last worker to have nothing to do has found, when it looked for I/O.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not the last, and has not looked.
    NotLast,
    /// It could not look, because another waits for I/O.
    #[cfg_attr(not(unix), allow(dead_code))]
    Taken,
    /// Something. Whoever was woken may have run and sent, and have nothing to do again.
    #[cfg_attr(not(unix), allow(dead_code))]
    Something,
    /// Nothing: since it was the last, nobody has run.
    Nothing,
}

impl Worker {
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

    /// Wakes those whose I/O can go on, unless another worker waits for it.
    pub(super) fn poll_io(&self) {
        #[cfg(unix)]
        if let Some(mut seat) = self.shared.reactor.get().and_then(|reactor| reactor.seat()) {
            seat.wait(Some(Duration::ZERO));
        }
    }

    /// The same for the last to have nothing to do. Also where nobody waits any more: another worker may have seen to that just now,
    /// and not have got up.
    pub(super) fn poll_io_last(&self) -> Look {
        #[cfg(unix)]
        if let Some(reactor) = self.shared.reactor.get() {
            let Some(mut seat) = reactor.free_seat() else { return Look::Taken };
            let has_come = seat.wait(Some(Duration::ZERO));
            self.get_up(seat);
            if has_come {
                return Look::Something;
            }
        }
        Look::Nothing
    }

    /// Leaves the seat; not asleep any more if there is something to do here: or another would look, and find nothing.
    #[cfg(unix)]
    fn get_up(&self, seat: Seat<'_>) {
        if !self.ready.is_empty() && self.shared.clock.is_virtual() {
            self.shared.end_sleep(self.index);
        }
        drop(seat);
    }

    /// Whether tasks of this runtime wait for I/O.
    pub(super) fn does_io(&self) -> bool {
        #[cfg(unix)]
        return self.shared.reactor.get().is_some_and(|reactor| reactor.has_waiters());
        #[cfg(not(unix))]
        false
    }

    /// Gives memory back that free stacks have had for too long. In how long there may be more of it, or None if there is none.
    ///
    /// Under a virtual clock nothing is to depend on what time it is.
    pub(super) fn tidy_stacks(&self, is_idle: bool) -> Option<Duration> {
        if self.shared.clock.is_virtual() { None } else { tidy(is_idle) }
    }

    pub(super) fn park(&self, longest: Option<Duration>, may_sit: bool) {
        if let Some(watch) = &self.shared.watch {
            watch.parks(self.index);
        }
        self.park_somewhere(longest, may_sit);
        if let Some(watch) = &self.shared.watch {
            watch.unparks(self.index);
        }
    }

    /// The first to have nothing to do waits for I/O, and the others for that one.
    ///
    /// One that may not sit is the last to have nothing to do, and would let a virtual clock jump; but another sits, of whom it
    /// cannot know whether I/O has come that it has not got to yet. So that one gets up, and is the last itself when it has
    /// nothing to do either: it finds the seat free.
    pub(super) fn park_somewhere(&self, longest: Option<Duration>, may_sit: bool) {
        let parker = self.remote.driver();
        #[cfg(unix)]
        if !may_sit {
            self.shared.reactor.get().into_iter().for_each(|reactor| reactor.notify());
        } else if let Some(reactor) = self.shared.reactor.get()
            && let Some(mut seat) = reactor.seat()
        {
            parker.park_in(reactor, &mut seat, longest);
            self.get_up(seat);
            // Not left empty while somebody sleeps: what runs here now may compute for long.
            if !self.ready.is_empty() && reactor.has_waiters() {
                self.shared.pass_seat(self.index);
            }
            return;
        }
        #[cfg(not(unix))]
        let _ = may_sit;
        parker.park(longest);
    }
}
