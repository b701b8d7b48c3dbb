//! What a worker does about I/O: it looks for it now and then, and waits for it when it has nothing else to do.
#![forbid(unsafe_code)]

#[cfg(unix)]
use super::reactor::Reactor;
use super::worker::Worker;
use std::time::Duration;

/// Every so many of a worker's turns it looks for I/O.
const TURNS: u32 = 4;

impl Worker {
    /// [`poll_io`](Self::poll_io) every so many times.
    pub(super) fn poll_io_in_turn(&self) {
        let turns = self.turns.get() + 1;
        self.turns.set(turns % TURNS);
        if turns == TURNS {
            self.poll_io();
        }
    }

    /// Wakes those whose I/O can go on, unless another worker waits for it.
    pub(super) fn poll_io(&self) {
        #[cfg(unix)]
        if let Some(mut seat) = self.shared.reactor.get().and_then(Reactor::seat) {
            seat.wait(Some(Duration::ZERO));
        }
    }

    /// Whether tasks of this runtime wait for I/O.
    pub(super) fn does_io(&self) -> bool {
        #[cfg(unix)]
        return self.shared.reactor.get().is_some_and(|reactor| reactor.has_waiters());
        #[cfg(not(unix))]
        false
    }

    /// The first to have nothing to do waits for I/O, and the others for that one.
    pub(super) fn park_somewhere(&self, longest: Option<Duration>) {
        let parker = self.remote.driver();
        #[cfg(unix)]
        if let Some(reactor) = self.shared.reactor.get()
            && let Some(seat) = reactor.seat()
        {
            parker.park_in(reactor, seat, longest);
            // Not left empty while somebody sleeps: what runs here now may compute for long.
            if !self.ready.is_empty() && reactor.has_waiters() {
                self.shared.pass_seat(self.index);
            }
            return;
        }
        parker.park(longest);
    }
}
