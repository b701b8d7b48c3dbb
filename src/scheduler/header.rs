//! The header of a task: what is known of it whatever its types, and the counted reference to it.

use super::cell::WaitCell;
use super::children::Seat;
use super::current::Running;
use super::inbox::Linked;
use super::join::JoinError;
use super::life::drop_quietly;
use super::local::Locals;
use super::once::OnceBox;
use super::remote::Remote;
use super::suspend::Resumer;
use super::word::{Generation, JoinWord, ParkWord};
use crate::Coroutine;
use crate::cancelled::{CancelReason, Cancelled, ScopeId};
use crate::coroutine::Name;
use crate::stack::Class;
use core::cell::{Cell, UnsafeCell};
use core::panic::Location;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use core::task::Waker;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// The coroutine of a task.
pub(super) type Body = Coroutine<(), (), ()>;

/// What a task does that depends on its types.
pub(super) struct VTable {
    /// Runs the closure and keeps its outcome. On the task's own coroutine, once, and not with `refuse`.
    pub(super) run: unsafe fn(NonNull<Header>),
    /// Drops the closure, which does not run, and keeps the error as the outcome.
    pub(super) refuse: unsafe fn(NonNull<Header>, JoinError),
    /// Keeps the error as the outcome of a task that has been started, and never goes on.
    pub(super) give_up: unsafe fn(NonNull<Header>, JoinError),
    /// Moves the outcome to that address, where there is room for it, a `Result<T, JoinError>`.
    pub(super) take_outcome: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the outcome, if it is there.
    pub(super) drop_outcome: unsafe fn(NonNull<Header>),
    /// Frees the memory, with what is in it.
    pub(super) free: unsafe fn(NonNull<Header>),
}

/// Who a task is, and what its starter needs to know. Nobody writes it once the task has been spawned.
pub(super) struct Origin {
    pub(super) id: u64,
    name: Option<Name>,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) class: Class,
    /// Its owner is the one worker that can run it, known since it was spawned.
    pub(super) has_home: bool,
}

