//! Who looks on while a runtime runs: hooks, the trace, the watchdog, spans. Without any of them a worker asks once a switch
//! whether there is one.
#![forbid(unsafe_code)]

use super::handle::Task;
use super::life::drop_quietly;
use super::shared::Shared;
use super::trace::{Recorder, Sink};
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use parking_lot::Mutex;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What is called with a task.
pub(crate) type TaskHook = Arc<dyn Fn(&Task) + Send + Sync>;
/// What is called with a worker's number.
pub(crate) type WorkerHook = Arc<dyn Fn(usize) + Send + Sync>;

/// Who is to look on.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    pub(crate) on_spawn: Option<TaskHook>,
    pub(crate) on_start: Option<TaskHook>,
    pub(crate) on_resume: Option<TaskHook>,
    pub(crate) on_suspend: Option<TaskHook>,
    pub(crate) on_end: Option<TaskHook>,
    pub(crate) on_park: Option<WorkerHook>,
    pub(crate) on_unpark: Option<WorkerHook>,
    pub(crate) trace: Option<Sink>,
    pub(crate) watchdog: Option<Duration>,
    pub(crate) dumps_on_sigquit: bool,
    /// The runs that go on.
    pub(crate) runs: Arc<Mutex<Vec<Weak<Shared>>>>,
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers")
            .field("trace", &self.trace.is_some())
            .field("watchdog", &self.watchdog)
            .field("dumps_on_sigquit", &self.dumps_on_sigquit)
            .finish_non_exhaustive()
    }
}

impl Observers {
    fn are_there(&self) -> bool {
        let task_hooks = [&self.on_spawn, &self.on_start, &self.on_resume, &self.on_suspend, &self.on_end];
        let worker_hooks = [&self.on_park, &self.on_unpark];
        cfg!(feature = "tracing")
            || self.trace.is_some()
            || self.watchdog.is_some()
            || self.dumps_on_sigquit
            || task_hooks.iter().any(|hook| hook.is_some())
            || worker_hooks.iter().any(|hook| hook.is_some())
    }
}

/// Who looks on in a run, and what they have seen.
pub(super) struct Watch {
    observers: Observers,
    eyes: Vec<Eye>,
    recorder: Option<Recorder>,
}

/// What a worker runs, for other threads to see.
#[derive(Default)]
struct Eye {
    /// Counts beginnings and ends: odd while a task runs.
    switches: AtomicU64,
    task: Mutex<Option<Task>>,
}

/// What is to be undone when a task has been switched away from.
pub(super) struct Resumed {
    task_before: Option<Task>,
    began: u64,
    #[cfg(feature = "tracing")]
    entered: Option<super::spans::Entered>,
}

impl Watch {
    /// None if nobody looks on.
    pub(super) fn new(observers: &Observers, workers: usize, thread_name: &str) -> Option<Box<Self>> {
        let recorder = observers.trace.as_ref().and_then(|sink| Recorder::new(sink, workers, thread_name));
        let eyes = (0..workers).map(|_| Eye::default()).collect();
        observers.are_there().then(|| Box::new(Self { observers: observers.clone(), eyes, recorder }))
    }

    /// A task has been made, and is in no queue yet.
    pub(super) fn spawned(&self, task: &Task) {
        #[cfg(feature = "tracing")]
        quietly(|| task.take_current_span());
        tell(&self.observers.on_spawn, task);
    }

    /// A task is about to run.
    pub(super) fn resumed(&self, worker: usize, task: &Task, is_first: bool) -> Resumed {
        let eye = &self.eyes[worker];
        let task_before = eye.task.lock().replace(task.clone());
        eye.switches.fetch_add(1, Ordering::Relaxed);
        if is_first {
            tell(&self.observers.on_start, task);
        }
        tell(&self.observers.on_resume, task);
        let began = self.recorder.as_ref().map_or(0, |recorder| recorder.begin(worker, task));
        Resumed {
            task_before,
            began,
            #[cfg(feature = "tracing")]
            entered: quietly(|| super::spans::Entered::new(task)),
        }
    }

    /// It does not run any more.
    pub(super) fn suspended(&self, worker: usize, task: &Task, has_ended: bool, resumed: Resumed) {
        #[cfg(feature = "tracing")]
        quietly(|| {
            resumed.entered.into_iter().for_each(|entered| entered.leave(task));
            if has_ended {
                task.drop_spans();
            }
        });
        if let Some(recorder) = &self.recorder {
            recorder.end(worker, task, resumed.began);
        }
        if has_ended {
            tell(&self.observers.on_end, task);
        } else {
            tell(&self.observers.on_suspend, task);
        }
        let eye = &self.eyes[worker];
        eye.switches.fetch_add(1, Ordering::Relaxed);
        // Dropped after the lock: it may be the last reference.
        let last = core::mem::replace(&mut *eye.task.lock(), resumed.task_before);
        drop(last);
    }

    /// A task that has not begun, and will not, is about to be ended.
    pub(super) fn ended_unstarted(&self, task: &Task) {
        #[cfg(feature = "tracing")]
        quietly(|| task.drop_spans());
        tell(&self.observers.on_end, task);
    }

    /// A task that runs on that worker has woken another.
    pub(super) fn woke(&self, worker: usize, task: u64) {
        if let Some(recorder) = &self.recorder {
            recorder.wake(worker, task);
        }
    }

    /// Whether anybody is told when workers park.
    pub(super) fn sees_parks(&self) -> bool {
        self.observers.on_park.is_some() || self.observers.on_unpark.is_some()
    }

    pub(super) fn parks(&self, worker: usize) {
        call(self.observers.on_park.as_ref(), worker);
    }

    pub(super) fn unparks(&self, worker: usize) {
        call(self.observers.on_unpark.as_ref(), worker);
    }

    /// The number of the switch that a worker has made last, and the task that it runs since.
    pub(super) fn runs(&self, worker: usize) -> Option<(u64, Task)> {
        let eye = &self.eyes[worker];
        let task = eye.task.lock();
        Some((eye.switches.load(Ordering::Relaxed), task.clone()?))
    }

    pub(super) fn finish(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.finish();
        }
    }
}

fn tell(hook: &Option<TaskHook>, task: &Task) {
    if let Some(hook) = hook {
        quietly(|| hook(task));
    }
}

fn call(hook: Option<&WorkerHook>, worker: usize) {
    if let Some(hook) = hook {
        quietly(|| hook(worker));
    }
}

/// Calls code of others. A worker goes on whatever that does: its panic has been printed.
fn quietly<T>(f: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| drop_quietly(Some(payload))).ok()
}
