//! Streams of messages between workers: how the two sides keep clear of each other.
//!
//! **At the end of a run.** The side that is quicker catches up with the other every few messages. To wait then, and to be woken from
//! another worker, takes as long as a handful of messages; and the next one, or the next place, is there within a fraction of that.
//! So whoever comes to the end of a run looks again for a moment before it waits. Not where messages come one by one, as questions
//! and answers do: there a run is one message long.
//!
//! **In its midst.** Where one side is a place or two behind the other, both write to the same cache line, and each message waits for
//! that line to come over. It slows the quicker one down to the pace of the other, and so they stay together. The receiver has a look
//! at the distance now and then: at a short one from the sender it pauses; and if it is the sender that is close behind, which
//! has come around the ring, that is told by a flag to let a part of the ring get free.
//!
//! Nobody pauses while another task could run on its worker. And these have their turn, however long the stream.
#![forbid(unsafe_code)]

use super::{AHEAD, Channel, GIVERS, NO_RECEIVER, Ordering, TrySendError};
use crate::scheduler;
use core::cell::Cell;
use core::hint;
use core::panic::RefUnwindSafe;

/// How many messages in a row are a stream.
pub(super) const STREAM: u32 = 8;
/// How often a receiver looks at the distance: once in so many messages.
const EVERY: u32 = 64;
/// How many messages are in a few cache lines.
const NEAR: usize = 8;
/// How often to look again, each time after twice as long as before: for about a microsecond.
const LOOKS: u32 = 3;

/// How many messages a receiver has found without waiting.
#[derive(Default)]
pub(crate) struct Run(Cell<u32>);

// Any number will do.
impl RefUnwindSafe for Run {}

impl Run {
    /// Another message. Whether it is time for a look at the distance.
    #[inline(always)]
    pub(super) fn goes_on(&self) -> bool {
        let length = self.0.get().wrapping_add(1);
        self.0.set(length);
        length.is_multiple_of(EVERY)
    }

    /// Whether it is a stream.
    #[inline(always)]
    pub(super) fn is_long(&self) -> bool {
        self.0.get() >= STREAM
    }

    /// There is no message. Whether it was a stream.
    #[inline(always)]
    pub(super) fn ends(&self) -> bool {
        let was_long = self.is_long();
        self.0.set(0);
        was_long
    }
}

impl<T> Channel<T> {
    /// A message that comes within a moment.
    #[inline(never)]
    pub(super) fn pop_soon(&self) -> Option<T> {
        for look in 0..LOOKS {
            if !scheduler::is_alone() {
                break;
            }
            pause(look);
            if self.may_recv() {
                // Others that become ready by this worker's inbox or clock have not been seen by these looks.
                scheduler::take_turn(STREAM);
                return self.try_recv().ok();
            }
        }
        None
    }

    /// Sends, if there is room enough for more than this one within a moment.
    #[inline(never)]
    pub(super) fn push_soon(&self, value: T) -> Result<(), T> {
        for look in 0..LOOKS {
            // Whoever waits for room comes first.
            let is_hopeless = self.waiting.flags.load(Ordering::Relaxed) & (GIVERS | NO_RECEIVER) != 0;
            if is_hopeless || !scheduler::is_alone() {
                break;
            }
            pause(look);
            if self.buffer.is_filled_to(3) {
                continue;
            }
            return self.try_send(value).map_err(|error| match error {
                TrySendError::Full(value) | TrySendError::Disconnected(value) => value,
            });
        }
        Err(value)
    }

    /// The receiver's look at the distance, in a stream; and the turn of others.
    #[cold]
    #[inline(never)]
    pub(super) fn keep_apart(&self) {
        scheduler::take_turn(EVERY);
        if !scheduler::is_alone() {
            return;
        }
        if self.buffer.len() < NEAR {
            return pause(0);
        }
        if self.buffer.is_filled_to(3) {
            let _held = self.waiting.queues.lock();
            self.announce(AHEAD);
        }
    }

    /// The sender has been told that it is close behind the receiver: waits until that has got on by half of the ring, or a moment
    /// is over.
    #[cold]
    #[inline(never)]
    pub(super) fn fall_back(&self) {
        for _ in 0..1 << LOOKS {
            if !scheduler::is_alone() || !self.buffer.is_filled_to(2) {
                break;
            }
            pause(0);
        }
        let _held = self.waiting.queues.lock();
        let flags = self.waiting.flags.load(Ordering::Relaxed);
        self.waiting.flags.store(flags & !AHEAD, Ordering::Release);
    }
}

/// For long enough that the other side gets on by several messages, as it does not have to share the lines of the ring: 0.2 microseconds
/// by the first look.
fn pause(look: u32) {
    for _ in 0..16 << look {
        hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::{AHEAD, Channel, NEAR, Ordering};
    use std::sync::mpsc::TryRecvError;

    /// The hint that is told, and one that nobody has come to read, when there is nothing any more.
    #[test]
    fn a_hint_changes_nothing_of_what_is_sent() {
        let channel = Channel::new(Some(64));
        let is_told = || channel.waiting.flags.load(Ordering::Relaxed) & AHEAD != 0;
        (0..NEAR).for_each(|n| channel.try_send(n).expect("room"));
        channel.keep_apart();
        assert!(!is_told(), "the ring is not nearly full");
        (NEAR..60).for_each(|n| channel.try_send(n).expect("room"));
        channel.keep_apart();
        assert!(is_told());
        channel.try_send(60).expect("room");
        assert!(!is_told());
        channel.keep_apart();
        assert!((0..61).all(|n| channel.try_recv() == Ok(n)));
        assert!(is_told() && !channel.may_recv());
        assert_eq!(channel.try_recv(), Err(TryRecvError::Empty));
        channel.try_send(61).expect("room");
        channel.keep_apart();
        channel.drop_sender();
        assert_eq!((channel.try_recv(), channel.try_recv()), (Ok(61), Err(TryRecvError::Disconnected)));
    }
}
