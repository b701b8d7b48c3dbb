//! The body's side: what it waits with. Whose the wakers are is in `waker.rs`.

use super::current;
use super::drive::drive_here;
use super::message::{Inner, Lent, Signal};
use super::waker::Own;
use crate::cancelled::{CancelReason, Cancelled};
use crate::coroutine::{Misuse, Thrown};
use core::cell::Cell;
use core::fmt;
use core::ptr::{self, NonNull};

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
    own: Own,
    /// How many awaits have been refused since the exit, from 1 on; 0 before it.
    refused: Cell<u32>,
    /// Whose body has been interrupted by this one's running (invariant 13).
    before: Cell<*const Awaiter>,
}

impl Awaiter {
    /// Runs `body`, in the poll that lends this waker.
    pub(super) fn within<R>(yielder: &Inner, lent: Lent, body: impl FnOnce(&Awaiter) -> R) -> R {
        let awaiter = Awaiter {
            yielder: NonNull::from(yielder),
            lent: Cell::new(lent),
            own: Own::new(current::first_turn()),
            refused: Cell::new(0),
            before: Cell::new(ptr::null()),
        };
        awaiter.before.set(current::replace(&awaiter));
        let _running = Running(&awaiter);
        body(&awaiter)
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
        drive_here(self, future.into_future())
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
    /// ready cannot be waited for, and this panics again, which aborts; and so it does, ready or not, in one that runs because of such
    /// an unwind. Destructors should use [`await_`](Self::await_), which is refused then.
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
        match drive_here(self, future.into_future()) {
            Ok(output) => output,
            Err(cancelled) => self.unwind(cancelled),
        }
    }

    /// Runs `f` on the stack of whoever polls the body's future, and returns what it returns.
    ///
    /// For code that needs more stack than the body has. It cannot suspend this body: to [`await_`](super::await_) it is outside,
    /// where the poller is. `f` must be `Send` although it stays on this thread, so that it cannot have the awaiter.
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
        let _away = Away::new(self);
        self.yielder().on_parent_stack(f)
    }

    #[inline(always)]
    fn yielder(&self) -> &Inner {
        // SAFETY: the awaiter is made of the yielder of the body that it is inside of, and goes before it.
        unsafe { self.yielder.as_ref() }
    }

    /// Whether the body was asked to leave.
    pub(super) fn is_cancelled(&self) -> bool {
        self.refused.get() != 0
    }

    /// How many awaits have been refused since the exit, from 1 on; 0 before it.
    pub(super) fn refused(&self) -> u32 {
        self.refused.get()
    }

    /// Counts another one.
    pub(super) fn refuse(&self) {
        self.refused.set(self.refused.get().saturating_add(1));
    }

    /// The body's own waker.
    #[inline(always)]
    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    /// The waker of the poll that runs the body now. Of no meaning after the exit.
    pub(super) fn lent(&self) -> Lent {
        self.lent.get()
    }

    /// Suspends the body until the next poll, with something for whoever polls.
    #[inline(always)]
    pub(super) fn hand_out(&self, signal: Signal) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            core::hint::cold_path();
            return self.lend().map(drop);
        }
        let lent = self.exchange(signal, self.own.turn())?;
        // SAFETY: it has just come (invariant 14).
        unsafe { self.own.check(lent) };
        Ok(())
    }

    /// Yields. Whatever comes back, be it an unwind, finds this body the current one again.
    #[inline(always)]
    pub(super) fn yield_(&self, signal: Signal) -> Result<Lent, Thrown> {
        let _away = Away::new(self);
        self.yielder().yield_(signal)
    }

    /// Yields in this turn, and takes note of what comes back.
    #[inline(always)]
    pub(super) fn exchange(&self, signal: Signal, turn: u64) -> Result<Lent, Cancelled> {
        match self.yield_(signal) {
            Ok(lent) => {
                self.lent.set(lent);
                self.own.turn_after(turn);
                Ok(lent)
            }
            Err(thrown) => Err(self.cancelled(thrown)),
        }
    }

    #[cold]
    #[inline(never)]
    fn cancelled(&self, thrown: Thrown) -> Cancelled {
        Cancelled::alone(match thrown {
            Thrown::Exit => {
                self.refused.set(1);
                self.own.turn_after(self.own.turn());
                drop(self.own.take());
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
        // Where nothing can unwind, this gives control away for good.
        let _away = Away::new(self);
        self.yielder().escape(Thrown::Exit)
    }
}

/// The stretch from a body's first instruction to its last.
struct Running<'a>(&'a Awaiter);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        /// Whatever the waker's destructor does.
        struct Last<'a>(&'a Awaiter);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                current::turns_end(self.0.own.turn());
                current::replace(self.0.before.get());
            }
        }
        let last = Last(self.0);
        // It may call anything, and panic. What it awaits is refused.
        last.0.refused.set(last.0.refused.get().max(1));
        drop(last.0.own.take());
    }
}

/// A stretch in which the body does not run: it has given control away.
struct Away<'a>(&'a Awaiter);

impl<'a> Away<'a> {
    #[inline(always)]
    fn new(awaiter: &'a Awaiter) -> Self {
        current::replace(awaiter.before.get());
        Self(awaiter)
    }
}

impl Drop for Away<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.before.set(current::replace(self.0));
    }
}

impl fmt::Debug for Awaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaiter").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}
