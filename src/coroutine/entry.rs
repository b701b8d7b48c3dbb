//! A coroutine's root: making one, and its outermost Rust function.

use super::control::{self, Control};
use super::error::Thrown;
use super::message::{DISCARD, FAILED, RETURNED, address_of, encode};
use super::unwind;
use super::yielder::Yielder;
use crate::arch::{self, Root, StackPointer};
use crate::stack::pool::{self, Header};
use core::cell::Cell;
use core::panic::Location;
use core::ptr::{self, NonNull};
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

/// How a body ended, if it did not return a value.
pub(super) enum Failure<E> {
    Thrown(Thrown<E>),
    Panicked(Box<dyn Any + Send>),
}

/// How a body ended. A value that it returned is a message by itself, so that a small one stays in a register.
pub(super) type Outcome<R, E> = Result<R, Failure<E>>;

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
        place(header, move |yielder: &Yielder<Y, S, E>| (*body)(yielder), created_at, name)
    }
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
    const { assert!(size_of::<F>() <= INLINE_SIZE && align_of::<F>() <= INLINE_ALIGN) };
    let control = Control::below(header);
    let align = if align_of::<F>() > 16 { align_of::<F>() } else { 16 };
    // SAFETY: the stack has at least 16 KiB, which is more than header, colours, control block, closure and a frame; it
    // is ours, and all addresses are aligned as their types ask.
    unsafe {
        let closure = control.cast::<u8>().as_ptr().wrapping_sub(size_of::<F>()).map_addr(|a| a & !(align - 1));
        closure.cast::<F>().write(body);
        let parked = arch::prepare(closure, entry::<F, Y, S, R, E>, control.as_ptr().cast());
        // Field by field: a block written as one is made elsewhere and copied, by loads that are wider than the stores
        // they wait for.
        let block = control.as_ptr();
        (&raw mut (*block).root).write(Root::at(block.cast()));
        (&raw mut (*block).parked).write(Cell::new(parked.marked()));
        (&raw mut (*block).closer).write(Cell::new(ptr::null()));
        (&raw mut (*block).pending).write(Cell::new(0));
        (&raw mut (*block).woken_panicking).write(Cell::new(false));
        (&raw mut (*block).discard).write(Cell::new(core::mem::needs_drop::<F>()));
        (&raw mut (*block).escape).write(Cell::new(ptr::null()));
        (&raw mut (*block).closure).write(Cell::new(closure));
        (&raw mut (*block).created_at).write(Cell::new(created_at));
        (&raw mut (*block).name).write(Cell::new(name));
    }
    control
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
    let escape = Cell::new(None::<Thrown<E>>);
    control.escape.set((&raw const escape).cast());
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `place` wrote an F there, which nobody has read yet.
        let body = unsafe { control.closure.get().cast::<F>().read() };
        if kind == DISCARD {
            drop(body);
            Err(Thrown::Exit)
        } else {
            body(Yielder::of(control))
        }
    }));
    let (link, target) = consumer(control);
    // `finish` does not return, so what is on this stack by now is dropped by nobody but the other side.
    match &result {
        // SAFETY: the delegator or the consumer is parked and waits for this coroutine (invariants 1 and 2); it takes the
        // value before it gives the stack away (invariant 5).
        Ok(Ok(value)) if control.pending.get() == 0 => unsafe { arch::finish(target, RETURNED, encode(value), link) },
        _ => {
            let outcome = fail(control, result, &escape);
            match &outcome {
                // SAFETY: as above.
                Ok(value) => unsafe { arch::finish(target, RETURNED, encode(value), link) },
                // SAFETY: as above.
                Err(failure) => unsafe { arch::finish(target, FAILED, address_of(failure), link) },
            }
        }
    }
}

/// The link to hand on at the end, and who is to be woken: the delegator, if there is one, or else the link.
#[inline(always)]
fn consumer(control: &Control) -> (StackPointer, StackPointer) {
    let (link, delegator) = (control.root.link.get(), control.root.delegator.get());
    if link.is_null() {
        // A coroutine cannot delegate and end at once: whoever is between the two borrows from its frames
        // (invariant 7). Going on would be a jump to nowhere.
        super::report::abort("a coroutine ended while it delegated");
    }
    (link, if delegator.is_null() { link } else { delegator })
}

/// Makes a failure of what the body ended with. A private unwind that was meant for this coroutine becomes the result that
/// it stands for; what one that was caught on its way has left is dropped.
#[cold]
#[inline(never)]
fn fail<R, E>(
    control: &Control,
    result: Result<Result<R, Thrown<E>>, Box<dyn Any + Send>>,
    escape: &Cell<Option<Thrown<E>>>,
) -> Outcome<R, E> {
    let outcome = match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(thrown)) => Err(Failure::Thrown(thrown)),
        Err(payload) if unwind::is_own(&*payload, control) => {
            return Err(Failure::Thrown(escape.take().unwrap_or(Thrown::Exit)));
        }
        Err(payload) => Err(Failure::Panicked(payload)),
    };
    match panic::catch_unwind(AssertUnwindSafe(|| drop(escape.take()))) {
        Err(payload) if outcome.is_ok() => Err(Failure::Panicked(payload)),
        _ => outcome,
    }
}

/// Takes a stack from the pool for a coroutine.
#[inline(always)]
pub(super) fn take(class: pool::Class) -> Result<NonNull<Header>, crate::stack::StackError> {
    pool::take(class, control::abandon)
}
