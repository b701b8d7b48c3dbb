//! What tells who a task is, and who runs it.
#![forbid(unsafe_code)]

use super::current::{Current, with_worker};
use super::dump::Dump;
use super::header::{Header, TaskRef};
use super::shared::Shared;
use crate::cancelled::{CancelReason, ScopeId};
use core::fmt;
use core::panic::Location;
use std::sync::Arc;

/// A task's number: no two tasks of a process have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TaskId(u64);

impl TaskId {
    pub(super) fn of(header: &Header) -> Self {
        Self(header.origin.id)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A task, as seen by others, or by itself: see [`current`]. Having one keeps nobody waiting.
#[derive(Clone)]
pub struct Task(TaskRef);

impl Task {
    pub(super) fn new(task: TaskRef) -> Self {
        Self(task)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId::of(self.0.header())
    }

    pub(super) fn number(&self) -> u64 {
        self.0.header().origin.id
    }

    /// Gives a task that is being spawned the span that is current here.
    #[cfg(feature = "tracing")]
    pub(super) fn take_current_span(&self) {
        self.with_spans(|spans| *spans = super::spans::Spans::of_caller());
    }

    /// Drops those of a task that has ended: what is known of it may be kept for long. Only who may touch its locals may call it.
    #[cfg(feature = "tracing")]
    pub(super) fn drop_spans(&self) {
        drop(self.0.header().spans.take());
    }

    /// Calls `f` with the task's spans. Only who may touch its locals may call it (invariant 19).
    #[cfg(feature = "tracing")]
    pub(super) fn with_spans<T>(&self, f: impl FnOnce(&mut Option<super::spans::Spans>) -> T) -> T {
        let place = &self.0.header().spans;
        let mut spans = place.take();
        let result = f(&mut spans);
        place.set(spans);
        result
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.header().origin.name()
    }

    /// Where it was spawned.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.header().origin.spawned_at
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.header().join.is_complete()
    }

    /// Ends its [`park`](super::park), or the next one.
    pub fn unpark(&self) {
        self.0.header().unpark();
    }

    /// Cancels it: see [`JoinHandle::cancel`](super::JoinHandle::cancel).
    pub fn cancel(&self) -> bool {
        self.cancel_because(CancelReason::Requested)
    }

    /// [`cancel`](Self::cancel) with a reason, which [`Cancelled::reason`](crate::Cancelled::reason) tells.
    pub fn cancel_with(&self, message: impl Into<Arc<str>>) -> bool {
        self.cancel_because(CancelReason::Message(message.into()))
    }

    pub(crate) fn cancel_because(&self, reason: CancelReason) -> bool {
        self.0.header().cancel(reason)
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Task {}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The task that calls this; none outside of tasks.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// assert!(task::current().is_none());
/// switchback::run(|| assert_eq!(task::current().unwrap().name(), Some("main")));
/// ```
#[must_use]
pub fn current() -> Option<Task> {
    Current::with(|current| Some(Task(TaskRef::to(current?.running.header()))))
}

/// What the `Cancelled` of the current task carry.
pub(super) fn current_scope() -> Option<ScopeId> {
    Current::with(|current| Some(current?.running.header().scope_id()))
}

/// A runtime, as seen from anywhere: starts tasks in it from other threads.
///
/// It may be kept when the runtime has ended, and keeps nothing of it open. What it spawns then does not run: its `join` says
/// [`JoinError::Cancelled`](crate::task::JoinError::Cancelled).
///
/// # Examples
///
/// ```
/// use std::thread;
/// use switchback::Handle;
///
/// switchback::run(|| {
///     let runtime = Handle::current().unwrap();
///     let outside = thread::spawn(move || runtime.spawn(|| 6 * 7).join());
///     while !outside.is_finished() {
///         switchback::task::yield_now().unwrap();
///     }
///     assert_eq!(outside.join().unwrap().unwrap(), 42);
/// });
/// ```
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// The runtime that the calling thread is a worker of.
    #[must_use]
    pub fn current() -> Option<Self> {
        with_worker(|worker| Self(Arc::clone(worker.shared())))
    }

    /// What its tasks are at, and where: see [`Dump`]. This waits for the workers to answer, without suspending the task that
    /// calls it.
    #[must_use]
    pub fn dump(&self) -> Dump {
        Dump::of(&[Arc::clone(&self.0)], true)
    }

    /// Its tasks that have not ended. asyncio's `all_tasks`.
    ///
    /// As with a [`dump`](Self::dump), workers tell of theirs one after another, so this is no picture of one moment; those of
    /// a worker that does not switch are not in it.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        Dump::of(&[Arc::clone(&self.0)], false).tasks().iter().map(|task| task.task().clone()).collect()
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.remotes.len()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("workers", &self.workers()).finish_non_exhaustive()
    }
}
