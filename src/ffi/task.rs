//! Running tasks, and what a task may do.

use super::guard::{guarded, refuse};
use super::options::{self, RunOptions, TaskOptions};
use super::slot::put;
use super::status::Status;
use super::table::Table;
use super::wait::{FOREVER, Shared, done};
use crate::scheduler::{self as task, JoinError, JoinHandle, Task};
use crate::sync::Event;
use crate::time;
use crate::{Handle, Runtime};
use core::ffi::c_void;
use core::ptr;
use core::task::Waker;
use parking_lot::Mutex;
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::time::{Duration, Instant};

/// `swb_task_function`.
type Function = unsafe extern "C-unwind" fn(data: *mut c_void, result: *mut usize) -> i32;

/// The status and the value that a function has returned.
type Outcome = (i32, usize);

/// What a handle of a task is of.
struct Known {
    task: Task,
    /// Taken by who joins it. None in handles of `swb_current_task`.
    joining: Option<Joining>,
}

struct Joining {
    handle: Mutex<Option<JoinHandle<Outcome>>>,
    over: Arc<Over>,
}

/// Set when the task has ended, or never will: it is woken by that.
struct Over(Event);

impl Wake for Over {
    fn wake(self: Arc<Self>) {
        self.0.set();
    }
}

static TASKS: Table<Known> = Table::new();

/// The time that `swb_now` counts from: not after the beginning of any clock.
static FIRST: OnceLock<Instant> = OnceLock::new();

fn find(handle: Shared) -> Result<Arc<Known>, Status> {
    TASKS.get(handle.addr()).ok_or(Status::Invalid)
}

