//! Starting tasks.

use super::children::Seat;
use super::current::{Current, with_worker};
use super::handle::Handle;
use super::header::{Header, Origin, TaskRef};
use super::join::JoinHandle;
use super::local::Locals;
use super::queue::{Fresh, Unstarted};
use super::shared::Shared;
use super::task;
use super::worker::Worker;
use crate::stack::{Class, StackError};
use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use std::error::Error;
use std::sync::Arc;

/// How many numbers a worker takes at once.
const IDS: u64 = 1_024;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Numbers for a worker's tasks.
#[cold]
pub(super) fn some_ids() -> (u64, u64) {
    let first = NEXT_ID.fetch_add(IDS, Ordering::Relaxed);
    (first, first + IDS)
}

/// A number for a task that is spawned from outside.
pub(super) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Starts a task that runs `f`. Any worker may take it; where it begins, it stays.
///
/// Nothing runs at once. While started tasks are ready, those that have not begin in turn with them, oldest first; otherwise
/// newest first, which asyncio does not do. A task has no stack until it begins, so many can be spawned. Dropping the handle lets it go on by itself; what has not ended when the runtime does
/// is cancelled. `f` and what it returns may cross threads; what `f` has on its stack need not be `Send`.
///
/// # Panics
///
/// Outside of a runtime. [`Builder::spawn`] returns an error instead.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let handles: Vec<_> = (1..=3).map(|n| task::spawn(move || n * n)).collect();
///     let squares: Vec<_> = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
///     assert_eq!(squares, [1, 4, 9]);
/// });
/// ```
#[track_caller]
#[inline]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the closure borrows nothing, and may be sent.
    match unsafe { spawn_here(f, Wanted::default(), Place::Any, Location::caller()) } {
        Ok(handle) => handle,
        Err(error) => refused(&error),
    }
}

/// [`spawn`] in the place that `seat` gives the task.
#[track_caller]
pub(super) fn spawn_in_seat<F, T>(f: F, seat: impl FnOnce() -> Seat) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the closure borrows nothing, and may be sent.
    match unsafe { spawn_seated(f, Wanted::default(), Place::Any, Location::caller(), |_| Some(seat())) } {
        Ok(handle) => handle,
        Err(error) => refused(&error),
    }
}

/// Starts a task on the calling task's own worker. `f` and what it returns need not be `Send`.
///
/// # Panics
///
/// Outside of a runtime. [`Builder::spawn_local`] returns an error instead.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use switchback::task;
///
/// switchback::run(|| {
///     let seen = Rc::new(Cell::new(0));
///     let inner = Rc::clone(&seen);
///     task::spawn_local(move || inner.set(7)).join().unwrap();
///     assert_eq!(seen.get(), 7);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    // SAFETY: the closure borrows nothing, and stays on this thread.
    match unsafe { spawn_here(f, Wanted::default(), Place::Here, Location::caller()) } {
        Ok(handle) => handle,
        Err(error) => refused(&error),
    }
}

/// Starts a task on the calling task's own worker, and runs it up to its first wait, or its end, before this returns. Python's
/// `asyncio.eager_task_factory`, for one task.
///
/// Its first part is a call as any other: it has nothing of a turn that the others would be owed. Where the caller could not
/// wait (it unwinds from a panic, or registers a wait), this is [`spawn_local`].
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use switchback::task;
///
/// switchback::run(|| {
///     let steps = Rc::new(Cell::new(0));
///     let inner = Rc::clone(&steps);
///     let eager = task::spawn_eager(move || {
///         inner.set(1);
///         task::yield_now().unwrap();
///         inner.set(2);
///     });
///     assert_eq!(steps.get(), 1);
///     eager.join().unwrap();
///     assert_eq!(steps.get(), 2);
/// });
/// ```
#[track_caller]
pub fn spawn_eager<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    // SAFETY: the closure borrows nothing, and stays on this thread.
    match unsafe { spawn_here(f, Wanted::default(), Place::Now, Location::caller()) } {
        Ok(handle) => handle,
        Err(error) => refused(&error),
    }
}

