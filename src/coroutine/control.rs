//! The control block: what is known of a coroutine, at the top of its stack.

use super::report::Description;
use crate::arch::{Root, StackPointer, Words};
use crate::stack::Header;
use crate::stack::pool::{Occupant, Tenant};
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
/// Only the coroutine's thread touches it (invariant 4), so everything is in cells. It is written when a thread gets the
/// stack ([`move_in`]), and whoever changes `root.outward`, `root.inward`, `closer`, `special` or `name` puts back what
/// it found by the coroutine's end (invariant 10), so that creating a coroutine writes the other fields only.
#[repr(C, align(64))]
pub(crate) struct Control {
    pub(super) root: Root,
    /// Where to resume: the parked innermost side, or one of the marks of this module.
    pub(super) parked: Cell<StackPointer>,
    /// Set while this coroutine answers an exit or an unwind (invariant 6).
    pub(super) closer: Cell<*const Closer>,
    /// What makes an end a special one, or 0: the id of the unwind that this coroutine's root takes for its own, and in the
    /// lowest bit whether the coroutine was woken while the thread was panicking, and so may suspend while it is.
    special: Cell<u64>,
    /// Where the entry function keeps what an unwinding yield carries: a `Cell<Option<Thrown<E>>>`.
    pub(super) escape: Cell<*const ()>,
    pub(super) created_at: Cell<&'static Location<'static>>,
    /// Owned by the handle.
    pub(super) name: Cell<Option<NonNull<str>>>,
    /// Whose handles are not ours: what those know it by. Of this or of an earlier coroutine of the stack.
    #[cfg(feature = "capi")]
    pub(super) tag: Cell<*const ()>,
}

const _: () = assert!(core::mem::offset_of!(Control, root) == 0);
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Control>() == 128);

/// The marks: odd values of `parked` that say why there is nothing to resume. A coroutine that has not been started has
/// its first stack pointer there, with the lowest bit set.
pub(super) const FINISHED: StackPointer = StackPointer::mark(1);
pub(super) const RUNNING: StackPointer = StackPointer::mark(3);
/// Its delegator's handle knows where it is parked.
pub(super) const DELEGATED: StackPointer = StackPointer::mark(5);
/// Its thread's locals are gone: see `stack::pool`.
pub(super) const ABANDONED: StackPointer = StackPointer::mark(7);

/// The lowest bit of [`Control::special`].
const WOKEN_PANICKING: u64 = 1;

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
    /// One that says FINISHED and nothing else.
    const fn unused() -> Self {
        Self {
            root: Root::unused(),
            parked: Cell::new(FINISHED),
            closer: Cell::new(ptr::null()),
            special: Cell::new(0),
            escape: Cell::new(ptr::null()),
            created_at: Cell::new(Location::caller()),
            name: Cell::new(None),
            #[cfg(feature = "capi")]
            tag: Cell::new(ptr::null()),
        }
    }

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

    #[inline(always)]
    pub(super) fn standing(&self) -> Standing {
        let parked = self.parked.get();
        if !parked.is_marked() {
            return Standing::Suspended(parked);
        }
        if !parked.is_mark() {
            return Standing::Created(parked.unmarked());
        }
        match parked {
            FINISHED => Standing::Finished,
            ABANDONED => Standing::Abandoned,
            _ => Standing::Running,
        }
    }

    /// The id of the unwind that this coroutine's root takes for its own, or 0.
    pub(super) fn pending(&self) -> u64 {
        self.special.get() & !WOKEN_PANICKING
    }

    /// `id` is even.
    pub(super) fn set_pending(&self, id: u64) {
        debug_assert!(id & WOKEN_PANICKING == 0);
        self.special.set(id | (self.special.get() & WOKEN_PANICKING));
    }

    pub(super) fn set_woken_panicking(&self) {
        self.special.set(self.special.get() | WOKEN_PANICKING);
    }

    pub(super) fn was_woken_panicking(&self) -> bool {
        self.special.get() & WOKEN_PANICKING != 0
    }

    /// Whether it was woken while the thread was panicking. That is used up by suspending once.
    pub(super) fn take_woken_panicking(&self) -> bool {
        let special = self.special.get();
        self.special.set(special & !WOKEN_PANICKING);
        special & WOKEN_PANICKING != 0
    }

    #[inline(always)]
    pub(super) fn ends_as_usual(&self) -> bool {
        self.special.get() == 0
    }

    /// What `ends_as_usual` asks for, again.
    pub(super) fn forget_special(&self) {
        self.special.set(0);
    }

    /// Hands the consumer's exit or unwind, if `closer` is one, to this coroutine.
    pub(super) fn answer(&self, closer: *const Closer) {
        // SAFETY: a closer that a control block or a message names is alive (invariant 6).
        if let Some(closer) = unsafe { closer.as_ref() } {
            self.closer.set(closer);
            closer.answering.set(self);
        }
    }

    /// Whether the next coroutine on the stack finds what `move_in` has written (invariant 10).
    pub(super) fn is_clean(&self) -> bool {
        let alone = self.root.delegator_or(StackPointer::NULL).is_null() && self.root.delegate().is_null();
        alone && self.closer.get().is_null() && self.special.get() == 0 && self.name.get().is_none()
    }

    pub(super) fn describe(&self) -> Description<'_> {
        // SAFETY: the handle that owns the name outlives the coroutine, or has leaked it.
        let name = self.name.get().map(|name| unsafe { name.as_ref() });
        Description::new(name, self.created_at.get())
    }
}

