//! Who gets what, while the latch is held.
#![forbid(unsafe_code)]

use super::{Channel, Claimed, GIVERS, Held, NO_RECEIVER, Ordering, Place, Queues, TAKERS, TrySendError, Waiter, Wake};

impl<T> Waiter<T> {
    /// Whether both are of the same wait, which cannot give to itself.
    fn is_same(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Several(this), Self::Several(other)) if this.is_same(other))
    }
}

impl<T> Channel<T> {
    /// The most frequent case of [`offer`](Self::offer): somebody waits for this alone, for whom there is nothing yet.
    #[inline(always)]
    pub(super) fn lone_taker(&self) -> Option<Claimed<Option<T>>> {
        let mut queues = self.waiting.queues.lock();
        if self.waiting.flags.load(Ordering::Relaxed) != TAKERS || !queues.givers.is_empty() || !self.buffer.is_empty()
        {
            return None;
        }
        let is_one = |taker: &Waiter<T>| match taker {
            Waiter::One(_) => true,
            // It has been served by another channel, and has not come by to leave the queue.
            Waiter::Several(resumer) => !resumer.is_waiting(),
            Waiter::Gone => false,
        };
        let (_, taker) = queues.takers.pop_lone(is_one)?;
        self.waiting.flags.store(0, Ordering::Release);
        match taker {
            Waiter::One(resumer) => resumer.claim(),
            Waiter::Several(resumer) => {
                resumer.forget();
                None
            }
            Waiter::Gone => None,
        }
    }

    /// The most frequent case of [`pump`](Self::pump) after a message was taken: the place is for somebody who waits with the next.
    #[inline(always)]
    pub(super) fn lone_giver(&self, queues: &mut Held<'_, Queues<T>>) -> Option<Claimed<Option<T>>> {
        if self.waiting.flags.load(Ordering::Relaxed) != GIVERS || !queues.takers.is_empty() || self.buffer.is_full() {
            return None;
        }
        let (place, (value, giver)) = queues.givers.pop_lone(|(_, giver)| matches!(giver, Waiter::One(_)))?;
        let claimed = if let Waiter::One(resumer) = giver { resumer.claim() } else { None };
        if claimed.is_none() {
            queues.kept.insert(place, value);
        } else if let Err(value) = self.buffer.push(value) {
            // As in `pump`.
            queues.givers.push_at(place, (value, Waiter::Gone));
            return claimed;
        }
        self.waiting.flags.store(0, Ordering::Release);
        claimed
    }

    /// Finds a place for a message: with the first taker, or in the buffer, if no giver was there before.
    pub(super) fn offer(&self, queues: &mut Held<'_, Queues<T>>, value: T) -> Result<Wake<T>, TrySendError<T>> {
        let mut value = value;
        if self.waiting.flags.load(Ordering::Relaxed) & NO_RECEIVER != 0 {
            return Err(TrySendError::Disconnected(value));
        }
        if !queues.givers.is_empty() {
            // They may have room by now.
            let wake = self.pump(queues);
            self.update(queues);
            if !queues.givers.is_empty() {
                wake.send();
                return Err(TrySendError::Full(value));
            }
            wake.send();
        }
        if self.buffer.is_empty() {
            while let Some((place, taker)) = queues.takers.pop() {
                match hand(queues, place, taker, value) {
                    Ok(wake) => {
                        self.update(queues);
                        return Ok(wake);
                    }
                    Err(back) => value = back,
                }
            }
            self.update(queues);
        }
        self.buffer.push(value).map_err(TrySendError::Full)?;
        super::order();
        let wake = self.pump(queues);
        self.update(queues);
        Ok(wake)
    }

    /// Takes the oldest message.
    pub(super) fn take(&self, queues: &mut Held<'_, Queues<T>>) -> (Option<T>, Wake<T>) {
        if let Some(value) = self.buffer.pop(false) {
            return (Some(value), Wake::Nobody);
        }
        match next_giver(queues) {
            Some((_, value, wake)) => (Some(value), wake),
            None => (None, Wake::Nobody),
        }
    }

