//! The suspension primitive, on which every call that waits is built.

use super::cancel;
use super::cell::{Sleeper, ThreadWait, WaitCell};
use super::current::{self, Current, Running, SOMETHING};
use super::word::Generation;
use super::worker;
use crate::cancelled::Cancelled;
use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ptr;
use std::error::Error;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Suspends the calling task until it is resumed: by [`Resumer::send`] with a value, which this returns, or by
/// [`Resumer::throw`] with an error.
///
/// `register` is called once, before the task stops, and is to leave the resumer where whoever knows of the value finds it:
/// in a callback, a queue, another thread. It may resume at once, and then the task does not stop. It must not wait for
/// anything itself. When it panics, the wait is given up, and the panic goes on.
///
/// Everything in this crate that waits is built on it. Outside of a task it blocks the thread.
///
/// # Errors
///
/// See [`Interrupted`]. What a resumer is sent after that is handed back to its sender, so no value is lost between the two.
///
/// # Examples
///
/// A callback API becomes a call that blocks, and the thread does not:
///
/// ```
/// use std::thread;
/// use switchback::{Interrupted, Resumer, task};
///
/// /// Somebody else's function: it calls back, on a thread of its own.
/// fn look_up(name: String, callback: impl FnOnce(Result<u32, String>) + Send + 'static) {
///     thread::spawn(move || callback(if name == "localhost" { Ok(0x7f000001) } else { Err(name) }));
/// }
///
/// fn look_up_and_wait(name: &str) -> Result<u32, Interrupted<String>> {
///     task::suspend(|resumer: Resumer<u32, String>| {
///         look_up(name.to_owned(), move |answer| {
///             // Nobody may be waiting any more.
///             let _ = match answer {
///                 Ok(address) => resumer.send(address).map_err(drop),
///                 Err(error) => resumer.throw(error).map_err(drop),
///             };
///         });
///     })
/// }
///
/// switchback::run(|| {
///     assert_eq!(look_up_and_wait("localhost").unwrap(), 0x7f000001);
///     assert!(matches!(look_up_and_wait("nowhere"), Err(Interrupted::Error(name)) if name == "nowhere"));
/// });
/// ```
#[inline]
pub fn suspend<T, E>(register: impl FnOnce(Resumer<T, E>)) -> Result<T, Interrupted<E>> {
    Current::with(|current| match current {
        Some(current) => in_task::<_, _, true>(current.running, register, true, false),
        None => interrupted(on_thread(register, None)),
    })
}

/// [`suspend`] for callers that may have something to return all the same. One that gives up because of the cancellation calls
/// [`cancel::tell`]: a timeout that has cut nothing short has not elapsed.
#[inline]
pub(super) fn suspend_quietly<T>(register: impl FnOnce(Resumer<T>)) -> Result<T, Interrupted> {
    Current::with(|current| match current {
        Some(current) => in_task::<_, _, true>(current.running, register, false, false),
        None => interrupted(on_thread(register, None)),
    })
}

/// Why [`suspend`] has returned without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interrupted<E = Infallible> {
    /// An error was thrown by [`Resumer::throw`].
    Error(E),
    /// The task, or the part of it that waits, was cancelled.
    Cancelled(Cancelled),
    /// The resumer was dropped: nobody would ever have resumed the task.
    Abandoned,
    /// The task cannot stop here: it unwinds from a panic, and others would take that for theirs; or it is inside of the
    /// closure of another `suspend`; or this is not a task's stack but a worker's own (in a hook). `register` was not called.
    Refused,
}

impl<E: fmt::Display> fmt::Display for Interrupted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
            Self::Abandoned => f.write_str("nobody is left to resume the task"),
            Self::Refused => {
                f.write_str("the task cannot wait here: it unwinds from a panic, or registers another wait")
            }
        }
    }
}

impl<E: Error + 'static> Error for Interrupted<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) => error.source(),
            Self::Cancelled(cancelled) => Some(cancelled),
            Self::Abandoned | Self::Refused => None,
        }
    }
}

