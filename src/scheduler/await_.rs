//! Waiting for a future: the task's side of the free [`await_`](crate::await_).
//!
//! It is as parking is, with a word of its own (`word.rs` has the table), whose notices come from wakers. A notice is used up
//! before each poll, so one that comes in the midst of it counts. Which kind of wait the number in `parked` is of does not
//! matter: an unparker or a waker that is late may end a wait of the other kind for no reason, and both go on waiting then.
//!
//! A poll may await itself, in the same task. The word is one for both, so a notice that was for the outer future may be used up by the
//! nested await. So those that were used up are counted, and if there were any in the midst of a poll, that future is polled again.
#![forbid(unsafe_code)]

use super::cancel;
use super::current::{Current, Running};
use super::header::TaskRef;
use super::suspend::{Interrupted, Resumer, suspend_quietly};
use crate::cancelled::Cancelled;
use crate::future::{PollOnce, Tasks};
use core::sync::atomic::Ordering;
use core::task::{Context, Waker};

/// What a worker's thread tells `await_` of.
pub(super) static TASKS: Tasks = Tasks { is_here, wait, shield: |f| cancel::shield(f) };

/// How a wait between two polls has ended.
enum Waited {
    /// Somebody has woken the task, or this is another one.
    Woken,
    /// The task was cancelled, and woken as well: what it waits for may be there.
    Last,
    Cancelled(Cancelled),
    /// There is no task here.
    Elsewhere,
}

fn is_here() -> bool {
    Current::with(|current| current.is_some())
}

fn wait(poll: &mut PollOnce<'_>) -> Option<Result<(), Cancelled>> {
    let mut waker: Option<Waker> = None;
    let mut used_up = 0;
    let mut is_last = false;
    loop {
        // The task is looked for anew after each poll, which may have taken this code to another one.
        let waker = begin(&mut waker, &mut used_up)?;
        if poll(&mut Context::from_waker(waker)).is_break() {
            return Some(Ok(()));
        }
        if is_last && let Some(cancelled) = give_up() {
            return Some(Err(cancelled));
        }
        match Current::with(|current| {
            current.map_or(Waited::Elsewhere, |current| pause(current.running, waker, used_up))
        }) {
            Waited::Woken => is_last = false,
            Waited::Last => is_last = true,
            Waited::Cancelled(cancelled) => return Some(Err(cancelled)),
            Waited::Elsewhere => return None,
        }
    }
}

/// The calling task's waker, whose notice is used up, and how many have been by now.
fn begin<'a>(waker: &'a mut Option<Waker>, used_up: &mut u64) -> Option<&'a Waker> {
    Current::with(|current| {
        let running = current?.running;
        let header = running.header();
        use_up(running);
        *used_up = running.used_up.get();
        if !waker.as_ref().is_some_and(|waker| TaskRef::is_waker(header, waker)) {
            *waker = Some(TaskRef::to(header).into_waker());
        }
        waker.as_ref()
    })
}

/// Uses up the notice that there may be: whether there was one.
fn use_up(running: &Running) -> bool {
    let is_woken = running.header().await_.end();
    if is_woken {
        running.used_up.set(running.used_up.get() + 1);
    }
    is_woken
}

/// Waits until the task is woken, if this is still the one that the future was polled in. Not if awaits in the midst of the poll,
/// before which so many notices had been `used_up`, have used up more: one of them may have been for this future.
fn pause(running: &Running, waker: &Waker, used_up: u64) -> Waited {
    let header = running.header();
    if !TaskRef::is_waker(header, waker) {
        return Waited::Woken;
    }
    if !running.can_switch() {
        return Waited::Cancelled(running.refusal());
    }
    let is_behind = running.used_up.get() != used_up;
    if use_up(running) || is_behind {
        // A future that wakes its task each time goes through the scheduler like others.
        running.yield_now();
        if cancel::is_pending(running) {
            return Waited::Last;
        }
        running.ignored.set(0);
        return Waited::Woken;
    }
    let waited = suspend_quietly(|resumer: Resumer<()>| {
        running.waits_for.set(("a future", None));
        let generation = resumer.generation();
        header.parked.store(generation, Ordering::Relaxed);
        // From here on the wait is known by its number alone.
        resumer.forget();
        if !header.await_.begin() {
            header.wake_parked(generation);
        }
    });
    match waited {
        Ok(()) => Waited::Woken,
        // A result that is there wins.
        Err(Interrupted::Cancelled(_)) if use_up(running) => Waited::Last,
        Err(Interrupted::Cancelled(cancelled)) => {
            cancel::tell();
            Waited::Cancelled(cancelled)
        }
        Err(_) => Waited::Cancelled(running.refusal()),
    }
}

/// The task's cancellation, which the caller leaves with.
fn give_up() -> Option<Cancelled> {
    Current::with(|current| {
        let running = current?.running;
        let cancelled = cancel::pending(running)?;
        cancel::count(running);
        Some(cancelled)
    })
}
