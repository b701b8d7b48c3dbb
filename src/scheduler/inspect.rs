//! How a dump is asked for, and how a worker answers: it lists its tasks, and has each suspended one walk its own stack.
//!
//! A request is in the list of the runtime until all workers have answered, or whoever asks has lost patience. A worker looks
//! at the list whenever it looks at its inbox, so one that does not switch does not answer.

use super::current::with_worker;
use super::handle::Task;
use super::header::{Header, TaskRef};
use super::shared::Shared;
use super::walk::Stacks;
use super::worker::Worker;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::{Condvar, Mutex};
use std::backtrace::Backtrace;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a worker may take until it begins to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a worker that asks looks whether it is asked itself.
const TURN: Duration = Duration::from_millis(5);

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Unstarted,
    Ready,
    Running,
    /// It waits for that, until that time of its clock at most.
    Waiting(&'static str, Option<u64>),
}

/// A task as its worker has seen it.
pub(super) struct Seen {
    pub(super) task: Task,
    pub(super) standing: Standing,
    /// The number of its stack, among those of the same answer.
    pub(super) stack: Option<usize>,
}

/// What a worker says.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) tasks: Vec<Seen>,
    pub(super) traces: Vec<Backtrace>,
}

enum Progress {
    Asked,
    Answering,
    Answered(Answer),
}

/// The requests of a runtime.
#[derive(Default)]
pub(super) struct Requests {
    /// How many were ever made.
    made: AtomicUsize,
    open: Mutex<Vec<Arc<Request>>>,
}

struct Request {
    with_traces: bool,
    workers: Mutex<Vec<Progress>>,
    changed: Condvar,
}

impl Requests {
    #[inline(always)]
    pub(super) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// What each worker says of its tasks; none from those that have not begun to answer in a while.
    pub(super) fn ask(&self, with_traces: bool) -> Vec<Option<Answer>> {
        let workers = self.remotes.iter().map(|_| Progress::Asked).collect();
        let request = Arc::new(Request { with_traces, workers: Mutex::new(workers), changed: Condvar::new() });
        {
            // Counted under the lock, so that whoever sees the new count finds the request.
            let mut open = self.requests.open.lock();
            open.push(Arc::clone(&request));
            self.requests.made.fetch_add(1, Ordering::Relaxed);
        }
        self.remotes.iter().for_each(|remote| remote.driver().unpark());
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Two workers that ask each other answer each other, of one runtime or of two.
            with_worker(Worker::answer_all);
            let mut workers = request.workers.lock();
            let is_open = |progress: &Progress| match progress {
                Progress::Asked => Instant::now() < deadline,
                Progress::Answering => true,
                Progress::Answered(_) => false,
            };
            let has_not_ended = |index| !self.has_ended(index);
            if !workers.iter().enumerate().any(|(index, worker)| is_open(worker) && has_not_ended(index)) {
                break;
            }
            request.changed.wait_for(&mut workers, TURN);
        }
        self.requests.open.lock().retain(|open| !Arc::ptr_eq(open, &request));
        let mut workers = request.workers.lock();
        let answer = |progress| if let Progress::Answered(answer) = progress { Some(answer) } else { None };
        workers.drain(..).map(answer).collect()
    }
}

impl Request {
    /// Whether that worker has still to answer; it does now.
    fn begin(&self, index: usize) -> bool {
        match self.workers.lock().get_mut(index) {
            Some(progress @ Progress::Asked) => {
                *progress = Progress::Answering;
                true
            }
            _ => false,
        }
    }
}

impl Worker {
    /// Answers what was asked since the last time.
    #[inline(always)]
    pub(super) fn answer(&self) {
        if self.shared().requests.made() != self.answered.get() {
            self.answer_all();
        }
    }

