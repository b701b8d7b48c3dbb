//! The handle behind [`Coroutine`](super::Coroutine) and [`Scoped`](super::Scoped): resuming, sending, throwing.

use super::control::{self, Control, RUNNING, Standing};
use super::entry::{self, Failure, Outcome, Panicked};
use super::error::{SendError, Thrown};
use super::message::{
    CALL, DISCARD, FAILED, INSPECT, INSPECTED, NEXT, RAN, RETURNED, THROW, VALUE, YIELDED, address_of, decode, encode,
    fits_in_words,
};
use super::name::Name;
use super::report::Description;
use super::yielder::{ParentCall, Yielder};
use super::{CoroutineState, State};
use crate::arch::{self, Arrival, StackPointer, Word, Words};
use crate::stack::{Header, pool, usage};
use core::marker::PhantomData;
use core::mem;
use core::panic::Location;
use core::ptr::NonNull;
use std::any::Any;
use std::panic;

/// Variance: Y and R come out; S and E go in, and may come out again in errors. The pointer keeps a handle on its thread
/// (invariant 4).
type Types<Y, S, R, E> = PhantomData<(fn() -> (Y, R), fn(S) -> S, fn(E) -> E, *mut ())>;

/// A handle that does nothing when it is dropped.
pub struct Raw<Y, S, R, E> {
    pub(super) control: NonNull<Control>,
    created_at: &'static Location<'static>,
    /// The control block points to its text as well.
    name: Option<Name>,
    _types: Types<Y, S, R, E>,
}

/// What came back from a coroutine.
pub(super) enum Settled<Y, R, E> {
    Yielded(Y),
    Ended(Outcome<R, E>),
    /// It can neither return nor unwind, and has been leaked.
    Stuck,
}

impl<Y, S, R, E> Raw<Y, S, R, E> {
    #[inline(always)]
    pub(super) fn new<F>(
        header: NonNull<Header>,
        body: F,
        created_at: &'static Location<'static>,
        name: Option<&str>,
    ) -> Self
    where
        F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
    {
        let name = name.map(Name::new);
        let control = entry::create(header, body, created_at, name.as_ref().map(Name::text));
        Self { control, created_at, name, _types: PhantomData }
    }

    #[inline(always)]
    pub(super) fn control(&self) -> &Control {
        // SAFETY: a handle's control block is valid until the stack is released, which changes the handle.
        unsafe { self.control.as_ref() }
    }

    /// Gives the stack back: the coroutine has ended and its outcome has been taken (invariant 5).
    #[inline(always)]
    pub(super) fn release(&mut self) {
        if self.name.is_some() {
            self.control().name.set(None);
        }
        debug_assert!(self.control().is_clean());
        let ended = mem::replace(&mut self.control, control::finished());
        // SAFETY: nothing runs on the stack any more, and the handle has just forgotten it.
        unsafe { pool::put(Control::header(ended)) };
    }

    /// Whether the stack has been given back. A compiler that has just seen it happen need not look.
    #[inline(always)]
    pub(super) fn has_ended(&self) -> bool {
        self.control == control::finished()
    }

    /// The coroutine has ended.
    #[inline(always)]
    pub(super) fn drop_name(&mut self) {
        if self.name.is_some() {
            self.name = None;
        }
    }

