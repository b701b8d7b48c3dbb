//! A task's life, from its first instruction to the last thing that the scheduler does for it.

use super::children::Seat;
use super::current::{Running, with_worker};
use super::header::{Header, Joiner, TaskRef};
use super::join::JoinError;
use crate::Yielder;
use crate::cancelled::{CancelReason, Cancelled};
use crate::coroutine::{Event, lose};
use core::ptr::{self, NonNull};
use parking_lot::Mutex;
use std::panic::{self, AssertUnwindSafe};

/// The whole life of a task, on its own stack. Inlined, with all that it calls for itself, into the root's frame: a frame more is a
/// twentieth of what spawn and join take.
///
/// # Safety
///
/// The task has not been started, and the caller has the scheduler's reference, which it keeps until this has returned.
#[inline(always)]
pub(super) unsafe fn live(task: NonNull<Header>, yielder: &Yielder<(), ()>) {
    // SAFETY: as said.
    let header = unsafe { task.as_ref() };
    with_worker(|worker| {
        // SAFETY: the task begins on this stack, with this yielder, on this thread.
        let running = unsafe { Running::new(task, worker, yielder) };
        header.running.set(&raw const running);
        worker.set_running(&raw const running);
        let vtable = header.vtable;
        // SAFETY: nobody has run or refused it before.
        unsafe {
            match header.cancelled.get() {
                Some(cancelled) => {
                    let error = JoinError::Cancelled(cancelled.clone());
                    let seat = header.seat.take();
                    seat.iter().for_each(|seat| seat.refuse(&error));
                    header.seat.set(seat);
                    (vtable.refuse)(task, error);
                }
                None => (vtable.run)(task),
            }
        }
        drop_quietly(header.locals.take());
        // SAFETY: the outcome is in place.
        unsafe { complete(header) };
        drop_quietly(running.node.take());
        running.end();
        header.running.set(ptr::null());
        // The outcome is gone, or the handle's: nothing of the task borrows any more but that.
        drop(header.seat.take());
        worker.set_ended(task);
    });
}

/// Drops what others have left with a task. Their destructors' panics have been printed, and are nobody's.
#[inline(always)]
pub(super) fn drop_quietly<T>(value: Option<T>) {
    if value.is_some()
        && let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(value)))
    {
        core::hint::cold_path();
        lose(payload);
    }
}

/// Completes a task: its outcome is in place, and goes to whoever waits for it.
///
/// # Safety
///
/// The task is not complete, and this is called by whoever has put the outcome there.
#[inline(always)]
unsafe fn complete(header: &Header) {
    let completed = header.join.complete();
    if completed.is_detached {
        // SAFETY: there is no handle, so the outcome is ours.
        unsafe { (header.vtable.drop_outcome)(NonNull::from(header)) };
    }
    if completed.is_joined {
        // SAFETY: COMPLETE came after JOINING, so the place is ours (see `word.rs`).
        let joiner = unsafe { (*header.joiner.get()).take() };
        joiner.into_iter().for_each(Joiner::wake);
    }
}

/// Ends a task that has not started, and is not going to.
///
/// # Safety
///
/// The caller has it as if to start it; the scheduler's reference is given up.
pub(super) unsafe fn end_unstarted(task: NonNull<Header>, error: JoinError) {
    // SAFETY: by this function's contract.
    unsafe {
        let header = task.as_ref();
        let seat = header.seat.take();
        seat.iter().for_each(|seat| seat.refuse(&error));
        header.seat.set(seat);
        (header.vtable.refuse)(task, error);
        complete(header);
        drop_quietly(header.locals.take());
        drop(header.seat.take());
        release(task);
    }
}

/// The tasks that have been leaked. Only so that tools see that they are meant to be there.
static LEAKED: Mutex<Vec<TaskRef>> = Mutex::new(Vec::new());

/// Leaks a task that has been started and does not end: its frames stay as they are for ever.
///
/// # Safety
///
/// The caller is its worker, which never runs it again.
pub(super) unsafe fn leak(task: NonNull<Header>) {
    // SAFETY: the task has not ended.
    let header = unsafe { task.as_ref() };
    header.report(Event::NotEnded);
    let seat = header.seat.take().and_then(Seat::leak);
    // Nobody is to write to its frames, or to queue it.
    header.interrupt(u32::MAX);
    // SAFETY: the body is not resumed again; its handle is forgotten, with all that it owns. One that is complete has stopped in the
    // destructor of its outcome, or in a waker: then the outcome is not ours any more.
    unsafe {
        core::mem::forget((*header.body.get()).take());
        if !header.join.is_complete() {
            let why = Cancelled::new(CancelReason::Shutdown, header.scope_id());
            (header.vtable.give_up)(task, JoinError::Cancelled(why));
            complete(header);
        }
        drop(seat);
        // With the scheduler's reference, which is not given up.
        LEAKED.lock().push(TaskRef::from_raw(task));
    }
}

/// [`release`] by the worker that has run the task: see [`JoinWord::release_here`](super::word::JoinWord::release_here).
///
/// # Safety
///
/// As for [`release`], and no other task has run on this thread since [`complete`].
#[inline(always)]
pub(super) unsafe fn release_here(task: NonNull<Header>) {
    // SAFETY: by this function's contract.
    unsafe {
        if task.as_ref().join.release_here() {
            (task.as_ref().vtable.free)(task);
        }
    }
}

/// Gives up the scheduler's reference.
///
/// # Safety
///
/// The caller has it.
#[inline(always)]
pub(super) unsafe fn release(task: NonNull<Header>) {
    // SAFETY: by this function's contract.
    unsafe {
        if task.as_ref().join.release() {
            (task.as_ref().vtable.free)(task);
        }
    }
}
