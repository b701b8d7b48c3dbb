//! Asking a coroutine to leave: `throw_exit`, `close`, and what drop does when asking is not enough.

use super::CoroutineState;
use super::control::{ABANDONED, Closer, Notice, RUNNING, Standing};
use super::entry::Failure::{Panicked, Thrown as Failed};
use super::entry::Outcome;
use super::error::{CloseError, SendError, Thrown};
use super::message::{CALL, EXIT, IGNORED, LEAVE, STUCK, UNWIND, YIELDED, address_of, decode};
use super::raw::{Raw, Settled, refusal, resume_panic, serve_calls};
use super::report::{Event, report};
use super::unwind;
use crate::arch::{self, StackPointer, Words};
use core::mem;
use core::ptr;
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// Whether a coroutine is gone.
#[derive(PartialEq, Eq)]
#[must_use]
pub(super) enum Shut {
    Ended,
    Leaked,
}

impl<Y, S, R, E> Raw<Y, S, R, E> {
    pub(super) fn throw_exit(&mut self) -> Result<CoroutineState<Y, R>, SendError<(), E>> {
        match self.control().standing() {
            Standing::Created(_) => {
                self.discard();
                Err(SendError::Thrown(Thrown::Exit))
            }
            // SAFETY: `parked` is parked.
            Standing::Suspended(parked) => match unsafe { self.ask(parked, &Closer::new(0)) } {
                Settled::Yielded(value) => Ok(CoroutineState::Yielded(value)),
                Settled::Ended(Ok(value)) => Ok(CoroutineState::Complete(value)),
                Settled::Ended(Err(Failed(thrown))) => Err(SendError::Thrown(thrown)),
                Settled::Ended(Err(Panicked(payload))) => resume_panic(payload),
                Settled::Stuck => Err(SendError::Abandoned(())),
            },
            _ => Err(refusal(self.control, ())),
        }
    }

    pub(super) fn close(&mut self) -> Result<Option<R>, CloseError<Y, E>> {
        match self.control().standing() {
            Standing::Created(_) => {
                self.discard();
                Ok(None)
            }
            Standing::Finished | Standing::Abandoned => Ok(None),
            Standing::Running => Err(CloseError::Running),
            // SAFETY: `parked` is parked.
            Standing::Suspended(parked) => match unsafe { self.ask(parked, &Closer::new(0)) } {
                Settled::Yielded(value) => Err(CloseError::Ignored(value)),
                Settled::Ended(Ok(value)) => Ok(Some(value)),
                Settled::Ended(Err(Failed(Thrown::Exit))) => Ok(None),
                Settled::Ended(Err(Failed(Thrown::Error(error)))) => Err(CloseError::Error(error)),
                Settled::Ended(Err(Failed(Thrown::Misuse(misuse)))) => Err(CloseError::Misuse(misuse)),
                Settled::Ended(Err(Panicked(payload))) => resume_panic(payload),
                Settled::Stuck => Err(CloseError::Leaked),
            },
        }
    }

    /// Hands an exit to the innermost coroutine and follows it outwards, until this one ends or yields. Or has this one
    /// unwind: by itself, whatever it delegates to. A delegate has not been asked, and is when its own handle goes.
    ///
    /// # Safety
    ///
    /// `parked` is what `control().parked` says, and parked.
    unsafe fn ask(&mut self, parked: StackPointer, closer: &Closer) -> Settled<Y, R, E> {
        self.control().parked.set(RUNNING);
        let notice = Notice { yielded: Words::NONE, parked, closer };
        let delegate = self.control().root.delegate();
        // SAFETY: the block of a delegate is valid while its delegator is parked, whose frames borrow the handle.
        let (target, kind, words) = match unsafe { delegate.as_ref() } {
            _ if closer.unwind == 0 => (parked, EXIT, address_of(closer)),
            None => (parked, UNWIND, address_of(closer)),
            Some(delegate) => (delegate.delegator_or(parked), LEAVE, address_of(&notice)),
        };
        // SAFETY: `parked` is parked, and nobody else wakes it; so is this coroutine in its delegation, if it is in one.
        // The closer lives until this returns, and is taken out of every control block before: by `ignored`, or with the
        // block (invariant 6). The notice is taken at once.
        let mut arrival = unsafe { arch::resume(target, kind, words) };
        loop {
            if arrival.kind == CALL {
                // SAFETY: it is a CALL, from a coroutine.
                arrival = unsafe { serve_calls(arrival.words.first(), arrival.from) };
            }
            if arrival.kind == STUCK {
                // The handle keeps the block: whoever drops it, or ends its scope, is to see that it has not ended.
                self.control().parked.set(ABANDONED);
                return Settled::Stuck;
            }
            if arrival.kind != YIELDED {
                self.control().closer.set(ptr::null());
                // SAFETY: what is none of these is an end.
                return Settled::Ended(unsafe { self.collect(arrival.kind, arrival.words) });
            }
            let delegator = closer.ignored();
            if delegator.is_null() {
                self.control().parked.set(arrival.from);
                // SAFETY: the words of YIELDED are a Y.
                return Settled::Yielded(unsafe { decode(arrival.words) });
            }
            // A coroutine further in has ignored it. It stays as it is, and its delegator is told.
            let notice = Notice { yielded: arrival.words, parked: arrival.from, closer };
            // SAFETY: the delegator is parked until its delegate ends or it gets this; the notice is taken at once.
            arrival = unsafe { arch::resume(delegator, IGNORED, address_of(&notice)) };
        }
    }

