//! Waiting for a task to end.

use super::cancel;
use super::current::{Current, tell_wait};
use super::handle::{Task, TaskId};
use super::header::{Joiner, TaskRef};
use super::life::drop_quietly;
use super::panicked::Panic;
use super::suspend::{Interrupted, Resumer, suspend_quietly};
use super::task;
use crate::cancelled::{CancelReason, Cancelled};
use crate::stack::StackError;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::any::Any;
use std::error::Error;
use std::sync::Arc;

/// The owner's end of a task: waits for it, or cancels it. Dropping it lets the task go on by itself.
///
/// It is a future as well, of what [`join`](Self::join) returns: for asynchronous code outside of the runtime, or for
/// [`await_`](crate::await_). Dropping one that has been polled is no different.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let answer = task::spawn(|| 6 * 7);
///     assert_eq!(answer.join().unwrap(), 42);
/// });
/// ```
pub struct JoinHandle<T> {
    /// Given up early by `join` and by a drop that detaches.
    task: ManuallyDrop<TaskRef>,
    _outcome: PhantomData<T>,
}

// SAFETY: what is reached through it is a T, by value, and what anybody with a reference may touch (invariant 19).
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle gives nobody the T.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

/// Why there is no result of a task.
///
/// It is `Send + Sync`, whatever the task has panicked with, so `?` makes it a `Box<dyn Error + Send + Sync>`.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use switchback::task;
///
/// fn length(word: &'static str) -> Result<usize, Box<dyn Error + Send + Sync>> {
///     Ok(task::spawn(|| word.len()).join()?)
/// }
///
/// switchback::run(|| assert_eq!(length("borrow").unwrap(), 6));
/// ```
#[non_exhaustive]
pub enum JoinError {
    /// The task was cancelled before its first instruction, or could not be ended when the runtime was.
    Cancelled(Cancelled),
    /// Its body has panicked.
    Panicked(Panic),
    /// There was no stack for it, and none is about to come free: there is no room, and either the process has no stacks of its size, or
    /// all tasks of the runtime wait, and none for a time, for I/O or for what it has [offloaded](crate::offload()). Otherwise it waits
    /// until another task ends.
    NoStack(Box<StackError>),
    /// The task that waited was cancelled, not the one that was waited for, which goes on.
    Interrupted(Cancelled),
    /// A task waits for itself, and would do so for ever.
    Itself,
    /// The calling task can wait for nothing now, because it is unwinding from a panic, or registers a wait.
    Refused,
}

impl<T> JoinHandle<T> {
    /// # Safety
    ///
    /// The reference is the handle's, of a task whose closure returns a T.
    #[inline(always)]
    pub(super) unsafe fn new(task: TaskRef) -> Self {
        Self { task: ManuallyDrop::new(task), _outcome: PhantomData }
    }

    /// Waits for the task to end, and returns what its body has returned.
    ///
    /// Outside of a task it blocks the thread.
    ///
    /// # Errors
    ///
    /// Why there is no result: see [`JoinError`]. A result that is there wins over the caller's cancellation.
    ///
    /// # Panics
    ///
    /// When the handle was awaited before, and has given the result to that.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::task::{self, JoinError};
    ///
    /// switchback::run(|| {
    ///     let failed = task::spawn(|| { if true { panic!("no luck") } });
    ///     let Err(JoinError::Panicked(panic)) = failed.join() else { unreachable!() };
    ///     assert_eq!(panic.message(), Some("no luck"));
    /// });
    /// ```
    pub fn join(mut self) -> Result<T, JoinError> {
        self.wait_inner()?;
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, and not dropped.
        let task = unsafe { ManuallyDrop::take(&mut this.task) };
        // SAFETY: the handle is of a task that returns a T; it is complete; the handle is used up.
        unsafe { task::take_outcome(&task) }
    }

    /// Waits for the task to end, and leaves its outcome for [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// When the calling task is cancelled meanwhile, or cannot wait now.
    pub fn wait(&mut self) -> Result<(), JoinError> {
        self.wait_inner()
    }