    /// The handle, moved, and one that has ended in its place.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Self {
        let control = mem::replace(&mut self.control, control::finished());
        Self { control, created_at: self.created_at, name: self.name.take(), _types: PhantomData }
    }

    /// Leaves the stack as it is, for ever, and the name that its control block points to.
    #[cold]
    pub(super) fn leak(&mut self) {
        self.control = control::finished();
        mem::forget(self.name.take());
    }

    /// Wakes the parked coroutine with `value`.
    ///
    /// # Safety
    ///
    /// `parked` is what `control().parked` says, and `kind` goes with a T (invariant 3).
    #[inline(always)]
    unsafe fn deliver<T, X>(
        &mut self,
        parked: StackPointer,
        kind: usize,
        value: T,
    ) -> Result<CoroutineState<Y, R>, SendError<X, E>> {
        // Copied, as a handle that is somewhere in memory would be read again for it.
        let control = self.control;
        self.control().parked.set(RUNNING);
        // SAFETY: `parked` is parked, and nobody else wakes it: the mark is gone from the control block (invariant 1).
        let arrival = unsafe { arch::resume(parked, kind, encode(&value)) };
        mem::forget(value);
        if arrival.kind == YIELDED {
            // SAFETY: what has yielded has not ended, so its control block is there; the words of YIELDED are a Y (invariant 3).
            return Ok(CoroutineState::Yielded(unsafe {
                control.as_ref().parked.set(arrival.from);
                decode(arrival.words)
            }));
        }
        core::hint::cold_path();
        // SAFETY: it answers the resume above.
        unsafe { self.receive(arrival) }.map_err(SendError::Thrown)
    }

    /// # Safety
    ///
    /// `arrival` is what the coroutine answered, and no YIELDED.
    #[inline(always)]
    pub(super) unsafe fn receive(&mut self, arrival: Arrival) -> Result<CoroutineState<Y, R>, Thrown<E>> {
        if arrival.kind == RETURNED {
            // SAFETY: RETURNED comes with an R, which is in place until the stack is released.
            let value = unsafe { decode(arrival.words) };
            self.release();
            return Ok(CoroutineState::Complete(value));
        }
        // SAFETY: the same arrival.
        match unsafe { settle(arrival.kind, arrival.words.first(), arrival.from) } {
            (from, Settled::Yielded(value)) => {
                self.control().parked.set(from);
                Ok(CoroutineState::Yielded(value))
            }
            (_, Settled::Ended(outcome)) => {
                self.release();
                concluded(outcome)
            }
            (_, Settled::Stuck) => unreachable!("only an exit is answered so"),
        }
    }

    /// Wakes the parked coroutine with a message, and returns what it answers.
    ///
    /// # Safety
    ///
    /// `parked` is what `control().parked` says, and the words go with the kind (invariant 3).
    #[inline(always)]
    unsafe fn wake(&self, parked: StackPointer, kind: usize, words: Words) -> Arrival {
        self.control().parked.set(RUNNING);
        // SAFETY: `parked` is parked, and nobody else wakes it: the mark is gone from the control block (invariant 1).
        unsafe { arch::resume(parked, kind, words) }
    }

    /// What an answer says that may bring a large value. It is read in one place, whichever way the answer has come: where two meet with
    /// a value on each, there would be one more copy.
    ///
    /// # Safety
    ///
    /// It is what the coroutine has just answered. `control` is the handle's: a copy from before it was woken, as a handle
    /// that is somewhere in memory would be read again for it.
    #[inline(always)]
    unsafe fn answered<X>(
        &mut self,
        control: NonNull<Control>,
        arrival: Arrival,
    ) -> Result<CoroutineState<Y, R>, SendError<X, E>> {
        let Arrival { mut kind, words: Words([mut first, mut second, mut third, mut fourth]), mut from } = arrival;
        if kind != YIELDED {
            core::hint::cold_path();
            if kind == RETURNED {
                // SAFETY: RETURNED comes with an R, which is in place until the stack is released.
                let value = unsafe { decode(arrival.words) };
                self.release();
                return Ok(CoroutineState::Complete(value));
            }
            if kind == CALL {
                // SAFETY: it is a CALL, from a coroutine.
                let after = unsafe { serve_calls(first, from) };
                (kind, from) = (after.kind, after.from);
                Words([first, second, third, fourth]) = after.words;
            }
            if kind != YIELDED {
                // SAFETY: what is neither CALL nor YIELDED is an end.
                let outcome = unsafe { self.collect(kind, Words([first, second, third, fourth])) };
                return concluded(outcome).map_err(SendError::Thrown);
            }
        }
        // SAFETY: what has yielded has not ended, so its control block is there; the words of YIELDED are a Y (invariant 3).
        Ok(CoroutineState::Yielded(unsafe {
            control.as_ref().parked.set(from);
            decode(Words([first, second, third, fourth]))
        }))
    }

    /// Takes the outcome and gives the stack back.
    ///
    /// # Safety
    ///
    /// `kind` and `words` are those of this coroutine's end.
    #[inline(always)]
    pub(super) unsafe fn collect(&mut self, kind: usize, words: Words) -> Outcome<R, E> {
        // SAFETY: what they carry is in place until the stack is released.
        let outcome = unsafe { outcome(kind, words) };
        self.release();
        outcome
    }

    #[inline(always)]
    pub(super) fn send(&mut self, value: S) -> Result<CoroutineState<Y, R>, SendError<S, E>> {
        let parked = self.control().parked.get();
        if parked.is_marked() {
            return Err(refusal(self.control, value));
        }
        if const { fits_in_words::<S>() && fits_in_words::<Y>() } {
            // SAFETY: it is not marked, so it is parked; VALUE goes with an S.
            return unsafe { self.deliver(parked, VALUE, value) };
        }
        // By no further function that takes the value: each would copy it once more.
        let control = self.control;
        // SAFETY: as above.
        let arrival = unsafe { self.wake(parked, VALUE, encode(&value)) };
        mem::forget(value);
        // SAFETY: it answers that.
        unsafe { self.answered(control, arrival) }
    }

    #[inline(always)]
    pub(super) fn resume(&mut self) -> Result<CoroutineState<Y, R>, SendError<(), E>>
    where
        S: Default,
    {
        let parked = self.control().parked.get();
        if parked.is_marked() {
            return self.start();
        }
        if const { fits_in_words::<S>() && fits_in_words::<Y>() } {
            // SAFETY: it is not marked, so it is parked; NEXT goes with an S.
            return unsafe { self.deliver(parked, NEXT, S::default()) };
        }
        let (control, value) = (self.control, S::default());
        // SAFETY: as above.
        let arrival = unsafe { self.wake(parked, NEXT, encode(&value)) };
        mem::forget(value);
        // SAFETY: it answers that.
        unsafe { self.answered(control, arrival) }
    }

    #[inline(always)]
    pub(super) fn start(&mut self) -> Result<CoroutineState<Y, R>, SendError<(), E>> {
        match self.control().standing() {
            // SAFETY: a fresh stack counts as parked; to be started it needs no value.
            Standing::Created(fresh) => unsafe { self.deliver(fresh, NEXT, ()) },
            Standing::Suspended(_) => Err(SendError::Started(())),
            _ => Err(refusal(self.control, ())),
        }
    }

    #[inline(always)]
    pub(super) fn throw(&mut self, error: E) -> Result<CoroutineState<Y, R>, SendError<E, E>> {
        let parked = self.control().parked.get();
        if parked.is_marked() {
            return Err(match self.control().standing() {
                Standing::Created(_) => {
                    self.discard();
                    SendError::Thrown(Thrown::Error(error))
                }
                _ => refusal(self.control, error),
            });
        }
        // SAFETY: it is not marked, so it is parked; THROW goes with an E.
        unsafe { self.deliver(parked, THROW, error) }
    }

    /// Ends a coroutine that has not started. Its closure is dropped on its own stack: it may hold other coroutines that
    /// have not started either, and so on, deeper than the caller's stack reaches.
    #[cold]
    #[inline(never)]
    pub(super) fn discard(&mut self) {
        let Standing::Created(fresh) = self.control().standing() else { return };
        // SAFETY: a fresh stack counts as parked; DISCARD needs no value. The answer's word is the address of a `Panicked`, which is
        // in place until the stack is released.
        let panicked = unsafe {
            self.control().parked.set(RUNNING);
            let arrival = arch::resume(fresh, DISCARD, Words::NONE);
            arrival.words.first().assume_init().cast::<Panicked>().read()
        };
        self.release();
        if let Some(payload) = panicked {
            resume_panic(payload);
        }
    }

    /// Runs `f` on the stack of the coroutine, or of the innermost one that is parked in a yield of its, as if the yield had
    /// called it. Nothing else happens to the coroutine: it is parked there again. False if it is not suspended.
    ///
    /// Panics of `f` are caught, and come to nothing.
    #[inline(never)]
    pub(super) fn inspect(&mut self, f: &mut dyn FnMut()) -> bool {
        let control = self.control();
        let parked = control.parked.get();
        if parked.is_marked() {
            return false;
        }
        let mut run = || mem::forget(panic::catch_unwind(panic::AssertUnwindSafe(&mut *f)));
        let call = ParentCall::new(&mut run);
        control.parked.set(RUNNING);
        // SAFETY: it is not marked, so it is parked, and nobody else wakes it; INSPECT comes with the address of a call, which
        // is there until it is answered (invariant 22).
        let arrival = unsafe { arch::resume(parked, INSPECT, address_of(&call)) };
        debug_assert_eq!(arrival.kind, INSPECTED);
        control.parked.set(arrival.from);
        true
    }

    pub(super) fn state(&self) -> State {
        match self.control().standing() {
            Standing::Created(_) => State::Created,
            Standing::Suspended(_) => State::Suspended,
            Standing::Running => State::Running,
            Standing::Finished | Standing::Abandoned => State::Finished,
        }
    }

    pub(super) fn description(&self) -> Description<'_> {
        Description::new(self.name.as_ref().map(Name::as_str), self.created_at)
    }

    pub(super) fn debug(&self, kind: &str, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct(kind)
            .field("state", &self.state())
            .field("name", &self.description().name())
            .field("created_at", &format_args!("{}", self.created_at))
            .finish_non_exhaustive()
    }

    pub(super) fn stack_size(&self) -> Option<usize> {
        // SAFETY: a handle that does not say that it has ended has a stack.
        (!self.has_ended()).then(|| unsafe { usage::size(Control::header(self.control)) })
    }

    pub(super) fn stack_high_water(&self) -> Option<usize> {
        // SAFETY: as above; the coroutine is parked, or it is its own frames that ask.
        (!self.has_ended()).then(|| unsafe { usage::high_water(Control::header(self.control)) })
    }

    pub(super) fn delegate(&self) -> Option<Description<'_>> {
        // SAFETY: while a coroutine delegates, the handle of the other is borrowed by its frames, which keep both blocks
        // alive; and `&self` keeps this one from running.
        unsafe { self.control().root.delegate().cast::<Control>().as_ref() }.map(Control::describe)
    }
}