    /// What dropping a handle does: closes the coroutine; if it ignores that, unwinds it; if that fails, leaks it.
    #[inline(always)]
    pub(super) fn shut(&mut self) -> Shut {
        if self.has_ended() {
            return Shut::Ended;
        }
        // Moved, so that a handle whose drop comes to nothing need not be in memory.
        self.take().shut_slow()
    }

    #[inline(never)]
    fn shut_slow(mut self) -> Shut {
        match self.control().standing() {
            Standing::Suspended(parked) => return self.shut_suspended(parked),
            Standing::Created(_) => {
                let dropped = panic::catch_unwind(AssertUnwindSafe(|| self.discard()));
                self.pass_on(dropped);
            }
            Standing::Running | Standing::Abandoned => {
                self.give_up();
                return Shut::Leaked;
            }
            Standing::Finished => {}
        }
        Shut::Ended
    }

    fn shut_suspended(&mut self, parked: StackPointer) -> Shut {
        // SAFETY: `parked` is parked.
        match unsafe { self.ask(parked, &Closer::new(0)) } {
            Settled::Ended(end) => {
                self.pass_on(self.settle_end(end));
                Shut::Ended
            }
            Settled::Yielded(value) => self.shut_stubborn(value),
            Settled::Stuck => {
                self.give_up();
                Shut::Leaked
            }
        }
    }

    /// The body has answered the exit with a value.
    #[cold]
    #[inline(never)]
    fn shut_stubborn(&mut self, value: Y) -> Shut {
        report(Event::ExitIgnored, self.description());
        // What an unwind that was caught on its way has left behind is not what the next one stands for.
        // SAFETY: the coroutine is suspended, so its root's frame is there, and its errors are E's.
        let stale = unsafe { unwind::escape_of::<E>(self.control()) }.take();
        // Their destructors may panic; the body's frames are to be unwound all the same.
        let dropped = self.first_of(unwind::drop_caught(value), unwind::drop_caught(stale));
        let ended = match self.control().standing() {
            Standing::Suspended(parked) if unwind::POSSIBLE => {
                let closer = Closer::new(unwind::new_id());
                self.control().set_pending(closer.unwind);
                // SAFETY: `parked` is parked.
                match unsafe { self.ask(parked, &closer) } {
                    Settled::Ended(end) => Some(self.settle_end(end)),
                    Settled::Yielded(value) => {
                        mem::forget(unwind::drop_caught(value));
                        None
                    }
                    Settled::Stuck => None,
                }
            }
            _ => None,
        };
        let Some(ended) = ended else {
            // Nothing may unwind past whoever has to hear of it (a scope ends the process), not even the destructor of a
            // payload.
            self.give_up();
            mem::forget(dropped);
            return Shut::Leaked;
        };
        self.pass_on(self.first_of(dropped, ended));
        Shut::Ended
    }

    /// What a dropped coroutine has ended with: an error is reported, a panic is returned, the rest is dropped.
    fn settle_end(&self, end: Outcome<R, E>) -> thread::Result<()> {
        if let Err(Panicked(payload)) = end {
            return Err(payload);
        }
        if let Err(Failed(Thrown::Error(_) | Thrown::Misuse(_))) = end {
            report(Event::ErrorLost, self.description());
        }
        unwind::drop_caught(end)
    }

    /// The first of what two destructors, or a destructor and a body, have panicked with. A second one is lost.
    fn first_of(&self, first: thread::Result<()>, second: thread::Result<()>) -> thread::Result<()> {
        match (first, second) {
            (Err(first), Err(second)) => {
                self.lose(second);
                Err(first)
            }
            (first, second) => first.and(second),
        }
    }

    pub(super) fn give_up(&mut self) {
        report(Event::Leaked, self.description());
        self.leak();
    }

    /// A panic out of a drop goes on from there, except during another panic, when it would end the process.
    fn pass_on(&self, dropped: thread::Result<()>) {
        match dropped {
            Ok(()) => {}
            Err(payload) if thread::panicking() => self.lose(payload),
            Err(payload) => resume_panic(payload),
        }
    }

    fn lose(&self, payload: Box<dyn Any + Send>) {
        report(Event::PanicLost, self.description());
        unwind::lose(payload);
    }
}
