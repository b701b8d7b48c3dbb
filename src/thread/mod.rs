//! `std::thread` for tasks: the same names and signatures, so that a threaded program becomes one of tasks by changing its
//! `use` lines and wrapping `main` in [`run`](crate::run).
//!
//! What waits here waits as a task. When that is cancelled, [`sleep`], [`yield_now`], [`park`] and [`park_timeout`] return
//! early, and [`JoinHandle::join`] returns a [`Cancelled`](crate::Cancelled) as the payload: `docs/CANCELLATION.md` has the
//! table. [`task`](crate::task) has the same calls with errors that say so. Outside of a task they do what those of std do,
//! except that nothing can be spawned there.

mod scope;

pub use scope::{Scope, ScopedJoinHandle, scope};

use crate::scheduler::{self, JoinError};
use crate::time;
use core::fmt;
use core::panic::Location;
use std::io;
use std::time::Duration;

pub use std::thread::{Result, available_parallelism, panicking};

/// Starts a task that runs `f`. Any worker may take it; where it begins, it stays.
///
/// # Panics
///
/// Outside of a runtime. [`Builder::spawn`] returns an error instead.
///
/// # Examples
///
/// ```
/// use switchback::thread;
///
/// switchback::run(|| {
///     let handle = thread::spawn(|| "done");
///     assert_eq!(handle.join().unwrap(), "done");
/// });
/// ```
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    JoinHandle::new(scheduler::spawn(f))
}

/// Starts tasks with a name or a stack size.
///
/// # Examples
///
/// ```
/// use switchback::thread;
///
/// switchback::run(|| {
///     let builder = thread::Builder::new().name("reader".to_owned()).stack_size(64 * 1024);
///     let handle = builder.spawn(|| thread::current().name().map(str::to_owned))?;
///     assert_eq!(handle.join().unwrap().as_deref(), Some("reader"));
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder starts nothing until `spawn` is called"]
pub struct Builder(scheduler::Builder);

impl Builder {
    /// A builder that starts what [`spawn`] starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The task's name, for reports and [`Thread::name`].
    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// The least size of the task's stack, in bytes.
    pub fn stack_size(self, size: usize) -> Self {
        Self(self.0.stack_size(size))
    }

    /// Starts a task that any worker may take.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when no stack can be that large.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.0.spawn(f) {
            Ok(handle) => Ok(JoinHandle::new(handle)),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Starts a task in a [`scope`], which may borrow from whatever is around that.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.start(self.0, f, Location::caller()).map_err(|error| refused(&error))
    }
}

fn refused<F>(error: &scheduler::SpawnError<F>) -> io::Error {
    io::Error::other(error.to_string())
}

/// The owner's end of a task. Dropping it lets the task go on by itself.
pub struct JoinHandle<T> {
    handle: scheduler::JoinHandle<T>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(handle: scheduler::JoinHandle<T>) -> Self {
        Self { thread: Thread(Who::Task(handle.task())), handle }
    }

    /// Waits for the task to end, and returns what its body has returned.
    ///
    /// # Errors
    ///
    /// The payload of its panic. A [`Cancelled`](crate::Cancelled), if it was cancelled before it began, or if the calling
    /// task is cancelled while it waits; the one that was waited for goes on then. A
    /// [`JoinError`], if there was no stack for it.
    pub fn join(self) -> Result<T> {
        self.handle.join().map_err(payload)
    }

    /// The task.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

pub(crate) fn payload(error: JoinError) -> Box<dyn std::any::Any + Send> {
    match error {
        JoinError::Panicked(panic) => panic.into_payload(),
        JoinError::Cancelled(cancelled) | JoinError::Interrupted(cancelled) => Box::new(cancelled),
        error => Box::new(error),
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.thread).finish()
    }
}

/// A task, or a thread that runs none.
#[derive(Clone, Debug)]
pub struct Thread(Who);

#[derive(Clone, Debug)]
enum Who {
    Task(scheduler::Task),
    Thread(std::thread::Thread),
}

/// What tells one [`Thread`] from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId(Id);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Id {
    Task(scheduler::TaskId),
    Thread(std::thread::ThreadId),
}

impl Thread {
    /// Ends its [`park`], or the next one.
    pub fn unpark(&self) {
        match &self.0 {
            Who::Task(task) => task.unpark(),
            Who::Thread(thread) => thread.unpark(),
        }
    }

    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        ThreadId(match &self.0 {
            Who::Task(task) => Id::Task(task.id()),
            Who::Thread(thread) => Id::Thread(thread.id()),
        })
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Who::Task(task) => task.name(),
            Who::Thread(thread) => thread.name(),
        }
    }
}

/// The task that calls this; outside of tasks, the thread.
#[must_use]
pub fn current() -> Thread {
    Thread(match scheduler::current() {
        Some(task) => Who::Task(task),
        None => Who::Thread(std::thread::current()),
    })
}

/// Waits for that long. Returns early when the task is cancelled.
pub fn sleep(duration: Duration) {
    let _ = time::sleep(duration);
}

/// Lets the other tasks of the worker run that are ready.
pub fn yield_now() {
    let _ = scheduler::yield_now();
}

/// Waits until somebody calls [`Thread::unpark`], or has called it since the last time. It may return without a reason, and
/// does when the task is cancelled.
pub fn park() {
    let _ = scheduler::park();
}

/// [`park`] for that long at most.
pub fn park_timeout(duration: Duration) {
    let _ = scheduler::park_timeout(duration);
}
