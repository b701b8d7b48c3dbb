//! The task that runs: what it has on its stack, and how it is found.

use super::cancel::{self, Node};
use super::cell::WaitCell;
use super::header::Header;
use super::queue::Ready;
use super::remote::Remote;
use super::word::Generation;
use super::worker::Worker;
use crate::Yielder;
use crate::cancelled::{CancelReason, Cancelled};
use crate::future::Bodies;
use core::cell::{Cell, RefCell};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread;

/// What a started task has on its stack, below all frames of its body. The worker and the header point to it as long as
/// the body runs (invariant 20).
pub(crate) struct Running {
    header: NonNull<Header>,
    worker: NonNull<Worker>,
    yielder: NonNull<Yielder<(), ()>>,
    cell: Cell<Option<&'static WaitCell>>,
    /// The task is inside of the closure of `suspend`.
    pub(super) is_registering: Cell<bool>,
    /// What it waits for has come before it was switched away from.
    pub(super) was_delivered: Cell<bool>,
    /// The innermost timeout, scope or shield.
    pub(super) node: RefCell<Option<Arc<Node>>>,
    /// The depth of the innermost shield, or 0.
    pub(super) shield: Cell<u32>,
    /// How many calls have returned `Cancelled` in a row.
    pub(super) ignored: Cell<u32>,
    /// How many calls that could have waited there were since the others had their turn: see [`take_turn`].
    in_a_row: Cell<u32>,
    /// How many notices of wakers its awaits have used up.
    pub(super) used_up: Cell<u64>,
    /// While another task runs in its frames: the next one outward of which this is so.
    pub(super) outer: Cell<*const Running>,
    /// While it waits: for what, and until when at most. For dumps.
    pub(super) waits_for: Cell<(&'static str, Option<u64>)>,
}

/// After so many calls that could have waited, the others run.
const IN_A_ROW: u32 = 1024;

/// What a wait is for that does not say so: see [`tell_wait`].
pub(super) const SOMETHING: (&str, Option<u64>) = ("a resumer", None);

/// Says for what the calling task is about to wait. To be called where a wait is registered.
#[inline(always)]
pub(crate) fn tell_wait(what: &'static str, until: Option<u64>) {
    Current::with(|current| current.into_iter().for_each(|current| current.running.waits_for.set((what, until))));
}

thread_local! {
    /// The worker whose loop this thread runs. Without a destructor, so that reaching it is one instruction.
    static WORKER: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// Sets the thread's worker, or none.
pub(super) fn set_worker(worker: *const Worker) {
    WORKER.set(worker);
}

/// Whether this thread runs a worker's loop.
pub(super) fn is_worker() -> bool {
    !WORKER.get().is_null()
}

/// The thread's worker, if it runs one's loop.
#[inline(always)]
pub(super) fn with_worker<T>(f: impl FnOnce(&Worker) -> T) -> Option<T> {
    // SAFETY: the pointer is set as long as the worker's loop runs, so whoever runs on this thread now is called by it.
    unsafe { WORKER.get().as_ref() }.map(f)
}

impl Running {
    /// # Safety
    ///
    /// `header` is the task that begins on this stack, `yielder` its coroutine's, and `worker` this thread's.
    #[inline(always)]
    pub(super) unsafe fn new(header: NonNull<Header>, worker: &Worker, yielder: &Yielder<(), ()>) -> Self {
        Self {
            header,
            worker: NonNull::from(worker),
            yielder: NonNull::from(yielder),
            cell: Cell::new(None),
            is_registering: Cell::new(false),
            was_delivered: Cell::new(false),
            node: RefCell::new(None),
            shield: Cell::new(0),
            ignored: Cell::new(0),
            in_a_row: Cell::new(0),
            used_up: Cell::new(0),
            outer: Cell::new(ptr::null()),
            waits_for: Cell::new(SOMETHING),
        }
    }

    #[inline(always)]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: the scheduler has a reference to a task that runs.
        unsafe { self.header.as_ref() }
    }

    #[inline(always)]
    pub(super) fn worker(&self) -> &Worker {
        // SAFETY: a worker outlives the tasks that it runs.
        unsafe { self.worker.as_ref() }
    }

    /// Begins a wait, and returns where it can be claimed. No cancellation reaches one that is `shielded`.
    #[inline(always)]
    pub(super) fn begin(&self, slot: *mut (), shielded: bool) -> (&'static WaitCell, Generation) {
        let shield = match self.shield.get() {
            _ if shielded => u32::MAX,
            0 => 0,
            _ => cancel::shield_of(self),
        };
        if let Some(cell) = self.cell.get()
            && let Some(generation) = cell.begin(slot, ptr::null(), shield)
        {
            return (cell, generation);
        }
        self.begin_slow(slot, shield)
    }

    #[cold]
    fn begin_slow(&self, slot: *mut (), shield: u32) -> (&'static WaitCell, Generation) {
        loop {
            // One that is used up is left alone.
            let cell = self.worker().take_cell();
            cell.belongs_to(self.header.as_ptr());
            self.cell.set(Some(cell));
            // In one order with the flag of cancellation: see `Header::interrupt`.
            self.header().cell.store(ptr::from_ref(cell).cast_mut(), Ordering::SeqCst);
            if let Some(generation) = cell.begin(slot, ptr::null(), shield) {
                return (cell, generation);
            }
        }
    }

    /// Gives back what the task has of its worker.
    #[inline(always)]
    pub(super) fn end(&self) {
        if let Some(cell) = self.cell.take() {
            self.header().cell.store(ptr::null_mut(), Ordering::SeqCst);
            cell.belongs_to(ptr::null_mut());
            self.worker().give_cell(cell);
        }
    }

    /// Whether the task can be switched away from.
    #[inline(always)]
    pub(super) fn can_switch(&self) -> bool {
        // SAFETY: the yielder is that of the coroutine on whose stack this is.
        !self.is_registering.get() && unsafe { self.yielder.as_ref() }.can_yield()
    }

    /// What a call says that cannot wait here.
    #[cold]
    pub(super) fn refusal(&self) -> Cancelled {
        let reason = if self.is_registering.get() { CancelReason::Outside } else { CancelReason::Panicking };
        Cancelled::new(reason, self.header().scope_id())
    }

    /// Lets the other tasks run that are ready. False if the task cannot be switched away from.
    #[inline(always)]
    pub(super) fn yield_now(&self) -> bool {
        if !self.can_switch() {
            return false;
        }
        // SAFETY: the task runs, so it is in no queue.
        let next = self.successor(|ready| unsafe { ready.rotate(self.header) });
        if next.is_none() {
            self.worker().push_ready(self.header());
        }
        // SAFETY: it can be.
        unsafe { self.switch_to(next) };
        true
    }

    /// A cancellation is not told of: what is there is the call's all the same.
    #[cold]
    #[inline(never)]
    fn let_others_run(&self) {
        self.in_a_row.set(0);
        self.yield_now();
    }

    /// Switches away, until the task is woken. Whoever calls has seen to it that it will be.
    ///
    /// # Safety
    ///
    /// [`can_switch`](Self::can_switch) has said so, and the task has not been suspended since, and does not unwind.
    #[inline(always)]
    pub(super) unsafe fn switch(&self) {
        let next = self.successor(|ready| {
            ready.pop();
        });
        // SAFETY: by this function's contract.
        unsafe { self.switch_to(next) };
    }

    /// The task that is to run next, taken from the queue by `take`, if this one can hand over to it.
    #[inline(always)]
    fn successor(&self, take: impl FnOnce(&Ready)) -> Option<NonNull<Header>> {
        // A task that may suspend although its thread panics is rare, and the next one is not to get that right from it.
        if thread::panicking() { None } else { self.worker().successor(take) }
    }

    /// Switches to `next`, or else to the worker.
    ///
    /// # Safety
    ///
    /// As for [`switch`](Self::switch); `next` comes from [`successor`](Self::successor).
    #[inline(always)]
    unsafe fn switch_to(&self, next: Option<NonNull<Header>>) {
        let bodies = Bodies::set_aside();
        // SAFETY: the yielder is that of the coroutine on whose stack this is.
        let yielder = unsafe { self.yielder.as_ref() };
        if let Some(next) = next {
            // SAFETY: by this function's contract it can yield; it is in a relay, as `Worker::successor` has said something; and
            // the worker has taken note that it is `next` that runs now, another task of its own that was suspended.
            unsafe { yielder.hand_over(Header::body_of(next)) };
        } else {
            // SAFETY: by this function's contract it can yield.
            let switched = unsafe { yielder.received(yielder.switch_unrefused(())) };
            if switched.is_err() {
                // Nobody closes the coroutine of a task: the worker would go on with a wait that has not been waited for.
                crate::coroutine::abort("a task could not be suspended");
            }
        }
        bodies.put_back();
    }
}

/// Counts calls that can wait, whether they do or not: a task whose calls never have to would keep all others of its worker waiting, so
/// after so many of them these run. Returns whether they just have. Outside of tasks nothing is to be done, as threads are stopped by the system.
#[inline(always)]
pub(crate) fn take_turn(calls: u32) -> bool {
    Current::with(|current| {
        let Some(Current { running }) = current else { return false };
        let count = running.in_a_row.get() + calls;
        running.in_a_row.set(count);
        let is_others_turn = count >= IN_A_ROW;
        if is_others_turn {
            running.let_others_run();
        }
        is_others_turn
    })
}

/// Whether the calling task keeps no other waiting that its worker could run. So it is outside of tasks.
pub(crate) fn is_alone() -> bool {
    Current::with(|current| {
        let Some(current) = current else { return true };
        let worker = current.running.worker();
        worker.ready.is_empty() && worker.fresh.is_empty()
    })
}

/// The task that runs on this thread, and its worker.
#[derive(Clone, Copy)]
pub(super) struct Current<'a> {
    pub(super) running: &'a Running,
}

