#![doc = include_str!("../docs/GUIDE.md")]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arch;
mod cancelled;
mod coroutine;
#[cfg(feature = "capi")]
mod ffi;
pub mod future;
#[cfg(unix)]
pub mod io;
#[cfg(unix)]
pub mod net;
#[cfg(all(unix, not(any(target_os = "openbsd", target_os = "redox"))))]
pub mod process;
mod runtime;
mod scheduler;
#[cfg(unix)]
pub mod signal;
pub mod stack;
pub mod sync;
pub mod thread;
mod time;

pub use cancelled::{CancelReason, Cancelled, ScopeId};
pub use coroutine::{
    Builder, CloseError, Coroutine, CoroutineState, CreateError, Delegate, Description, Event, Generator, Misuse,
    Report, Scoped, SendError, State, Thrown, Values, Yielder, scoped, set_report_hook, try_scoped,
};
pub use future::{Awaiter, await_, stackful, stackful_on};
pub use runtime::{BuildError, RunError, Runtime, RuntimeBuilder, run};
pub use scheduler::{Handle, Interrupted, Resumer, offload};

pub mod task {
    //! Tasks: coroutines that a runtime schedules, and what they wait with. Each call that waits tells of cancellation.

    pub use crate::scheduler::{
        Builder, ByBox, ByError, ByText, Completed, Dump, DumpedTask, Errors, Failure, Handle, Interrupted, JoinError,
        JoinHandle, JoinSet, Local, Panic, Resumer, Scope, ScopedHandle, SpawnError, Task, TaskId, TaskState,
        WorkerState, all, check_cancelled, current, dump, join_all, join_all_settled, offload_or_cancelled as offload,
        park, park_timeout, race, scope, shield, spawn, spawn_eager, spawn_local, spawn_on, suspend, yield_now,
    };
    pub use crate::sync::faces::*;
    pub use crate::time::{
        Elapsed, Interval, Timeout, deadline, interval, now, sleep, sleep_until, timeout, timeout_at, timeout_with,
    };
}
