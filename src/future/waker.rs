//! The body's own waker: who polls with it, and when it is an old one.
//!
//! An await polls with a waker that stays in place until the poll returns, whatever wakers come meanwhile. There are two ways:
//!
//! - an await by the awaiter *borrows* the body's own waker where it is: it borrows the awaiter as well, so neither goes
//!   before the poll returns. Nested awaits find the waker out, and have one each;
//! - the free `await_` may be carried to another body in the midst of a poll, and the awaiter may go meanwhile. So it *leases* the
//!   waker: moves it out, bit by bit, and back.

use super::awaiter::Awaiter;
use super::message::{Lent, Signal};
use crate::cancelled::{CancelReason, Cancelled};
use core::cell::{Cell, UnsafeCell};
use core::mem::{self, MaybeUninit};
use core::ptr;
use core::task::{Context, Waker};
use std::thread;

/// After its exit a body is refused this many awaits before it counts as one that ignores the exit. Code that tries again
/// whatever the error is gives up sooner, and a loop that never does is unwound.
const PATIENCE: u32 = 1_000;

/// What a turn grows by when the body is woken.
pub(super) const TURN: u64 = 2;
/// In the turn of a lease: its waker is not the body's own.
const OTHER: u64 = 1;

/// A body's own waker (invariant 16).
pub(super) struct Own {
    /// How many times the body has been woken, in [`TURN`]s. With the awaiter's address it is never the same twice on a thread.
    turn: Cell<u64>,
    /// The first turn. Leases with lower ones are of another awaiter, which was at this address before.
    first: u64,
    // Apart from the turn: to write it takes no read.
    state: Cell<State>,
    kept: UnsafeCell<MaybeUninit<Kept>>,
}

/// Of a body's own waker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The waker is here, wakes what `lent` does, and nobody polls with it.
    Here,
    /// One await polls with the waker, and nobody else touches what is here. Only that await ends this state; if it is lost,
    /// nobody does, and each await has a clone of its own from then on.
    Out,
    /// There is no waker, and what is here may be overwritten.
    Empty,
}

struct Kept {
    waker: Waker,
    /// Borrows the waker.
    context: Context<'static>,
}

impl Own {
    pub(super) fn new(first: u64) -> Self {
        let (turn, state) = (Cell::new(first), Cell::new(State::Empty));
        Self { turn, first, state, kept: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[inline(always)]
    pub(super) fn turn(&self) -> u64 {
        self.turn.get()
    }

    /// The body has been woken; before that the turn was `last`.
    #[inline(always)]
    pub(super) fn turn_after(&self, last: u64) {
        debug_assert_eq!(self.turn.get(), last);
        self.turn.set(last + TURN);
    }

    #[inline(always)]
    fn waker(&self) -> *mut Waker {
        // SAFETY: no reference is made, and the field is inside of what is pointed to.
        unsafe { &raw mut (*self.kept.get().cast::<Kept>()).waker }
    }

    #[inline(always)]
    fn context(&self) -> *mut Context<'static> {
        // SAFETY: as above.
        unsafe { &raw mut (*self.kept.get().cast::<Kept>()).context }
    }

    /// Puts a waker here.
    ///
    /// # Safety
    ///
    /// What is here may be overwritten.
    unsafe fn put(&self, waker: Waker) {
        // SAFETY: by this function's contract; the waker is neither moved nor dropped while the context is used (invariant 16).
        unsafe {
            self.waker().write(waker);
            self.context().write(Context::from_waker(&*self.waker()));
        }
    }

    /// Whether what is polled with the context wakes what `lent` does.
    ///
    /// Whoever was polled with it may have put another context in its place, so the context is asked and not the waker: then it is
    /// made anew when the body is woken, as the executor's is for each poll.
    ///
    /// # Safety
    ///
    /// There is a waker, nobody polls with it, and the poll that has lent the other one goes on.
    #[inline(always)]
    unsafe fn would_wake(&self, lent: Lent) -> bool {
        // SAFETY: by this function's contract the context is there, and `lent`. It borrows either the waker beside it, which stays
        // until it is replaced together with the context, or another that lives for ever, as the context says so. Both are
        // borrowed for this call only, which calls nothing.
        unsafe { (*self.context()).waker().will_wake(lent.waker()) }
    }

    /// Puts a waker in the place of the one that is here, which is dropped: that may call anything, and suspend the body.
    ///
    /// # Safety
    ///
    /// It is out, and who has it does not poll.
    unsafe fn exchange(&self, waker: Waker) {
        // SAFETY: by this function's contract nobody else uses what is here.
        let old = unsafe {
            let old = self.waker().read();
            self.put(waker);
            old
        };
        drop(old);
    }

    /// [`exchange`](Self::exchange) for a clone.
    ///
    /// # Safety
    ///
    /// Likewise, and the poll with this waker goes on.
    #[cold]
    #[inline(never)]
    unsafe fn replace(&self, lent: Lent) {
        // SAFETY: by this function's contract.
        unsafe { self.exchange(lent.waker().clone()) };
    }

    /// Moves the waker out, if it is here.
    pub(super) fn take(&self) -> Option<Waker> {
        if self.state.get() != State::Here {
            return None;
        }
        self.state.set(State::Empty);
        // SAFETY: it was here, and so it is moved out once (invariant 16).
        Some(unsafe { self.waker().read() })
    }

    /// The body was woken, by a poll with this waker, and no await waits: keeps the waker that is here if it wakes the same
    /// task.
    ///
    /// # Safety
    ///
    /// The poll goes on.
    #[inline(always)]
    pub(super) unsafe fn check(&self, lent: Lent) {
        // SAFETY: the waker is here, nobody polls with it, and `lent` is there by this function's contract.
        if self.state.get() == State::Here && unsafe { !self.would_wake(lent) } {
            core::hint::cold_path();
            drop(self.take());
        }
    }
}

/// The body's own waker, borrowed to poll with.
pub(super) struct Borrowed<'a> {
    awaiter: &'a Awaiter,
    /// The turn, unless the body was woken in the midst of a poll.
    turn: u64,
}

