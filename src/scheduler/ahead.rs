//! What the next tasks will touch is fetched while the current one is still at it.
//!
//! The tasks of a server are in line by the hundred, and when the turn of one comes, what it has is long out of the CPU's caches:
//! header, control block and frames, each of which says where the next one is, so that they are missed one after another. Who is
//! about to wait for I/O lets the CPU fetch for those that come after it, a step for each:
//!
//! | place in line | what is fetched | who says where it is |
//! |---|---|---|
//! | up to 11 | its header | the link of the one before, which was fetched a step ago |
//! | 4 to 7, every fourth time | where its stack's page is | its header |
//! | 3 | its wait cell, its control block, the outermost frames, the reactor's slot | its header |
//! | 2 | the frames in which it is parked | its control block, which was fetched a step ago |
//!
//! The pages of a thousand stacks are more than the CPU knows by heart, beside all that the kernel touches: most are looked up in the page
//! tables again, whose lines are not in its caches either. It waits for that, but looks up several at a time: so four
//! are asked for at once.
//!
//! Where others are in line than waited for I/O, some of it comes late or in vain, which costs a few nanoseconds.

use super::header::{Body, Header};
use super::inbox::Linked;
use super::queue::Ready;
use super::reactor::Slot;
use super::suspend::Resumer;
use crate::arch::{LINE, prefetch};
use core::cell::Cell;
use core::mem;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

/// How many places after the first headers are fetched.
const LEAD: u32 = 10;
/// How many pages are looked up at once.
const PAGES: u32 = 4;
const CONTROL_BLOCK: usize = 2;
/// What is on both sides of [`Running`](super::current::Running): what a task's closure has brought, as a rule.
const OUTERMOST: (usize, usize) = (3, 2);
/// Below the place where a task is parked, which is where it will call, and above it.
const PARKED: (usize, usize) = (3, 7);

/// How far headers have been fetched.
pub(super) struct Ahead {
    /// The last one. In the queue, or null (invariant 56).
    task: Cell<*mut Header>,
    /// How many places after the first it is, about.
    lead: Cell<u32>,
    /// How often something has been fetched.
    steps: Cell<u32>,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self { task: Cell::new(ptr::null_mut()), lead: Cell::new(0), steps: Cell::new(0) }
    }

    /// That task is no more in the queue.
    #[inline(always)]
    pub(super) fn forget(&self, task: *mut Header) {
        if self.task.get() == task {
            self.task.set(ptr::null_mut());
        }
    }

    /// Fetches the next header, or two, until it is far enough ahead of the `first` in the queue.
    #[inline(always)]
    fn go_on(&self, first: NonNull<Header>) {
        let (mut task, mut lead) = match NonNull::new(self.task.get()) {
            Some(task) => (task, self.lead.get().saturating_sub(1)),
            None => (first, 0),
        };
        for _ in 0..2 {
            if lead < LEAD
                && let Some(after) = next(task)
            {
                fetch_header(after);
                task = after;
                lead += 1;
            }
        }
        self.task.set(task.as_ptr());
        self.lead.set(lead);
    }

    /// Has the pages looked up on which the stacks of those after `task` begin, whose headers are there by now.
    #[inline(always)]
    fn look_up_pages(&self, mut task: NonNull<Header>) {
        let steps = self.steps.get();
        self.steps.set(steps.wrapping_add(1));
        if !steps.is_multiple_of(PAGES) {
            return;
        }
        for _ in 0..PAGES {
            match next(task) {
                // That header has only just been asked for.
                Some(after) if after.as_ptr() != self.task.get() => task = after,
                _ => return,
            }
            fetch(header(task).running.get().cast(), (0, 1));
        }
    }
}

impl Ready {
    /// See the module. A task that is about to be suspended calls it.
    #[inline(always)]
    pub(super) fn fetch_ahead(&self) {
        let Some(first) = NonNull::new(self.first()) else { return };
        let Some(second) = next(first) else { return };
        let Some(third) = next(second) else { return };
        self.ahead.go_on(first);
        if third.as_ptr() != self.ahead.task.get() {
            self.ahead.look_up_pages(third);
        }
        let of_third = header(third);
        fetch(of_third.running.get().cast(), OUTERMOST);
        fetch(of_third.cell.load(Ordering::Relaxed).cast(), (0, 1));
        if let Some(body) = body(third) {
            fetch(body.control_block(), (0, CONTROL_BLOCK));
        }
        fetch(of_third.looks_at.get(), SLOT);
        if let Some(body) = body(second) {
            fetch(body.parked_at(), PARKED);
        }
    }
}

#[inline(always)]
fn next(task: NonNull<Header>) -> Option<NonNull<Header>> {
    // SAFETY: the task is in the queue of the calling worker, so it is valid, and its link the queue's.
    NonNull::new(unsafe { Header::next(task) })
}

#[inline(always)]
fn header<'a>(task: NonNull<Header>) -> &'a Header {
    // SAFETY: likewise, and nothing leaves the queue while something is fetched.
    unsafe { task.as_ref() }
}

/// Fetches what of a header a switch needs.
#[inline(always)]
fn fetch_header(task: NonNull<Header>) {
    let header = task.as_ptr().cast::<u8>();
    fetch(header.wrapping_add(HOT.0).cast(), (0, 1));
    fetch(header.wrapping_add(HOT.1).cast(), (0, 1));
}

/// Where what a switch needs begins, and where its last word is.
const HOT: (usize, usize) = (mem::offset_of!(Header, next), mem::offset_of!(Header, body));
/// In two lines at most, wherever the header is.
const _: () = assert!(HOT.1 - HOT.0 <= LINE);

/// The body of a task of this worker, if it has begun.
#[inline(always)]
fn body<'a>(task: NonNull<Header>) -> Option<&'a Body> {
    // SAFETY: the task is in the queue of the calling worker, which is the only one to touch its body, and does not now.
    unsafe { (*task.as_ref().body.get()).as_ref() }
}

/// The lines of a slot of the reactor.
const SLOT: (usize, usize) = (0, size_of::<Slot>() / LINE);

/// Fetches a slot of the reactor.
#[inline(always)]
pub(super) fn fetch_slot(slot: &Slot) {
    fetch(ptr::from_ref(slot).cast(), SLOT);
}

/// Fetches the cell of a wait that is about to be claimed.
#[inline(always)]
pub(super) fn fetch_cell(resumer: &Resumer<()>) {
    fetch(ptr::from_ref(resumer.parts().0).cast(), (0, 1));
}

/// Fetches the lines around `address`: so many before it, and so many from it on.
#[inline(always)]
fn fetch(address: *const (), (before, after): (usize, usize)) {
    let first = address.cast::<u8>().wrapping_sub(before * LINE);
    (0..before + after).for_each(|line| prefetch(first.wrapping_add(line * LINE).cast()));
}
