//! What channels are made of: a lock-free buffer, and beside it, behind a latch, those that wait.
//!
//! Messages go through the buffer (crossbeam-queue's ring, or its list where there is no limit) without a lock as long as nobody
//! waits. Whoever would have to wait puts itself into one of two queues: *takers*, for which there was nothing, and *givers*,
//! which had no room and leave their message in the queue. Both are served in the order in which they came, and each by one
//! claim of its wait: so a message is taken out of a giver's hands, or put into a taker's, only if that one surely gets to
//! know of it, and what is cancelled at the same time has its message back.
//!
//! # The flags
//!
//! One word, changed under the latch only. Zero means that nobody needs to be looked after.
//!
//! | flag | meaning |
//! |---|---|
//! | TAKERS | there is somebody in the queue of takers: who sends looks there first |
//! | GIVERS | there is somebody in the queue of givers: who makes room looks there, who sends joins it |
//! | NO_SENDERS | the last sender is gone: what is there is still to be had |
//! | HANDED | there is a message that was handed to a taker that waits for several things, and has not come for it yet |
//! | NO_RECEIVER | the receiver, of which there is one, is gone: nothing is taken any more |
//! | AHEAD | who sends is to fall back: see `run.rs`. A hint |
//!
//! **No wake-up is lost**: who waits first sets its flag and then looks at the buffer once more; who changes the buffer looks
//! at the flags after that. Each of the two is a locked instruction or a fence between a write and a read, so one of them sees
//! the other.
#![forbid(unsafe_code)]

mod buffer;
mod run;
mod settle;
mod wait;

pub(crate) use run::Run;
pub(crate) use wait::{RecvStop, SendStop};

use super::latch::{Held, Latch};
use super::queue::{Place, WaitQueue};
use crate::coroutine::lose;
use crate::scheduler::{Claimed, Resumer};
use buffer::Buffer;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{TryRecvError, TrySendError};
use std::{iter, thread};

const TAKERS: u8 = 1;
const GIVERS: u8 = 2;
const NO_SENDERS: u8 = 4;
const NO_RECEIVER: u8 = 8;
const HANDED: u8 = 16;
const AHEAD: u8 = 32;

/// See the module.
pub(crate) struct Channel<T> {
    buffer: Buffer<T>,
    senders: AtomicUsize,
    waiting: Waiting<T>,
}

/// Who waits, with the flags, and the one who most often does, in one cache line.
#[repr(C, align(64))]
struct Waiting<T> {
    flags: AtomicU8,
    queues: Latch<Queues<T>>,
}

/// Those that wait.
#[repr(C)]
struct Queues<T> {
    takers: WaitQueue<Waiter<T>>,
    givers: WaitQueue<(T, Waiter<T>)>,
    /// Messages of givers that did not wait any more when it was their turn, or that nobody will take: for them to fetch.
    kept: BTreeMap<Place, T>,
    /// Messages for takers that wait for several things, and have no place for a message in their frame.
    handed: BTreeMap<Place, T>,
}

/// Who waits.
enum Waiter<T> {
    /// A call that waits for this alone. A giver is sent its message back, if nobody will take it; a taker is sent none if it
    /// is to look again.
    One(Resumer<Option<T>>),
    /// A call that waits for several things: it looks what has become of each.
    Several(Resumer<()>),
    /// A giver that has been told that its message was taken, when it had to stay here for a moment longer.
    Gone,
}

/// Somebody whose wait was claimed, and what it is sent when the latch is not held any more.
enum Wake<T> {
    One(Claimed<Option<T>>, Option<T>),
    Several(Claimed<()>),
    Nobody,
}

impl<T> Wake<T> {
    #[inline(always)]
    fn send(self) {
        match self {
            Self::One(claimed, value) => claimed.send(value),
            Self::Several(claimed) => claimed.send(()),
            Self::Nobody => {}
        }
    }
}

