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
    //! Tasks: coroutines that a runtime schedules, and what they wait with. Each call that waits tells of cancellation:
    //! `docs/CANCELLATION.md` in the repository has the table.
    //!
    //! | for | there is |
    //! |---|---|
    //! | beginning one | [`spawn`], [`spawn_local`], [`spawn_on`], [`spawn_eager`]; with a name or another stack, [`Builder`] |
    //! | waiting for one, or for some as they end | [`JoinHandle`], [`JoinSet`] |
    //! | several that borrow, and of which none is left behind | [`scope`], [`join_all`], [`join_all_settled`], [`race`] |
    //! | letting others run | [`yield_now`] |
    //! | time | [`sleep`], [`sleep_until`], [`interval`], [`timeout`], [`timeout_at`], [`timeout_with`], [`deadline`], [`now`] |
    //! | leaving when asked to, and not before | [`check_cancelled`], [`shield`] |
    //! | the locks and channels of [`sync`](crate::sync) | [`lock`], [`read`], [`write`](write()), [`wait`], [`wait_at`], [`send`], [`recv`] |
    //! | work that blocks the thread | [`offload`] |
    //! | a callback as a call that waits | [`suspend`] and [`Resumer`]; simpler, [`park`] and [`Task::unpark`] |
    //! | values of a task and its children | [`Local`] |
    //! | other threads | [`Handle`] |
    //! | looking on | [`current`], [`all`], [`dump`] |

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
