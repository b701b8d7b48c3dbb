//! Synchronous code as a stream.

use super::awaiter::Awaiter;
use super::live::{Life, Live};
use super::message::Signal;
use crate::cancelled::Cancelled;
use crate::coroutine::{Builder, CoroutineState, CreateError};
use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::panic::Location;
use core::task::{Context, Poll};

/// A stream of `Y`s that a function on a stack of its own hands out: made by [`stackful_stream`],
/// [`try_stackful_stream`] and [`Builder::stackful_stream`].
///
/// What [`Stackful`](super::Stackful) says of threads, dropping, forgetting and panics holds here too. After its end, and after a
/// panic, it is an empty stream.
///
/// [`next`](Self::next) and [`poll_next`](Self::poll_next) are all that it takes to use one. With the cargo feature `stream` it
/// implements [`Stream`](https://docs.rs/futures-core/0.3/futures_core/stream/trait.Stream.html) as well; without, an adapter from
/// `poll_fn` makes it one (`futures_lite::stream::poll_fn(move |cx| stream.poll_next(cx))`).
#[must_use = "streams do nothing unless they are polled"]
pub struct StackfulStream<Y, F = fn(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled>> {
    life: Life<Result<(), Cancelled>, F>,
    _types: PhantomData<fn() -> Y>,
}

/// What the body of a stream hands its items out with: a reference to it is the body's second argument.
///
/// Like the [`Awaiter`] it may be handed to any function that the body calls, and cannot leave the body or its thread.
#[repr(transparent)]
pub struct Emitter<Y> {
    awaiter: Awaiter,
    _types: PhantomData<fn(Y)>,
}

/// A stream of what `body` yields, which may [await](Awaiter::await_) in between: an async generator, without colours.
///
/// Nothing happens until it is polled; the first poll takes a stack of the default size. What `body` returns ends the stream,
/// and is dropped: items of type `Result` are the way to tell of failures.
///
/// # Examples
///
/// ```
/// use futures_lite::{AsyncBufReadExt, StreamExt, future::block_on, io::BufReader};
/// use switchback::future::stackful_stream;
///
/// let text = "one two\nthree";
/// let mut words = stackful_stream(move |cx, y| {
///     let mut lines = BufReader::new(text.as_bytes()).lines();
///     while let Some(Ok(line)) = cx.await_(lines.next())? {
///         line.split(' ').try_for_each(|word| y.yield_(word.to_owned()))?;
///     }
///     Ok(())
/// });
/// block_on(async {
///     let mut all = Vec::new();
///     while let Some(word) = words.next().await {
///         all.push(word);
///     }
///     assert_eq!(all, ["one", "two", "three"]);
/// });
/// ```
#[track_caller]
pub fn stackful_stream<Y, F>(body: F) -> StackfulStream<Y, F>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    StackfulStream { life: Life::Fresh { f: body, created_at: Location::caller() }, _types: PhantomData }
}

/// [`stackful_stream`] that takes the stack at once, and returns an error when there is none to be had.
///
/// # Errors
///
/// When the operating system refuses a stack; the error tells which limit was hit, and hands the body back.
///
/// # Examples
///
/// ```
/// use switchback::future::{StackfulStream, try_stackful_stream};
///
/// let mut squares: StackfulStream<i32> = try_stackful_stream(|_, y| (1..4).try_for_each(|i| y.yield_(i * i)))?;
/// futures_lite::future::block_on(async {
///     assert_eq!(squares.next().await, Some(1));
///     assert_eq!(squares.next().await, Some(4));
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn try_stackful_stream<Y, F>(body: F) -> Result<StackfulStream<Y>, CreateError<F>>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    Builder::new().stackful_stream(body)
}

impl Builder {
    /// Makes a stream of what `body` yields: see [`stackful_stream`]. Nothing of it runs yet, but it has its stack.
    ///
    /// # Errors
    ///
    /// As [`generator`](Self::generator).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Builder, future::Emitter};
    ///
    /// let mut one = Builder::new().name("one").stackful_stream(|_, y: &Emitter<i32>| y.yield_(1))?;
    /// assert_eq!(futures_lite::future::block_on(one.next()), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn stackful_stream<Y, F>(self, body: F) -> Result<StackfulStream<Y>, CreateError<F>>
    where
        F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
        Y: 'static,
    {
        let live = Live::new(self, body, with_emitter, Location::caller())?;
        Ok(StackfulStream { life: Life::Live(live), _types: PhantomData })
    }
}