impl<E> From<Cancelled> for Interrupted<E> {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// What resumes a suspended task, once: see [`suspend`]. It may be sent to any thread, as what it carries may.
///
/// It is two words, and counts no reference. Dropped unused, it resumes the task with [`Interrupted::Abandoned`].
#[must_use = "dropping it resumes the task with an error"]
pub struct Resumer<T, E = Infallible> {
    cell: &'static WaitCell,
    generation: Generation,
    _types: PhantomData<Types<T, E>>,
}

/// Values go in: who waits for a `&'static str` must not be sent one that lives shorter. They are sent on as `T` and `E` may be.
type Types<T, E> = (T, E, fn(T, E));

/// Where what is waited for is put: in the frame of the waiting call.
pub(super) enum Slot<T, E> {
    Empty,
    Value(T),
    Error(E),
    Abandoned,
}

/// Puts `slot` where the claimed wait expects it, and wakes who waits.
///
/// # Safety
///
/// The caller has claimed the cell's wait, which was begun for these types, and does this once.
#[inline(always)]
pub(super) unsafe fn deliver<T, E>(cell: &WaitCell, slot: Slot<T, E>) {
    let sleeper = cell.sleeper();
    // SAFETY: the frame with the slot stays until it is woken (invariant 17), and only the claimer writes it.
    unsafe { cell.slot().cast::<Slot<T, E>>().write(slot) };
    // SAFETY: by this function's contract.
    unsafe { wake_sleeper(sleeper) };
}

/// Wakes who waits.
///
/// # Safety
///
/// The caller has claimed the wait of that sleeper, and does this once.
#[inline(always)]
pub(super) unsafe fn wake_sleeper(sleeper: Sleeper) {
    match sleeper {
        // SAFETY: the wait was claimed.
        Sleeper::Task(task) => unsafe { worker::wake(task) },
        Sleeper::Thread(wait) => {
            // SAFETY: the thread does not leave its frame until it is told.
            let wait = unsafe { &*wait };
            let thread = wait.thread.clone();
            wait.is_over.store(true, Ordering::Release);
            thread.unpark();
        }
    }
}

impl<T, E> Resumer<T, E> {
    /// Resumes the task with `value`.
    ///
    /// # Errors
    ///
    /// The value, back, when the task does not wait any more: it was cancelled.
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        let (cell, generation) = self.into_parts();
        if !cell.claim(generation) {
            return Err(value);
        }
        // SAFETY: it is claimed, and a resumer has the types of the wait that it was made for.
        unsafe { deliver::<T, E>(cell, Slot::Value(value)) };
        Ok(())
    }

    /// Resumes the task with an error: [`suspend`] returns [`Interrupted::Error`].
    ///
    /// # Errors
    ///
    /// The error, back, when the task does not wait any more.
    pub fn throw(self, error: E) -> Result<(), E> {
        let (cell, generation) = self.into_parts();
        if !cell.claim(generation) {
            return Err(error);
        }
        // SAFETY: as in `send`.
        unsafe { deliver::<T, E>(cell, Slot::Error(error)) };
        Ok(())
    }

    /// Whether the task still waits. It may be cancelled at any time after that.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.cell.is_waiting(self.generation)
    }

    #[inline(always)]
    pub(super) fn into_parts(self) -> (&'static WaitCell, Generation) {
        let parts = self.parts();
        mem::forget(self);
        parts
    }

    #[inline(always)]
    pub(super) fn parts(&self) -> (&'static WaitCell, Generation) {
        (self.cell, self.generation)
    }

    /// The caller has the parts from a resumer of these types.
    pub(super) fn from_parts(cell: &'static WaitCell, generation: Generation) -> Self {
        Self { cell, generation, _types: PhantomData }
    }
}

impl Resumer<(), Infallible> {
    /// [`send`](Self::send) to a task that is to be run next, because what it has waited for has ended.
    #[inline(always)]
    pub(super) fn send_next(self) {
        let (cell, generation) = self.into_parts();
        if !cell.claim(generation) {
            return;
        }
        match cell.sleeper() {
            Sleeper::Task(task) => {
                // SAFETY: as in `deliver`.
                unsafe {
                    cell.slot().cast::<Slot<(), Infallible>>().write(Slot::Value(()));
                    worker::wake_next(task);
                }
            }
            // SAFETY: it is claimed, for these types.
            Sleeper::Thread(_) => unsafe { deliver::<(), Infallible>(cell, Slot::Value(())) },
        }
    }

    /// The number of the wait, for [`Header::wake_parked`](super::header::Header::wake_parked) of the calling task.
    pub(super) fn generation(&self) -> u64 {
        self.generation.0
    }

    /// Drops it without waking anybody.
    pub(crate) fn forget(self) {
        mem::forget(self);
    }
}

impl<T, E> Drop for Resumer<T, E> {
    #[inline]
    fn drop(&mut self) {
        if self.cell.claim(self.generation) {
            // SAFETY: as in `send`.
            unsafe { deliver::<T, E>(self.cell, Slot::Abandoned) };
        }
    }
}

impl<T, E> fmt::Debug for Resumer<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumer").field("is_waiting", &self.is_waiting()).finish()
    }
}

