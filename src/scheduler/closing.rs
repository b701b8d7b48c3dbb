//! The end of a worker: what becomes of its tasks.

use super::cell::WaitCell;
use super::life::leak;
use super::worker::Worker;
use crate::cancelled::CancelReason;
use core::ptr::{self, NonNull};
use std::time::Instant;

impl Worker {
    /// Ends all tasks of this worker: cancels them, runs what that takes, and leaks what has not ended by `deadline`.
    /// Returns whether all have ended.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        // Woken tasks are put into the queue, not run, so the list stays as it is.
        for task in self.started.borrow().iter() {
            // SAFETY: what is in the list has not ended.
            unsafe { task.as_ref() }.cancel(CancelReason::Shutdown);
        }
        let mut steps = 0_u32;
        loop {
            let task = self.pick();
            let is_idle = task.is_none();
            task.into_iter().for_each(|task| self.step(task));
            steps = steps.wrapping_add(1);
            if !is_idle && !steps.is_multiple_of(64) {
                continue;
            }
            let now = Instant::now();
            if is_idle {
                self.look();
                if !self.ready.is_empty() || self.find() {
                    continue;
                }
                if self.started.borrow().is_empty() {
                    break;
                }
            }
            if now >= deadline {
                break;
            }
            if is_idle {
                self.idle(Some(deadline - now));
            }
        }
        self.leave()
    }

    /// Gives up what has not ended, and closes the inbox.
    fn leave(&self) -> bool {
        let started = self.started.take();
        let all_ended = started.is_empty();
        for task in started {
            // SAFETY: what is in the list has not ended, and never runs again, because this worker does not.
            unsafe { leak(task) };
        }
        let next = NonNull::new(self.next.replace(ptr::null_mut()));
        let stalled = self.shared.stalled.take_of(self.index);
        let seeded = self.seeded.as_ref().map(|seeded| seeded.borrow_mut().take()).unwrap_or_default();
        for task in next.into_iter().chain(stalled).chain(seeded).chain(self.remote.close()) {
            // SAFETY: it was in one of these, so it is in no queue.
            unsafe { self.ready.push(task) };
        }
        self.refuse_rest();
        WaitCell::give_back(self.cells.take());
        all_ended
    }

    /// Refuses what this worker was still to begin. It runs nothing any more, but destructors go on to spawn.
    pub(super) fn refuse_rest(&self) {
        while let Some(task) = self.ready.pop().or_else(|| self.fresh.oldest()) {
            // SAFETY: what was in a queue is valid; a started one has been leaked, and any other is ours.
            unsafe {
                if task.as_ref().running.get().is_null() {
                    self.shared().refuse(task);
                }
            }
        }
    }
}
