//! The body's side: what it waits with, and whose the wakers are.

use super::current;
use super::drive::drive;
use super::message::{Inner, Lent, Signal};
use crate::cancelled::{CancelReason, Cancelled};
use crate::coroutine::{Misuse, Thrown};
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::task::Waker;
use std::thread;

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
    /// The body's own waker, which wakes the same task as `lent`, if the mark says that it is here. Nobody borrows it: whoever
    /// polls moves it out.
    waker: UnsafeCell<MaybeUninit<Waker>>,
    /// How many times the body has been woken, in [`TURN`]s, and whether `waker` is here: 0, [`OUT`] or [`EMPTY`]. With the
    /// awaiter's address the count is never the same twice on a thread.
    mark: Cell<u64>,
    /// The mark's first turn. Leases with lower marks are of another awaiter, which was at this address before.
    first: u64,
    /// How many awaits have been refused since the exit, from 1 on; 0 before it.
    refused: Cell<u32>,
    /// Whose body has been interrupted by this one's running (invariant 13).
    before: Cell<*const Awaiter>,
}

/// In a mark: one lease has the waker, bit by bit what is still here. Only that lease ends this state; if it is lost, nobody
/// does, and each await has a clone of its own from then on.
const OUT: u64 = 1;
/// In a mark: there is no waker, and what is here may be overwritten.
const EMPTY: u64 = 2;
/// In the mark of a lease instead of [`OUT`]: its waker is another one.
const OTHER: u64 = 3;
/// The part of a mark that is one of these, or 0.
const STATE: u64 = 3;
/// What a mark grows by when the body is woken.
pub(super) const TURN: u64 = 4;

/// Where a waker comes from that an await polls with and owns. Nested awaits have a waker each: what a poll was given must
/// stay in place until the poll returns, whatever wakers come meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    /// Whose it is. No pointer to follow: the awaiter may be gone by the time that a poll returns.
    of: *const Awaiter,
    /// The awaiter's mark, as long as nothing has happened to that.
    mark: u64,
}

