//! Tasks that go on without their worker in between.
//!
//! A switch to the worker and another one from it cost more than all that the worker does in between where there is little
//! to do. So a task that stops picks its successor itself, and switches straight to it (a *relay*, see
//! `coroutine/relay.rs`): the worker hears from whichever task stops when something else is to be looked at. And a task that
//! joins the one that it has just spawned runs it at once, as its consumer for its first run: if that is its only one,
//! nobody has waited. An eager start is the same without the join.
//!
//! All but the eager start are picks by the rules of `worker.rs`, and counted as such.

use super::cancel;
use super::current::{Current, Running};
use super::header::Header;
use super::queue::{Ready, Unstarted};
use super::worker::{TURN, Worker};
use crate::future::Bodies;
use core::ptr::{self, NonNull};
use std::thread;

impl Worker {
    /// The task that [`pick`](Self::pick) would choose now, if the one that runs may hand over to it: nothing else is to be
    /// looked at first. Counted as a pick, and named as the one that runs; `take` takes it out of the queue.
    #[inline(always)]
    pub(super) fn successor(&self, take: impl FnOnce(&Ready)) -> Option<NonNull<Header>> {
        let picks = self.picks.get() + 1;
        if picks >= self.handovers_end.get() {
            return None;
        }
        let next = NonNull::new(self.ready.first())?;
        // SAFETY: what is in the queue is valid.
        let running = unsafe { next.as_ref() }.running.get();
        if running.is_null() {
            return None;
        }
        self.picks.set(picks);
        self.chain.set(0);
        self.was_ready.set(true);
        self.running.set(running);
        take(&self.ready);
        Some(next)
    }

    /// Runs a task that has not started for one that is about to wait for it and for nothing else, straight from that one's stack:
    /// its first run, which may be its only one. Whether it has ended; not if it is not to be run next by rule 1.
    ///
    /// The one that waits is not suspended, only the consumer of the other for once; if that does not end, it goes on to wait as
    /// usual.
    #[inline(always)]
    pub(super) fn run_for(&self, joiner: &Running, task: &Header) -> bool {
        let picks = self.picks.get() + 1;
        let is_newest = ptr::eq(self.newest.replace(ptr::null()), task);
        if !is_newest || !self.lets_hand_over || picks >= TURN || !self.next.get().is_null() || !self.may_chain() {
            return false;
        }
        let Some(newest) = self.fresh.newest() else { return false };
        if newest != NonNull::from(task) {
            self.push_fresh(Unstarted(newest));
            return false;
        }
        self.picks.set(picks);
        let is_home = task.home().is_some_and(|home| ptr::eq(home, self.remote)) && task.join.stay_home();
        self.within(joiner, || self.start(newest));
        if is_home { !task.join.end_joining() } else { task.join.is_complete() }
    }

    /// The first run of a task that the one that runs has just spawned, before that goes on.
    pub(super) fn begin_now(&self, task: Unstarted) {
        // SAFETY: what runs is there.
        match unsafe { self.running.get().as_ref() } {
            Some(spawner) if spawner.can_switch() && !thread::panicking() => self.within(spawner, || self.step(task.0)),
            _ => self.push_pinned(task),
        }
    }

    /// Calls `f`, which runs a task, in the frames of another one that runs.
    #[inline(always)]
    fn within(&self, outer: &Running, f: impl FnOnce()) {
        outer.outer.set(self.joiners.replace(outer));
        // Hooks and destructors that are called before the other one begins must not suspend this one: it is to go on when `f` returns.
        self.running.set(ptr::null());
        let bodies = Bodies::set_aside();
        f();
        bodies.put_back();
        self.joiners.set(outer.outer.get());
        self.running.set(outer);
    }

    /// Calls `f` with the tasks in whose frames others run.
    pub(super) fn each_joiner(&self, mut f: impl FnMut(NonNull<Header>)) {
        let mut next = self.joiners.get();
        // SAFETY: what is named is in a frame of a task that waits for a call to return.
        while let Some(joiner) = unsafe { next.as_ref() } {
            f(NonNull::from(joiner.header()));
            next = joiner.outer.get();
        }
    }
}

impl Current<'_> {
    /// Runs a task that has not started for the current one, which is about to wait for it, if it is to be run next. Whether it has
    /// ended by that.
    #[inline(always)]
    pub(super) fn run_first(task: &Header) -> bool {
        Self::with(|current| {
            let Some(Current { running }) = current else { return false };
            running.can_switch()
                && !thread::panicking()
                && !cancel::is_pending(running)
                && running.worker().run_for(running, task)
        })
    }
}