/// Why `value` was not delivered to a coroutine that is not parked. Takes the block, not the handle: a reference to the
/// handle would keep it in memory.
#[cold]
#[inline(never)]
pub(super) fn refusal<T, E>(control: NonNull<Control>, value: T) -> SendError<T, E> {
    // SAFETY: a handle's control block is valid.
    match unsafe { control.as_ref() }.standing() {
        Standing::Created(_) => SendError::NotStarted(value),
        Standing::Suspended(_) => SendError::Started(value),
        Standing::Running => SendError::Running(value),
        Standing::Finished => SendError::Finished(value),
        Standing::Abandoned => SendError::Abandoned(value),
    }
}

/// What the end of a coroutine carries.
///
/// # Safety
///
/// `kind` and `words` are those of the end of a coroutine with these types, whose stack has not been released.
#[inline(always)]
unsafe fn outcome<R, E>(kind: usize, words: Words) -> Outcome<R, E> {
    debug_assert!(kind == RETURNED || kind == FAILED);
    if kind == RETURNED {
        // SAFETY: RETURNED comes with an R (invariant 3).
        Ok(unsafe { decode(words) })
    } else {
        core::hint::cold_path();
        // SAFETY: FAILED comes with the address of a Failure of the coroutine's E.
        Err(unsafe { words.first().assume_init().cast::<Failure<E>>().read() })
    }
}

