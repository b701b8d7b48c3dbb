//! The end of a worker: what becomes of its tasks.

use super::cell::WaitCell;
use super::handle::Task;
use super::header::TaskRef;
use super::join::JoinError;
use super::life::{end_unstarted, leak};
use super::worker::Worker;
use crate::cancelled::{CancelReason, Cancelled};
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
        let queued = core::iter::from_fn(|| self.ready.pop());
        let fresh = core::iter::from_fn(|| self.fresh.oldest());
        let next = NonNull::new(self.next.replace(ptr::null_mut()));
        let stalled = self.shared.stalled.take_of(self.index);
        let seeded = self.seeded.as_ref().map(|seeded| seeded.borrow_mut().take()).unwrap_or_default();
        let inbox = self.remote.close();
        for task in next.into_iter().chain(queued).chain(fresh).chain(stalled).chain(seeded).chain(inbox) {
            // SAFETY: what was in a queue is valid; a started one has been leaked above.
            unsafe {
                if task.as_ref().running.get().is_null() {
                    if let Some(watch) = &self.shared().watch {
                        watch.ended_unstarted(&Task::new(TaskRef::to(task.as_ref())));
                    }
                    let why = Cancelled::new(CancelReason::Shutdown, task.as_ref().scope_id());
                    end_unstarted(task, JoinError::Cancelled(why));
                }
            }
        }
        WaitCell::give_back(self.cells.take());
        all_ended
    }
}