impl Origin {
    /// Of a task that has no home.
    #[inline(always)]
    pub(super) fn new(id: u64, name: Option<&str>, spawned_at: &'static Location<'static>, class: Class) -> Self {
        Self { id, name: name.map(Name::new), spawned_at, class, has_home: false }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

/// What is known of a task. Who may touch what (invariant 19):
///
/// - `join`, `cancel_hint`, `cancelled`, `was_told`, `park`, `await_`, `parked`, `cell`: anybody with a reference;
/// - `next`: whoever has the task in a queue;
/// - `owner`: whoever has the task in a queue of tasks that have not started; read-only from then on, and of one that has a home
///   from the beginning;
/// - `locals`, `spans`, `seat`, `listed`: likewise, and from then on its worker;
/// - `joiner`: see the join word;
/// - the rest: the worker that has started the task.
///
/// From `next` to `body` is what a switch needs, close together.
#[repr(C)]
pub(crate) struct Header {
    pub(super) vtable: &'static VTable,
    pub(super) join: JoinWord,
    pub(super) next: Cell<*mut Header>,
    pub(super) owner: Cell<Option<&'static Remote>>,
    pub(super) running: Cell<*const Running>,
    pub(super) cell: AtomicPtr<WaitCell>,
    /// Whether the task, or something in it, has been cancelled: then the suspended part of the task looks closer.
    pub(super) cancel_hint: AtomicBool,
    /// A call in it has returned that.
    pub(super) was_told: AtomicBool,
    pub(super) park: ParkWord,
    /// Likewise for the wakers of this task.
    pub(super) await_: ParkWord,
    /// Where the worker's list of started tasks has it. Before it begins: see `stalled.rs`.
    pub(super) listed: Cell<u32>,
    /// What it looks at first when it goes on, if it has waited for I/O. Only a hint: it may be gone.
    #[cfg(unix)]
    pub(super) looks_at: Cell<*const ()>,
    pub(super) body: UnsafeCell<Option<Body>>,
    pub(super) joiner: UnsafeCell<Option<Joiner>>,
    pub(super) locals: Cell<Option<Arc<Locals>>>,
    /// Those that it is in while it runs.
    #[cfg(feature = "tracing")]
    pub(super) spans: Cell<Option<super::spans::Spans>>,
    /// The place in a scope, to be left at the very end.
    pub(super) seat: Cell<Option<Seat>>,
    /// That the task as a whole has been cancelled.
    pub(super) cancelled: OnceBox<Cancelled>,
    /// The generation of the wait of the last `park` or `await_`, and of no other kind of wait.
    pub(super) parked: AtomicU64,
    pub(super) origin: Origin,
}

// With a small closure and outcome it is just what the smallest blocks of `memory.rs` hold.
#[cfg(all(target_pointer_width = "64", unix, not(feature = "tracing")))]
const _: () = assert!(size_of::<Header>() <= 184);

/// Who is told when a task has ended.
pub(super) enum Joiner {
    /// A task or thread that waits in `join`.
    Resumer(Resumer<()>),
    /// Whoever has polled the handle as a future.
    Waker(Waker),
}

impl Joiner {
    /// Tells it. What a waker of others' panics with has been printed, and is nobody's here.
    pub(super) fn wake(self) {
        match self {
            Self::Resumer(resumer) => resumer.send_next(),
            Self::Waker(waker) => drop_quietly(panic::catch_unwind(AssertUnwindSafe(|| waker.wake())).err()),
        }
    }
}

impl Header {
    #[inline(always)]
    pub(super) fn new(
        vtable: &'static VTable,
        origin: Origin,
        home: Option<&'static Remote>,
        locals: Option<Arc<Locals>>,
    ) -> Self {
        Self {
            vtable,
            join: JoinWord::new(),
            next: Cell::new(ptr::null_mut()),
            owner: Cell::new(home),
            running: Cell::new(ptr::null()),
            cell: AtomicPtr::new(ptr::null_mut()),
            cancel_hint: AtomicBool::new(false),
            was_told: AtomicBool::new(false),
            park: ParkWord::new(),
            await_: ParkWord::new(),
            listed: Cell::new(u32::MAX),
            #[cfg(unix)]
            looks_at: Cell::new(ptr::null()),
            body: UnsafeCell::new(None),
            joiner: UnsafeCell::new(None),
            locals: Cell::new(locals),
            #[cfg(feature = "tracing")]
            spans: Cell::new(None),
            seat: Cell::new(None),
            cancelled: OnceBox::new(),
            parked: AtomicU64::new(0),
            origin: Origin { has_home: home.is_some(), ..origin },
        }
    }

    /// The body of a task that has been started, and was suspended.
    ///
    /// # Safety
    ///
    /// The task is valid, and only its worker calls this.
    #[inline(always)]
    pub(super) unsafe fn body_of(this: NonNull<Self>) -> *mut Body {
        // SAFETY: by this function's contract.
        match unsafe { &mut *this.as_ref().body.get() } {
            Some(body) => body,
            None => unreachable!("a started task has a body"),
        }
    }

    /// Cancels the task as a whole. False if it was cancelled before, or has ended.
    pub(super) fn cancel(&self, reason: CancelReason) -> bool {
        self.cancel_as(Cancelled::new(reason, self.scope_id()))
    }

    /// [`cancel`](Self::cancel) with a `Cancelled` that may be that of a scope around it.
    pub(super) fn cancel_as(&self, cancelled: Cancelled) -> bool {
        // What is complete may still wait: in the destructor of an outcome that nobody wants.
        let has_ended = self.join.is_complete();
        if self.cancelled.set(cancelled).is_err() {
            return false;
        }
        self.interrupt(0);
        !has_ended
    }

    /// Lets the task know that something at this `depth` of it was cancelled: wakes it, if it waits where that reaches.
    pub(super) fn interrupt(&self, depth: u32) {
        self.cancel_hint.store(true, Ordering::SeqCst);
        // SAFETY: cells are never freed.
        let Some(cell) = (unsafe { self.cell.load(Ordering::SeqCst).as_ref() }) else { return };
        let this = NonNull::from(self);
        if cell.claim_for_cancel(this.as_ptr(), depth) {
            // SAFETY: the wait was claimed, so the task is this claimer's to wake.
            unsafe { super::worker::wake(this) };
        }
    }

    /// Wakes the task from a wait of `park` or `await_`.
    pub(super) fn wake_parked(&self, generation: u64) {
        // SAFETY: cells are never freed.
        let Some(cell) = (unsafe { self.cell.load(Ordering::Acquire).as_ref() }) else { return };
        if cell.claim(Generation(generation)) {
            // SAFETY: the slot of a wait that one of these has begun is of these types, and claimed.
            unsafe { super::suspend::deliver::<(), core::convert::Infallible>(cell, super::suspend::Slot::Value(())) };
        }
    }

    /// The one worker that can run the task, if that was known when it was spawned.
    #[inline(always)]
    pub(super) fn home(&self) -> Option<&'static Remote> {
        // With a home it is read-only.
        if self.origin.has_home { self.owner.get() } else { None }
    }

    pub(super) fn scope_id(&self) -> ScopeId {
        ScopeId::of_task(self.origin.id)
    }
}

// SAFETY: whoever has a task in a queue has its link.
unsafe impl Linked for Header {
    unsafe fn set_next(this: NonNull<Self>, next: *mut Self) {
        // SAFETY: by this function's contract.
        unsafe { this.as_ref() }.next.set(next);
    }

    unsafe fn next(this: NonNull<Self>) -> *mut Self {
        // SAFETY: by this function's contract.
        unsafe { this.as_ref() }.next.get()
    }
}

/// A counted reference to a task. What it may be used for is in the table of [`Header`].
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: through it only the fields are reached that anybody with a reference may touch.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}
// These are words, and nothing that a panic would leave in the midst of a change.
impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

impl TaskRef {
    /// # Safety
    ///
    /// The reference that is counted already becomes this one.
    pub(super) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self(task)
    }

    /// Another reference.
    pub(super) fn to(task: &Header) -> Self {
        task.join.retain();
        Self(NonNull::from(task))
    }

    pub(super) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    pub(super) fn header(&self) -> &Header {
        // SAFETY: a counted reference keeps the task.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::to(self.header())
    }
}

impl Drop for TaskRef {
    #[inline(always)]
    fn drop(&mut self) {
        let header = self.header();
        if header.join.release() {
            // SAFETY: that was the last reference.
            unsafe { (header.vtable.free)(self.0) };
        }
    }
}
