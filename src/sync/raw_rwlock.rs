//! A lock for one writer or many readers, in the order in which they came.
//!
//! The state is a count of readers above two bits:
//!
//! | bit | meaning | who sets it | who clears it |
//! |---|---|---|---|
//! | QUEUED | somebody may wait: who comes joins the queue, who leaves looks into it | who waits, under the latch | under the latch, when nobody waits |
//! | WRITER | a writer has the lock | the writer, or who gives it the lock | the writer |
//! | the rest | so many readers have it | each reader, or who gives it the lock | each reader |
//!
//! WRITER and readers together are impossible. While QUEUED is set nobody takes the lock by itself; those at the front of the
//! queue are given it, under the latch, as soon as the state allows. So a writer waits for the readers that came before it, and
//! readers that come after it wait for the writer.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::WaitQueue;
use crate::scheduler::{Limit, Resumer, Stopped, suspend_until};
use std::sync::atomic::{AtomicU32, Ordering};

const QUEUED: u32 = 1;
const WRITER: u32 = 2;
const READER: u32 = 4;
/// More readers than any process has: guards that were forgotten.
const MANY: u32 = u32::MAX / 2;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

pub(super) struct RawRwLock {
    state: AtomicU32,
    queue: Latch<WaitQueue<(Access, Resumer<()>)>>,
}

impl RawRwLock {
    pub(super) const fn new() -> Self {
        Self { state: AtomicU32::new(0), queue: Latch::new(WaitQueue::new()) }
    }

    #[inline(always)]
    pub(super) fn try_lock(&self, access: Access) -> bool {
        match access {
            Access::Read => {
                let mut state = self.state.load(Ordering::Relaxed);
                while state & (QUEUED | WRITER) == 0 {
                    assert!(state < MANY, "too many readers");
                    let more = state + READER;
                    match self.state.compare_exchange_weak(state, more, Ordering::Acquire, Ordering::Relaxed) {
                        Ok(_) => return true,
                        Err(now) => state = now,
                    }
                }
                false
            }
            Access::Write => self.state.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok(),
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self, access: Access, shielded: bool) -> Result<(), Stopped> {
        if self.try_lock(access) { Ok(()) } else { self.lock_slow(access, shielded) }
    }

    #[inline(never)]
    fn lock_slow(&self, access: Access, shielded: bool) -> Result<(), Stopped> {
        let mut place = None;
        let waited = suspend_until(Limit::Never, shielded, |resumer| {
            let mut queue = self.queue.lock();
            self.state.fetch_or(QUEUED, Ordering::Relaxed);
            place = Some(queue.push((access, resumer)));
            // It may have become free meanwhile.
            self.give(&mut queue);
        });
        if waited.is_err()
            && let Some(place) = place
        {
            let mut queue = self.queue.lock();
            drop(queue.remove(place));
            // Those behind may have waited for nobody else.
            self.give(&mut queue);
        }
        waited
    }

    /// The caller has the lock in this way.
    #[inline(always)]
    pub(super) fn unlock(&self, access: Access) {
        let held = if access == Access::Write { WRITER } else { READER };
        if self.state.fetch_sub(held, Ordering::Release) - held == QUEUED {
            self.give_slow();
        }
    }

    /// The writer becomes a reader, with nobody in between; so do the readers that wait at the front.
    pub(super) fn downgrade(&self) {
        if self.state.fetch_add(READER - WRITER, Ordering::Release) & QUEUED != 0 {
            self.give_slow();
        }
    }

    #[inline(never)]
    fn give_slow(&self) {
        self.give(&mut self.queue.lock());
    }

    /// Gives the lock to those at the front that can have it now.
    fn give(&self, queue: &mut WaitQueue<(Access, Resumer<()>)>) {
        loop {
            // Acquires what those have done that had it: whoever is given it is woken by this thread.
            let state = self.state.load(Ordering::Acquire);
            let Some((access, resumer)) = queue.front() else {
                self.state.fetch_and(!QUEUED, Ordering::Relaxed);
                return;
            };
            let more = match access {
                Access::Read if state & WRITER == 0 => READER,
                Access::Write if state & !QUEUED == 0 => WRITER,
                _ if resumer.is_waiting() => return,
                _ => {
                    // It was cancelled, and has not come to leave the queue: nobody waits behind it for that.
                    drop(queue.pop());
                    continue;
                }
            };
            let Some((_, (_, resumer))) = queue.pop() else { return };
            let Some(next) = resumer.claim() else { continue };
            self.state.fetch_add(more, Ordering::Relaxed);
            if queue.is_empty() {
                self.state.fetch_and(!QUEUED, Ordering::Relaxed);
            }
            next.send(());
        }
    }
}