    #[cold]
    #[inline(never)]
    fn answer_all(&self) {
        let open = {
            let open = self.shared().requests.open.lock();
            self.answered.set(self.shared().requests.made());
            open.clone()
        };
        for request in open {
            if request.begin(self.index()) {
                let answer = self.see(request.with_traces);
                if let Some(progress) = request.workers.lock().get_mut(self.index()) {
                    *progress = Progress::Answered(answer);
                }
                request.changed.notify_all();
            }
        }
    }

    /// All tasks that this worker knows of.
    fn see(&self, with_traces: bool) -> Answer {
        let mut tasks = Vec::new();
        let mut stacks = Stacks::default();
        // Where a panic unwinds, a task that is resumed would take it for one that it may suspend in.
        let with_traces = with_traces && !thread::panicking();
        // SAFETY: what runs is there.
        let current = unsafe { self.current().as_ref() }.map(|running| NonNull::from(running.header()));
        let mut joiners = Vec::new();
        self.each_joiner(|task| joiners.push(task));
        let started: Vec<_> = self.started.borrow().clone();
        for task in started.iter().copied().filter(|task| Some(*task) != current && !joiners.contains(task)) {
            // SAFETY: what is in the list has not ended.
            let header = unsafe { task.as_ref() };
            let mut stack = None;
            // SAFETY: only this worker touches the body, and is not in it: it is not the one that runs.
            if with_traces && let Some(body) = unsafe { &mut *header.body.get() } {
                body.inspect(&mut || stack = stacks.note());
            }
            tasks.push(Seen { task: Task::new(TaskRef::to(header)), standing: standing(header), stack });
        }
        let mut note = |task: NonNull<Header>, standing| {
            // SAFETY: what runs or is in a queue is valid.
            let task = Task::new(TaskRef::to(unsafe { task.as_ref() }));
            tasks.push(Seen { task, standing, stack: None });
        };
        current.into_iter().for_each(|task| note(task, Standing::Running));
        joiners.into_iter().for_each(|task| note(task, Standing::Waiting("a task", None)));
        self.each_unstarted(&mut |task| note(task, Standing::Unstarted));
        Answer { tasks, traces: stacks.into_traces() }
    }

    /// Calls `f` with the tasks that have not begun, those of other workers left aside.
    fn each_unstarted(&self, f: &mut dyn FnMut(NonNull<Header>)) {
        for task in self.remote.inbox().take() {
            // SAFETY: it was in the inbox, so it is this worker's, and in no other queue.
            unsafe { self.ready.push(task) };
        }
        let mut unless_started = |task: NonNull<Header>| {
            // SAFETY: what is in a queue is valid, and this worker's.
            if unsafe { task.as_ref() }.running.get().is_null() {
                f(task);
            }
        };
        self.ready.for_each(&mut unless_started);
        NonNull::new(self.next.get()).into_iter().for_each(&mut unless_started);
        self.shared().stalled.of(self.index()).into_iter().for_each(&mut unless_started);
        self.seeded.iter().for_each(|seeded| seeded.borrow().tasks().iter().copied().for_each(&mut unless_started));
        self.fresh.for_each(&mut unless_started);
        // What is spawned from outside is taken out and put back: for a moment nobody sees it, and each sees it that is asked.
        for _ in 0..self.shared().injector.len() {
            let Some(task) = self.shared().injector.pop() else { break };
            unless_started(task.0);
            self.shared().injector.push(task);
        }
        self.shared().notify();
    }
}

/// What a task is at that has been started, and does not run.
fn standing(header: &Header) -> Standing {
    // SAFETY: cells are never freed.
    let cell = unsafe { header.cell.load(Ordering::Relaxed).as_ref() };
    // SAFETY: it has not ended, so what it has on its stack is there, and its worker asks (invariant 20).
    match unsafe { header.running.get().as_ref() } {
        Some(running) if cell.is_some_and(|cell| cell.has_waiter()) => {
            let (what, until) = running.waits_for.get();
            Standing::Waiting(what, until)
        }
        _ => Standing::Ready,
    }
}