/// What comes back, and where the coroutine is parked then, when it is neither a plain yield nor a plain return. Nothing
/// is done to the handle, which the caller may have in registers.
///
/// # Safety
///
/// These are the parts of what a coroutine with these types has answered.
#[cold]
#[inline(never)]
unsafe fn settle<Y, R, E>(kind: usize, word: Word, from: StackPointer) -> (StackPointer, Settled<Y, R, E>) {
    let mut arrival = Arrival { kind, words: Words::only(word), from };
    if kind == CALL {
        // SAFETY: it is a CALL.
        arrival = unsafe { serve_calls(word, from) };
    }
    let settled = if arrival.kind == YIELDED {
        // SAFETY: the words of YIELDED are a Y (invariant 3).
        Settled::Yielded(unsafe { decode(arrival.words) })
    } else {
        // SAFETY: what is neither CALL nor YIELDED is an end.
        Settled::Ended(unsafe { outcome(arrival.kind, arrival.words) })
    };
    (arrival.from, settled)
}

/// Runs what the coroutine asks for on this stack, until it asks no more. The message comes in registers: a reference to
/// it would make the caller keep every message in memory.
///
/// # Safety
///
/// `word` and `from` are those of a CALL that has come from a coroutine.
#[cold]
#[inline(never)]
pub(super) unsafe fn serve_calls(word: Word, from: StackPointer) -> Arrival {
    let mut arrival = Arrival { kind: CALL, words: Words::only(word), from };
    while arrival.kind == CALL {
        // SAFETY: CALL's word is the address of a ParentCall in the coroutine's frames, which is parked until RAN.
        unsafe {
            ParentCall::run(arrival.words.first());
            arrival = arch::resume(arrival.from, RAN, Words::NONE);
        }
    }
    arrival
}

/// What its owner learns of a coroutine's end, whose stack has been given back. A panic of its body goes on here.
#[inline(always)]
fn concluded<Y, R, E>(outcome: Outcome<R, E>) -> Result<CoroutineState<Y, R>, Thrown<E>> {
    match outcome {
        Ok(value) => Ok(CoroutineState::Complete(value)),
        Err(Failure::Thrown(thrown)) => Err(thrown),
        Err(Failure::Panicked(payload)) => resume_panic(payload),
    }
}

/// Goes on with a panic that a coroutine's root has caught, on the stack of whoever resumed it.
#[cold]
#[inline(never)]
pub(super) fn resume_panic(payload: Box<dyn Any + Send>) -> ! {
    panic::resume_unwind(payload)
}
