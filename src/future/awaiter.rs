//! The body's side: waiting for a future.

use super::current;
use super::error::{CancelReason, Cancelled};
use crate::coroutine::{Misuse, Thrown, Yielder};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};
use std::thread;

/// What a body is suspended with, and woken by.
pub(super) type Inner = Yielder<Signal, Lent>;

/// What a body yields: null when it waits, or the address of what it hands out (invariant 15).
#[derive(Clone, Copy)]
pub(super) struct Signal(*const ());

impl Signal {
    pub(super) const PENDING: Self = Self(ptr::null());

    pub(super) fn address<T>(of: &T) -> Self {
        Self((&raw const *of).cast())
    }

    #[inline(always)]
    pub(super) fn is_pending(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    pub(super) fn to<T>(self) -> *const T {
        self.0.cast()
    }
}

/// What a body is sent: the waker of the poll that resumes it, which is there as long as that poll (invariant 14).
#[derive(Clone, Copy)]
pub(super) struct Lent(NonNull<Waker>);

impl Lent {
    #[inline(always)]
    pub(super) fn new(waker: &Waker) -> Self {
        Self(NonNull::from(waker))
    }
}

/// After its exit a body is refused this many awaits before it counts as one that ignores the exit. Code that tries again
/// whatever the error is gives up sooner, and a loop that never does is unwound.
const PATIENCE: u32 = 1_000;

/// What a [`stackful`](super::stackful) body waits with: a reference to it is the body's one argument.
///
/// It may be handed to any function that the body calls, and used at any depth. Functions that are not handed it use the
/// free [`await_`](super::await_), which finds it by a thread-local. It cannot leave the body, or its thread.
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, yield_now};
/// use switchback::{Cancelled, stackful};
/// use switchback::future::Awaiter;
///
/// fn deep(cx: &Awaiter, levels: u32) -> Result<u32, Cancelled> {
///     if levels == 0 {
///         cx.await_(yield_now())?; // suspends all levels
///         return Ok(0);
///     }
///     Ok(1 + deep(cx, levels - 1)?)
/// }
///
/// assert_eq!(block_on(stackful(|cx| deep(cx, 100))), Ok(100));
/// ```
pub struct Awaiter {
    yielder: NonNull<Inner>,
    /// The waker of the poll that runs the body now (invariant 14). Of no meaning after the exit.
    lent: Cell<Lent>,
    /// The body's own waker, when no await has it. After the exit it is gone, and nobody gets one.
    waker: Cell<Option<Waker>>,
    /// How many times the body has been woken. With the awaiter's address it is never the same twice on a thread.
    turn: Cell<u64>,
    /// How many awaits have been refused since the exit, from 1 on; 0 before it.
    refused: Cell<u32>,
}

/// A waker, owned by the await that polls with it. Nested awaits have one each: what a poll was given must stay in place
/// until the poll returns, whatever wakers come meanwhile.
pub(super) struct Lease {
    waker: Waker,
    /// Whose it is, and since when. No pointer to follow: the awaiter may be gone by the time that the poll returns.
    of: *const Awaiter,
    turn: u64,
}

impl Awaiter {
    /// Tells its address to whoever has made the coroutine, and waits for the first poll.
    ///
    /// # Errors
    ///
    /// When there will be none: the coroutine is dropped.
    pub(super) fn within<R>(yielder: &Inner, body: impl FnOnce(&Awaiter) -> R) -> Result<R, Thrown> {
        let awaiter = Awaiter {
            yielder: NonNull::from(yielder),
            lent: Cell::new(Lent::new(Waker::noop())),
            waker: Cell::new(None),
            turn: Cell::new(current::first_turn()),
            refused: Cell::new(0),
        };
        awaiter.lent.set(yielder.yield_(Signal::address(&awaiter))?);
        Ok(body(&awaiter))
    }

    /// Suspends the body until `future` is ready, and returns what it returns.
    ///
    /// Whoever polls the body's future gets `Pending` meanwhile, and is woken by `future`. A future that is ready at once
    /// suspends nothing. It is pinned on the body's own stack, so waiting allocates nothing.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: `future` was dropped before it was ready, most often because the body's future is being dropped.
    ///
    /// # Panics
    ///
    /// When `future` does. And when the body's future was dropped and the body goes on awaiting, over and over: a private
    /// panic then unwinds it to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future;
    /// use switchback::stackful;
    ///
    /// let sum = stackful(|cx| {
    ///     let two = cx.await_(future::ready(2))?;
    ///     let three = cx.await_(async { future::yield_now().await; 3 })?;
    ///     Ok::<i32, switchback::Cancelled>(two + three)
    /// });
    /// assert_eq!(future::block_on(sum), Ok(5));
    /// ```
    #[inline(always)]
    pub fn await_<F: IntoFuture>(&self, future: F) -> Result<F::Output, Cancelled> {
        drive(self, future.into_future())
    }

