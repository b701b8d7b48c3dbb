//! A worker: a thread's loop, which picks a task, resumes it until it stops, and picks the next.
//!
//! # The order
//!
//! 1. The task that has waited for the one that has just ended; after a join that has to wait, the task spawned last.
//! 2. In turn: a started task that is ready, in the order in which they became so; and the oldest that has not started.
//! 3. If none is ready, the one that was spawned last.
//! 4. What others have: spawned from outside of the workers; stolen, oldest first.
//!
//! A task may go on in the place of its worker, by the same rules: see `handover.rs`.
//!
//! Rules 1 and 3 make a tree of tasks run depth first, on few stacks; rule 2 makes a task that yields let those begin that it
//! has spawned.
//!
//! # Fairness
//!
//! It is counted in *picks*, so it does not depend on a clock, and holds for tasks that yield in a loop:
//!
//! - after [`CHAIN`] picks in a row by rule 1, one is made by rule 2. So a task that is ready is run after at most
//!   `2 * (CHAIN + 1)` picks for each that was ready before it, and one that has not started, while others are ready, begins
//!   after as many for each that is older;
//! - every [`TURN`] picks the worker looks at its inbox, its timers, and at what was spawned from outside: a wake
//!   from another thread, a timer and a spawn from outside wait for at most `TURN` picks until they are in the queue, the
//!   spawn at its head;
//! - every fourth time it looks at the I/O of its tasks too, which takes a system call;
//! - every [`PASSED`] picks the oldest task that has not started is begun, although newer ones keep coming.

use super::await_;
use super::cell::WaitCell;
use super::current::{self, Running, with_worker};
use super::handle::Task;
use super::header::{Body, Header, TaskRef};
use super::life::{live, release_here};
use super::memory::Memory;
use super::queue::{Fresh, Ready, Unstarted, steal};
#[cfg(unix)]
use super::reactor::Reactor;
use super::remote::Remote;
use super::seed::Seeded;
use super::shared::{Phase, Shared};
use super::spawn;
use super::timers::Timers;
use crate::cancelled::CancelReason;
use crate::{CoroutineState, Yielder};
#[cfg(unix)]
use core::cell::OnceCell;
use core::cell::{Cell, RefCell};
use core::ptr::{self, NonNull};
use std::sync::Arc;

/// See the module.
pub(super) const TURN: u32 = 16;
/// See the module.
pub(super) const CHAIN: u32 = 16;
/// See the module.
pub(super) const PASSED: u32 = 1 << 16;

/// A worker. It lives on its thread's own stack, and only that thread touches it.
pub(crate) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) remote: &'static Remote,
    /// The task that runs, or null on the worker's own stack.
    pub(super) running: Cell<*const Running>,
    /// The one that has waited for the one that has just ended.
    pub(super) next: Cell<*mut Header>,
    /// Whether what is woken now goes there.
    makes_next: Cell<bool>,
    pub(super) ready: Ready,
    pub(super) fresh: Fresh,
    prefers_newest: Cell<bool>,
    pub(super) picks: Cell<u32>,
    pub(super) chain: Cell<u32>,
    /// Whether the last pick by rule 2 was a ready task.
    pub(super) was_ready: Cell<bool>,
    passed: Cell<u32>,
    /// See `idle.rs`.
    pub(super) turns: Cell<u32>,
    /// Started tasks that have been suspended at least once, and have not ended.
    pub(super) started: RefCell<Vec<NonNull<Header>>>,
    pub(super) cells: RefCell<Vec<&'static WaitCell>>,
    /// Numbers for tasks: the next one, and where they end.
    ids: Cell<(u64, u64)>,
    timers: RefCell<Timers>,
    /// None until a task of this worker first waits for I/O.
    #[cfg(unix)]
    pub(super) reactor: OnceCell<Arc<Reactor>>,
    pub(super) seeded: Option<RefCell<Seeded>>,
    /// How many dumps had been asked for when this worker has last answered.
    pub(super) answered: Cell<usize>,
    /// Whether anybody looks on: see `watch.rs`.
    is_watched: bool,
    /// Whether tasks may switch straight to the next one; and from how many `picks` on they may not, which is 0 as soon as the
    /// next one is to be found by [`pick`](Self::pick).
    pub(super) lets_hand_over: bool,
    pub(super) handovers_end: Cell<u32>,
    /// The task that has ended last, set by itself. Of meaning only until the worker goes on.
    ended: Cell<*mut Header>,
    pub(super) memory: Memory,
    /// The task that was spawned here last. It may be gone.
    pub(super) newest: Cell<*const Header>,
    /// The innermost task in whose frames another runs: see `handover.rs`.
    pub(super) joiners: Cell<*const Running>,
}

