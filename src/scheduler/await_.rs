//! Waiting for a future: the task's side of the free [`await_`](crate::await_).
//!
//! It is as parking is, with a word of its own (`word.rs` has the table), whose notices come from wakers. A notice is used up
//! before each poll, so one that comes in the midst of it counts. Which kind of wait the number in `parked` is of does not
//! matter: an unparker or a waker that is late may end a wait of the other kind for no reason, and both go on waiting then.
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
pub(super) static TASKS: Tasks = Tasks { is_here, wait };

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
    let mut is_last = false;
    loop {
        // The task is looked for anew after each poll, which may have taken this code to another one.
        let waker = begin(&mut waker)?;
        if poll(&mut Context::from_waker(waker)).is_break() {
            return Some(Ok(()));
        }
        if is_last && let Some(cancelled) = give_up() {
            return Some(Err(cancelled));
        }
        match Current::with(|current| current.map_or(Waited::Elsewhere, |current| pause(current.running, waker))) {
            Waited::Woken => is_last = false,
            Waited::Last => is_last = true,
            Waited::Cancelled(cancelled) => return Some(Err(cancelled)),
            Waited::Elsewhere => return None,
        }
    }
}

/// The calling task's waker, whose notice is used up.
fn begin(waker: &mut Option<Waker>) -> Option<&Waker> {
    Current::with(|current| {
        let header = current?.running.header();
        header.await_.end();
        if !waker.as_ref().is_some_and(|waker| TaskRef::is_waker(header, waker)) {
            *waker = Some(TaskRef::to(header).into_waker());
        }
        waker.as_ref()
    })
}

/// Waits until the task is woken, if this is still the one that the future was polled in.
fn pause(running: &Running, waker: &Waker) -> Waited {
    let header = running.header();
    if !TaskRef::is_waker(header, waker) {
        return Waited::Woken;
    }
    if !running.can_switch() {
        return Waited::Cancelled(running.refusal());
    }
    if header.await_.end() {
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
        Err(Interrupted::Cancelled(_)) if header.await_.end() => Waited::Last,
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
