//! Sending and receiving that waits.
#![forbid(unsafe_code)]

use super::run::{Run, STREAM};
use super::{Channel, HANDED, NO_RECEIVER, Ordering, Place, TAKERS, Waiter};
#[cfg(feature = "capi")]
use crate::scheduler;
use crate::scheduler::{Limit, Resumer, Stopped, suspend_until};
use std::sync::mpsc::{TryRecvError, TrySendError};

/// Why a message was not sent. It is in it.
pub(crate) enum SendStop<T> {
    Closed(T),
    Stopped(T, Stopped),
}

/// Why nothing was received.
pub(crate) enum RecvStop {
    Closed,
    Stopped(Stopped),
}

/// A message on its way into the channel.
struct Giving<T> {
    /// Here until it is there.
    value: Option<T>,
    /// Where it waits.
    place: Option<Place>,
    was_refused: bool,
}

impl<T> Channel<T> {
    /// Inlined down to the switch, as [`recv_in`](Self::recv_in) is.
    #[inline(always)]
    pub(crate) fn send(&self, value: T, limit: Limit) -> Result<(), SendStop<T>> {
        let value = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(value)) => return Err(SendStop::Closed(value)),
            Err(TrySendError::Full(value)) => value,
        };
        if limit != Limit::Never {
            return self.send_until(value, limit);
        }
        let value = if self.buffer.is_long(STREAM) {
            match self.push_soon(value) {
                Ok(()) => return Ok(()),
                Err(value) => value,
            }
        } else {
            value
        };
        let mut giving = Giving { value: Some(value), place: None, was_refused: false };
        match suspend_until(Limit::Never, false, |resumer| self.wait_as_giver(resumer, &mut giving)) {
            Ok(None) if giving.value.is_none() => Ok(()),
            waited => self.sent(waited, giving),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_until(&self, value: T, limit: Limit) -> Result<(), SendStop<T>> {
        let mut giving = Giving { value: Some(value), place: None, was_refused: false };
        let waited = suspend_until(limit, false, |resumer| self.wait_as_giver(resumer, &mut giving));
        self.sent(waited, giving)
    }

    /// Joins the queue of givers, or gives the message away at once. It stays in `giving` if nobody will take it.
    #[inline(never)]
    fn wait_as_giver(&self, resumer: Resumer<Option<T>>, giving: &mut Giving<T>) {
        let mut queues = self.waiting.queues.lock();
        let Some(message) = giving.value.take() else { return };
        let wake = match self.offer(&mut queues, message) {
            Ok(wake) => Some(wake),
            Err(TrySendError::Full(message)) => {
                giving.place = Some(queues.givers.push((message, Waiter::One(resumer))));
                let wake = self.announce_giver(&mut queues);
                drop(queues);
                return wake.send();
            }
            Err(TrySendError::Disconnected(message)) => {
                giving.value = Some(message);
                giving.was_refused = true;
                None
            }
        };
        drop(queues);
        wake.into_iter().for_each(super::Wake::send);
        let _ = resumer.send(None);
    }

    /// What a wait has come to that was not simply told that its message was taken.
    #[cold]
    #[inline(never)]
    fn sent(&self, waited: Result<Option<T>, Stopped>, giving: Giving<T>) -> Result<(), SendStop<T>> {
        match (waited, giving) {
            (Ok(None), Giving { value: None, .. }) => Ok(()),
            (Ok(Some(value)), _) => Err(SendStop::Closed(value)),
            // It has not been in the queue: refused, whatever came after that.
            (Ok(None), Giving { value: Some(value), .. }) => Err(SendStop::Closed(value)),
            (Err(_), Giving { value: Some(value), was_refused: true, .. }) => Err(SendStop::Closed(value)),
            (Err(stopped), Giving { value: Some(value), .. }) => Err(SendStop::Stopped(value, stopped)),
            (Err(stopped), Giving { place: Some(place), .. }) => match self.withdraw(place) {
                Some(value) => Err(SendStop::Stopped(value, stopped)),
                None => Ok(()),
            },
            // It was sent before that.
            (Err(_), _) => Ok(()),
        }
    }

    /// Waits, among several things, for a message. None where it need not wait: then it is to look again.
    pub(in crate::sync) fn join_takers(&self, resumer: Resumer<()>) -> Option<Place> {
        let mut queues = self.waiting.queues.lock();
        if self.is_over(&queues) {
            drop(queues);
            let _ = resumer.send(());
            return None;
        }
        let place = queues.takers.push(Waiter::Several(resumer));
        let wake = self.announce_taker(&mut queues);
        drop(queues);
        wake.send();
        Some(place)
    }

    /// Takes a taker that waits for several things out of the queue, with the message that it was given.
    #[inline]
    pub(in crate::sync) fn leave_takers(&self, place: Place) -> Option<T> {
        if self.waiting.flags.load(Ordering::Relaxed) & (TAKERS | HANDED) == 0 {
            // It has set the one flag itself. Whoever has cleared it has taken it out; and would have set the other.
            return None;
        }
        let mut queues = self.waiting.queues.lock();
        drop(queues.takers.remove(place));
        let handed = queues.handed.remove(&place);
        self.update(&queues);
        handed
    }

    /// Waits, among several things, for somebody to take a message.
    ///
    /// # Errors
    ///
    /// The message, where it need not wait: then it is to look again.
    pub(in crate::sync) fn join_givers(&self, value: T, resumer: Resumer<()>) -> Result<Place, T> {
        let mut queues = self.waiting.queues.lock();
        if self.waiting.flags.load(Ordering::Relaxed) & NO_RECEIVER != 0 {
            drop(queues);
            let _ = resumer.send(());
            return Err(value);
        }
        let place = queues.givers.push((value, Waiter::Several(resumer)));
        let wake = self.announce_giver(&mut queues);
        drop(queues);
        wake.send();
        Ok(place)
    }

    /// Takes a giver that does not wait any more out of the queue. None if its message was taken.
    pub(in crate::sync) fn withdraw(&self, place: Place) -> Option<T> {
        let mut queues = self.waiting.queues.lock();
        let value = match queues.givers.remove(place) {
            Some((value, _)) => Some(value),
            None => queues.kept.remove(&place),
        };
        self.update(&queues);
        value
    }

    /// Receives, for the one receiver, whose run this is. Inlined down to the switch, as two tasks that talk to each other would
    /// otherwise return into each other's frames as the CPU predicts it.
    #[inline(always)]
    pub(crate) fn recv_in(&self, run: &Run, limit: Limit) -> Result<T, RecvStop> {
        match self.try_recv_in(run.is_long()) {
            Ok(value) => {
                if run.goes_on() {
                    self.keep_apart();
                }
                return Ok(value);
            }
            Err(TryRecvError::Disconnected) => return Err(RecvStop::Closed),
            Err(TryRecvError::Empty) => {}
        }
        if run.ends()
            && let Some(value) = self.pop_soon()
        {
            return Ok(value);
        }
        self.wait_to_recv(limit)
    }

    /// [`recv_in`](Self::recv_in) by one receiver of several.
    #[cfg(feature = "capi")]
    pub(crate) fn recv(&self, limit: Limit) -> Result<T, RecvStop> {
        scheduler::take_turn(1);
        match self.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvStop::Closed),
            Err(TryRecvError::Empty) => {}
        }
        self.wait_to_recv(limit)
    }

    #[inline(always)]
    fn wait_to_recv(&self, limit: Limit) -> Result<T, RecvStop> {
        if limit != Limit::Never {
            return self.recv_until(limit);
        }
        let mut place = None;
        match suspend_until(Limit::Never, false, |resumer| self.wait_as_taker(resumer, &mut place)) {
            Ok(Some(value)) => Ok(value),
            waited => self.recv_again(waited, place, Limit::Never),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_until(&self, limit: Limit) -> Result<T, RecvStop> {
        let limit = match limit {
            Limit::After(longest) => super::super::wait::deadline(longest),
            other => other,
        };
        let mut place = None;
        let waited = suspend_until(limit, false, |resumer| self.wait_as_taker(resumer, &mut place));
        self.recv_again(waited, place, limit)
    }

    /// Joins the queue of takers, at the place that it has had already, if it has; and is served at once if there is something.
    #[inline(never)]
    fn wait_as_taker(&self, resumer: Resumer<Option<T>>, place: &mut Option<Place>) {
        let mut queues = self.waiting.queues.lock();
        if self.is_over(&queues) {
            drop(queues);
            let _ = resumer.send(None);
            return;
        }
        match *place {
            None => *place = Some(queues.takers.push(Waiter::One(resumer))),
            Some(place) => queues.takers.push_at(place, Waiter::One(resumer)),
        }
        let wake = self.announce_taker(&mut queues);
        drop(queues);
        wake.send();
    }

    /// What a wait has come to, and others if it was not a message.
    #[cold]
    #[inline(never)]
    fn recv_again(
        &self,
        waited: Result<Option<T>, Stopped>,
        mut place: Option<Place>,
        limit: Limit,
    ) -> Result<T, RecvStop> {
        let mut waited = waited;
        loop {
            match waited {
                Ok(Some(value)) => return Ok(value),
                Ok(None) if self.is_over(&self.waiting.queues.lock()) => return Err(RecvStop::Closed),
                // Somebody has taken, without a look at the flags, what it was woken for. It keeps its place.
                Ok(None) => {}
                Err(stopped) => {
                    if let Some(place) = place {
                        let mut queues = self.waiting.queues.lock();
                        drop(queues.takers.remove(place));
                        self.update(&queues);
                    }
                    return Err(RecvStop::Stopped(stopped));
                }
            }
            waited = suspend_until(limit, false, |resumer| self.wait_as_taker(resumer, &mut place));
        }
    }
}
