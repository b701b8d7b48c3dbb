//! The control block: what is known of a coroutine, at the top of its stack.

use super::report::Description;
use crate::arch::{Root, StackPointer, Word};
use crate::stack::pool::Header;
use core::cell::Cell;
use core::panic::Location;
use core::ptr::{self, NonNull};

/// What is known of a coroutine. The top of a stack, from high addresses to low:
///
/// ```text
///    stack::pool::Header
///    Control               <- handles and yielders point here
///    the closure           (a box with it, if it is large)
///    frames of the body
/// ```
///
/// Only the coroutine's thread touches it (invariant 4), so everything is in cells.
#[repr(C, align(64))]
pub(crate) struct Control {
    pub(super) root: Root,
    /// Where to resume: the parked innermost side, or one of the marks of this module.
    pub(super) parked: Cell<StackPointer>,
    /// Set while this coroutine answers an exit or an unwind (invariant 6).
    pub(super) closer: Cell<*const Closer>,
    /// The unwind that this coroutine's root takes for its own, or 0.
    pub(super) pending: Cell<u64>,
    /// Whether it was woken while the thread was panicking, and so may suspend while the thread is panicking.
    pub(super) woken_panicking: Cell<bool>,
    /// Whether an unstarted closure has something to drop.
    pub(super) discard: Cell<bool>,
    /// Where the entry function keeps what an unwinding yield carries: a `Cell<Option<Thrown<E>>>`.
    pub(super) escape: Cell<*const ()>,
    pub(super) closure: Cell<*mut u8>,
    pub(super) created_at: Cell<&'static Location<'static>>,
    /// Owned by the handle.
    pub(super) name: Cell<Option<NonNull<str>>>,
}

const _: () = assert!(size_of::<Control>() == 128 && core::mem::offset_of!(Control, root) == 0);

/// The marks: odd values of `parked` that say why there is nothing to resume. A coroutine that has not been started has
/// its first stack pointer there, with the lowest bit set.
pub(super) const FINISHED: StackPointer = StackPointer::mark(1);
pub(super) const RUNNING: StackPointer = StackPointer::mark(3);
/// Its delegator's handle knows where it is parked.
pub(super) const DELEGATED: StackPointer = StackPointer::mark(5);
/// Its thread's locals are gone: see `stack::pool`.
pub(super) const ABANDONED: StackPointer = StackPointer::mark(7);

/// What a handle's `parked` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Created(StackPointer),
    Suspended(StackPointer),
    Running,
    Finished,
    Abandoned,
}

impl Control {
    /// The control block that goes below `header`.
    #[inline(always)]
    pub(super) fn below(header: NonNull<Header>) -> NonNull<Control> {
        // SAFETY: a stack has more room than a control block takes.
        unsafe { header.cast::<Control>().sub(1) }
    }

    /// The header of the stack that this control block is on.
    #[inline(always)]
    pub(super) fn header(this: NonNull<Control>) -> NonNull<Header> {
        // SAFETY: `below` put it under one.
        unsafe { this.add(1).cast() }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.parked.get() {
            FINISHED => Standing::Finished,
            RUNNING | DELEGATED => Standing::Running,
            ABANDONED => Standing::Abandoned,
            created if created.is_marked() => Standing::Created(created.unmarked()),
            parked => Standing::Suspended(parked),
        }
    }

    /// Hands the consumer's exit or unwind, if `closer` is one, to this coroutine.
    pub(super) fn answer(&self, closer: *const Closer) {
        // SAFETY: a closer that a control block or a message names is alive (invariant 6).
        if let Some(closer) = unsafe { closer.as_ref() } {
            self.closer.set(closer);
            closer.answering.set(self);
        }
    }

    pub(super) fn describe(&self) -> Description<'_> {
        // SAFETY: the handle that owns the name outlives the coroutine, or has leaked it.
        let name = self.name.get().map(|name| unsafe { name.as_ref() });
        Description::new(name, self.created_at.get())
    }
}

/// Marks a coroutine that is not finished when its thread's locals die: see `stack::pool`.
///
/// # Safety
///
/// A coroutine of this thread has the stack.
pub(super) unsafe fn abandon(header: NonNull<Header>) {
    // SAFETY: the stack is in use, so the control block below its header is valid.
    let control = unsafe { Control::below(header).as_ref() };
    if matches!(control.standing(), Standing::Created(_) | Standing::Suspended(_)) {
        control.parked.set(ABANDONED);
    }
}

/// The consumer's end of an exit or an unwind, in the frame of whoever waits for the answer.
///
/// Each coroutine on the way out, innermost first, is in turn the one that answers it. When a value arrives instead of
/// an end, `answering` tells which of them ignored the exit.
pub(super) struct Closer {
    pub(super) answering: Cell<*const Control>,
    /// The id of the unwind, or 0 for an exit.
    pub(super) unwind: u64,
}

impl Closer {
    pub(super) fn new(unwind: u64) -> Self {
        Self { answering: Cell::new(ptr::null()), unwind }
    }

    /// Ends the answer of the coroutine that yielded instead, and returns its delegator, or null.
    pub(super) fn ignored(&self) -> StackPointer {
        // SAFETY: it is parked in a yield, so its control block is valid.
        let Some(control) = (unsafe { self.answering.replace(ptr::null()).as_ref() }) else {
            return StackPointer::NULL;
        };
        control.closer.set(ptr::null());
        control.root.delegator.get()
    }
}

/// Tells a delegator that its delegate ignored the exit.
pub(super) struct Notice {
    /// The value that was yielded, which the delegator drops.
    pub(super) yielded: Word,
    /// Where the delegate is parked.
    pub(super) parked: StackPointer,
    /// What the delegator has to answer now.
    pub(super) closer: *const Closer,
}

/// The control block of every handle whose coroutine has ended and given its stack back. Never written.
pub(super) fn finished() -> NonNull<Control> {
    struct Shared(Control);
    // SAFETY: nobody writes it: every write to a control block follows a look at `parked`, which says FINISHED here.
    unsafe impl Sync for Shared {}
    static ENDED: Shared = Shared(Control {
        root: Root::unused(),
        parked: Cell::new(FINISHED),
        closer: Cell::new(ptr::null()),
        pending: Cell::new(0),
        woken_panicking: Cell::new(false),
        discard: Cell::new(false),
        escape: Cell::new(ptr::null()),
        closure: Cell::new(ptr::null_mut()),
        created_at: Cell::new(Location::caller()),
        name: Cell::new(None),
    });
    NonNull::from(&ENDED.0)
}