impl Awaiter {
    /// Waits for the first poll, then runs `body`.
    ///
    /// # Errors
    ///
    /// When there will be none: the coroutine is dropped.
    pub(super) fn within<R>(yielder: &Inner, body: impl FnOnce(&Awaiter) -> R) -> Result<R, Thrown> {
        let first = current::first_turn();
        let awaiter = Awaiter {
            yielder: NonNull::from(yielder),
            lent: Cell::new(Lent::new(Waker::noop())),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            mark: Cell::new(first | EMPTY),
            first,
            refused: Cell::new(0),
            before: Cell::new(ptr::null()),
        };
        awaiter.lent.set(yielder.yield_(Signal::PENDING)?);
        awaiter.before.set(current::replace(&awaiter));
        let _running = Running(&awaiter);
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

    /// A waker to poll with.
    #[inline(always)]
    pub(super) fn lease(&self) -> Result<(Waker, Lease), Cancelled> {
        let mark = self.mark.get();
        if mark & STATE != 0 {
            core::hint::cold_path();
            return Ok((self.lend()?, Lease { of: self, mark: mark | OTHER }));
        }
        let lease = Lease { of: self, mark: mark | OUT };
        self.mark.set(lease.mark);
        // SAFETY: it was here, and so it is moved out once (invariant 16).
        Ok((unsafe { self.waker.get().read().assume_init() }, lease))
    }

    /// A waker for the first await of a body, for one inside of a poll of another, and none for those after the exit.
    #[cold]
    #[inline(never)]
    fn lend(&self) -> Result<Waker, Cancelled> {
        let refused = self.refused.get();
        if refused == 0 {
            // SAFETY: the body runs, and has not been asked to leave, so the poll that lends the waker goes on (invariant 14).
            return Ok(unsafe { self.lent.get().waker() }.clone());
        }
        if refused > PATIENCE && !thread::panicking() {
            // An answer to the exit that is none: what comes back is an unwind, or nothing.
            let _ = self.yield_(Signal::PENDING);
        }
        self.refused.set(refused.saturating_add(1));
        Err(Cancelled::alone(CancelReason::Dropped))
    }

    /// Whether nothing has happened to this awaiter since the lease was given.
    #[inline(always)]
    fn is_as_leased(&self, lease: Lease) -> bool {
        ptr::eq(lease.of, self) && lease.mark == self.mark.get()
    }

    /// Whether the body has not been woken since.
    fn is_newest(&self, lease: Lease) -> bool {
        ptr::eq(lease.of, self) && lease.mark / TURN == self.mark.get() / TURN
    }

    /// Keeps the waker for the next await, if it is of any use for that. Then it is no longer the caller's.
    #[inline(always)]
    pub(super) fn keep(&self, waker: &Waker, lease: Lease) -> bool {
        if !self.is_as_leased(lease) {
            core::hint::cold_path();
            return self.is_newest(lease) && self.keep_other(waker);
        }
        // What has been moved out is still here, bit by bit (invariant 16).
        self.mark.set(lease.mark & !OUT);
        true
    }

    /// The waker is another one than what was here.
    #[cold]
    #[inline(never)]
    fn keep_other(&self, waker: &Waker) -> bool {
        let keeps = self.mark.get() & STATE == EMPTY && !self.is_cancelled();
        if keeps {
            // SAFETY: nobody owns or borrows what is here (invariant 16), and the caller does not use the waker any more.
            unsafe { (*self.waker.get()).write(ptr::read(waker)) };
            self.mark.set(self.mark.get() & !EMPTY);
        }
        keeps
    }

    /// Moves the body's own waker out, if it is here.
    fn take(&self) -> Option<Waker> {
        let mark = self.mark.get();
        if mark & STATE != 0 {
            return None;
        }
        self.mark.set(mark | EMPTY);
        // SAFETY: as in `lease`.
        Some(unsafe { self.waker.get().read().assume_init() })
    }

    /// Takes note that the lease's waker is not going to come back.
    #[cold]
    fn forget(&self, lease: Lease) {
        if ptr::eq(lease.of, self) && lease.mark >= self.first && lease.mark & STATE == OUT {
            self.mark.set(self.mark.get() & !OUT | EMPTY);
        }
    }

    /// Suspends the body until the next poll. Not if it has been suspended since the lease was given: a future that was
    /// polled with an old waker has to be polled with the new one first, or nobody will hear when it is ready; and what it
    /// waits for may have come meanwhile, and have woken somebody else.
    // What is dropped in here may call anything, and suspend the body itself: it is dropped before the lease is looked at.
    #[inline(always)]
    pub(super) fn suspend(&self, waker: &mut Waker, lease: &mut Lease) -> Result<(), Cancelled> {
        if !self.is_as_leased(*lease) {
            core::hint::cold_path();
            // A nested await may have left its waker here, which would be an old one by the next turn.
            drop(self.take());
            if !self.is_newest(*lease) {
                self.forget(*lease);
                (*waker, *lease) = self.lease()?;
                return Ok(());
            }
        }
        let lent = self.exchange(Signal::PENDING)?;
        lease.mark += TURN;
        // SAFETY: it has just come (invariant 14).
        let lent = unsafe { lent.waker() };
        if !waker.will_wake(lent) {
            core::hint::cold_path();
            self.forget(*lease);
            lease.mark |= OTHER;
            *waker = lent.clone();
        }
        Ok(())
    }

    /// Suspends the body until the next poll, with something for whoever polls.
    #[inline(always)]
    pub(super) fn hand_out(&self, signal: Signal) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            core::hint::cold_path();
            return self.lend().map(drop);
        }
        let lent = self.exchange(signal)?;
        if self.mark.get() & STATE == 0 {
            // SAFETY: `lent` has just come (invariant 14); the waker is here, and is borrowed for this call only, which calls
            // nothing.
            let is_old = unsafe { !(*self.waker.get()).assume_init_ref().will_wake(lent.waker()) };
            if is_old {
                core::hint::cold_path();
                drop(self.take());
            }
        }
        Ok(())
    }

    /// Yields. Whatever comes back, be it an unwind, finds this body the current one again.
    #[inline(always)]
    fn yield_(&self, signal: Signal) -> Result<Lent, Thrown> {
        let _away = Away::new(self);
        self.yielder().yield_(signal)
    }

    /// Yields, and takes note of what comes back.
    #[inline(always)]
    fn exchange(&self, signal: Signal) -> Result<Lent, Cancelled> {
        match self.yield_(signal) {
            Ok(lent) => {
                self.lent.set(lent);
                self.mark.set(self.mark.get() + TURN);
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
                self.mark.set(self.mark.get() + TURN);
                drop(self.take());
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
                current::turns_end(self.0.mark.get());
                current::replace(self.0.before.get());
            }
        }
        let last = Last(self.0);
        // It may call anything, and panic. What it awaits is refused.
        last.0.refused.set(last.0.refused.get().max(1));
        drop(last.0.take());
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