/// Starts a task on the worker with that number, from 0 on.
///
/// # Panics
///
/// Outside of a runtime, and when it has no such worker. [`Builder::spawn_on`] returns an error instead.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use switchback::{Runtime, task};
///
/// let runtime = Runtime::builder().workers(2).build()?;
/// runtime.run(|| {
///     let here = thread::current().id();
///     assert_eq!(task::spawn_on(0, || thread::current().id()).join().unwrap(), here);
///     assert_ne!(task::spawn_on(1, || thread::current().id()).join().unwrap(), here);
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn spawn_on<F, T>(worker: usize, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the closure borrows nothing, and may be sent.
    match unsafe { spawn_here(f, Wanted::default(), Place::On(worker), Location::caller()) } {
        Ok(handle) => handle,
        Err(error) => refused(&error),
    }
}

#[cold]
#[track_caller]
fn refused<F>(error: &SpawnError<F>) -> ! {
    panic!("{error}")
}

/// Starts tasks with a name or a stack size, as [`std::thread::Builder`] does threads.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let parser = task::Builder::new().name("parser").stack_size(1 << 20);
///     let handle = parser.spawn(|| task::current().unwrap().name().map(str::to_owned)).unwrap();
///     assert_eq!(handle.join().unwrap().as_deref(), Some("parser"));
/// });
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder starts nothing until `spawn` is called"]
pub struct Builder {
    name: Option<Box<str>>,
    stack_size: Option<usize>,
}

/// What a task is to have.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(super) name: Option<Box<str>>,
    pub(super) class: Option<Class>,
}

/// Where a task is to run.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Any,
    Here,
    /// Here, at once.
    Now,
    On(usize),
}

impl Builder {
    /// A builder that starts what [`spawn`] starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The task's name, for reports, dumps and [`Task::name`](super::Task::name).
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The least size of the task's stack, in bytes, instead of the runtime's default.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts a task that any worker may take.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and when no stack can be that large. The error hands `f` back.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (wanted, f) = self.wanted(f)?;
        // SAFETY: the closure borrows nothing, and may be sent.
        unsafe { spawn_here(f, wanted, Place::Any, Location::caller()) }
    }

    /// Starts a task on the calling task's own worker.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_local<F, T>(self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let (wanted, f) = self.wanted(f)?;
        // SAFETY: the closure borrows nothing, and stays on this thread.
        unsafe { spawn_here(f, wanted, Place::Here, Location::caller()) }
    }

    /// Starts a task on the worker with that number, from 0 on.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and when there is no such worker.
    #[track_caller]
    pub fn spawn_on<F, T>(self, worker: usize, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (wanted, f) = self.wanted(f)?;
        // SAFETY: the closure borrows nothing, and may be sent.
        unsafe { spawn_here(f, wanted, Place::On(worker), Location::caller()) }
    }

    /// Starts a task in that runtime, from anywhere.
    pub(super) fn spawn_in<F, T>(
        self,
        shared: &Shared,
        f: F,
        spawned_at: &'static Location<'static>,
    ) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (wanted, f) = self.wanted(f)?;
        let class = wanted.class.unwrap_or(shared.config.class);
        let origin = Origin::new(next_id(), wanted.name.as_deref(), spawned_at, class);
        let task = task::create(f, origin, None, None);
        // SAFETY: there are two references; one is the handle's, of a task that returns a T.
        let handle = unsafe { JoinHandle::new(TaskRef::from_raw(task)) };
        // SAFETY: nobody has it yet but the handle.
        shared.tell_of_spawn(unsafe { task.as_ref() });
        shared.inject(Unstarted(task));
        Ok(handle)
    }

    pub(super) fn wanted<F>(self, f: F) -> Result<(Wanted, F), SpawnError<F>> {
        match self.stack_size.map(Class::with).transpose() {
            Ok(class) => Ok((Wanted { name: self.name, class }, f)),
            Err(error) => Err(SpawnError { kind: Kind::Stack(error), body: f }),
        }
    }
}

/// Spawns a task in the runtime of the calling thread.
///
/// # Safety
///
/// What `f` and its result borrow is there until the task has ended, and if it has been started and never ends, for ever.
/// They may be sent to another thread, unless it is to run here, and is then joined here.
#[inline(always)]
pub(super) unsafe fn spawn_here<F, T>(
    f: F,
    wanted: Wanted,
    place: Place,
    spawned_at: &'static Location<'static>,
) -> Result<JoinHandle<T>, SpawnError<F>>
where
    F: FnOnce() -> T,
{
    // SAFETY: the same contract.
    unsafe { spawn_seated(f, wanted, place, spawned_at, |_| None) }
}

