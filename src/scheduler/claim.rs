//! Waits with a limit, waits that cancellation does not reach, and wakes in two steps: what locks and channels are built on.
//!
//! A wake in two steps first claims the wait, where the queue that it was found in is locked, and sends the value when it is
//! not locked any more. A claim that fails costs no value, because none has been given away yet.

use super::cancel;
use super::cell::WaitCell;
use super::current::{Current, Running};
use super::suspend::{self, Interrupted, Resumer, Slot, deliver};
use super::timers::{Alarm, set_alarm, take_alarm};
use super::word::Generation;
use crate::cancelled::Cancelled;
use core::marker::PhantomData;
use core::mem;
use std::time::{Duration, Instant};

/// When a wait is over, whatever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Never,
    After(Duration),
    /// By the clock of the task.
    At(Instant),
}

/// Why a wait with a limit has ended without a value.
#[derive(Debug)]
pub(crate) enum Stopped {
    TimedOut,
    /// It was cancelled.
    Cancelled(Cancelled),
    /// There is nothing to suspend here, or it must not be: this says so. `register` was not called.
    Refused(Cancelled),
}

/// [`suspend`](super::suspend()) until `limit`. One that is `shielded` goes on when its task is cancelled, and begins even if
/// it was. `register` does not panic.
#[inline(always)]
pub(crate) fn suspend_until<T>(limit: Limit, shielded: bool, register: impl FnOnce(Resumer<T>)) -> Result<T, Stopped> {
    until::<T, false>(limit, shielded, true, register)
}

/// [`suspend_until`] for callers that may have something to return although they were cancelled. One that gives up because of that
/// calls [`cancel::tell`].
#[cfg(unix)]
#[inline(always)]
pub(super) fn suspend_untold_until<T>(limit: Limit, register: impl FnOnce(Resumer<T>)) -> Result<T, Stopped> {
    until::<T, false>(limit, false, false, register)
}

/// [`suspend_until`] with code of others in `register`, which may panic.
pub(crate) fn suspend_caught_until<T>(
    limit: Limit,
    shielded: bool,
    register: impl FnOnce(Resumer<T>),
) -> Result<T, Stopped> {
    until::<T, true>(limit, shielded, true, register)
}

#[inline(always)]
fn until<T, const CATCH: bool>(
    limit: Limit,
    shielded: bool,
    tell: bool,
    register: impl FnOnce(Resumer<T>),
) -> Result<T, Stopped> {
    // SAFETY: the task that runs does not end before this returns, and nobody else is given it. (No closure gets it, as
    // one around a switch might not be inlined.)
    let Some(Current { running }) = (unsafe { Current::get() }) else { return on_thread(limit, register) };
    if limit == Limit::Never {
        // Told at once, if at all: nothing but the cancellation ends this early.
        return suspend::in_task::<_, _, CATCH>(running, register, tell, shielded).map_err(stopped);
    }
    limited::<T, CATCH>(running, limit, shielded, tell, register)
}

#[inline(never)]
fn limited<T, const CATCH: bool>(
    running: &Running,
    limit: Limit,
    shielded: bool,
    tell: bool,
    register: impl FnOnce(Resumer<T>),
) -> Result<T, Stopped> {
    let clock = &running.worker().shared().clock;
    let deadline = match limit {
        Limit::Never => u64::MAX,
        Limit::After(delay) => clock.after(delay),
        Limit::At(instant) => clock.of(instant),
    };
    let mut key = None;
    let register = |resumer: Resumer<T>| {
        key = set_alarm(deadline, Alarm::Expire(resumer.expiry()));
        register(resumer);
    };
    let waited = suspend::in_task::<_, _, CATCH>(running, register, false, shielded);
    let has_expired = key.is_some_and(|key| !take_alarm(key));
    match waited.map_err(stopped) {
        Err(Stopped::Cancelled(_)) if has_expired => Err(Stopped::TimedOut),
        Err(Stopped::Cancelled(cancelled)) => {
            if tell {
                cancel::tell();
            }
            Err(Stopped::Cancelled(cancelled))
        }
        other => other,
    }
}

#[cold]
fn stopped(interrupted: Interrupted) -> Stopped {
    match interrupted {
        Interrupted::Cancelled(cancelled) => Stopped::Cancelled(cancelled),
        _ => Stopped::Refused(super::refusal()),
    }
}

#[cold]
fn on_thread<T>(limit: Limit, register: impl FnOnce(Resumer<T>)) -> Result<T, Stopped> {
    let deadline = match limit {
        Limit::Never => None,
        // One that is too far away for the clock never comes.
        Limit::After(delay) => Instant::now().checked_add(delay),
        Limit::At(instant) => Some(instant),
    };
    match suspend::on_thread(register, deadline) {
        Some(Slot::Value(value)) => Ok(value),
        Some(Slot::Empty) => Err(Stopped::TimedOut),
        _ => Err(Stopped::Refused(super::refusal())),
    }
}

/// A wait that was claimed, and waits for its value. Dropped, it is resumed with [`Interrupted::Abandoned`].
pub(crate) struct Claimed<T> {
    cell: &'static WaitCell,
    /// Values go in, as into a `Resumer`.
    _value: PhantomData<(T, fn(T))>,
}

impl<T> Claimed<T> {
    /// The value, which cannot fail to arrive.
    #[inline(always)]
    pub(crate) fn send(self, value: T) {
        let cell = self.cell;
        mem::forget(self);
        // SAFETY: this was made of a resumer for these types by a claim, and is used up.
        unsafe { deliver::<T, core::convert::Infallible>(cell, Slot::Value(value)) };
    }
}

impl<T> Drop for Claimed<T> {
    fn drop(&mut self) {
        // SAFETY: as in `send`.
        unsafe { deliver::<T, core::convert::Infallible>(self.cell, Slot::Abandoned) };
    }
}

impl<T> Resumer<T> {
    /// Claims the wait, for a value that follows. None if it is over.
    #[inline(always)]
    pub(crate) fn claim(self) -> Option<Claimed<T>> {
        let (cell, generation) = self.into_parts();
        // Not made where the claim fails: it would be dropped.
        cell.claim(generation).then(|| Claimed { cell, _value: PhantomData })
    }

    /// Another one for the same wait: the first of them to be used, or dropped, resumes it.
    pub(crate) fn another(&self) -> Self {
        let (cell, generation) = self.parts();
        Self::from_parts(cell, generation)
    }

    /// Whether both are for the same wait.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let ((this, its), (other, theirs)) = (self.parts(), other.parts());
        core::ptr::eq(this, other) && its == theirs
    }

    fn expiry(&self) -> Expiry {
        let (cell, generation) = self.parts();
        Expiry { cell, generation }
    }
}

/// What ends a task's wait without a value, when its time is over.
pub(crate) struct Expiry {
    cell: &'static WaitCell,
    generation: Generation,
}

impl Expiry {
    pub(super) fn expire(self) {
        if self.cell.claim(self.generation) {
            // SAFETY: it is claimed, and nothing is to be written: the slot stays empty.
            unsafe { suspend::wake_sleeper(self.cell.sleeper()) };
        }
    }
}