    #[inline(always)]
    fn wait_inner(&mut self) -> Result<(), JoinError> {
        let header = self.task.header();
        if header.join.is_complete() {
            return Ok(());
        }
        // Before the wait begins: a waker's destructor may do anything.
        if !self.stop_polling() {
            return Ok(());
        }
        if Current::run_first(self.task.header()) {
            return Ok(());
        }
        if Current::is(self.task.header()) {
            return Err(JoinError::Itself);
        }
        Current::prefer_newest();
        let is_home = self.task.header().home().is_some_and(Current::is_of);
        let waited = suspend_quietly(|resumer: Resumer<()>| self.begin_wait_at(is_home, resumer));
        match waited {
            Ok(()) => Ok(()),
            Err(interrupted) => self.interrupted(interrupted),
        }
    }

    /// Resumes that one when the task ends; at once, if it has ended.
    pub(crate) fn begin_wait(&mut self, resumer: Resumer<()>) {
        if self.stop_polling() {
            self.begin_wait_at(false, resumer);
        } else {
            let _ = resumer.send(());
        }
    }

    /// [`begin_wait`](Self::begin_wait) of a handle that is not polled; whether the caller waits for nothing else, on the one
    /// worker that can run the task.
    #[inline(always)]
    fn begin_wait_at(&mut self, is_home: bool, resumer: Resumer<()>) {
        tell_wait("a task", None);
        let header = self.task.header();
        // SAFETY: without JOINING the place is the handle's, which is borrowed for this.
        unsafe { *header.joiner.get() = Some(Joiner::Resumer(resumer)) };
        let joining = if is_home { header.join.begin_joining_at_home() } else { header.join.begin_joining() };
        if !joining {
            // SAFETY: it was complete before JOINING was set, so nobody else looks at the place.
            let joiner = unsafe { (*header.joiner.get()).take() };
            joiner.into_iter().for_each(Joiner::wake);
        }
    }

    /// Wakes that waker when the task ends; at once, if it has ended.
    #[cfg(feature = "capi")]
    pub(crate) fn wake_at_end(&mut self, waker: &Waker) {
        if !self.wait_with(waker) {
            waker.wake_by_ref();
        }
    }

    /// Nobody is to be resumed any more. What [`begin_wait`](Self::begin_wait) was given may be over already.
    pub(crate) fn end_wait(&mut self) {
        self.take_back();
    }

    /// Makes this waker the one that is woken when the task ends. False if it has.
    fn wait_with(&mut self, waker: &Waker) -> bool {
        let header = self.task.header();
        if header.join.is_joining() && !header.join.end_joining() {
            return false;
        }
        // SAFETY: without JOINING the place is the handle's, which is borrowed for this. It has it until the end, and what is
        // called meanwhile, the clone and the destructor of wakers, cannot have the handle.
        let place = unsafe { &mut *header.joiner.get() };
        if !matches!(place, Some(Joiner::Waker(last)) if last.will_wake(waker)) {
            // Either may panic: then nobody is left in the place.
            drop(place.take());
            *place = Some(Joiner::Waker(waker.clone()));
        }
        header.join.begin_joining() || {
            // It was complete before JOINING was set, so nobody else looks at the place.
            drop(place.take());
            false
        }
    }

    /// Takes back the waker that the handle has been polled with. False if the task is complete.
    #[inline(always)]
    fn stop_polling(&mut self) -> bool {
        !self.task.header().join.is_joining() || self.take_back()
    }

    /// Takes back the joiner. False if the task is complete.
    #[cold]
    #[inline(never)]
    fn take_back(&mut self) -> bool {
        let header = self.task.header();
        if !header.join.end_joining() {
            return false;
        }
        // SAFETY: JOINING has been taken away, so the place is the handle's again.
        drop_quietly(unsafe { (*header.joiner.get()).take() });
        true
    }

    #[cold]
    fn interrupted(&mut self, interrupted: Interrupted) -> Result<(), JoinError> {
        if !self.take_back() {
            return Ok(());
        }
        cancel::tell();
        Err(match interrupted {
            Interrupted::Cancelled(cancelled) => JoinError::Interrupted(cancelled),
            _ => JoinError::Refused,
        })
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.header().join.is_complete()
    }