/// [`spawn_here`] in the place that `seat` gives the task.
///
/// # Safety
///
/// As for [`spawn_here`].
#[inline(always)]
pub(super) unsafe fn spawn_seated<F, T>(
    f: F,
    wanted: Wanted,
    place: Place,
    spawned_at: &'static Location<'static>,
    seat: impl FnOnce(&Header) -> Option<Seat>,
) -> Result<JoinHandle<T>, SpawnError<F>>
where
    F: FnOnce() -> T,
{
    let mut f = Some(f);
    let spawned = with_worker(|worker| {
        let index = match place {
            Place::On(index) if index >= worker.shared().remotes.len() => return Err(Kind::NoWorker(index)),
            Place::On(index) if index != worker.index() => Some(index),
            _ => None,
        };
        let Some(f) = f.take() else { unreachable!("it is called once") };
        let home = match (&place, index, &worker.fresh) {
            (_, Some(_), _) | (Place::Any, None, Fresh::Shared(..)) => None,
            _ => Some(worker.remote),
        };
        let class = wanted.class.unwrap_or(worker.shared().config.class);
        let origin = Origin::new(worker.next_id(), wanted.name.as_deref(), spawned_at, class);
        let task = task::create(f, origin, home, inherited_locals());
        // SAFETY: it has just been made, and nobody else knows of it.
        let header = unsafe { task.as_ref() };
        if let Some(seat) = seat(header) {
            header.seat.set(Some(seat));
        }
        worker.shared().tell_of_spawn(header);
        match (place, index) {
            (Place::Any, _) => worker.push_fresh(Unstarted(task)),
            (Place::Now, _) => worker.begin_now(Unstarted(task)),
            (_, None) => worker.push_pinned(Unstarted(task)),
            (_, Some(index)) => put_elsewhere(worker, index, task),
        }
        // SAFETY: there are two references; one is the handle's, of a task that returns a T.
        Ok(unsafe { JoinHandle::new(TaskRef::from_raw(task)) })
    });
    let kind = match spawned {
        Some(Ok(handle)) => return Ok(handle),
        Some(Err(kind)) => kind,
        None => Kind::NoRuntime,
    };
    let Some(body) = f else { unreachable!("it was not spawned") };
    Err(SpawnError { kind, body })
}

#[inline(always)]
fn inherited_locals() -> Option<Arc<Locals>> {
    Current::with(|current| Locals::of(current?.running.header()))
}

fn put_elsewhere(worker: &Worker, index: usize, task: NonNull<Header>) {
    // SAFETY: the task has not started, and is in no queue.
    if !unsafe { worker.shared().remotes[index].put(task) } {
        // That worker has ended, because the runtime is about to.
        worker.push_pinned(Unstarted(task));
    }
}

/// Why a task was not started, with the closure that it was to run.
pub struct SpawnError<F> {
    kind: Kind,
    body: F,
}

#[derive(Debug)]
enum Kind {
    NoRuntime,
    NoWorker(usize),
    Stack(StackError),
}

impl<F> SpawnError<F> {
    #[cold]
    pub(super) fn outside(body: F) -> Self {
        Self { kind: Kind::NoRuntime, body }
    }

    /// The closure, back.
    #[must_use]
    pub fn into_body(self) -> F {
        self.body
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpawnError").field(&self.kind).finish()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::NoRuntime => f.write_str(
                "no task can be spawned outside of a runtime: wrap main in switchback::run(|| ..), or use a Handle",
            ),
            Kind::NoWorker(index) => write!(f, "the runtime has no worker {index}: Runtime::builder().workers(n)"),
            Kind::Stack(error) => write!(f, "no task can have such a stack: {error}"),
        }
    }
}

impl<F> Error for SpawnError<F> {}

impl Handle {
    /// Starts a task in the runtime, from any thread.
    ///
    /// When the runtime has ended, the task never begins, and its handle's `join` says that it was cancelled.
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match Builder::new().spawn_in(self.shared(), f, Location::caller()) {
            Ok(handle) => handle,
            Err(error) => refused(&error),
        }
    }
}
