//! What the next tasks will touch is fetched while the current one is still at it.
//!
//! The tasks of a server are in line by the hundred, and when the turn of one comes, what it has is long out of the CPU's caches:
//! header, control block and frames, each of which says where the next one is, so that they are missed one after another. Who is
//! about to wait for I/O lets the CPU fetch for those that come after it, a step for each:
//!
//! | place in line | what is fetched | who says where it is |
//! |---|---|---|
//! | 4 | its header | the link of the third |
//! | 3 | its wait cell, its control block, the outermost frames | its header, which was fetched a step ago |
//! | 2 | the frames in which it is parked | its control block, which was fetched a step ago |
//!
//! Where others are in line than waited for I/O, some of it comes late or in vain, which costs a few nanoseconds.

use super::header::{Body, Header};
use super::inbox::Linked;
use super::queue::Ready;
use super::reactor::Slot;
use crate::arch::{LINE, prefetch};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

/// A header up to the flag that tells of a cancellation.
const HEADER: usize = 3;
const CONTROL_BLOCK: usize = 2;
/// What is on both sides of [`Running`](super::current::Running): what a task's closure has brought, as a rule.
const OUTERMOST: (usize, usize) = (3, 2);
/// Below the place where a task is parked, which is where it will call, and above it.
const PARKED: (usize, usize) = (3, 7);

impl Ready {
    /// See the module. A task that is about to be suspended calls it.
    #[inline(always)]
    pub(super) fn fetch_ahead(&self) {
        // SAFETY: what is in the queue is valid, and its link the queue's.
        let next = |task: NonNull<Header>| NonNull::new(unsafe { Header::next(task) });
        let Some(second) = NonNull::new(self.first()).and_then(next) else { return };
        let Some(third) = next(second) else { return };
        let Some(fourth) = next(third) else { return };
        fetch(fourth.as_ptr().cast(), (0, HEADER));
        // SAFETY: as above.
        let header = unsafe { third.as_ref() };
        fetch(header.running.get().cast(), OUTERMOST);
        fetch(header.cell.load(Ordering::Relaxed).cast(), (0, 1));
        if let Some(body) = body(third) {
            fetch(body.control_block(), (0, CONTROL_BLOCK));
        }
        if let Some(body) = body(second) {
            fetch(body.parked_at(), PARKED);
        }
    }
}

/// The body of a task of this worker, if it has begun.
#[inline(always)]
fn body<'a>(task: NonNull<Header>) -> Option<&'a Body> {
    // SAFETY: the task is in the queue of the calling worker, which is the only one to touch its body, and does not now.
    unsafe { (*task.as_ref().body.get()).as_ref() }
}

/// Fetches a slot of the reactor.
#[inline(always)]
pub(super) fn fetch_slot(slot: &Slot) {
    fetch(ptr::from_ref(slot).cast(), (0, size_of::<Slot>() / LINE));
}

/// Fetches the lines around `address`: so many before it, and so many from it on.
#[inline(always)]
fn fetch(address: *const (), (before, after): (usize, usize)) {
    let first = address.cast::<u8>().wrapping_sub(before * LINE);
    (0..before + after).for_each(|line| prefetch(first.wrapping_add(line * LINE).cast()));
}
