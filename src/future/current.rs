//! The free functions, and the thread-local by which they find the body that they are called in. Where there is none, they
//! look for a task: `outer.rs`.

use super::awaiter::Awaiter;
use super::drive::{Place, drive};
use super::error::{AwaitError, OUTSIDE};
use super::outer::{is_in_task, shield_in_task, wait_in_task};
use super::waker::TURN;
use crate::cancelled::{CancelReason, Cancelled};
use core::cell::Cell;
use core::ops::ControlFlow;
use core::pin::{Pin, pin};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use std::panic;
use std::thread;

// Without destructors, so that they are there to the very end of a thread. Where std keeps thread-locals in keys they may be
// gone before: then there is no body to be found.
thread_local! {
    /// The awaiter of the innermost body that runs, or null (invariant 13).
    static CURRENT: Cell<*const Awaiter> = const { Cell::new(ptr::null()) };
    /// Greater than the turns of all awaiters that have been on this thread.
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Makes another awaiter, or none, the current one, and returns which it was before.
#[inline(always)]
pub(super) fn replace(awaiter: *const Awaiter) -> *const Awaiter {
    CURRENT.try_with(|current| current.replace(awaiter)).unwrap_or(ptr::null())
}

/// The current awaiter, or null.
#[inline(always)]
pub(super) fn current() -> *const Awaiter {
    CURRENT.try_with(Cell::get).unwrap_or(ptr::null())
}

/// The first turn of a new awaiter. Those that were at the same address before it, on this thread, have had lower ones.
pub(super) fn first_turn() -> u64 {
    /// Where the thread-local is gone: a great many for each awaiter.
    static FAR: AtomicU64 = AtomicU64::new(1 << 62);
    NEXT.try_with(Cell::get).unwrap_or_else(|_| FAR.fetch_add(TURN << 32, Ordering::Relaxed))
}

/// The last turn of an awaiter that goes.
pub(super) fn turns_end(turn: u64) {
    let _ = NEXT.try_with(|next| next.set(next.get().max(turn + TURN)));
}

/// The body that this code is called in.
#[derive(Clone, Copy)]
struct Here;

impl Place for Here {
    #[inline(always)]
    unsafe fn find(&self) -> Option<&Awaiter> {
        // SAFETY: one that is named is in a frame of a body that runs (invariants 13 and 33). Code that does not poll is left for
        // good, or goes on inside of the same body.
        unsafe { current().as_ref() }
    }
}

/// Suspends the [`stackful`](super::stackful) body or the [task](crate::task) that this is called in, at any depth, until `future`
/// is ready, and returns what it returns. Of a body in a task, or a runtime in a body, it is the inner one that is suspended.
///
/// It is [`Awaiter::await_`] for code that has not been handed the awaiter: implementations of `Read`, callbacks,
/// functions below somebody else's synchronous library. It finds the body by a thread-local that is set while the body
/// runs; in a plain coroutine that a body resumes, the body is suspended, and the coroutine with it.
///
/// A task is woken by any thread, at any time. It allocates nothing to wait. A future that is ready at once suspends nothing.
///
/// # Errors
///
/// [`Cancelled`]: `future` was dropped before it was ready, because the body's future is being dropped, or because the task, or the
/// part of it that waits, is cancelled. `?` makes an [`io::Error`](std::io::Error) of it where one is wanted.
///
/// # Panics
///
/// When `future` does; outside of any body and task, where [`try_await`] hands the future back instead; and in a body as
/// [`Awaiter::await_`].
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncRead, AsyncReadExt, future};
/// use std::io::{self, Read};
/// use switchback::{await_, stackful};
///
/// /// An async reader as a blocking one.
/// struct Blocking<R>(R);
///
/// impl<R: AsyncRead + Unpin> Read for Blocking<R> {
///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
///         await_(self.0.read(buffer))?
///     }
/// }
///
/// // `read_to_string` is std's, and knows nothing of futures.
/// let text = future::block_on(stackful(|_| io::read_to_string(Blocking(&b"from afar"[..]))))?;
/// assert_eq!(text, "from afar");
/// // And in a task:
/// let text = switchback::run(|| io::read_to_string(Blocking(&b"from afar"[..])))?;
/// assert_eq!(text, "from afar");
/// # Ok::<(), io::Error>(())
/// ```
#[inline(always)]
#[track_caller]
pub fn await_<F: IntoFuture>(future: F) -> Result<F::Output, Cancelled> {
    match try_await(future) {
        Ok(output) => Ok(output),
        Err(AwaitError::Cancelled(cancelled)) => Err(cancelled),
        Err(AwaitError::Outside(_)) => Err(outside()),
    }
}

