//! Waiting, and what becomes of waits that do not come to their end.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::{Place, WaitQueue};
use crate::cancelled::Cancelled;
use crate::scheduler::{self, Claimed, Limit, Resumer, Stopped, suspend_caught_until, suspend_until};
use std::panic;
use std::time::Duration;

/// A wait that no cancellation reaches and that has no limit: it has ended, or was refused.
#[inline(always)]
#[track_caller]
pub(super) fn surely<T>(waited: Result<T, Stopped>, what: &str) -> T {
    match waited {
        Ok(value) => value,
        Err(stopped) => refuse(&stopped, what),
    }
}

/// There is no way to say it in std's types, and nothing to stop: the process or the task must not hang.
#[cold]
#[inline(never)]
#[track_caller]
fn refuse(stopped: &Stopped, what: &str) -> ! {
    match stopped {
        Stopped::Cancelled(why) | Stopped::Refused(why) => panic!("{what} cannot be waited for here: {why}"),
        Stopped::TimedOut => unreachable!("it has no limit"),
    }
}

/// Leaves a call of std's that has no error to return: by an unwind whose payload is the `Cancelled`, without the panic hook.
#[cold]
pub(super) fn unwind(cancelled: Cancelled) -> ! {
    panic::resume_unwind(Box::new(cancelled))
}

/// Whether cancellation reaches the waits that leave by [`unwind`]: where a panic aborts it does not.
pub(super) const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// A wait without a limit, in a call that tells of cancellation.
#[inline(always)]
pub(super) fn told<T>(waited: Result<T, Stopped>) -> Result<T, Cancelled> {
    waited.map_err(why)
}

/// Why a wait without a limit has ended.
#[cold]
pub(super) fn why(stopped: Stopped) -> Cancelled {
    match stopped {
        Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => cancelled,
        Stopped::TimedOut => unreachable!("it has no limit"),
    }
}

/// That much later than now, for several waits one after another.
pub(super) fn deadline(longest: Duration) -> Limit {
    scheduler::now().checked_add(longest).map_or(Limit::Never, Limit::At)
}

/// What guards the state of something that is waited for.
pub(super) trait Guarded<S> {
    /// Whether code of users may run, and panic, while it is held.
    const RUNS_USERS_CODE: bool;

    fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R;
}

impl<S> Guarded<S> for Latch<S> {
    const RUNS_USERS_CODE: bool = false;

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock())
    }
}

impl<S> Guarded<S> for parking_lot::Mutex<S> {
    const RUNS_USERS_CODE: bool = true;

    fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock())
    }
}

/// Waits until `attempt` succeeds, or somebody in whose queue `join` has put the resumer sends what is waited for. One that gives up
/// calls `leave` with its place.
pub(super) fn wait_in<S, T, G: Guarded<S>>(
    state: &G,
    limit: Limit,
    mut attempt: impl FnMut(&mut S) -> Option<T>,
    join: impl FnOnce(&mut S, Resumer<T>) -> Place,
    leave: impl FnOnce(&mut S, Place),
) -> Result<T, Stopped> {
    scheduler::take_turn(1);
    if let Some(value) = state.with(&mut attempt) {
        return Ok(value);
    }
    let mut place = None;
    let mut early = None;
    let register = |resumer: Resumer<T>| {
        let ready = state.with(|state| match attempt(state) {
            Some(value) => Some((value, resumer)),
            None => {
                place = Some(join(state, resumer));
                None
            }
        });
        if let Some((value, resumer)) = ready {
            // Cancelled at the same time, it has it all the same.
            early = resumer.send(value).err();
        }
    };
    let waited = if G::RUNS_USERS_CODE {
        suspend_caught_until(limit, false, register)
    } else {
        suspend_until(limit, false, register)
    };
    match (waited, early, place) {
        (Ok(value), ..) | (Err(_), Some(value), _) => Ok(value),
        (Err(stopped), None, place) => {
            if let Some(place) = place {
                state.with(|state| leave(state, place));
            }
            Err(stopped)
        }
    }
}

/// Waits, among several things: puts the resumer into a queue, by `join`. None where what is waited for is there already: then
/// whoever waits goes on, to look again.
pub(super) fn join_in<S>(
    state: &impl Guarded<S>,
    is_there: impl FnOnce(&S) -> bool,
    join: impl FnOnce(&mut S, Resumer<()>) -> Place,
    resumer: Resumer<()>,
) -> Option<Place> {
    match state.with(|state| if is_there(state) { Err(resumer) } else { Ok(join(state, resumer)) }) {
        Ok(place) => Some(place),
        Err(resumer) => {
            // Not while the state is locked.
            let _ = resumer.send(());
            None
        }
    }
}

/// [`told`] of a wait with a limit: none if the time was over.
pub(super) fn timed<T>(waited: Result<T, Stopped>) -> Result<Option<T>, Cancelled> {
    match waited {
        Ok(value) => Ok(Some(value)),
        Err(Stopped::TimedOut) => Ok(None),
        Err(Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled)) => Err(cancelled),
    }
}

/// Takes those out of a queue that still wait, and lets all of them go on.
pub(super) fn wake_all(mut waiting: WaitQueue<Resumer<()>>) {
    while let Some((_, resumer)) = waiting.pop() {
        let _ = resumer.send(());
    }
}

/// The first in a queue that still waits.
pub(super) fn next<T>(queue: &mut WaitQueue<Resumer<T>>) -> Option<Claimed<T>> {
    loop {
        let (_, resumer) = queue.pop()?;
        if let Some(claimed) = resumer.claim() {
            return Some(claimed);
        }
    }
}