impl<T> Channel<T> {
    /// A channel for that many messages that nobody has taken; for any number, if that is none.
    pub(crate) fn new(capacity: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            buffer: Buffer::new(capacity),
            senders: AtomicUsize::new(1),
            waiting: Waiting {
                flags: AtomicU8::new(0),
                queues: Latch::new(Queues {
                    takers: WaitQueue::new(),
                    givers: WaitQueue::new(),
                    kept: BTreeMap::new(),
                    handed: BTreeMap::new(),
                }),
            },
        })
    }

    /// Sends without waiting.
    #[inline(always)]
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.waiting.flags.load(Ordering::Relaxed) == TAKERS
            && let Some(taker) = self.lone_taker()
        {
            taker.send(Some(value));
            return Ok(());
        }
        if self.waiting.flags.load(Ordering::Relaxed) != 0 {
            return self.try_send_slow(value);
        }
        match self.buffer.push(value) {
            Ok(()) => {
                order();
                if self.waiting.flags.load(Ordering::SeqCst) != 0 {
                    self.settle();
                }
                Ok(())
            }
            Err(value) => self.try_send_slow(value),
        }
    }

    #[inline(never)]
    fn try_send_slow(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.waiting.flags.load(Ordering::Relaxed) & AHEAD != 0 {
            self.fall_back();
        }
        let mut queues = self.waiting.queues.lock();
        let wake = self.offer(&mut queues, value)?;
        drop(queues);
        wake.send();
        Ok(())
    }

    /// Receives without waiting.
    #[inline(always)]
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.try_recv_in(false)
    }

    #[inline(always)]
    fn try_recv_in(&self, is_stream: bool) -> Result<T, TryRecvError> {
        let flags = self.waiting.flags.load(Ordering::Relaxed);
        // What is there while others wait is theirs.
        if flags & TAKERS == 0
            && let Some(value) = self.buffer.pop(is_stream)
        {
            order();
            if self.waiting.flags.load(Ordering::SeqCst) & GIVERS != 0 {
                self.settle();
            }
            return Ok(value);
        }
        if flags & !AHEAD == 0 { Err(TryRecvError::Empty) } else { self.try_recv_slow() }
    }

    /// False only where [`try_recv`](Self::try_recv) would find nothing now.
    #[inline(always)]
    pub(super) fn may_recv(&self) -> bool {
        // Both, without a branch: where several channels are looked at, which of them is empty is anybody's guess.
        !self.buffer.is_empty() | (self.waiting.flags.load(Ordering::Relaxed) & !(TAKERS | HANDED | AHEAD) != 0)
    }

    #[inline(never)]
    fn try_recv_slow(&self) -> Result<T, TryRecvError> {
        let mut queues = self.waiting.queues.lock();
        let before = self.pump(&mut queues);
        let (value, wake) = if queues.takers.is_empty() { self.take(&mut queues) } else { (None, Wake::Nobody) };
        let after = if value.is_some() { self.pump(&mut queues) } else { Wake::Nobody };
        self.update(&queues);
        let is_over = self.is_over(&queues);
        drop(queues);
        before.send();
        wake.send();
        after.send();
        value.ok_or(if is_over { TryRecvError::Disconnected } else { TryRecvError::Empty })
    }

    /// Looks after those that wait, because there is something new.
    #[cold]
    #[inline(never)]
    fn settle(&self) {
        let mut queues = self.waiting.queues.lock();
        if let Some(giver) = self.lone_giver(&mut queues) {
            drop(queues);
            return giver.send(None);
        }
        let wake = self.pump(&mut queues);
        self.update(&queues);
        let is_closed = self.waiting.flags.load(Ordering::Relaxed) & NO_RECEIVER != 0;
        drop(queues);
        wake.send();
        if is_closed {
            self.discard(Vec::new());
        }
    }

    /// Sets the flags of the queues by what is in them. Without a barrier: only a flag that is set anew needs one.
    fn update(&self, queues: &Held<'_, Queues<T>>) {
        let before = self.waiting.flags.load(Ordering::Relaxed);
        let mut flags = before & !(TAKERS | GIVERS | HANDED);
        if !queues.takers.is_empty() {
            flags |= TAKERS;
        }
        if !queues.givers.is_empty() {
            flags |= GIVERS;
        }
        if !queues.handed.is_empty() {
            flags |= HANDED;
        }
        if flags != before {
            self.waiting.flags.store(flags, Ordering::Release);
        }
    }

    /// Sets a flag, before the buffer is looked at.
    fn announce(&self, flag: u8) {
        let flags = self.waiting.flags.load(Ordering::Relaxed);
        if flags & flag == 0 {
            self.waiting.flags.swap(flags | flag, Ordering::SeqCst);
        }
    }

    /// Whether nothing will come any more.
    fn is_over(&self, queues: &Held<'_, Queues<T>>) -> bool {
        self.waiting.flags.load(Ordering::Acquire) & NO_SENDERS != 0
            && self.buffer.is_empty()
            && queues.givers.is_empty()
    }

    /// Drops the messages that nobody will take: all of them, also where the destructor of one panics. What is in the others may be
    /// waited for.
    fn discard(&self, others: Vec<T>) {
        let mut panicked = None;
        for value in others.into_iter().chain(iter::from_fn(|| self.buffer.pop(false))) {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(value))) {
                panicked.replace(payload).into_iter().for_each(lose);
            }
        }
        match panicked {
            Some(payload) if thread::panicking() => lose(payload),
            Some(payload) => panic::resume_unwind(payload),
            None => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn add_sender(&self) {
        add(&self.senders);
    }

    pub(crate) fn drop_sender(&self) {
        if self.senders.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let mut queues = self.waiting.queues.lock();
        self.announce(NO_SENDERS);
        let wake = self.pump(&mut queues);
        let mut takers = if self.is_over(&queues) { queues.takers.take_all() } else { WaitQueue::new() };
        self.update(&queues);
        drop(queues);
        wake.send();
        while let Some((_, taker)) = takers.pop() {
            match taker {
                // It looks again, and finds that it is over.
                Waiter::One(resumer) => drop(resumer.send(None)),
                Waiter::Several(resumer) => drop(resumer.send(())),
                Waiter::Gone => {}
            }
        }
    }

    pub(crate) fn drop_receiver(&self) {
        let mut queues = self.waiting.queues.lock();
        self.announce(NO_RECEIVER);
        let mut givers = queues.givers.take_all();
        let mut wakes = Vec::new();
        let mut dropped = Vec::new();
        while let Some((place, (value, giver))) = givers.pop() {
            match giver {
                Waiter::One(resumer) => match resumer.claim() {
                    Some(claimed) => wakes.push(Wake::One(claimed, Some(value))),
                    None => drop(queues.kept.insert(place, value)),
                },
                Waiter::Several(resumer) => {
                    queues.kept.insert(place, value);
                    wakes.extend(resumer.claim().map(Wake::Several));
                }
                Waiter::Gone => dropped.push(value),
            }
        }
        self.update(&queues);
        drop(queues);
        wakes.into_iter().for_each(Wake::send);
        self.discard(dropped);
    }
}

fn add(count: &AtomicUsize) {
    if count.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
        // So many handles have been forgotten that one more round would close the channel under them.
        std::process::abort();
    }
}

/// Between a change of the buffer and a look at the flags. The change is a compare-and-swap, which is a full barrier where
/// locked instructions are.
#[inline(always)]
fn order() {
    if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}