/// Waits in a task. Whoever was cancelled learns that somebody was told only if `tell`; a `shielded` wait is not reached.
///
/// `register` may panic only if `CATCH`. If not, it is inlined here.
#[inline(always)]
pub(super) fn in_task<T, E, const CATCH: bool>(
    running: &Running,
    register: impl FnOnce(Resumer<T, E>),
    tell: bool,
    shielded: bool,
) -> Result<T, Interrupted<E>> {
    if !running.can_switch() {
        return Err(Interrupted::Refused);
    }
    let slot = UnsafeCell::new(Slot::<T, E>::Empty);
    let (cell, generation) = running.begin(slot.get().cast(), shielded);
    if !shielded && cancel::is_pending(running) {
        give_up(running, cell, generation, true);
        return Err(Interrupted::Cancelled(cancel::why(running, tell)));
    }
    running.is_registering.set(true);
    running.waits_for.set(SOMETHING);
    let resumer = Resumer { cell, generation, _types: PhantomData };
    let registered = if CATCH {
        panic::catch_unwind(AssertUnwindSafe(|| register(resumer)))
    } else {
        let bomb = Bomb;
        register(resumer);
        mem::forget(bomb);
        Ok(())
    };
    running.is_registering.set(false);
    if let Err(payload) = registered {
        give_up(running, cell, generation, false);
        drop(slot);
        panic::resume_unwind(payload);
    }
    if !running.was_delivered.replace(false) {
        // SAFETY: it can, as was asked at the beginning; `register` has returned, and could not suspend the task.
        unsafe { running.switch() };
    }
    running.ignored.set(0);
    // What comes nearly always is asked for first: four ways at once would be a jump through a table.
    match slot.into_inner() {
        Slot::Value(value) => Ok(value),
        other => without_value(running, other, tell),
    }
}

/// What a wait has come to that has no value.
#[cold]
#[inline(never)]
fn without_value<T, E>(running: &Running, slot: Slot<T, E>, tell: bool) -> Result<T, Interrupted<E>> {
    match slot {
        Slot::Value(value) => Ok(value),
        Slot::Error(error) => Err(Interrupted::Error(error)),
        Slot::Abandoned => Err(Interrupted::Abandoned),
        Slot::Empty => Err(Interrupted::Cancelled(cancel::why(running, tell))),
    }
}

/// Aborts the process if it is dropped: the frame must not be left while a wait may write to it.
struct Bomb;

impl Drop for Bomb {
    #[cold]
    fn drop(&mut self) {
        crate::coroutine::abort("a wait could not be registered");
    }
}

/// Ends a wait that has been begun: afterwards nobody will write to its slot.
#[cold]
#[inline(never)]
fn give_up(running: &Running, cell: &WaitCell, generation: Generation, pass: bool) {
    if cell.claim(generation) {
        if pass {
            cancel::pass(running);
        }
    } else if !running.was_delivered.replace(false) {
        // Somebody else has claimed it, and will wake the task.
        // SAFETY: as in `in_task`. A panic of `register` has been caught.
        unsafe { running.switch() };
    }
}

/// Waits on a thread, until `deadline`: then the slot is empty. None where it must not wait.
#[cold]
#[inline(never)]
pub(super) fn on_thread<T, E>(register: impl FnOnce(Resumer<T, E>), deadline: Option<Instant>) -> Option<Slot<T, E>> {
    if current::is_worker() {
        return None;
    }
    let mut cells = Vec::new();
    let slot = UnsafeCell::new(Slot::<T, E>::Empty);
    let wait = ThreadWait { thread: thread::current(), is_over: AtomicBool::new(false) };
    let (cell, generation) = loop {
        let Some(cell) = cells.pop() else {
            WaitCell::take_some(&mut cells);
            continue;
        };
        if let Some(generation) = cell.begin(slot.get().cast(), ptr::from_ref(&wait), 0) {
            break (cell, generation);
        }
    };
    let resumer = Resumer { cell, generation, _types: PhantomData };
    let registered = panic::catch_unwind(AssertUnwindSafe(|| register(resumer)));
    if registered.is_ok() || !cell.claim(generation) {
        let mut deadline = deadline;
        let mut has_parked = false;
        while !wait.is_over.load(Ordering::Acquire) {
            has_parked = true;
            let Some(time) = deadline else {
                thread::park();
                continue;
            };
            let left = time.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
            } else if cell.claim(generation) {
                break;
            } else {
                // Somebody else has claimed it, and is about to say so.
                deadline = None;
            }
        }
        if has_parked {
            // A notice of others may have come meanwhile: it is for the thread's next `park`, which may return without one.
            wait.thread.unpark();
        }
    }
    cells.push(cell);
    WaitCell::give_back(cells);
    if let Err(payload) = registered {
        drop(slot);
        panic::resume_unwind(payload);
    }
    Some(slot.into_inner())
}

fn interrupted<T, E>(waited: Option<Slot<T, E>>) -> Result<T, Interrupted<E>> {
    match waited {
        Some(Slot::Value(value)) => Ok(value),
        Some(Slot::Error(error)) => Err(Interrupted::Error(error)),
        Some(Slot::Abandoned | Slot::Empty) => Err(Interrupted::Abandoned),
        None => Err(Interrupted::Refused),
    }
}