    /// Waits like [`await_`](Self::await_), and returns plainly what the future returns: for places where `?` cannot be
    /// used, such as a comparison function or a callback of somebody else's.
    ///
    /// When the await is cancelled, the stack unwinds up to the body's end. Destructors run on the way, `catch_unwind` sees
    /// the unwind as a panic (with no message printed), and mutexes of std that are held are poisoned. It is no panic: nobody
    /// outside of the body hears of it.
    ///
    /// # Panics
    ///
    /// To unwind, as said: through frames of C that aborts the process. With `panic=abort` nothing can unwind: a body whose
    /// future is dropped while it waits here is leaked. In a destructor that runs because of a panic, a future that is not
    /// ready cannot be waited for, and this panics again, which aborts.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future;
    /// use switchback::stackful;
    ///
    /// let sorted = stackful(|cx| {
    ///     let mut words = ["pear", "fig", "banana"];
    ///     words.sort_by_key(|word| cx.await_or_unwind(async { future::yield_now().await; word.len() }));
    ///     words
    /// });
    /// assert_eq!(future::block_on(sorted), ["fig", "pear", "banana"]);
    /// ```
    #[inline(always)]
    pub fn await_or_unwind<F: IntoFuture>(&self, future: F) -> F::Output {
        match drive(self, future.into_future()) {
            Ok(output) => output,
            Err(cancelled) => self.unwind(cancelled),
        }
    }

