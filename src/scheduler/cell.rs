//! Wait cells: where a task that waits can be found by whoever may wake it.
//!
//! A cell is never freed, and its generation only grows. So a resumer is the address of a cell and a generation: no
//! reference is counted, and one that comes too late is told by the generation (invariant 17).
//!
//! | field | who writes it | who reads it |
//! |---|---|---|
//! | `word` | see `word.rs` | |
//! | `slot`, `thread` | the owner, before `begin` | whoever has claimed the wait, until it has woken the owner |
//! | `task` | the owner: when it gets the cell, and null when it gives it back | cancellers, and the claimer |
//! | `shield` | the owner, before `begin` | cancellers that have found the word WAITING |

use super::header::Header;
use super::word::{Generation, WaitWord};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use parking_lot::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread::Thread;

/// See the module. In one cache line, as the claimer on another CPU reads all of it.
#[repr(align(64))]
pub(crate) struct WaitCell {
    word: WaitWord,
    slot: Cell<*mut ()>,
    thread: Cell<*const ThreadWait>,
    task: AtomicPtr<Header>,
    shield: AtomicU32,
}

// SAFETY: the cells in it are used as the module's table says: the claim is an acquire operation on what `begin` releases,
// and only one wins it.
unsafe impl Sync for WaitCell {}

/// A thread, not a task, that waits.
pub(crate) struct ThreadWait {
    pub(super) thread: Thread,
    pub(super) is_over: AtomicBool,
}

/// Who is to be woken after a claim.
pub(crate) enum Sleeper {
    Task(ptr::NonNull<Header>),
    Thread(*const ThreadWait),
}

static FREE: Mutex<Vec<&'static WaitCell>> = Mutex::new(Vec::new());
/// How many are made at once.
const CHUNK: usize = 64;

impl WaitCell {
    fn new() -> Self {
        Self {
            word: WaitWord::new(),
            slot: Cell::new(ptr::null_mut()),
            thread: Cell::new(ptr::null()),
            task: AtomicPtr::new(ptr::null_mut()),
            shield: AtomicU32::new(0),
        }
    }

    /// Fills `cells` up.
    #[cold]
    pub(super) fn take_some(cells: &mut Vec<&'static WaitCell>) {
        let mut free = FREE.lock();
        if free.is_empty() {
            let chunk: Vec<WaitCell> = (0..CHUNK).map(|_| WaitCell::new()).collect();
            free.extend(chunk.leak().iter());
        }
        let kept = free.len().saturating_sub(CHUNK);
        cells.extend(free.drain(kept..));
    }

    pub(super) fn give_back(cells: impl IntoIterator<Item = &'static WaitCell>) {
        FREE.lock().extend(cells);
    }

    pub(super) fn belongs_to(&self, task: *mut Header) {
        self.task.store(task, Ordering::Relaxed);
    }

    /// Begins a wait for what goes to `slot`. None if the cell is used up.
    ///
    /// The owner calls it, when its last wait was claimed.
    #[inline(always)]
    pub(super) fn begin(&self, slot: *mut (), thread: *const ThreadWait, shield: u32) -> Option<Generation> {
        self.slot.set(slot);
        self.thread.set(thread);
        self.shield.store(shield, Ordering::Relaxed);
        self.word.begin()
    }

    #[inline(always)]
    pub(super) fn claim(&self, generation: Generation) -> bool {
        self.word.claim(generation)
    }

    pub(super) fn is_waiting(&self, generation: Generation) -> bool {
        self.word.is_waiting(generation)
    }

    /// Whether its owner waits in it, and nobody has claimed that yet.
    pub(super) fn has_waiter(&self) -> bool {
        self.word.has_waiter()
    }

    /// Where the claimer puts what is waited for. Only the claimer may ask, before it wakes the owner.
    #[inline(always)]
    pub(super) fn slot(&self) -> *mut () {
        self.slot.get()
    }

    /// Whom the claimer is to wake. Only the claimer may ask, before it does so.
    #[inline(always)]
    pub(super) fn sleeper(&self) -> Sleeper {
        match ptr::NonNull::new(self.task.load(Ordering::Relaxed)) {
            Some(task) => Sleeper::Task(task),
            None => Sleeper::Thread(self.thread.get()),
        }
    }

    /// Claims the wait of `task`, if it waits at a place that a cancellation at this `depth` reaches. What the caller has
    /// written before is seen by the task when it begins its next wait, if this does not claim one.
    pub(super) fn claim_for_cancel(&self, task: *mut Header, depth: u32) -> bool {
        let Some(generation) = self.word.poke() else { return false };
        // If the cell had another owner by now, its word would not be what was read (the owner is written before `begin`).
        if self.task.load(Ordering::Relaxed) != task || self.shield.load(Ordering::Relaxed) > depth {
            return false;
        }
        self.word.claim(generation)
    }
}