/// Wakes a task: puts it in the queue of its worker.
///
/// # Safety
///
/// The caller has claimed the task's wait, and does this once.
#[inline(always)]
pub(super) unsafe fn wake(task: NonNull<Header>) {
    // SAFETY: a task that waits has not ended. Its owner was written before it began.
    let Some(owner) = (unsafe { task.as_ref() }).owner.get() else {
        unreachable!("a task that waits has been started");
    };
    let is_here = with_worker(|worker| {
        if worker.is_watched {
            // SAFETY: as above.
            worker.tell_of_wake(unsafe { task.as_ref() });
        }
        if !ptr::eq(worker.remote, owner) {
            return false;
        }
        // SAFETY: what runs is there.
        match unsafe { worker.running.get().as_ref() } {
            Some(running) if ptr::eq(running.header(), task.as_ptr()) => running.was_delivered.set(true),
            _ => worker.enqueue(task),
        }
        true
    });
    if is_here != Some(true) {
        // SAFETY: the task is claimed, so it is in no queue, and it is its owner's. If that is gone, it has leaked the task.
        let _ = unsafe { owner.put(task) };
    }
}

/// [`wake`] for a task that has waited for what has just ended: it is run next.
///
/// # Safety
///
/// As for [`wake`].
#[inline(always)]
pub(super) unsafe fn wake_next(task: NonNull<Header>) {
    with_worker(|worker| worker.makes_next.set(true));
    // SAFETY: by this function's contract.
    unsafe { wake(task) };
    with_worker(|worker| worker.makes_next.set(false));
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, index: usize, fresh: Fresh) -> Self {
        let remote = shared.remotes[index];
        let seeded = shared.config.seed.map(|seed| RefCell::new(Seeded::new(seed)));
        Self {
            index,
            remote,
            running: Cell::new(ptr::null()),
            next: Cell::new(ptr::null_mut()),
            makes_next: Cell::new(false),
            ready: Ready::new(),
            fresh,
            prefers_newest: Cell::new(false),
            picks: Cell::new(0),
            chain: Cell::new(0),
            was_ready: Cell::new(false),
            passed: Cell::new(0),
            turns: Cell::new(0),
            started: RefCell::default(),
            cells: RefCell::default(),
            ids: Cell::new((0, 0)),
            timers: RefCell::default(),
            #[cfg(unix)]
            reactor: OnceCell::new(),
            seeded,
            answered: Cell::new(0),
            is_watched: shared.watch.is_some(),
            lets_hand_over: shared.watch.is_none() && shared.config.seed.is_none(),
            handovers_end: Cell::new(0),
            ended: Cell::new(ptr::null_mut()),
            memory: Memory::default(),
            newest: Cell::new(ptr::null()),
            joiners: Cell::new(ptr::null()),
            shared,
        }
    }

    #[inline(always)]
    pub(super) fn current(&self) -> *const Running {
        self.running.get()
    }

    pub(super) fn set_running(&self, running: *const Running) {
        self.running.set(running);
    }

    /// The task that runs is about to end: nothing of its stack is to be looked at any more.
    pub(super) fn set_ended(&self, task: NonNull<Header>) {
        self.ended.set(task.as_ptr());
        self.running.set(ptr::null());
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn timers(&self) -> &RefCell<Timers> {
        &self.timers
    }

    /// A number that no other task of the process has.
    #[inline(always)]
    pub(super) fn next_id(&self) -> u64 {
        let (mut next, mut end) = self.ids.get();
        if next == end {
            core::hint::cold_path();
            (next, end) = spawn::some_ids();
        }
        self.ids.set((next + 1, end));
        next
    }

    pub(super) fn prefer_newest(&self) {
        self.prefers_newest.set(true);
        self.handovers_end.set(0);
    }

    #[inline(always)]
    fn enqueue(&self, task: NonNull<Header>) {
        let task = if self.makes_next.get() {
            self.handovers_end.set(0);
            NonNull::new(self.next.replace(task.as_ptr()))
        } else {
            Some(task)
        };
        // SAFETY: the task is this worker's, and was claimed, so it is in no queue; or it has just been taken out of `next`.
        task.into_iter().for_each(|task| unsafe { self.ready.push(task) });
    }

    /// Lets a started task run again, after those that are ready.
    #[inline(always)]
    pub(super) fn push_ready(&self, task: &Header) {
        // SAFETY: it is the task that runs, or one that was claimed: in no queue, and not about to end.
        unsafe { self.ready.push(NonNull::from(task)) };
    }

    /// Lets a task that has not started be run by this worker alone.
    pub(super) fn push_pinned(&self, task: Unstarted) {
        // SAFETY: nobody else has it.
        unsafe { self.ready.push(task.0) };
    }

    #[inline(always)]
    pub(super) fn push_fresh(&self, task: Unstarted) {
        self.handovers_end.set(0);
        self.newest.set(task.0.as_ptr());
        self.fresh.push(task);
        if let Fresh::Shared(..) = self.fresh {
            self.shared.notify();
        }
    }

    pub(super) fn take_cell(&self) -> &'static WaitCell {
        let mut cells = self.cells.borrow_mut();
        loop {
            if let Some(cell) = cells.pop() {
                return cell;
            }
            WaitCell::take_some(&mut cells);
        }
    }

    pub(super) fn give_cell(&self, cell: &'static WaitCell) {
        self.cells.borrow_mut().push(cell);
    }

    /// Runs tasks until `is_over`.
    pub(super) fn run(&self, is_over: impl Fn() -> bool) {
        while !is_over() {
            match self.pick() {
                Some(task) => self.step(task),
                None => self.idle(None),
            }
        }
    }

    #[inline(always)]
    pub(super) fn pick(&self) -> Option<NonNull<Header>> {
        if self.seeded.is_some() {
            return self.pick_seeded();
        }
        let picks = self.picks.get() + 1;
        self.picks.set(picks);
        if picks >= TURN {
            self.picks.set(0);
            if let Some(task) = self.turn() {
                return Some(task);
            }
        }
        if let Some(next) = NonNull::new(self.next.get()) {
            self.next.set(ptr::null_mut());
            if self.may_chain() {
                return Some(next);
            }
            // SAFETY: it was to be run, so it is in no queue.
            unsafe { self.ready.push(next) };
        }
        if self.prefers_newest.get() {
            self.prefers_newest.set(false);
            if self.may_chain()
                && let Some(newest) = self.fresh.newest()
            {
                return Some(newest);
            }
        }
        self.chain.set(0);
        if self.ready.is_empty() {
            return self.fresh.newest();
        }
        if self.was_ready.replace(true)
            && !self.fresh.is_empty()
            && let Some(oldest) = self.fresh.oldest()
        {
            self.was_ready.set(false);
            return Some(oldest);
        }
        self.ready.pop()
    }

    /// Whether a pick by rule 1 may be made; counts it.
    pub(super) fn may_chain(&self) -> bool {
        let chain = self.chain.get() + 1;
        self.chain.set(chain);
        chain <= CHAIN || self.ready.is_empty()
    }

    /// What is looked at every so many picks: a task that has waited for long to be started.
    #[cold]
    #[inline(never)]
    fn turn(&self) -> Option<NonNull<Header>> {
        self.look();
        self.poll_io_in_turn();
        // Asked first, as `pop` of an empty queue has a fence.
        if !self.shared.injector.is_empty()
            && let Some(task) = self.shared.injector.pop()
        {
            return Some(task.0);
        }
        self.passed.set(self.passed.get() + TURN);
        if self.passed.get() < PASSED {
            return None;
        }
        self.passed.set(0);
        self.fresh.oldest()
    }

    /// Puts into the queue what has become ready without this worker's doing.
    pub(super) fn look(&self) {
        for task in self.remote.inbox().take() {
            // SAFETY: it was in the inbox, so it is this worker's, and in no other queue.
            unsafe { self.ready.push(task) };
        }
        self.answer();
        Timers::fire(&self.timers, &self.shared.clock);
    }

    fn pick_seeded(&self) -> Option<NonNull<Header>> {
        self.look();
        self.poll_io();
        let mut seeded = self.seeded.as_ref()?.borrow_mut();
        seeded.extend(NonNull::new(self.next.replace(ptr::null_mut())));
        seeded.extend(core::iter::from_fn(|| self.ready.pop()));
        seeded.extend(core::iter::from_fn(|| self.fresh.oldest()));
        seeded.extend(core::iter::from_fn(|| self.shared.injector.pop().map(|task| task.0)));
        seeded.choose()
    }

    #[inline(always)]
    pub(super) fn step(&self, task: NonNull<Header>) {
        if self.is_watched {
            core::hint::cold_path();
            return self.step_watched(task);
        }
        self.step_alone(task);
    }

    /// [`step`](Self::step) while somebody looks on.
    #[cold]
    #[inline(never)]
    fn step_watched(&self, task: NonNull<Header>) {
        let Some(watch) = &self.shared.watch else { return self.step_alone(task) };
        // SAFETY: as in `step_alone`.
        let header = unsafe { task.as_ref() };
        let is_first = header.running.get().is_null() && !header.was_tried();
        let task_ref = Task::new(TaskRef::to(header));
        let resumed = watch.resumed(self.index, &task_ref, is_first);
        self.step_alone(task);
        // One that is complete may have stopped in the destructor of its outcome.
        let has_ended = task_ref.is_finished() && header.running.get().is_null();
        watch.suspended(self.index, &task_ref, has_ended, resumed);
    }

    #[cold]
    fn tell_of_wake(&self, task: &Header) {
        if !self.running.get().is_null()
            && let Some(watch) = &self.shared.watch
        {
            watch.woke(self.index, task.origin.id);
        }
    }

    #[inline(always)]
    fn step_alone(&self, task: NonNull<Header>) {
        // SAFETY: what was picked is valid until the scheduler's reference is given up, in `retire`.
        let header = unsafe { task.as_ref() };
        let running = header.running.get();
        if running.is_null() {
            return self.start(task);
        }
        self.running.set(running);
        self.handovers_end.set(if self.lets_hand_over && self.fresh.is_empty() { TURN } else { 0 });
        // SAFETY: only the worker that has started the tasks touches their bodies, and it is in none of them now. The one that
        // answers is the one that has run last.
        let (last, has_yielded) = unsafe {
            Body::relay(Header::body_of(task), || {
                let last = self.last_run();
                (Header::body_of(last), last)
            })
        };
        if !has_yielded {
            core::hint::cold_path();
            // SAFETY: it is valid, as `task` was.
            self.unlist(unsafe { last.as_ref() });
            // SAFETY: the body has ended, and the task is in no queue or list.
            unsafe { self.retire(last) };
        }
    }

    /// The task that has run until now. Nothing runs any more.
    #[inline(always)]
    fn last_run(&self) -> NonNull<Header> {
        // SAFETY: a `Running` that is named is in a frame of a task that has not ended.
        match unsafe { self.running.replace(ptr::null()).as_ref() } {
            Some(running) => NonNull::from(running.header()),
            None => {
                let Some(ended) = NonNull::new(self.ended.get()) else { unreachable!("something has run") };
                ended
            }
        }
    }

    /// Gives a task its stack, and runs its first instruction.
    #[inline(always)]
    pub(super) fn start(&self, task: NonNull<Header>) {
        // SAFETY: as in `step`.
        let header = unsafe { task.as_ref() };
        if header.origin.has_home {
            debug_assert!(header.owner.get().is_some_and(|owner| ptr::eq(owner, self.remote)));
        } else {
            header.owner.set(Some(self.remote));
        }
        if self.shared.phase() != Phase::Open {
            header.cancel(CancelReason::Shutdown);
        }
        self.handovers_end.set(0);
        let origin = &header.origin;
        // SAFETY: the body runs once, on the worker that has the task, before that gives up the scheduler's reference.
        let body = move |yielder: &Yielder<(), ()>| {
            // SAFETY: as said.
            unsafe { live(task, yielder) };
            Ok(())
        };
        // It is moved only when it is to stay: see `Task::run`.
        let mut made = Body::described(origin.class, origin.name(), origin.spawned_at, body);
        let Ok(body) = &mut made else {
            return made.err().into_iter().for_each(|error| self.no_stack(task, Box::new(error)));
        };
        let state = body.resume();
        self.running.set(ptr::null());
        if matches!(state, Ok(CoroutineState::Yielded(()))) {
            // SAFETY: as in `step`.
            unsafe { *header.body.get() = made.ok() };
            let mut started = self.started.borrow_mut();
            header.listed.set(u32::try_from(started.len()).unwrap_or_else(|_| unreachable!("each has a stack")));
            started.push(task);
            return;
        }
        // The stack has been given back.
        body.empty();
        core::mem::forget(made);
        // SAFETY: the body has ended, and the task is in no queue or list.
        unsafe { self.retire(task) };
    }

    /// Forgets a task that has ended.
    ///
    /// # Safety
    ///
    /// It is complete, and the caller has the scheduler's reference, which is given up.
    #[inline(always)]
    unsafe fn retire(&self, task: NonNull<Header>) {
        // SAFETY: by this function's contract; the task ran here, and its joiner, if it is this worker's, has not run since.
        unsafe { release_here(task) };
        if self.shared.stalled.has_some() {
            core::hint::cold_path();
            self.retry_stalled(false);
        }
    }

    fn unlist(&self, header: &Header) {
        // The stack has been given back by now; the handle is empty.
        // SAFETY: as in `step`.
        drop(unsafe { (*header.body.get()).take() });
        let mut started = self.started.borrow_mut();
        let index = header.listed.replace(u32::MAX);
        started.swap_remove(index as usize);
        if let Some(moved) = started.get(index as usize) {
            // SAFETY: what is in the list has not ended.
            unsafe { moved.as_ref() }.listed.set(index);
        }
    }

    /// Takes a task that others have.
    pub(super) fn find(&self) -> bool {
        if let Some(task) = self.shared.injector.pop() {
            // SAFETY: it is in no queue any more.
            unsafe { self.ready.push(task.0) };
            return true;
        }
        for offset in 1..self.shared.stealers.len() {
            let victim = (self.index + offset) % self.shared.stealers.len();
            if let Some(task) = self.shared.stealers.get(victim).and_then(steal) {
                // SAFETY: as above.
                unsafe { self.ready.push(task) };
                return true;
            }
        }
        false
    }

    /// Runs the loop with this worker as the thread's own.
    pub(super) fn on_this_thread<T>(&self, f: impl FnOnce() -> T) -> T {
        current::set_worker(self);
        let result = await_::TASKS.serve(f);
        current::set_worker(ptr::null());
        result
    }
}