    /// Runs `f` on the stack of whoever polls the body's future, and returns what it returns.
    ///
    /// For code that needs more stack than the body has. Nothing can be awaited in there: [`await_`](super::await_) does as
    /// outside of any body. `f` must be `Send` although it stays on this thread, so that it cannot have the awaiter.
    ///
    /// # Panics
    ///
    /// When `f` does, with its payload.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future;
    ///
    /// let text = switchback::stackful(|cx| cx.on_parent_stack(|| format!("{:?}", std::thread::current().id())));
    /// assert!(future::block_on(text).starts_with("ThreadId"));
    /// ```
    pub fn on_parent_stack<T>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.yielder().on_parent_stack(f)
    }

    #[inline(always)]
    fn yielder(&self) -> &Inner {
        // SAFETY: the awaiter is made of the yielder of the body that it is inside of, and goes before it.
        unsafe { self.yielder.as_ref() }
    }

    /// Whether there is somebody to return `Pending` to just now.
    #[inline(always)]
    pub(super) fn can_suspend(&self) -> bool {
        self.yielder().has_consumer()
    }

    /// Whether the body was asked to leave.
    pub(super) fn is_cancelled(&self) -> bool {
        self.refused.get() != 0
    }

    /// The waker to poll with.
    #[inline(always)]
    fn lease(&self) -> Result<Lease, Cancelled> {
        let waker = match self.waker.take() {
            Some(waker) => waker,
            None => {
                core::hint::cold_path();
                self.lease_slow()?
            }
        };
        Ok(Lease { waker, of: self, turn: self.turn.get() })
    }

    /// The first await of a body, one inside of a poll of another, and those after the exit.
    #[cold]
    #[inline(never)]
    fn lease_slow(&self) -> Result<Waker, Cancelled> {
        let refused = self.refused.get();
        if refused == 0 {
            // SAFETY: the body runs, and has not been asked to leave, so the poll that lends the waker goes on (invariant 14).
            return Ok(unsafe { self.lent.get().0.as_ref() }.clone());
        }
        if refused > PATIENCE && !thread::panicking() {
            // An answer to the exit that is none: what comes back is an unwind, or nothing.
            let _ = self.yielder().yield_(Signal::PENDING);
        }
        self.refused.set(refused.saturating_add(1));
        Err(Cancelled::new(CancelReason::Dropped))
    }

    /// Keeps the waker for the next await, unless there is a newer one by now.
    #[inline(always)]
    fn put_back(&self, lease: Lease) {
        if lease.is_newest(self) {
            self.waker.set(Some(lease.waker));
        }
    }

    /// Suspends the body until the next poll. Not if it has been suspended since the lease was given: a future that was
    /// polled with an old waker has to be polled with the new one first, or nobody will hear when it is ready; and what it
    /// waits for may have come meanwhile, and have woken somebody else.
    #[inline(always)]
    fn suspend(&self, mut lease: Lease) -> Result<(), Cancelled> {
        if !lease.is_newest(self) {
            core::hint::cold_path();
            return Ok(());
        }
        let lent = self.exchange(Signal::PENDING)?;
        // SAFETY: it has just come (invariant 14).
        lease.waker.clone_from(unsafe { lent.0.as_ref() });
        self.waker.set(Some(lease.waker));
        Ok(())
    }

    /// Suspends the body until the next poll, with something for whoever polls.
    #[inline(always)]
    pub(super) fn hand_out(&self, signal: Signal) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            core::hint::cold_path();
            return self.lease_slow().map(drop);
        }
        let lent = self.exchange(signal)?;
        if let Some(mut waker) = self.waker.take() {
            // SAFETY: it has just come (invariant 14).
            waker.clone_from(unsafe { lent.0.as_ref() });
            self.waker.set(Some(waker));
        }
        Ok(())
    }

    /// Yields, and takes note of what comes back.
    #[inline(always)]
    fn exchange(&self, signal: Signal) -> Result<Lent, Cancelled> {
        match self.yielder().yield_(signal) {
            Ok(lent) => {
                self.lent.set(lent);
                self.turn.set(self.turn.get() + 1);
                Ok(lent)
            }
            Err(thrown) => Err(self.cancelled(thrown)),
        }
    }

    #[cold]
    #[inline(never)]
    fn cancelled(&self, thrown: Thrown) -> Cancelled {
        Cancelled::new(match thrown {
            Thrown::Exit => {
                self.refused.set(1);
                self.turn.set(self.turn.get() + 1);
                drop(self.waker.take());
                CancelReason::Dropped
            }
            Thrown::Misuse(Misuse::Panicking) => CancelReason::Panicking,
            Thrown::Misuse(_) => CancelReason::Outside,
        })
    }

    /// Unwinds to the body's end because of `cancelled`.
    #[cold]
    #[inline(never)]
    pub(super) fn unwind(&self, cancelled: Cancelled) -> ! {
        if !self.is_cancelled() {
            panic!("await_or_unwind cannot wait here: {cancelled}");
        }
        self.yielder().escape(Thrown::Exit)
    }
}

impl Drop for Awaiter {
    fn drop(&mut self) {
        current::turns_end(self.turn.get());
    }
}

impl Lease {
    #[inline(always)]
    fn is_newest(&self, awaiter: &Awaiter) -> bool {
        ptr::eq(self.of, awaiter) && self.turn == awaiter.turn.get()
    }
}

/// Where an await is to find its awaiter.
pub(super) trait Place {
    /// `None`: there is none.
    fn with<T>(&self, f: impl FnOnce(&Awaiter) -> T) -> Option<T>;
}

impl Place for &Awaiter {
    #[inline(always)]
    fn with<T>(&self, f: impl FnOnce(&Awaiter) -> T) -> Option<T> {
        Some(f(self))
    }
}

/// Polls until the future is ready. Between polls the awaiter is asked for anew: a poll may take this code elsewhere, if a
/// plain coroutine is suspended in the middle of it and resumed inside of another body, or of none.
#[inline(always)]
pub(super) fn drive<F: Future>(place: impl Place, future: F) -> Result<F::Output, Cancelled> {
    let mut future = pin!(future);
    loop {
        let Some(lease) = place.with(Awaiter::lease) else { return Err(Cancelled::new(CancelReason::Outside)) };
        let lease = lease?;
        match future.as_mut().poll(&mut Context::from_waker(&lease.waker)) {
            Poll::Ready(output) => {
                place.with(|awaiter| awaiter.put_back(lease));
                return Ok(output);
            }
            Poll::Pending => match place.with(|awaiter| awaiter.suspend(lease)) {
                Some(suspended) => suspended?,
                None => return Err(Cancelled::new(CancelReason::Outside)),
            },
        }
    }
}

impl fmt::Debug for Awaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaiter").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}