impl Current<'_> {
    /// Calls `f` with the current task, if there is one.
    #[inline(always)]
    pub(super) fn with<T>(f: impl FnOnce(Option<Current<'_>>) -> T) -> T {
        // SAFETY: it is gone when `f` has returned.
        f(unsafe { Current::get() })
    }

    /// The current task, if there is one.
    ///
    /// # Safety
    ///
    /// It is not used when that task has ended, or by others.
    #[inline(always)]
    pub(super) unsafe fn get<'a>() -> Option<Current<'a>> {
        // SAFETY: a worker that is named is there, and what it names as running is on the stack of the task that runs, which is
        // the one that asks.
        let running = unsafe { WORKER.get().as_ref().and_then(|worker| worker.current().as_ref()) };
        running.map(|running| Current { running })
    }

    pub(super) fn is(header: &Header) -> bool {
        Self::with(|current| current.is_some_and(|current| ptr::eq(current.running.header(), header)))
    }

    /// Whether this is in the closure of a `suspend` of that task.
    pub(super) fn registers(header: &Header) -> bool {
        Self::with(|current| {
            current.is_some_and(|Current { running }| ptr::eq(running.header(), header) && running.is_registering.get())
        })
    }

    /// Whether the current task is one of this worker.
    #[inline(always)]
    pub(super) fn is_of(remote: &'static Remote) -> bool {
        Self::with(|current| current.is_some_and(|current| ptr::eq(current.running.worker().remote, remote)))
    }

    /// The newest task that has not started is likely to be what the current one is about to wait for.
    pub(super) fn prefer_newest() {
        with_worker(Worker::prefer_newest);
    }
}