/// What the pool tells of.
pub(super) static TENANT: Tenant = Tenant { move_in, abandon, describe };

/// Writes the control block of a stack that this thread has got.
///
/// # Safety
///
/// The stack is unused.
unsafe fn move_in(header: NonNull<Header>) {
    #[cfg(not(switchback_fallback))]
    core::hint::black_box(&super::debug::LAYOUT);
    let control = Control::below(header).as_ptr();
    // SAFETY: the place is on an unused stack, aligned as the header is, and large enough.
    unsafe { control.write(Control { root: Root::at(control.cast()), ..Control::unused() }) };
}

/// Marks a coroutine that is not finished when its thread's locals die: see `stack::pool`.
///
/// # Safety
///
/// A coroutine of this thread has the stack.
unsafe fn abandon(header: NonNull<Header>) {
    // SAFETY: the stack is in use, so the control block below its header is valid.
    let control = unsafe { Control::below(header).as_ref() };
    if matches!(control.standing(), Standing::Created(_) | Standing::Suspended(_)) {
        control.parked.set(ABANDONED);
    }
}

/// Who is on a stack, or was last: a control block keeps its place of creation. Signal handlers call this.
///
/// # Safety
///
/// A coroutine has the stack, or had it last.
unsafe fn describe(header: NonNull<Header>) -> Occupant {
    // SAFETY: the control block below the header was written for the stack's first coroutine.
    let control = unsafe { Control::below(header).as_ref() };
    let is_running = control.standing() == Standing::Running;
    Occupant { name: control.name.get(), created_at: control.created_at.get(), is_running }
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
        control.root.delegator_or(StackPointer::NULL)
    }
}

/// Gives a delegator its delegate back, suspended.
pub(super) struct Notice {
    /// With IGNORED, the value that was yielded, which the delegator drops.
    pub(super) yielded: Words,
    /// Where the delegate is parked, or the innermost that it delegates to.
    pub(super) parked: StackPointer,
    /// What the delegator has to answer now.
    pub(super) closer: *const Closer,
}

/// The control block of every handle whose coroutine has ended and given its stack back. Never written.
#[inline(always)]
pub(super) fn finished() -> NonNull<Control> {
    struct Shared(Control);
    // SAFETY: nobody writes it: every write to a control block follows a look at `parked`, which says FINISHED here.
    unsafe impl Sync for Shared {}
    static ENDED: Shared = Shared(Control::unused());
    NonNull::from(&ENDED.0)
}
