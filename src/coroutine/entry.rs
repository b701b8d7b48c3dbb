//! A coroutine's root: making one, and its outermost Rust function.

use super::control::{Control, TENANT};
use super::error::Thrown;
use super::message::{DISCARD, FAILED, RETURNED, address_of, encode};
use super::unwind;
use super::yielder::Yielder;
use crate::arch::{self, Root, StackPointer};
use crate::stack::{Class, Header, pool};
use core::cell::Cell;
use core::panic::Location;
use core::ptr::NonNull;
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// How a body ended, if it did not return a value.
pub(super) enum Failure<E> {
    Thrown(Thrown<E>),
    Panicked(Box<dyn Any + Send>),
}

/// How a body ended. A value that it returned is a message by itself, so that a small one stays in a register.
pub(super) type Outcome<R, E> = Result<R, Failure<E>>;

/// What the destructor of a closure that was never run has panicked with, if it has.
pub(super) type Panicked = Option<Box<dyn Any + Send>>;

/// Closures up to this size and alignment are written on the new stack, others are boxed. That write is not probed for
/// the guard, as the frames of functions are, so it must be known to fit.
const INLINE_SIZE: usize = 1024;
const INLINE_ALIGN: usize = 64;

/// Puts a coroutine that runs `body` on the stack of `header`.
#[inline(always)]
pub(super) fn create<F, Y, S, R, E>(
    header: NonNull<Header>,
    body: F,
    created_at: &'static Location<'static>,
    name: Option<NonNull<str>>,
) -> NonNull<Control>
where
    F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
{
    if size_of::<F>() <= INLINE_SIZE && align_of::<F>() <= INLINE_ALIGN {
        place(header, body, created_at, name)
    } else {
        let body = Box::new(body);
        place(header, move |yielder: &Yielder<Y, S, E>| apart(|| (*body)(yielder)), created_at, name)
    }
}

/// Calls `f` in a frame of its own: a large body must not become part of `entry`'s, which runs also where the body does not,
/// and on stacks that may be too small for the body.
#[inline(never)]
fn apart<T>(f: impl FnOnce() -> T) -> T {
    f()
}

#[inline(always)]
fn place<F, Y, S, R, E>(
    header: NonNull<Header>,
    body: F,
    created_at: &'static Location<'static>,
    name: Option<NonNull<str>>,
) -> NonNull<Control>
where
    F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
{
    debug_assert!(size_of::<F>() <= INLINE_SIZE && align_of::<F>() <= INLINE_ALIGN);
    let control = Control::below(header);
    // SAFETY: the stack has at least 16 KiB, which is more than header, colours, control block, closure and a frame; it
    // is ours, `closure` is aligned for an F and for a frame, and `move_in` has written the control block.
    unsafe {
        let closure = closure_below::<F>(control.as_ptr());
        closure.write(body);
        let (limit, root) = (pool::limit(header), control.as_ptr().cast());
        let parked = arch::prepare(limit, closure.cast(), entry::<F, Y, S, R, E>, root);
        let control = control.as_ref();
        control.parked.set(parked.marked());
        control.created_at.set(created_at);
        if name.is_some() {
            control.name.set(name);
        }
    }
    control
}

/// Where the closure of a coroutine is: below its control block.
#[inline(always)]
fn closure_below<F>(control: *const Control) -> *mut F {
    let align = if align_of::<F>() > 16 { align_of::<F>() } else { 16 };
    control.cast_mut().cast::<u8>().wrapping_sub(size_of::<F>()).map_addr(|address| address & !(align - 1)).cast()
}

/// The outermost Rust function of a coroutine. Panics end here, and so does the stack's use.
///
/// # Safety
///
/// Only `arch::start` calls it: `root` is in the control block that `place::<F, Y, S, R, E>` wrote.
unsafe extern "C" fn entry<F, Y, S, R, E>(root: *const Root, kind: usize) -> !
where
    F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
{
    // SAFETY: `root` is the first field of a control block, which stays until the coroutine has ended.
    let control = unsafe { &*root.cast::<Control>() };
    if kind == DISCARD {
        // SAFETY: the same contract.
        unsafe { discard::<F>(control) };
    }
    if const { size_of::<Outcome<R, E>>() > INLINE_SIZE } {
        // SAFETY: the same contract.
        unsafe { begin_apart::<F, Y, S, R, E>(control) }
    } else {
        // SAFETY: the same contract.
        unsafe { begin::<F, Y, S, R, E>(control) }
    }
}