/// [`await_`] that hands the future back where there is nothing to suspend.
///
/// # Errors
///
/// - [`AwaitError::Outside`]: this is not inside of a body or a task. The future has not been polled;
/// - [`AwaitError::Cancelled`]: as [`await_`].
///
/// # Panics
///
/// As [`await_`], but for those outside.
///
/// # Examples
///
/// Code that works in a body, in a task and in a plain thread:
///
/// ```
/// use futures_lite::future::{block_on, yield_now};
/// use switchback::{Cancelled, future::{AwaitError, try_await}};
///
/// fn pause() -> Result<(), Cancelled> {
///     match try_await(yield_now()) {
///         Ok(()) => Ok(()),
///         Err(AwaitError::Outside(future)) => Ok(block_on(future)),
///         Err(AwaitError::Cancelled(cancelled)) => Err(cancelled),
///         Err(other) => unreachable!("{other}"),
///     }
/// }
///
/// assert_eq!(pause(), Ok(()));
/// assert_eq!(block_on(switchback::stackful(|_| pause())), Ok(()));
/// ```
#[inline(always)]
pub fn try_await<F: IntoFuture>(future: F) -> Result<F::Output, AwaitError<F>> {
    if current().is_null() && !is_in_task() {
        core::hint::cold_path();
        return Err(AwaitError::Outside(future));
    }
    let mut future = pin!(future.into_future());
    let awaited = match drive(Here, future.as_mut()) {
        Some(awaited) => awaited,
        None => in_task(future),
    };
    awaited.map_err(AwaitError::Cancelled)
}

/// Where no body runs: waits in the task, or, if a poll takes this code into a body, in that.
#[inline(never)]
fn in_task<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Cancelled> {
    while is_in_task() {
        let mut output = None;
        let waited = wait_in_task(&mut |cx| match future.as_mut().poll(cx) {
            Poll::Ready(ready) => {
                output = Some(ready);
                ControlFlow::Break(())
            }
            Poll::Pending if !current().is_null() => ControlFlow::Break(()),
            Poll::Pending => ControlFlow::Continue(()),
        });
        if let Some(output) = output {
            return Ok(output);
        }
        if let Some(Err(cancelled)) = waited {
            return Err(cancelled);
        }
        if let Some(awaited) = drive(Here, future.as_mut()) {
            return awaited;
        }
    }
    Err(Cancelled::alone(CancelReason::Outside))
}

/// [`Awaiter::await_or_unwind`] for code that has not been handed the awaiter.
///
/// In a plain coroutine that a body resumes, the coroutine is unwound too, and what is between the two. In a task that is cancelled,
/// the task's stack unwinds with the [`Cancelled`] for the payload: to whoever waits for it, it has panicked. With `panic=abort` a task
/// waits on, as in a [`shield`](crate::task::shield).
///
/// # Panics
///
/// To unwind, as said. Outside of any body and task. And as [`Awaiter::await_or_unwind`].
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, yield_now};
/// use switchback::{Generator, future::await_or_unwind, stackful};
///
/// let slow = || Generator::new(|y| {
///     for i in 1..=4 {
///         await_or_unwind(yield_now());
///         y.yield_(i)?;
///     }
///     Ok(())
/// });
/// assert_eq!(block_on(stackful(move |_| slow().sum::<i32>())), 10);
/// ```
#[inline(always)]
#[track_caller]
pub fn await_or_unwind<F: IntoFuture>(future: F) -> F::Output {
    let cannot_leave = cfg!(not(panic = "unwind")) && current().is_null() && is_in_task();
    let awaited = if cannot_leave { await_on(future) } else { await_(future) };
    match awaited {
        Ok(output) => output,
        Err(cancelled) => unwind(cancelled),
    }
}

/// [`await_`] that no cancellation of a task reaches: where it cannot unwind, that would end the process.
#[inline(never)]
fn await_on<F: IntoFuture>(future: F) -> Result<F::Output, Cancelled> {
    let (mut future, mut awaited) = (Some(future), None);
    shield_in_task(&mut || awaited = future.take().map(await_));
    match awaited {
        Some(awaited) => awaited,
        None => unreachable!("it was called"),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn unwind(cancelled: Cancelled) -> ! {
    // SAFETY: nothing is polled.
    match unsafe { Here.find() } {
        Some(awaiter) => awaiter.unwind(cancelled),
        None if is_in_task() && !thread::panicking() && *cancelled.reason() != CancelReason::Outside => {
            panic::resume_unwind(Box::new(cancelled))
        }
        None => panic!("await_or_unwind cannot wait here: {cancelled}"),
    }
}

/// What an await outside of any body and task comes to.
#[cold]
#[inline(never)]
#[track_caller]
fn outside() -> Cancelled {
    // A second panic would end the process.
    if thread::panicking() {
        return Cancelled::alone(CancelReason::Outside);
    }
    panic!("{OUTSIDE}")
}