/// # Safety
///
/// The header asks for a function that may be called so, on any thread (invariant 41).
unsafe fn call(function: Function, data: usize) -> Outcome {
    let mut result = 0;
    // SAFETY: by this function's contract.
    let status = unsafe { function(ptr::with_exposed_provenance_mut(data), &raw mut result) };
    (status, result)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_run(
    function: Option<Function>,
    data: *mut c_void,
    options: *const RunOptions,
    ended: *mut i32,
    result: *mut usize,
) -> Status {
    guarded(|| {
        let Some(function) = function else { return Status::Invalid };
        if Handle::current().is_some() {
            return Status::Nested;
        }
        // SAFETY: by the caller's word (invariant 41).
        let runtime = match unsafe { options::read(options) }.and_then(runtime) {
            Ok(runtime) => runtime,
            Err(status) => return status,
        };
        let data = data.expose_provenance();
        FIRST.get_or_init(Instant::now);
        // SAFETY: as above.
        match runtime.try_run(|| unsafe { call(function, data) }) {
            Ok((status, value)) => {
                // SAFETY: as above.
                unsafe {
                    put(ended, status);
                    put(result, value);
                }
                Status::Ok
            }
            Err(error) => {
                let is_thread = std::error::Error::source(&error).is_some_and(|source| source.is::<io::Error>());
                refuse(if is_thread { Status::NoThread } else { Status::NoStack }, &error.to_string())
            }
        }
    })
}

fn runtime(options: RunOptions) -> Result<Runtime, Status> {
    const MOST_WORKERS: usize = 1 << 16;
    let mut builder = Runtime::builder().virtual_clock(options.virtual_clock != 0);
    if options.workers > MOST_WORKERS {
        return Err(refuse(Status::Invalid, "so many workers cannot be meant"));
    }
    if options.workers != 0 {
        builder = builder.workers(options.workers);
    }
    if options.stack_size != 0 {
        builder = builder.stack_size(options.stack_size);
    }
    if options.main_stack_size != 0 {
        builder = builder.main_stack_size(options.main_stack_size);
    }
    if options.offload_threads != 0 {
        builder = builder.offload_threads(options.offload_threads);
    }
    if options.grace != 0 {
        builder = builder.grace(Duration::from_nanos(options.grace));
    }
    builder.build().map_err(|error| refuse(Status::NoStack, &error.to_string()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_spawn(
    handle: *mut Shared,
    function: Option<Function>,
    data: *mut c_void,
    options: *const TaskOptions,
) -> Status {
    guarded(|| {
        let Some(function) = function else { return Status::Invalid };
        // SAFETY: by the caller's word (invariant 41).
        let options = match unsafe { options::read(options) } {
            Ok(options) => options,
            Err(status) => return status,
        };
        let mut builder = task::Builder::new();
        // SAFETY: as above.
        if let Some(name) = unsafe { options::name(options.name) } {
            builder = builder.name(name);
        }
        if options.stack_size != 0 {
            builder = builder.stack_size(options.stack_size);
        }
        if Handle::current().is_none() {
            return Status::NoRuntime;
        }
        let data = data.expose_provenance();
        // SAFETY: as above.
        let body = move || unsafe { call(function, data) };
        let spawned = if options.pinned != 0 { builder.spawn_local(body) } else { builder.spawn(body) };
        let mut joined = match spawned {
            Ok(joined) => joined,
            Err(error) => return refuse(Status::NoStack, &error.to_string()),
        };
        if handle.is_null() {
            return Status::Ok; // dropping it lets the task go on
        }
        let task = joined.task();
        let over = Arc::new(Over(Event::new()));
        joined.wake_at_end(&Waker::from(Arc::clone(&over)));
        let joining = Joining { handle: Mutex::new(Some(joined)), over };
        // SAFETY: as above; it is not null.
        unsafe { give(handle, Known { task, joining: Some(joining) }) }
    })
}

/// # Safety
///
/// `handle` may be written.
unsafe fn give(handle: *mut Shared, known: Known) -> Status {
    let Some(number) = TASKS.insert(Arc::new(known)) else { return Status::Busy };
    // SAFETY: by this function's contract.
    unsafe { handle.write(ptr::without_provenance_mut(number)) };
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_current_task(handle: *mut Shared) -> Status {
    guarded(|| match task::current() {
        _ if handle.is_null() => Status::Invalid,
        None => Status::NoRuntime,
        // SAFETY: by the caller's word (invariant 41), and it is not null.
        Some(task) => unsafe { give(handle, Known { task, joining: None }) },
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_join(handle: Shared, timeout: u64, ended: *mut i32, result: *mut usize) -> Status {
    guarded(|| match find(handle).and_then(|known| join(&known, timeout)) {
        Ok(outcome) => {
            drop(TASKS.remove(handle.addr()));
            // SAFETY: by the caller's word (invariant 41).
            unsafe {
                put(ended, outcome.0);
                put(result, outcome.1);
            }
            Status::Ok
        }
        Err(status) => status,
    })
}

fn join(known: &Known, timeout: u64) -> Result<Outcome, Status> {
    let Some(joining) = &known.joining else { return Err(Status::Invalid) };
    if task::current().as_ref() == Some(&known.task) {
        return Err(Status::Itself);
    }
    let waited = match timeout {
        FOREVER => joining.over.0.wait().map(|()| true),
        nanoseconds => joining.over.0.wait_timeout(Duration::from_nanos(nanoseconds)),
    };
    match waited {
        Ok(true) => {}
        Ok(false) => return Err(Status::TimedOut),
        Err(cancelled) => return Err(Status::of_cancelled(&cancelled)),
    }
    let Some(handle) = joining.handle.lock().take() else { return Err(Status::Invalid) };
    Ok(match handle.join() {
        Ok(outcome) => outcome,
        Err(JoinError::Cancelled(_)) => (Status::Cancelled as i32, 0),
        Err(JoinError::Panicked(panic)) => {
            core::mem::forget(panic);
            (Status::Panic as i32, 0)
        }
        Err(error) => (refuse(Status::NoStack, &error.to_string()) as i32, 0),
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_detach(handle: Shared) -> Status {
    guarded(|| TASKS.remove(handle.addr()).map_or(Status::Invalid, |_| Status::Ok))
}

#[unsafe(no_mangle)]
extern "C" fn swb_cancel(handle: Shared) -> Status {
    guarded(|| match find(handle) {
        Ok(known) => {
            known.task.cancel();
            Status::Ok
        }
        Err(status) => status,
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_unpark(handle: Shared) -> Status {
    guarded(|| match find(handle) {
        Ok(known) => {
            known.task.unpark();
            Status::Ok
        }
        Err(status) => status,
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_park(timeout: u64) -> Status {
    guarded(|| {
        done(match timeout {
            FOREVER => task::park(),
            nanoseconds => task::park_timeout(Duration::from_nanos(nanoseconds)),
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_task_yield() -> Status {
    guarded(|| done(task::yield_now()))
}

#[unsafe(no_mangle)]
extern "C" fn swb_sleep(nanoseconds: u64) -> Status {
    guarded(|| done(time::sleep(Duration::from_nanos(nanoseconds))))
}

#[unsafe(no_mangle)]
extern "C" fn swb_check_cancelled() -> Status {
    guarded(|| done(task::check_cancelled()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn swb_shield(
    function: Option<Function>,
    data: *mut c_void,
    ended: *mut i32,
    result: *mut usize,
) -> Status {
    guarded(|| {
        let Some(function) = function else { return Status::Invalid };
        // SAFETY: by the caller's word (invariant 41).
        let (status, value) = task::shield(|| unsafe { call(function, data.expose_provenance()) });
        // SAFETY: as above.
        unsafe {
            put(ended, status);
            put(result, value);
        }
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn swb_now() -> u64 {
    let now = time::now();
    let first = *FIRST.get_or_init(|| now);
    u64::try_from(now.saturating_duration_since(first).as_nanos()).unwrap_or(u64::MAX)
}
