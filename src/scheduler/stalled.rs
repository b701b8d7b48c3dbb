//! Tasks for which there was no stack. They wait until one may have come free, or until nothing in the runtime can free one.
//!
//! Whenever a task ends, the one that has waited longest is tried again, on its own worker. A thread's free stacks are its own,
//! so a worker gives its own away for that, and before it sleeps. If all workers sleep, and nothing that the runtime knows of would end
//! that, one is tried for the last time: who waits for it might wait for ever.

use super::header::Header;
use super::join::JoinError;
use super::life::end_unstarted;
use super::shared::Shared;
use super::worker::Worker;
use crate::stack::{StackError, pool};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// `Header::listed` of a task that waits here, or has waited.
const TRIED: u32 = u32::MAX - 2;
/// The same of one that is not to wait any more.
const LAST_TRY: u32 = u32::MAX - 1;

/// Those of all workers, as they came.
#[derive(Default)]
pub(super) struct Stalled {
    /// Written under the lock.
    count: AtomicUsize,
    tasks: Mutex<VecDeque<Entry>>,
}

struct Entry {
    task: NonNull<Header>,
    /// The index of the worker that starts it, and nobody else.
    worker: usize,
}

// SAFETY: who takes an entry out only puts its task into the worker's queue, as who wakes one does.
unsafe impl Send for Entry {}

impl Stalled {
    #[inline(always)]
    pub(super) fn has_some(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Returns whether it is the first.
    fn push(&self, entry: Entry) -> bool {
        let mut tasks = self.tasks.lock();
        tasks.push_back(entry);
        self.count.store(tasks.len(), Ordering::Relaxed);
        tasks.len() == 1
    }

    /// Takes out those of a worker, which puts nothing there any more.
    pub(super) fn take_of(&self, worker: usize) -> Vec<NonNull<Header>> {
        let mut tasks = self.tasks.lock();
        let (own, others) = tasks.drain(..).partition::<Vec<_>, _>(|entry| entry.worker == worker);
        tasks.extend(others);
        self.count.store(tasks.len(), Ordering::Relaxed);
        own.into_iter().map(|entry| entry.task).collect()
    }

    /// Those of a worker, which asks.
    pub(super) fn of(&self, worker: usize) -> Vec<NonNull<Header>> {
        self.tasks.lock().iter().filter(|entry| entry.worker == worker).map(|entry| entry.task).collect()
    }
}

impl Worker {
    /// There was no stack for a task.
    #[cold]
    pub(super) fn no_stack(&self, task: NonNull<Header>, error: Box<StackError>) {
        // SAFETY: what was picked is valid, and this worker's until it is given away.
        let header = unsafe { task.as_ref() };
        if header.listed.get() != LAST_TRY && error.may_pass(header.origin.class) {
            header.listed.set(TRIED);
            if self.shared.stalled.push(Entry { task, worker: self.index }) {
                // Those that sleep keep stacks for themselves.
                self.shared.wake_sleepers();
            }
            return;
        }
        // SAFETY: the task is this worker's, and does not start.
        unsafe { end_unstarted(task, JoinError::NoStack(error)) };
    }

    /// Gives this worker's free stacks to the others, for which tasks wait; true if there were any, and one is tried again.
    pub(super) fn share_stacks(&self) -> bool {
        self.shared.stalled.has_some() && pool::share() && self.retry_stalled(false)
    }

    /// The last worker has nothing to do. If no stack comes free by what the runtime knows of, one task is tried for the last time.
    pub(super) fn retry_if_stuck(&self) -> bool {
        self.shared.stalled.has_some() && self.shared.is_stuck() && self.retry_stalled(true)
    }

    /// Lets the task be started again that has waited longest.
    #[cold]
    pub(super) fn retry_stalled(&self, is_last_try: bool) -> bool {
        let mut tasks = self.shared.stalled.tasks.lock();
        let Some(Entry { task, worker }) = tasks.pop_front() else { return false };
        self.shared.stalled.count.store(tasks.len(), Ordering::Relaxed);
        if is_last_try {
            // SAFETY: it was in the list, so it is valid, and nobody else has it.
            unsafe { task.as_ref() }.listed.set(LAST_TRY);
        }
        if worker == self.index {
            // SAFETY: as above; it is this worker's.
            unsafe { self.ready.push(task) };
        } else {
            pool::share();
            // Under the lock: a worker takes its own out before it closes its inbox, so that is open.
            // SAFETY: as above; it is that worker's.
            unsafe { self.shared.remotes[worker].put(task) };
        }
        true
    }
}

impl Header {
    /// Whether there was no stack when it was to be started the last time. Of a task that has not been.
    pub(super) fn was_tried(&self) -> bool {
        [TRIED, LAST_TRY].contains(&self.listed.get())
    }
}

impl Shared {
    /// Whether all workers sleep, and nothing ends that but what other threads may do.
    fn is_stuck(&self) -> bool {
        #[cfg(unix)]
        if self.reactors.get().is_some_and(|reactors| reactors.iter().any(|reactor| reactor.has_waiters())) {
            return false;
        }
        self.offloaded.load(Ordering::SeqCst) == 0 && self.has_no_timer()
    }
}
