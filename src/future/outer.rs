//! Where no body runs: who waits there, and how the two are kept apart.
//!
//! This module knows of tasks only that there may be some. Who runs them says so, by [`Tasks::serve`].
#![forbid(unsafe_code)]

use super::awaiter::Awaiter;
use super::current;
use crate::cancelled::Cancelled;
use core::cell::Cell;
use core::ops::ControlFlow;
use core::ptr;
use core::task::Context;

/// Polls once: `Break` ends the wait.
pub(crate) type PollOnce<'a> = dyn FnMut(&mut Context<'_>) -> ControlFlow<()> + 'a;

/// How the free `await_` waits outside of bodies.
pub(crate) struct Tasks {
    /// Whether it is called in a task.
    pub(crate) is_here: fn() -> bool,
    /// Polls until that says `Break`, and suspends the calling task in between. None if there is no task, or none any more: a poll
    /// may take this code elsewhere.
    pub(crate) wait: fn(&mut PollOnce<'_>) -> Option<Result<(), Cancelled>>,
    /// Calls that where no cancellation of the calling task reaches.
    pub(crate) shield: fn(&mut dyn FnMut()),
}

thread_local! {
    /// Those of this thread. Without a destructor, as the current body.
    static TASKS: Cell<Option<&'static Tasks>> = const { Cell::new(None) };
}

impl Tasks {
    /// Calls `f`, which runs tasks on this thread. Whatever body it is called in is not that of the tasks (invariant 33).
    pub(crate) fn serve<T>(&'static self, f: impl FnOnce() -> T) -> T {
        let bodies = Bodies::set_aside();
        let before = TASKS.replace(Some(self));
        let result = f();
        TASKS.set(before);
        bodies.put_back();
        result
    }

    fn of_thread() -> Option<&'static Self> {
        TASKS.try_with(Cell::get).unwrap_or(None)
    }
}

/// Whether there is a task to be suspended.
pub(super) fn is_in_task() -> bool {
    Tasks::of_thread().is_some_and(|tasks| (tasks.is_here)())
}

/// See [`Tasks::wait`].
pub(super) fn wait_in_task(poll: &mut PollOnce<'_>) -> Option<Result<(), Cancelled>> {
    Tasks::of_thread().and_then(|tasks| (tasks.wait)(poll))
}

/// See [`Tasks::shield`]. Where there is no task, calls it as it is.
pub(super) fn shield_in_task(f: &mut dyn FnMut()) {
    match Tasks::of_thread() {
        Some(tasks) => (tasks.shield)(f),
        None => f(),
    }
}

/// The bodies that a task runs: which of them is the current one. It is set aside while the task does not run, and by who runs
/// tasks (invariant 33).
#[must_use]
pub(crate) struct Bodies(*const Awaiter);

impl Bodies {
    /// Leaves no current body.
    #[inline(always)]
    pub(crate) fn set_aside() -> Self {
        let innermost = current::current();
        if !innermost.is_null() {
            core::hint::cold_path();
            current::replace(ptr::null());
        }
        Self(innermost)
    }

    /// The other way round. Meanwhile all other bodies have been set aside or have given control away.
    #[inline(always)]
    pub(crate) fn put_back(self) {
        if !self.0.is_null() {
            core::hint::cold_path();
            current::replace(self.0);
        }
    }
}