/// [`begin`] in a frame of its own: see [`apart`]. So is a large outcome no part of `entry`'s.
///
/// # Safety
///
/// As for [`entry`].
#[inline(never)]
unsafe fn begin_apart<F, Y, S, R, E>(control: &Control) -> !
where
    F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
{
    // SAFETY: the same contract.
    unsafe { begin::<F, Y, S, R, E>(control) }
}

/// Runs the body, and ends the coroutine.
///
/// # Safety
///
/// As for [`entry`].
#[inline(always)]
unsafe fn begin<F, Y, S, R, E>(control: &Control) -> !
where
    F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
{
    if thread::panicking() {
        core::hint::cold_path();
        control.set_woken_panicking();
    }
    let escape = Cell::new(None::<Thrown<E>>);
    control.escape.set((&raw const escape).cast());
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `place` wrote an F there, which nobody has read yet.
        let body = unsafe { closure_below::<F>(control).read() };
        body(Yielder::of(control))
    }));
    let (link, target) = consumer(control);
    // `finish` does not return, so what is on this stack by now is dropped by nobody but the other side.
    // Taken apart here, and put together again where it is wanted: as a whole it would have to be in memory.
    let outcome = match result {
        Ok(Ok(value)) => {
            if control.ends_as_usual() {
                // SAFETY: the delegator or the consumer is parked and waits for this coroutine (invariants 1 and 2); it
                // takes the value before it gives the stack away (invariant 5).
                unsafe { arch::finish(target, RETURNED, encode(&value), link) };
            }
            core::hint::cold_path();
            tidy_up(control, Ok(value), &escape)
        }
        Ok(Err(thrown)) => tidy_up(control, Err(Failure::Thrown(thrown)), &escape),
        Err(payload) => tidy_up(control, Err(Failure::Panicked(payload)), &escape),
    };
    match outcome {
        // SAFETY: as above.
        Ok(value) => unsafe { arch::finish(target, RETURNED, encode(&value), link) },
        // SAFETY: as above.
        Err(failure) => unsafe { arch::finish(target, FAILED, address_of(&failure), link) },
    }
}

/// The whole life of a coroutine that is not to start: drops its closure, and answers with a [`Panicked`].
///
/// # Safety
///
/// As for [`entry`].
#[cold]
#[inline(never)]
unsafe fn discard<F>(control: &Control) -> ! {
    let dropped = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `place` wrote an F there, which nobody has read yet.
        drop(unsafe { closure_below::<F>(control).read() });
    }));
    let panicked: Panicked = dropped.err();
    let (link, target) = consumer(control);
    // SAFETY: as in `entry`.
    unsafe { arch::finish(target, FAILED, address_of(&panicked), link) }
}

/// The link to hand on at the end, and who is to be woken: the delegator, if there is one, or else the link.
#[inline(always)]
fn consumer(control: &Control) -> (StackPointer, StackPointer) {
    let link = control.root.link.get();
    if link.is_null() {
        // A coroutine cannot delegate and end at once: whoever is between the two borrows from its frames
        // (invariant 7). Going on would be a jump to nowhere.
        super::report::abort("a coroutine ended while it delegated");
    }
    (link, control.root.delegator_or(link))
}

/// What the body has ended with, where unwinds may have been about. A private unwind that was meant for this coroutine
/// becomes the result that it stands for; what one that was caught on its way has left is dropped.
#[inline(always)]
fn tidy_up<R, E>(control: &Control, outcome: Outcome<R, E>, escape: &Cell<Option<Thrown<E>>>) -> Outcome<R, E> {
    if control.ends_as_usual() { outcome } else { tidy_up_slow(control, outcome, escape) }
}

#[cold]
#[inline(never)]
fn tidy_up_slow<R, E>(control: &Control, outcome: Outcome<R, E>, escape: &Cell<Option<Thrown<E>>>) -> Outcome<R, E> {
    let own = matches!(&outcome, Err(Failure::Panicked(payload)) if unwind::is_own(&**payload, control));
    control.forget_special();
    if own {
        return Err(Failure::Thrown(escape.take().unwrap_or(Thrown::Exit)));
    }
    // Nothing catches what panics from here on. The first panic is what the consumer hears of.
    match (unwind::drop_caught(escape.take()), outcome) {
        (Ok(()), outcome) => outcome,
        (Err(payload), Err(Failure::Panicked(first))) => {
            unwind::lose(payload);
            Err(Failure::Panicked(first))
        }
        (Err(first), outcome) => {
            unwind::drop_caught(outcome).unwrap_or_else(unwind::lose);
            Err(Failure::Panicked(first))
        }
    }
}

/// Takes a stack from the pool for a coroutine.
#[inline(always)]
pub(super) fn take(class: Class) -> Result<NonNull<Header>, crate::stack::StackError> {
    pool::take(class, &TENANT)
}