/// The body, as one that has an awaiter only.
fn with_emitter<Y, F>(body: F) -> impl FnOnce(&Awaiter) -> Result<(), Cancelled> + 'static
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    move |awaiter| body(awaiter, Emitter::of(awaiter))
}

impl<Y> Emitter<Y> {
    /// The emitter that is `awaiter`. That its stream is one of Ys is up to the caller.
    #[inline(always)]
    fn of(awaiter: &Awaiter) -> &Self {
        // SAFETY: it is transparent over an awaiter.
        unsafe { &*(&raw const *awaiter).cast() }
    }

    /// Suspends the body: hands `item` to whoever polls the stream.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: the stream is being dropped; or it cannot be suspended just now. `item` has been dropped, unless the
    /// stream was dropped after it had handed it out.
    ///
    /// # Panics
    ///
    /// When the stream was dropped and the body goes on yielding, over and over: a private panic then unwinds it to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut pair = switchback::future::stackful_stream(|_, y| { y.yield_("a")?; y.yield_("b") });
    /// futures_lite::future::block_on(async {
    ///     assert_eq!(pair.next().await, Some("a"));
    ///     assert_eq!(pair.next().await, Some("b"));
    ///     assert_eq!(pair.next().await, None);
    /// });
    /// ```
    #[inline(always)]
    pub fn yield_(&self, item: Y) -> Result<(), Cancelled> {
        let item = Cell::new(Some(item));
        self.awaiter.hand_out(Signal::address(&item))
    }
}

impl<Y, F> StackfulStream<Y, F>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    /// Attempts to get the next item: `Ready(None)` is the end.
    ///
    /// # Panics
    ///
    /// When the body does, with its payload; and when there is no stack to be had.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use switchback::future::stackful_stream;
    ///
    /// let mut numbers = stackful_stream(|_, y| (0..10).try_for_each(|i| y.yield_(i)));
    /// // As a stream for the combinators of others.
    /// let even = futures_lite::stream::poll_fn(move |cx| numbers.poll_next(cx)).filter(|i| i % 2 == 0);
    /// assert_eq!(futures_lite::future::block_on(even.collect::<Vec<u32>>()), [0, 2, 4, 6, 8]);
    /// ```
    #[inline(always)]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Y>> {
        let step = match &mut self.life {
            Life::Live(live) => live.resume(cx.waker()),
            other => match other.start(with_emitter, cx.waker()) {
                Some(step) => step,
                None => return Poll::Ready(None),
            },
        };
        match step {
            Ok(CoroutineState::Yielded(signal)) if signal.is_pending() => Poll::Pending,
            // SAFETY: the body hands out what the emitter of a stream of Ys has put in a cell, which stays in place until the
            // body is resumed (invariant 15).
            Ok(CoroutineState::Yielded(signal)) => Poll::Ready(unsafe { &*signal.to::<Cell<Option<Y>>>() }.take()),
            Ok(CoroutineState::Complete(_)) | Err(_) => {
                core::hint::cold_path();
                self.life = Life::Over;
                Poll::Ready(None)
            }
        }
    }

    /// The next item, or `None` at the end. Cancel safe: an item that was not handed out stays in the stream.
    ///
    /// # Panics
    ///
    /// As [`poll_next`](Self::poll_next).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::{block_on, yield_now};
    ///
    /// let mut ticks = switchback::future::stackful_stream(|cx, y| {
    ///     cx.await_(yield_now())?;
    ///     y.yield_("tick")
    /// });
    /// assert_eq!(block_on(ticks.next()), Some("tick"));
    /// assert_eq!(block_on(ticks.next()), None);
    /// ```
    pub async fn next(&mut self) -> Option<Y> {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl<Y, F> Unpin for StackfulStream<Y, F> {}

#[cfg(feature = "stream")]
impl<Y, F> futures_core::Stream for StackfulStream<Y, F>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    type Item = Y;

    #[inline(always)]
    fn poll_next(self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Y>> {
        Self::poll_next(self.get_mut(), cx)
    }
}

#[cfg(feature = "stream")]
impl<Y, F> futures_core::stream::FusedStream for StackfulStream<Y, F>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
    Y: 'static,
{
    fn is_terminated(&self) -> bool {
        matches!(self.life, Life::Over)
    }
}

impl<Y> fmt::Debug for Emitter<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Emitter").field(&self.awaiter).finish()
    }
}

impl<Y, F> fmt::Debug for StackfulStream<Y, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.life.debug("StackfulStream", f)
    }
}