impl<'a> Borrowed<'a> {
    /// Borrows it, if nobody else has.
    ///
    /// # Errors
    ///
    /// When the body was asked to leave.
    #[inline(always)]
    pub(super) fn new(awaiter: &'a Awaiter) -> Result<Option<Self>, Cancelled> {
        let own = awaiter.own();
        if own.state.get() != State::Here {
            core::hint::cold_path();
            if !Self::fill(awaiter)? {
                return Ok(None);
            }
        }
        own.state.set(State::Out);
        Ok(Some(Self { awaiter, turn: own.turn() }))
    }

    /// Makes a waker if there is none. False if somebody has it.
    #[inline(never)]
    fn fill(awaiter: &Awaiter) -> Result<bool, Cancelled> {
        let own = awaiter.own();
        if own.state.get() != State::Empty {
            return Ok(false);
        }
        let waker = if awaiter.is_cancelled() { awaiter.lend()? } else { awaiter.clone_lent() };
        own.state.set(State::Here);
        // SAFETY: it was empty.
        unsafe { own.put(waker) };
        Ok(true)
    }

    /// What to poll with.
    #[inline(always)]
    pub(super) fn context(&mut self) -> &mut Context<'static> {
        // SAFETY: it was made with the waker, and nobody else uses either while it is out (invariant 16).
        unsafe { &mut *self.awaiter.own().context() }
    }

    /// Whether the body has been woken in the midst of the last poll. Then the future has to be polled with the
    /// [new waker](Self::catch_up) before the body may suspend, as in [`Awaiter::suspend`].
    #[inline(always)]
    pub(super) fn is_old(&self) -> bool {
        self.awaiter.own().turn() != self.turn
    }

    /// Suspends the body until the next poll.
    #[inline(always)]
    pub(super) fn suspend(&mut self) -> Result<(), Cancelled> {
        let own = self.awaiter.own();
        let lent = self.awaiter.exchange(Signal::PENDING, self.turn)?;
        // SAFETY: `lent` has just come (invariant 14); the waker is here, and no poll goes on.
        unsafe {
            if !own.would_wake(lent) {
                core::hint::cold_path();
                own.replace(lent);
            }
        }
        // Not before: if the clone panics, what is here is an old one, and is given up.
        self.turn += TURN;
        Ok(())
    }

    /// Takes the newest waker. (Of this one no address is given away, so that it stays in registers.)
    #[inline(always)]
    pub(super) fn catch_up(&mut self) -> Result<(), Cancelled> {
        self.turn = Self::newest(self.awaiter)?;
        Ok(())
    }

    /// Takes the newest waker, and returns the turn of which it is.
    #[cold]
    #[inline(never)]
    fn newest(awaiter: &Awaiter) -> Result<u64, Cancelled> {
        // After the exit it returns none.
        let waker = awaiter.lend()?;
        let turn = awaiter.own().turn();
        // SAFETY: the waker is out, and who has it does not poll.
        unsafe { awaiter.own().exchange(waker) };
        Ok(turn)
    }

    /// The body was woken in the midst of the last poll, or no newer waker could be had: this one is old.
    #[cold]
    #[inline(never)]
    fn give_up(own: &Own) {
        own.state.set(State::Empty);
        // SAFETY: it was out, and this is who has had it. It is moved out once, and then dropped, which may call anything.
        drop(unsafe { own.waker().read() });
    }
}

