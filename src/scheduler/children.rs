//! The tasks of a scope, or of a set: what both kinds of scope are made of.

use super::cancel::{self, Entered, Kind};
use super::current::{self, tell_wait};
use super::header::{Header, TaskRef};
use super::join::{JoinError, JoinHandle};
use super::life::drop_quietly;
use super::spawn::{Builder, Place, SpawnError, Wanted, spawn_seated};
use super::suspend::{Interrupted, Resumer, suspend_quietly};
use crate::cancelled::Cancelled;
use crate::coroutine;
use core::mem;
use core::panic::Location;
use core::sync::atomic::Ordering;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::VecDeque;
use std::panic::RefUnwindSafe;
use std::sync::Arc;

/// The tasks of a scope. Whoever has the scope does not leave before [`wait`](Self::wait) has returned.
pub(crate) struct Children(Mutex<State>);

// No code of users runs while it is locked.
impl RefUnwindSafe for Children {}

#[derive(Default)]
struct State {
    /// Those that have not ended, and free places.
    tasks: Vec<Option<TaskRef>>,
    free: Vec<usize>,
    running: usize,
    waiter: Option<Resumer<()>>,
    cancelled: Option<Cancelled>,
    /// The cancellation of who waits, with which the tasks were cancelled.
    of_waiter: Option<Cancelled>,
    /// A call in one of them has returned that.
    was_told: bool,
    panics: Vec<Box<dyn Any + Send>>,
    /// How many have panicked whose payload is their outcome, which nobody has looked at.
    untold: usize,
    /// Of those that had no stack, and have never begun.
    no_stack: Vec<String>,
    /// One was cancelled before it began.
    was_refused: bool,
    /// One was leaked: the scope can never be left.
    is_broken: bool,
    /// Only of a set: the numbers of those that have ended, and have not been looked at.
    ended: Option<VecDeque<usize>>,
}

/// A task's place in a scope, or number in a set. It is left when it is dropped, at the end of the task.
pub(crate) struct Seat {
    children: Arc<Children>,
    place: usize,
}

/// What [`Children::wait`] has seen.
pub(crate) struct Waited {
    /// The caller was cancelled, and the tasks of the scope with it.
    pub(crate) was_cancelled: bool,
    /// One of them has never begun.
    pub(crate) was_refused: bool,
    /// A call in one of them was cut short by the caller's cancellation.
    pub(crate) was_told: bool,
}

impl Seat {
    /// The task does not begin.
    pub(super) fn refuse(&self, why: &JoinError) {
        let no_stack = matches!(why, JoinError::NoStack(_)).then(|| why.to_string());
        let mut state = self.children.0.lock();
        if state.ended.is_some() {
            // A set has the outcomes of all.
            return;
        }
        state.was_refused |= no_stack.is_none();
        state.no_stack.extend(no_stack);
    }

