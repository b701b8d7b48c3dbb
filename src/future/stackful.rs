//! Synchronous code as a future.
#![forbid(unsafe_code)]

use super::awaiter::Awaiter;
use super::live::{Life, Live, Step};
use crate::coroutine::{Builder, CoroutineState, CreateError};
use core::convert::identity;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A future that runs a function on a stack of its own: made by [`stackful`], [`try_stackful`] and [`Builder::stackful`].
///
/// It works under any executor that does not want to move it to another thread: it is not `Send`. (For those that do there
/// is [`stackful_on`](super::stackful_on).) It may be moved between polls, as its frames are elsewhere.
///
/// Dropping it when it has begun closes it: the await that it is suspended in returns [`Cancelled`](crate::Cancelled), and so do
/// all that follow; destructors run as `?` leads out. A body that awaits on and on all the same is unwound by a private panic,
/// and one that stops that too is leaked, with its stack, and [reported](crate::set_report_hook), as a
/// [`Coroutine`](crate::Coroutine) is. Forgetting it leaks the stack and what is on it.
///
/// `F` is the type of a body that has not begun. Those that have taken their stack already are plain `Stackful<T>`s.
///
/// # Panics
///
/// A poll panics when the body does, with its payload; when there is no stack to be had; and after the future has
/// completed or panicked.
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Stackful<T, F = fn(&Awaiter) -> T> {
    life: Life<T, F>,
}

/// A future that runs `body` on a stack of its own: synchronous code, any function of which may [await](Awaiter::await_).
///
/// Nothing happens until it is polled; the first poll takes a stack of the default size.
///
/// A body must not await inside code of others that counts on thread-locals being restored in the order in which they were set
/// (`scoped-tls`, the "current executor" guards of a nested `block_on`): see [`Coroutine`](crate::Coroutine).
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, yield_now, zip};
/// use switchback::{await_, stackful};
///
/// /// Knows nothing of futures.
/// fn fold(items: impl Iterator<Item = u32>) -> u32 {
///     items.sum()
/// }
///
/// /// Awaits below it.
/// fn slow(x: &u32) -> u32 {
///     await_(async { yield_now().await; x * 10 }).expect("nobody drops this")
/// }
///
/// let one = stackful(|_| fold([1, 2, 3].iter().map(slow)));
/// let other = stackful(|_| fold([4, 5, 6].iter().map(slow)));
/// assert_eq!(block_on(zip(one, other)), (60, 150)); // in turn
/// ```
#[track_caller]
pub fn stackful<T, F>(body: F) -> Stackful<T, F>
where
    F: FnOnce(&Awaiter) -> T + 'static,
    T: 'static,
{
    Stackful::fresh(body, Location::caller())
}

/// [`stackful`] that takes the stack at once, and returns an error when there is none to be had.
///
/// # Errors
///
/// When the operating system refuses a stack; the error tells which limit was hit, and hands the body back.
///
/// # Examples
///
/// ```
/// use switchback::future::{Stackful, try_stackful};
///
/// let two: Stackful<i32> = try_stackful(|_| 1 + 1)?;
/// assert_eq!(futures_lite::future::block_on(two), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn try_stackful<T, F>(body: F) -> Result<Stackful<T>, CreateError<F>>
where
    F: FnOnce(&Awaiter) -> T + 'static,
    T: 'static,
{
    Builder::new().stackful(body)
}

impl Builder {
    /// Makes a future that runs `body` on a stack of its own: see [`stackful`]. Nothing of it runs yet, but it has its stack.
    ///
    /// # Errors
    ///
    /// As [`generator`](Self::generator).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Builder;
    ///
    /// let deep = Builder::new().name("deep").stack_size(4 << 20).stackful(|cx| cx.await_(std::future::ready(1)))?;
    /// assert_eq!(futures_lite::future::block_on(deep), Ok(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn stackful<T, F>(self, body: F) -> Result<Stackful<T>, CreateError<F>>
    where
        F: FnOnce(&Awaiter) -> T + 'static,
        T: 'static,
    {
        Ok(Stackful { life: Life::Live(Live::new(self, body, identity, Location::caller())?) })
    }
}

impl<T, F> Stackful<T, F> {
    pub(super) fn fresh(body: F, created_at: &'static Location<'static>) -> Self {
        Self { life: Life::Fresh { f: body, created_at } }
    }
}

impl<T, F> Stackful<T, F>
where
    F: FnOnce(&Awaiter) -> T + 'static,
    T: 'static,
{
    /// The first poll, or one after the end.
    #[cold]
    #[inline(never)]
    fn first(&mut self, waker: &Waker) -> Poll<T> {
        let step = self.life.start(identity, waker).unwrap_or_else(|| over());
        self.settle(step)
    }

    #[inline(always)]
    fn settle(&mut self, step: Step<T>) -> Poll<T> {
        match step {
            Ok(CoroutineState::Yielded(_)) => Poll::Pending,
            Ok(CoroutineState::Complete(value)) => {
                core::hint::cold_path();
                self.life = Life::Over;
                Poll::Ready(value)
            }
            Err(error) => failed(&error),
        }
    }
}

impl<T, F> Unpin for Stackful<T, F> {}

impl<T, F> Future for Stackful<T, F>
where
    F: FnOnce(&Awaiter) -> T + 'static,
    T: 'static,
{
    type Output = T;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        let Life::Live(live) = &mut this.life else { return this.first(cx.waker()) };
        let step = live.resume(cx.waker());
        this.settle(step)
    }
}

#[cold]
#[inline(never)]
fn over() -> ! {
    panic!("a stackful future was polled after it had completed")
}

#[cold]
#[inline(never)]
fn failed(error: &dyn fmt::Display) -> ! {
    panic!("a stackful future was polled after it had panicked, or has left its body in a strange way: {error}")
}

impl<T, F> fmt::Debug for Stackful<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.life.debug("Stackful", f)
    }
}
