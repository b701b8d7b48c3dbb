//! What all tasks of a runtime are at, to be looked at by people and programs.
#![forbid(unsafe_code)]

use super::frames::frames_of;
use super::handle::{Handle, Task};
use super::inspect::{Answer, Seen, Standing};
use super::shared::Shared;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// What all tasks of a runtime are at: see [`task::dump`](crate::task::dump()).
///
/// As text ([`Display`](core::fmt::Display)) it has those that are suspended at the same place together. [`to_json`](Self::to_json)
/// is for programs.
///
/// Workers answer one after another, each between two tasks, while the others go on: this is no picture of one moment, and a
/// task that is spawned, begins or ends meanwhile may be in it or not.
#[derive(Clone, Debug)]
pub struct Dump {
    pub(super) workers: Vec<WorkerState>,
    pub(super) tasks: Vec<DumpedTask>,
    /// The frames of the different stacks, innermost first.
    pub(super) stacks: Vec<Vec<String>>,
    /// The time of the clock of the first run.
    pub(super) now: Instant,
}

/// A task in a [`Dump`].
#[derive(Clone, Debug)]
pub struct DumpedTask {
    task: Task,
    state: TaskState,
    worker: Option<usize>,
    pub(super) stack: Option<usize>,
}

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It has not begun.
    Unstarted,
    /// It is to go on as soon as its turn comes.
    Ready,
    /// It runs.
    Running,
    /// It waits.
    Waiting {
        /// For what: "a time", "a task", "a task of a set", "the tasks of a scope", "a future", "unpark", "I/O", "offloaded work"; "a
        /// resumer", where [`suspend`](crate::task::suspend) was called: by locks, channels and `select!` as well.
        what: &'static str,
        /// Until when at most, by [the clock of the task](crate::task::now).
        until: Option<Instant>,
    },
}

impl TaskState {
    /// Without the time, in words.
    pub(super) fn words(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Unstarted => ("not begun", None),
            Self::Ready => ("ready", None),
            Self::Running => ("running", None),
            Self::Waiting { what, .. } => ("waiting", Some(what)),
        }
    }
}

/// What a worker is at, in a [`Dump`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has told of its tasks.
    Answered,
    /// It has not answered for a second, because what it runs does not switch. The task is known where somebody looks on: with
    /// a [watchdog](crate::RuntimeBuilder::watchdog), a hook, a trace, or a [dump on
    /// SIGQUIT](crate::RuntimeBuilder::dump_on_sigquit).
    NotSwitching(Option<Task>),
    /// It has ended, as its runtime is about to.
    Ended,
}

impl Dump {
    pub(super) fn of(runs: &[Arc<Shared>], with_traces: bool) -> Self {
        let now = runs.first().map_or_else(Instant::now, |run| run.clock.instant());
        let mut dump = Self { workers: Vec::new(), tasks: Vec::new(), stacks: Vec::new(), now };
        let mut places = Places::default();
        for run in runs {
            for (index, answer) in run.ask(with_traces).into_iter().enumerate() {
                let worker = dump.workers.len();
                match answer {
                    Some(answer) => dump.add(run, worker, answer, &mut places),
                    None => dump.add_silent(run, index),
                }
            }
        }
        dump
    }

    fn add(&mut self, run: &Shared, worker: usize, answer: Answer, places: &mut Places) {
        self.workers.push(WorkerState::Answered);
        let traces: Vec<_> = answer.traces.iter().map(|trace| places.stack(self, frames_of(trace))).collect();
        for Seen { task, standing, stack } in answer.tasks {
            let state = match standing {
                Standing::Unstarted => TaskState::Unstarted,
                Standing::Ready => TaskState::Ready,
                Standing::Running => TaskState::Running,
                Standing::Waiting(what, until) => {
                    TaskState::Waiting { what, until: until.map(|until| run.clock.instant_of(until)) }
                }
            };
            let is_started = state != TaskState::Unstarted;
            let stack = stack.and_then(|stack| traces.get(stack).copied());
            let dumped = DumpedTask { task, state, worker: is_started.then_some(worker), stack };
            places.task(self, dumped);
        }
    }

    fn add_silent(&mut self, run: &Shared, index: usize) {
        if run.has_ended(index) {
            self.workers.push(WorkerState::Ended);
            return;
        }
        let task = run.watch.as_ref().and_then(|watch| watch.runs(index)).map(|(_, task)| task);
        self.workers.push(WorkerState::NotSwitching(task));
    }

    /// The workers, by number. Where several runs of a runtime go on, they are numbered on.
    #[must_use]
    pub fn workers(&self) -> &[WorkerState] {
        &self.workers
    }

    /// The tasks.
    #[must_use]
    pub fn tasks(&self) -> &[DumpedTask] {
        &self.tasks
    }

    /// The functions that a task is in, innermost first, with their places where the program has debug information. Empty for
    /// those that have not begun or run; for those with too little room on their stacks to walk them from there (24 KiB);
    /// and for all, where the dump was made while a panic unwound.
    #[must_use]
    pub fn backtrace(&self, task: &DumpedTask) -> &[String] {
        task.stack.and_then(|stack| self.stacks.get(stack)).map_or(&[], Vec::as_slice)
    }
}

impl DumpedTask {
    /// Which task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// What it was at.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// The worker that it has begun on.
    #[must_use]
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }
}

/// Where in a dump things are.
#[derive(Default)]
struct Places {
    tasks: HashMap<u64, usize>,
    stacks: HashMap<Vec<String>, usize>,
}

impl Places {
    /// Adds a task, once: what goes from worker to worker may be seen by both.
    fn task(&mut self, dump: &mut Dump, task: DumpedTask) {
        let place = *self.tasks.entry(task.task.number()).or_insert(dump.tasks.len());
        match dump.tasks.get_mut(place) {
            None => dump.tasks.push(task),
            Some(known) if known.state == TaskState::Unstarted => *known = task,
            Some(_) => {}
        }
    }

    fn stack(&mut self, dump: &mut Dump, frames: Vec<String>) -> usize {
        *self.stacks.entry(frames).or_insert_with_key(|frames| {
            dump.stacks.push(frames.clone());
            dump.stacks.len() - 1
        })
    }
}

/// What all tasks of the calling runtime are at: see [`Dump`]. None outside of one.
///
/// Each worker is asked, and has every suspended task walk its own stack. One that does not switch for a second is told of as
/// such. Others are waited for without suspending the calling task.
///
/// # Examples
///
/// ```
/// use switchback::{Runtime, task};
///
/// Runtime::builder().workers(1).build()?.run(|| {
///     let sleeper = task::Builder::new().name("sleeper").spawn(task::park).unwrap();
///     task::yield_now().unwrap();
///     let dump = task::dump().unwrap();
///     println!("{dump}");
///     assert!(dump.tasks().iter().any(|dumped| dumped.task().name() == Some("sleeper")));
///     sleeper.cancel();
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn dump() -> Option<Dump> {
    Some(Handle::current()?.dump())
}

/// The tasks of the calling runtime that have not ended: see [`Handle::tasks`](crate::Handle::tasks). None outside of one.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| assert_eq!(task::all().len(), 1));
/// assert!(task::all().is_empty());
/// ```
#[must_use]
pub fn all() -> Vec<Task> {
    Handle::current().map(|runtime| runtime.tasks()).unwrap_or_default()
}

/// Of the runs that go on.
pub(crate) fn dump_runs(runs: &super::Observers) -> Dump {
    let runs: Vec<_> = runs.runs.lock().iter().filter_map(std::sync::Weak::upgrade).collect();
    Dump::of(&runs, true)
}