    /// The task never ends. A seat in a set is for the caller, to be dropped when the task is complete.
    pub(super) fn leak(self) -> Option<Self> {
        let mut state = self.children.0.lock();
        if state.ended.is_none() {
            state.is_broken = true;
            drop(state);
            mem::forget(self);
            return None;
        }
        drop(state);
        Some(self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.children.0.lock();
        if let Some(ended) = &mut state.ended {
            ended.push_back(self.place);
            let waiter = state.waiter.take();
            drop(state);
            let _ = waiter.map(|waiter| waiter.send(()));
            return;
        }
        let task = state.tasks[self.place].take();
        let told = task.as_ref().map(TaskRef::header).filter(|header| header.was_told.load(Ordering::Relaxed));
        state.was_told |=
            told.is_some_and(|header| state.of_waiter.is_some() && header.cancelled.get() == state.of_waiter.as_ref());
        state.free.push(self.place);
        state.running -= 1;
        let waiter = if state.running == 0 { state.waiter.take() } else { None };
        drop(state);
        drop(task);
        // After this the scope may be gone, but for what is counted.
        let _ = waiter.map(|waiter| waiter.send(()));
    }
}

impl Children {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// For a set.
    pub(super) fn of_set() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { ended: Some(VecDeque::new()), ..State::default() })))
    }

    /// A seat in a set.
    pub(super) fn seat_in_set(self: &Arc<Self>, number: usize) -> Seat {
        Seat { children: Arc::clone(self), place: number }
    }

    /// The first of a set that has ended.
    pub(super) fn take_ended(&self) -> Option<usize> {
        self.0.lock().ended.as_mut()?.pop_front()
    }

    /// Resumes that one when one of a set ends; at once, if one has ended.
    pub(super) fn begin_wait_for_one(&self, resumer: Resumer<()>) {
        let mut state = self.0.lock();
        let has_ended = state.ended.as_ref().is_none_or(|ended| !ended.is_empty());
        // The last one, if there is one, has been claimed.
        let last = if has_ended { Some(resumer) } else { state.waiter.replace(resumer) };
        drop(state);
        let _ = last.map(|last| last.send(()));
    }

    /// What [`spawn`](Self::spawn) needs, if nothing stands in its way.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`].
    pub(crate) fn prepare<F>(builder: Builder, f: F) -> Result<(Wanted, F), SpawnError<F>> {
        if !current::is_worker() {
            return Err(SpawnError::outside(f));
        }
        builder.wanted(f)
    }

    /// Spawns a task of the scope.
    ///
    /// # Safety
    ///
    /// `f` and its result may be sent to other threads. What they borrow is there until [`wait`](Self::wait) has returned,
    /// and the caller sees to it that it is called, or that nothing of what is borrowed ever ends.
    pub(crate) unsafe fn spawn<F, T>(
        self: &Arc<Self>,
        wanted: Wanted,
        f: F,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        // SAFETY: a task leaves its seat when it has nothing left but an outcome that is its handle's, and `wait` waits for
        // that; one that never ends is told by `Seat::leak`, and then `wait` does not return.
        match unsafe { spawn_seated(f, wanted, Place::Any, spawned_at, |header| Some(self.seat(header))) } {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    fn seat(self: &Arc<Self>, header: &Header) -> Seat {
        let mut state = self.0.lock();
        let place = state.free.pop().unwrap_or(state.tasks.len());
        if place == state.tasks.len() {
            state.tasks.push(None);
        }
        state.tasks[place] = Some(TaskRef::to(header));
        state.running += 1;
        let cancelled = state.cancelled.clone();
        drop(state);
        cancelled.into_iter().for_each(|cancelled| {
            header.cancel_as(cancelled);
        });
        Seat { children: Arc::clone(self), place }
    }

    /// Cancels all tasks of the scope, and those that are spawned from now on.
    pub(crate) fn cancel(&self, cancelled: &Cancelled) {
        let mut state = self.0.lock();
        if state.cancelled.is_some() {
            // They have been, or whoever has come first is at it: if each of many fails, each would go through all of them.
            return;
        }
        state.cancelled = Some(cancelled.clone());
        let tasks: Vec<TaskRef> = state.tasks.iter().flatten().cloned().collect();
        drop(state);
        for task in tasks {
            task.header().cancel_as(cancelled.clone());
        }
    }

    /// Keeps the payload of a task's panic.
    pub(crate) fn add_panic(&self, payload: Box<dyn Any + Send>) {
        self.0.lock().panics.push(payload);
    }

    /// A task has panicked, and has the payload for an outcome.
    pub(crate) fn add_untold(&self) {
        self.0.lock().untold += 1;
    }

    /// Somebody has got that outcome.
    pub(crate) fn tell_panic(&self) {
        self.0.lock().untold -= 1;
    }

    /// Whether there is one that nobody has got.
    pub(crate) fn is_untold(&self) -> bool {
        self.0.lock().untold > 0
    }

    /// Why one had no stack, if one had none: each once.
    pub(crate) fn take_no_stack(&self) -> Option<String> {
        self.0.lock().no_stack.pop()
    }

    /// The payload of the first panic. Those of others are dropped: panics of their destructors are nobody's.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        let panics = mem::take(&mut self.0.lock().panics);
        let mut panics = panics.into_iter();
        let first = panics.next();
        panics.for_each(|other| drop_quietly(Some(other)));
        first
    }

    /// Waits until all tasks of the scope have ended. When the caller is cancelled, so are they, and it goes on waiting.
    ///
    /// # Aborts
    ///
    /// When there are some and this cannot wait: see [`Interrupted::Refused`]. What they borrow is about to end.
    pub(crate) fn wait(&self) -> Waited {
        let mut shield = None;
        loop {
            let waited = suspend_quietly(|resumer: Resumer<()>| {
                tell_wait("the tasks of a scope", None);
                let mut state = self.0.lock();
                if state.running == 0 {
                    drop(state);
                    let _ = resumer.send(());
                } else {
                    // The last one, if there is one, has been claimed.
                    let last = state.waiter.replace(resumer);
                    drop(state);
                    drop(last);
                }
            });
            let (running, is_broken) = {
                let state = self.0.lock();
                (state.running, state.is_broken)
            };
            match waited {
                _ if running == 0 => break,
                _ if is_broken => {
                    coroutine::abort("a task of a scope could not be ended, and the scope cannot be left")
                }
                Err(Interrupted::Cancelled(cancelled)) => {
                    self.0.lock().of_waiter = Some(cancelled.clone());
                    self.cancel(&cancelled);
                    shield = shield.or_else(|| Entered::new(Kind::Shield));
                }
                Err(Interrupted::Refused) => coroutine::abort(
                    "a scope with running tasks was to be left where nothing can wait: in a destructor while a panic unwinds",
                ),
                Ok(()) | Err(_) => {}
            }
        }
        let mut state = self.0.lock();
        let last = state.waiter.take();
        let (was_refused, was_told) = (state.was_refused, state.was_told);
        drop(state);
        drop(last);
        Waited { was_cancelled: shield.is_some(), was_refused, was_told }
    }

    /// Counts the caller, who has been waiting, as told of its cancellation.
    pub(crate) fn tell() {
        cancel::tell();
    }
}
