//! A coroutine's root: making one, and its outermost Rust function.

use super::control::{self, Control};
use super::error::Thrown;
use super::message::{DISCARD, DONE, address_of};
use super::unwind;
use super::yielder::Yielder;
use crate::arch::{self, Root};
use crate::stack::pool::{self, Header};
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr::{self, NonNull};
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

/// How a body ended: with a result, or with the payload of a panic.
pub(super) type Outcome<R, E> = Result<Result<R, Thrown<E>>, Box<dyn Any + Send>>;

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
        control.write(Control {
            root: Root::at(control.as_ptr().cast()),
            parked: Cell::new(parked.marked()),
            closer: Cell::new(ptr::null()),
            pending: Cell::new(0),
            woken_panicking: Cell::new(false),
            discard: Cell::new(core::mem::needs_drop::<F>()),
            escape: Cell::new(ptr::null()),
            closure: Cell::new(closure),
            created_at: Cell::new(created_at),
            name: Cell::new(name),
        });
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
    let mut outcome: Outcome<R, E> = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `place` wrote an F there, which nobody has read yet.
        let body = unsafe { control.closure.get().cast::<F>().read() };
        if kind == DISCARD {
            drop(body);
            Err(Thrown::Exit)
        } else {
            body(Yielder::of(control))
        }
    }));
    if control.pending.get() != 0 {
        take_own_unwind(control, &mut outcome, &escape);
    }
    // What is on this stack from here on is not dropped any more.
    let outcome = ManuallyDrop::new(outcome);
    let _escape = ManuallyDrop::new(escape);
    let link = control.root.link.get();
    if link.is_null() {
        // A coroutine cannot delegate and end at once: whoever is between the two borrows from its frames
        // (invariant 7). Going on would be a jump to nowhere.
        super::report::abort("a coroutine ended while it delegated");
    }
    let delegator = control.root.delegator.get();
    let target = if delegator.is_null() { link } else { delegator };
    // SAFETY: the delegator or the consumer is parked and waits for this coroutine (invariants 1 and 2); it takes the
    // outcome before it gives the stack away (invariant 5).
    unsafe { arch::finish(target, DONE, address_of(&outcome), link) }
}

/// Turns the private unwind that was meant for this coroutine into the result that it stands for, and drops what an
/// unwind that was caught on its way has left.
#[cold]
#[inline(never)]
fn take_own_unwind<R, E>(control: &Control, outcome: &mut Outcome<R, E>, escape: &Cell<Option<Thrown<E>>>) {
    match outcome {
        Err(payload) if unwind::is_own(&**payload, control) => {
            *outcome = Ok(Err(escape.take().unwrap_or(Thrown::Exit)));
        }
        _ => {
            let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(escape.take())));
            if let (Err(payload), Ok(_)) = (dropped, &*outcome) {
                *outcome = Err(payload);
            }
        }
    }
}

/// Takes a stack from the pool for a coroutine.
#[inline(always)]
pub(super) fn take(class: pool::Class) -> Result<NonNull<Header>, crate::stack::StackError> {
    pool::take(class, control::abandon)
}