impl Drop for Borrowed<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let own = self.awaiter.own();
        if own.turn() == self.turn {
            own.state.set(State::Here);
        } else {
            core::hint::cold_path();
            Self::give_up(own);
        }
    }
}

/// Where a waker comes from that an await polls with and owns.
#[derive(Clone, Copy)]
pub(super) struct Lease {
    /// Whose it is. No pointer to follow: the awaiter may be gone by the time that a poll returns.
    of: *const Awaiter,
    /// The awaiter's turn, as long as it has not been woken, and [`OTHER`] if the waker is not its own.
    turn: u64,
}

impl Awaiter {
    /// A waker to poll with.
    #[inline(always)]
    pub(super) fn lease(&self) -> Result<(Waker, Lease), Cancelled> {
        let own = self.own();
        let turn = own.turn();
        if own.state.get() != State::Here {
            core::hint::cold_path();
            return Ok((self.lend()?, Lease { of: self, turn: turn | OTHER }));
        }
        own.state.set(State::Out);
        let lease = Lease { of: self, turn };
        // SAFETY: it was here, and so it is moved out once (invariant 16).
        Ok((unsafe { own.waker().read() }, lease))
    }

    /// A clone of the newest waker. Not after the exit.
    #[inline(always)]
    fn clone_lent(&self) -> Waker {
        debug_assert!(!self.is_cancelled());
        // SAFETY: the body runs, and has not been asked to leave, so the poll that lends the waker goes on (invariant 14).
        unsafe { self.lent().waker() }.clone()
    }

    /// A waker for the first await of a body, for one inside of a poll of another, and none for those after the exit.
    #[cold]
    #[inline(never)]
    pub(super) fn lend(&self) -> Result<Waker, Cancelled> {
        let refused = self.refused();
        if refused == 0 {
            return Ok(self.clone_lent());
        }
        if refused > PATIENCE && !thread::panicking() {
            // An answer to the exit that is none: what comes back is an unwind, or nothing.
            let _ = self.yield_(Signal::PENDING);
        }
        self.refuse();
        Err(Cancelled::alone(CancelReason::Dropped))
    }

    /// Whether the lease is of this awaiter's own waker, and the body has not been woken since.
    #[inline(always)]
    fn is_as_leased(&self, lease: Lease) -> bool {
        ptr::eq(lease.of, self) && lease.turn == self.own().turn()
    }

    /// Whether the body has not been woken since.
    fn is_newest(&self, lease: Lease) -> bool {
        ptr::eq(lease.of, self) && lease.turn & !OTHER == self.own().turn()
    }

    /// Keeps the waker for the next await, if it is of any use for that. Then it is no longer the caller's.
    #[inline(always)]
    pub(super) fn keep(&self, waker: &Waker, lease: Lease) -> bool {
        if !self.is_as_leased(lease) {
            core::hint::cold_path();
            return self.keep_other(waker, lease);
        }
        // What has been moved out is still here, bit by bit (invariant 16).
        self.own().state.set(State::Here);
        true
    }

    /// The waker is another one than what was here, or an old one.
    #[cold]
    #[inline(never)]
    fn keep_other(&self, waker: &Waker, lease: Lease) -> bool {
        let own = self.own();
        if !self.is_newest(lease) {
            self.forget(lease);
            return false;
        }
        let keeps = own.state.get() == State::Empty && !self.is_cancelled();
        if keeps {
            own.state.set(State::Here);
            // SAFETY: it was empty (invariant 16), and the caller does not use the waker any more.
            unsafe { own.put(ptr::read(waker)) };
        }
        keeps
    }

    /// Takes note that the lease's waker is not going to come back.
    #[cold]
    fn forget(&self, lease: Lease) {
        let own = self.own();
        if ptr::eq(lease.of, self) && lease.turn >= own.first && lease.turn & OTHER == 0 {
            own.state.set(State::Empty);
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
            drop(self.own().take());
            if !self.is_newest(*lease) {
                self.forget(*lease);
                (*waker, *lease) = self.lease()?;
                return Ok(());
            }
        }
        let lent = self.exchange(Signal::PENDING, lease.turn & !OTHER)?;
        lease.turn += TURN;
        // SAFETY: it has just come (invariant 14).
        let lent = unsafe { lent.waker() };
        if !waker.will_wake(lent) {
            core::hint::cold_path();
            self.forget(*lease);
            lease.turn |= OTHER;
            let old = mem::replace(waker, lent.clone());
            drop(old);
        }
        Ok(())
    }
}
