//! Sending and receiving that waits.
#![forbid(unsafe_code)]

use super::{Channel, NO_RECEIVER, Ordering, Place, Waiter};
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

impl<T> Channel<T> {
    #[inline]
    pub(crate) fn send(&self, value: T, limit: Limit) -> Result<(), SendStop<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(value)) => Err(SendStop::Closed(value)),
            Err(TrySendError::Full(value)) => self.send_slow(value, limit),
        }
    }

    #[inline(never)]
    fn send_slow(&self, value: T, limit: Limit) -> Result<(), SendStop<T>> {
        let mut value = Some(value);
        let mut place = None;
        let mut is_closed = false;
        let waited = suspend_until(limit, false, |resumer: Resumer<Option<T>>| {
            let mut queues = self.queues.lock();
            let Some(message) = value.take() else { return };
            let wake = match self.offer(&mut queues, message) {
                Ok(wake) => Some(wake),
                Err(TrySendError::Full(message)) => {
                    place = Some(queues.givers.push((message, Waiter::One(resumer))));
                    let wake = self.announce_giver(&mut queues);
                    drop(queues);
                    return wake.send();
                }
                Err(TrySendError::Disconnected(message)) => {
                    value = Some(message);
                    is_closed = true;
                    None
                }
            };
            drop(queues);
            wake.into_iter().for_each(super::Wake::send);
            let _ = resumer.send(None);
        });
        match (waited, place) {
            // It has not been in the queue: sent or refused, whatever came after that.
            (_, None) if is_closed => value.map_or(Ok(()), |value| Err(SendStop::Closed(value))),
            (Err(stopped), None) => value.map_or(Ok(()), |value| Err(SendStop::Stopped(value, stopped))),
            (Ok(None), _) => Ok(()),
            (Ok(Some(value)), _) => Err(SendStop::Closed(value)),
            (Err(stopped), Some(place)) => match self.withdraw(place) {
                Some(value) => Err(SendStop::Stopped(value, stopped)),
                None => Ok(()),
            },
        }
    }

    /// Waits, among several things, for a message. None where it need not wait: then it is to look again.
    pub(in crate::sync) fn join_takers(&self, resumer: Resumer<()>) -> Option<Place> {
        let mut queues = self.queues.lock();
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
    pub(in crate::sync) fn leave_takers(&self, place: Place) -> Option<T> {
        let mut queues = self.queues.lock();
        drop(queues.takers.remove(place));
        self.update(&queues);
        queues.handed.remove(&place)
    }

    /// Waits, among several things, for somebody to take a message.
    ///
    /// # Errors
    ///
    /// The message, where it need not wait: then it is to look again.
    pub(in crate::sync) fn join_givers(&self, value: T, resumer: Resumer<()>) -> Result<Place, T> {
        let mut queues = self.queues.lock();
        if self.flags.load(Ordering::Relaxed) & NO_RECEIVER != 0 {
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
        let mut queues = self.queues.lock();
        let value = match queues.givers.remove(place) {
            Some((value, _)) => Some(value),
            None => queues.kept.remove(&place),
        };
        self.update(&queues);
        value
    }

    #[inline]
    pub(crate) fn recv(&self, limit: Limit) -> Result<T, RecvStop> {
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvStop::Closed),
            Err(TryRecvError::Empty) => self.recv_slow(limit),
        }
    }

    #[inline(never)]
    fn recv_slow(&self, limit: Limit) -> Result<T, RecvStop> {
        let limit = match limit {
            Limit::After(longest) => super::super::wait::deadline(longest),
            other => other,
        };
        let mut place = None;
        loop {
            let waited = suspend_until(limit, false, |resumer: Resumer<Option<T>>| {
                let mut queues = self.queues.lock();
                if self.is_over(&queues) {
                    drop(queues);
                    let _ = resumer.send(None);
                    return;
                }
                match place {
                    None => place = Some(queues.takers.push(Waiter::One(resumer))),
                    Some(place) => queues.takers.push_at(place, Waiter::One(resumer)),
                }
                let wake = self.announce_taker(&mut queues);
                drop(queues);
                wake.send();
            });
            match waited {
                Ok(Some(value)) => return Ok(value),
                Ok(None) if self.is_over(&self.queues.lock()) => return Err(RecvStop::Closed),
                // Somebody has taken, without a look at the flags, what it was woken for. It keeps its place.
                Ok(None) => {}
                Err(stopped) => {
                    if let Some(place) = place {
                        let mut queues = self.queues.lock();
                        drop(queues.takers.remove(place));
                        self.update(&queues);
                    }
                    return Err(RecvStop::Stopped(stopped));
                }
            }
        }
    }
}
