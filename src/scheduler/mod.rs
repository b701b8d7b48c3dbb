//! The scheduler: tasks on workers, and the primitive by which they wait.
//!
//! | question | file |
//! |---|---|
//! | what is a task? who may touch which part of it? | `header.rs`, `task.rs`, `life.rs`, `memory.rs`, `once.rs` |
//! | how does a task wait, and who may wake it? | `suspend.rs`, `claim.rs`, `cell.rs`, `word.rs` |
//! | which one runs next? | `worker.rs`, `queue.rs`, `handover.rs`, `seed.rs` |
//! | how does another thread reach a worker? | `remote.rs`, `inbox.rs`, `driver.rs` |
//! | how does a runtime begin and end? | `shared.rs`, `closing.rs` |
//! | spawning, joining, parking, locals | `spawn.rs`, `join.rs`, `park.rs`, `local.rs` |
//! | how does a task wait for a future? how is it one? | `await_.rs`, `waker.rs`; `join.rs` |
//! | what is cancelled, and whom does it reach? | `cancel.rs` |
//! | how are children tied to a block? | `scope.rs`, `errors.rs`, `children.rs` |
//! | waiting for several | `several.rs` |
//! | what runs beside the workers? | `offload.rs`, `threads.rs` |
//! | how does a task wait for I/O? | `source.rs`, `reactor.rs`, `reactors.rs`, `poller/`, `idle.rs` |
//! | what is the time? | `clock.rs`, `timers.rs`, whose queue is `wheel.rs` |
//! | what do the tasks do, seen from outside? | `dump.rs`, `print.rs`, `inspect.rs`, `walk.rs`, `frames.rs` |
//! | who looks on while they run? | `watch.rs`, `trace.rs`, `watchdog.rs`, `spans.rs` |

#[cfg(unix)]
mod ahead;
mod atomic;
mod await_;
mod cancel;
mod cell;
mod children;
mod claim;
mod clock;
mod closing;
mod current;
mod driver;
mod dump;
mod errors;
mod frames;
mod handle;
mod handover;
mod header;
mod idle;
mod inbox;
mod inspect;
mod join;
mod life;
mod local;
mod memory;
mod offload;
mod once;
mod panicked;
mod park;
#[cfg(unix)]
mod poller;
mod print;
mod queue;
#[cfg(unix)]
mod reactor;
#[cfg(unix)]
mod reactors;
mod remote;
mod scope;
mod seed;
mod several;
mod shared;
#[cfg(unix)]
mod source;
#[cfg(feature = "tracing")]
mod spans;
mod spawn;
mod stalled;
mod suspend;
mod task;
mod threads;
mod timers;
mod trace;
mod waker;
mod walk;
mod watch;
mod watchdog;
mod wheel;
mod word;
mod worker;

pub use cancel::{check_cancelled, shield};
pub use dump::{Dump, DumpedTask, TaskState, WorkerState, all, dump};
pub use errors::{ByBox, ByError, ByText, Errors, Failure};
pub use handle::{Handle, Task, TaskId, current};
pub use join::{JoinError, JoinHandle};
pub use local::Local;
#[cfg(unix)]
pub(crate) use offload::offload_unless_late;
#[cfg(feature = "capi")]
pub(crate) use offload::offload_until;
pub use offload::{offload, offload_or_cancelled};
pub use panicked::Panic;
pub use park::{park, park_timeout};
pub use scope::{Scope, ScopedHandle, scope};
pub use several::{Completed, JoinSet, join_all, join_all_settled, race};
pub use spawn::{Builder, SpawnError, spawn, spawn_eager, spawn_local, spawn_on};
pub use suspend::{Interrupted, Resumer, suspend};

pub(crate) use cancel::{Entered, Kind, Node, deadline};
pub(crate) use children::Children;
pub(crate) use claim::{Claimed, Limit, Stopped, suspend_caught_until, suspend_until};
pub(crate) use clock::Clock;
pub(crate) use current::{is_alone, take_turn, tell_wait};
pub(crate) use dump::dump_runs;
pub(crate) use seed::chance;
pub(crate) use shared::{Config, EnterError, enter};
#[cfg(unix)]
pub(crate) use source::{Direction, Source, timed_out};
pub(crate) use timers::{Alarm, AlarmKey, fire_alarms, set_alarm, unset_alarm};
pub(crate) use trace::Sink;
pub(crate) use watch::Observers;

use crate::cancelled::{CancelReason, Cancelled};
use current::Current;
use std::time::Instant;

/// What a call says that cannot wait here: [`Interrupted::Refused`] as a [`Cancelled`].
pub(crate) fn refusal() -> Cancelled {
    Current::with(|current| match current {
        Some(current) => current.running.refusal(),
        None => Cancelled::alone(CancelReason::Outside),
    })
}

/// Whether a call may wait here: the task can be suspended, or there is none, and it is the thread's own business.
#[cfg(unix)]
pub(crate) fn can_wait() -> bool {
    Current::with(|current| match current {
        Some(current) => current.running.can_switch(),
        None => !current::is_worker(),
    })
}

/// Calls `wait`, which stops the thread, where there is no task; not on a worker's own stack, as all tasks of it would wait too.
pub(crate) fn wait_as_thread(wait: impl FnOnce()) -> Result<(), Cancelled> {
    if current::is_worker() {
        return Err(refusal());
    }
    wait();
    Ok(())
}

/// Calls `f` with the clock of the calling task; none outside of tasks.
pub(crate) fn with_clock<T>(f: impl FnOnce(&Clock) -> T) -> Option<T> {
    Current::with(|current| Some(f(&current?.running.worker().shared().clock)))
}

/// The time of the calling task's clock; outside of tasks that of the system.
pub(crate) fn now() -> Instant {
    with_clock(|clock| clock.instant()).unwrap_or_else(Instant::now)
}

/// Whether that time has come by the clock of the calling task; outside of tasks by that of the system. A clock that has come to its
/// end knows no later one.
pub(crate) fn is_over(time: Instant) -> bool {
    with_clock(|clock| clock.of(time) <= clock.now()).unwrap_or_else(|| time <= Instant::now())
}

/// Lets the other tasks of the worker run that are ready, and goes on after that.
///
/// It costs a few nanoseconds, and no locked instruction. Outside of a task, [`std::thread::yield_now`].
///
/// # Errors
///
/// When the task, or the part of it that this is called in, was cancelled; and where it cannot be suspended.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let other = task::spawn_local(|| ());
///     while !other.is_finished() {
///         task::yield_now().unwrap();
///     }
/// });
/// ```
#[inline(always)]
pub fn yield_now() -> Result<(), Cancelled> {
    // Not `with`: a closure may not be inlined, and a call around a switch costs as much as the switch.
    // SAFETY: it is used here only, in the task that it is of.
    let Some(Current { running }) = (unsafe { Current::get() }) else {
        std::thread::yield_now();
        return Ok(());
    };
    if !running.yield_now() {
        return Err(running.refusal());
    }
    match cancel::pending(running) {
        None => {
            running.ignored.set(0);
            Ok(())
        }
        Some(cancelled) => {
            cancel::count(running);
            Err(cancelled)
        }
    }
}