    /// Gives takers what is there, and room to givers, as long as there is any. One of those to be woken is left to the caller,
    /// for when the latch is not held; as most often there is only one.
    pub(super) fn pump(&self, queues: &mut Held<'_, Queues<T>>) -> Wake<T> {
        let mut last = Wake::Nobody;
        while let Some(place) = self.servable(queues) {
            let Some(taker) = queues.takers.remove(place) else { break };
            // The wait is claimed first: from then on it is sure that the message arrives.
            let next = match taker {
                Waiter::One(resumer) => {
                    let Some(claimed) = resumer.claim() else { continue };
                    let (value, giver) = self.take(queues);
                    giver.send();
                    Wake::One(claimed, value)
                }
                Waiter::Several(resumer) => {
                    let Some(claimed) = resumer.claim() else { continue };
                    let (value, giver) = self.take(queues);
                    giver.send();
                    value.and_then(|value| queues.handed.insert(place, value));
                    Wake::Several(claimed)
                }
                Waiter::Gone => continue,
            };
            std::mem::replace(&mut last, next).send();
        }
        while !queues.givers.is_empty() && !self.buffer.is_full() {
            let Some((place, value, next)) = next_giver(queues) else { break };
            std::mem::replace(&mut last, next).send();
            if let Err(value) = self.buffer.push(value) {
                // Somebody who had looked at the flags before was quicker. It is told already; the message stays in line.
                queues.givers.push_at(place, (value, Waiter::Gone));
                break;
            }
        }
        last
    }

    /// The first taker for whom there is something. One that waits for several things may be a giver too.
    #[inline(always)]
    fn servable(&self, queues: &Queues<T>) -> Option<Place> {
        let is_there = !self.buffer.is_empty();
        if !is_there && queues.givers.is_empty() {
            return None;
        }
        let serves = |taker: &Waiter<T>| is_there || queues.givers.iter().any(|(_, giver)| !giver.is_same(taker));
        queues.takers.entries().find(|(_, taker)| serves(taker)).map(|(place, _)| place)
    }

    /// Joins the queue of takers, and is served at once if there is something.
    #[inline(always)]
    pub(super) fn announce_taker(&self, queues: &mut Held<'_, Queues<T>>) -> Wake<T> {
        self.announce(TAKERS);
        if queues.givers.is_empty() && self.buffer.is_empty() {
            // The flag of givers was not set.
            return Wake::Nobody;
        }
        let wake = self.pump(queues);
        self.update(queues);
        wake
    }

    /// Joins the queue of givers, and is served at once if there is room.
    pub(super) fn announce_giver(&self, queues: &mut Held<'_, Queues<T>>) -> Wake<T> {
        self.announce(GIVERS);
        let wake = self.pump(queues);
        self.update(queues);
        wake
    }
}

/// Gives a message to a taker, or back if that one does not wait any more.
#[inline(always)]
fn hand<T>(queues: &mut Held<'_, Queues<T>>, place: Place, taker: Waiter<T>, value: T) -> Result<Wake<T>, T> {
    match taker {
        Waiter::One(resumer) => match resumer.claim() {
            Some(claimed) => Ok(Wake::One(claimed, Some(value))),
            None => Err(value),
        },
        Waiter::Several(resumer) => match resumer.claim() {
            Some(claimed) => {
                queues.handed.insert(place, value);
                Ok(Wake::Several(claimed))
            }
            None => Err(value),
        },
        Waiter::Gone => Err(value),
    }
}

/// Takes the message of the first giver that waits, and says where that was. Those of others are kept for them.
fn next_giver<T>(queues: &mut Held<'_, Queues<T>>) -> Option<(Place, T, Wake<T>)> {
    while let Some((place, (value, giver))) = queues.givers.pop() {
        let claimed = match giver {
            Waiter::One(resumer) => resumer.claim().map(|claimed| Wake::One(claimed, None)),
            Waiter::Several(resumer) => resumer.claim().map(Wake::Several),
            Waiter::Gone => Some(Wake::Nobody),
        };
        match claimed {
            Some(wake) => return Some((place, value, wake)),
            None => drop(queues.kept.insert(place, value)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Channel, Waiter};
    use crate::scheduler::{Resumer, suspend};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    /// There was room for it, until somebody was quicker: it stays in line at the place of its giver, and not of one before who has
    /// left.
    #[test]
    fn a_message_that_stays_in_line_is_not_given_back_to_another_giver() {
        let (channel, is_over) = (Channel::new(Some(1)), AtomicBool::new(false));
        thread::scope(|s| {
            s.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _ = channel.buffer.push(0);
                    channel.buffer.pop(false);
                }
            });
            let mut back = Some(1);
            for _ in 0..if cfg!(switchback_valgrind) { 500 } else { 50_000 } {
                let mut over = None;
                let _ = suspend(|resumer: Resumer<Option<i32>>| {
                    over = Some(Waiter::One(resumer.another()));
                    let _ = resumer.send(None);
                });
                let _ = suspend(|resumer: Resumer<Option<i32>>| {
                    let mut queues = channel.waiting.queues.lock();
                    let left = over.take().map(|over| queues.givers.push((1, over)));
                    let place = queues.givers.push((2, Waiter::One(resumer)));
                    let wake = channel.pump(&mut queues);
                    drop(queues);
                    wake.send();
                    back = left.and_then(|left| channel.withdraw(left));
                    channel.withdraw(place);
                });
                if back != Some(1) {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(back, Some(1));
        });
    }
}