    /// Asks the task to leave: each call in it that would wait returns [`Cancelled`] from now on, except inside
    /// [`shield`](crate::task::shield). If it has not begun, it never does, and its closure is dropped.
    ///
    /// Returns whether this has changed anything: not if it was cancelled before, or has ended.
    pub fn cancel(&self) -> bool {
        self.task.header().cancel(CancelReason::Requested)
    }

    /// [`cancel`](Self::cancel) with a reason, which [`Cancelled::reason`] tells.
    pub fn cancel_with(&self, message: impl Into<Arc<str>>) -> bool {
        self.task.header().cancel(CancelReason::Message(message.into()))
    }

    /// The task itself, for its name, and to unpark or cancel it.
    #[must_use]
    pub fn task(&self) -> Task {
        Task::new(TaskRef::clone(&self.task))
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        TaskId::of(self.task.header())
    }
}

impl<T> Unpin for JoinHandle<T> {}

/// Awaits the end of the task. The output is what [`join`](JoinHandle::join) returns.
///
/// # Panics
///
/// When it is polled, or joined, after it was ready.
///
/// # Examples
///
/// ```
/// use futures_lite::future::zip;
/// use switchback::{await_, task};
///
/// switchback::run(|| {
///     let (one, two) = await_(zip(task::spawn(|| 1), task::spawn(|| 2))).unwrap();
///     assert_eq!(one.unwrap() + two.unwrap(), 3);
/// });
/// ```
impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let header = self.task.header();
        if !header.join.is_complete() {
            if Current::is(header) {
                return Poll::Ready(Err(JoinError::Itself));
            }
            if self.wait_with(cx.waker()) {
                return Poll::Pending;
            }
        }
        // SAFETY: the handle is of a task that returns a T, and it is complete.
        Poll::Ready(unsafe { task::take_outcome(&self.task) })
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.task.header().join.is_complete() && self.stop_polling() && self.task.header().join.detach() {
            // The reference is gone with it.
            return;
        }
        let header = self.task.header();
        // SAFETY: the task is complete and its outcome the handle's, which is used up; so is the field.
        unsafe {
            (header.vtable.drop_outcome)(self.task.as_ptr());
            ManuallyDrop::drop(&mut self.task);
        }
    }
}

impl JoinError {
    /// Goes on with the task's panic, if it has panicked; else returns the error.
    ///
    /// # Panics
    ///
    /// With the payload.
    #[must_use]
    pub fn resume_panic(self) -> Self {
        match self {
            Self::Panicked(panic) => panic.resume(),
            other => other,
        }
    }

    /// What the task has panicked with, if it has.
    ///
    /// # Errors
    ///
    /// The error itself, if it is another one.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self {
            Self::Panicked(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }

    /// The `Cancelled` in it: of the task that was waited for, or of the one that waited.
    #[must_use]
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match self {
            Self::Cancelled(cancelled) | Self::Interrupted(cancelled) => Some(cancelled),
            _ => None,
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => f.debug_tuple("Cancelled").field(cancelled).finish(),
            Self::Panicked(panic) => f.debug_tuple("Panicked").field(&panic.text()).finish(),
            Self::NoStack(error) => f.debug_tuple("NoStack").field(error).finish(),
            Self::Interrupted(cancelled) => f.debug_tuple("Interrupted").field(cancelled).finish(),
            Self::Itself => f.write_str("Itself"),
            Self::Refused => f.write_str("Refused"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => write!(f, "the task did not run: {cancelled}"),
            Self::Panicked(panic) => write!(f, "the task has panicked: {panic}"),
            Self::NoStack(error) => write!(f, "no stack for the task: {error}"),
            Self::Interrupted(cancelled) => write!(f, "the wait for the task was cut short: {cancelled}"),
            Self::Itself => f.write_str("a task cannot wait for itself"),
            Self::Refused => f.write_str("a task cannot wait while it unwinds from a panic, or registers a wait"),
        }
    }
}

impl Error for JoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cancelled) | Self::Interrupted(cancelled) => Some(cancelled),
            Self::NoStack(error) => Some(&**error),
            Self::Panicked(panic) => Some(panic),
            Self::Itself | Self::Refused => None,
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task()).finish()
    }
}
