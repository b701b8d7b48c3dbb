//! Runtimes: how they are made, and how a program is run in one.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod interrupt;
mod observe;
#[cfg(unix)]
mod sigquit;

use crate::scheduler::{self, Config, EnterError, JoinError, Observers};
use crate::stack::{Class, StackError};
use core::fmt;
use core::panic::Location;
use std::error::Error;
use std::io;
use std::thread;
use std::time::Duration;

/// What the stack of `main` has, as a thread of std.
const MAIN_STACK: usize = 2 << 20;

/// Runs `main` as a task, with one worker for each CPU, and returns what it returns.
///
/// The calling thread is one of the workers, so `main` may borrow, and need not be `Send`. When it has returned, all tasks
/// that are left are cancelled, and this waits until they have ended, and what they have [offloaded](crate::offload()), or the
/// [grace period](RuntimeBuilder::grace) is over.
///
/// # Panics
///
/// When `main` does, with its payload; when it is called inside of a task: spawn a task there, or open a
/// [scope](crate::task::scope); and when no thread can be started, or there is no stack for `main`. [`Runtime::try_run`] returns
/// errors instead.
///
/// # Examples
///
/// ```
/// let words = ["no", "function", "is", "coloured"];
/// let letters: usize = switchback::run(|| {
///     let counts = words.map(|word| switchback::thread::spawn(move || word.len()));
///     counts.into_iter().map(|count| count.join().unwrap()).sum()
/// });
/// assert_eq!(letters, 20);
/// ```
#[track_caller]
pub fn run<T>(main: impl FnOnce() -> T) -> T {
    Runtime::default().run(main)
}

/// How tasks are run: on how many workers, with which stacks, by which clock.
///
/// Its threads are those of a [`run`](Self::run), started and ended with it, so that nothing runs behind a program's back,
/// and dropping a runtime, even inside of one of its tasks, is nothing. It can be used again, and by several threads at once:
/// each `run` is a world of its own.
///
/// # Examples
///
/// ```
/// use switchback::{Runtime, task};
///
/// let runtime = Runtime::builder().workers(2).build()?;
/// let sum = runtime.run(|| {
///     let parts: Vec<_> = (0..4).map(|n| task::spawn(move || n)).collect();
///     parts.into_iter().map(|part| part.join().unwrap()).sum::<i32>()
/// });
/// assert_eq!(sum, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    config: Config,
    cancels_on_sigint: bool,
}

impl Runtime {
    /// What [`run`] uses, to be changed.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// [`run`] with this runtime.
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run<T>(&self, main: impl FnOnce() -> T) -> T {
        match self.try_run(main) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`run`](Self::run) that returns an error when `main` cannot be run.
    ///
    /// # Errors
    ///
    /// Inside of a task; when a thread or the first stack is refused; and when signals that the runtime is to receive cannot be. The
    /// error hands `main` back.
    ///
    /// # Panics
    ///
    /// When `main` does, with its payload.
    #[track_caller]
    pub fn try_run<F, T>(&self, main: F) -> Result<T, RunError<F>>
    where
        F: FnOnce() -> T,
    {
        let signals = match Signals::of(self) {
            Ok(signals) => signals,
            Err(error) => return Err(RunError { why: Why::Signal(error), main: Some(main) }),
        };
        let mut main = Some(main);
        let begin = || {
            signals.begin();
            main.take().unwrap_or_else(|| unreachable!("a task is run once"))()
        };
        let why = match scheduler::enter(&self.config, begin, Location::caller()) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(JoinError::Panicked(panic))) => panic.resume(),
            Ok(Err(error)) => Why::Main(error),
            Err(EnterError::Nested) => Why::Nested,
            Err(EnterError::Thread(error)) => Why::Thread(error),
        };
        Err(RunError { why, main })
    }
}

/// What a run does when the process gets signals.
struct Signals {
    #[cfg(unix)]
    interrupt: Option<interrupt::Interrupt>,
    #[cfg(unix)]
    _dumping: Option<sigquit::Dumping>,
}

#[cfg(unix)]
impl Signals {
    fn of(runtime: &Runtime) -> io::Result<Self> {
        Ok(Self { interrupt: interrupt::Interrupt::of(runtime)?, _dumping: sigquit::Dumping::of(runtime)? })
    }

    /// Main begins, and is what calls this.
    fn begin(&self) {
        self.interrupt.iter().for_each(interrupt::Interrupt::begin);
    }
}

#[cfg(not(unix))]
impl Signals {
    fn of(runtime: &Runtime) -> io::Result<Self> {
        debug_assert!(!runtime.cancels_on_sigint && !runtime.config.observers.dumps_on_sigquit);
        Ok(Self {})
    }

    fn begin(&self) {}
}

impl Default for Runtime {
    /// One worker for each CPU, stacks of the default size, the system's clock.
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let main_class = Class::with(MAIN_STACK).unwrap_or(Class::DEFAULT);
        let name = "switchback-".to_owned();
        let grace = Duration::from_secs(5);
        let config = Config {
            workers,
            class: Class::DEFAULT,
            main_class,
            name,
            has_virtual_clock: false,
            seed: None,
            grace,
            offload_threads: 64,
            observers: Observers::default(),
        };
        Self { config, cancels_on_sigint: false }
    }
}

/// Why `main` was not run.
pub struct RunError<F> {
    why: Why,
    main: Option<F>,
}

#[derive(Debug)]
enum Why {
    Nested,
    Thread(io::Error),
    Signal(io::Error),
    Main(JoinError),
}

impl<F> RunError<F> {
    /// What was to be run, if it has not begun.
    #[must_use]
    pub fn into_main(self) -> Option<F> {
        self.main
    }
}

impl<F> fmt::Debug for RunError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunError").field(&self.why).finish()
    }
}

impl<F> fmt::Display for RunError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Nested => f.write_str(
                "a runtime cannot be run inside of a task, which would stop its worker: use task::spawn, or task::scope \
                 for what borrows",
            ),
            Why::Thread(error) => write!(f, "a worker's thread could not be started: {error}"),
            Why::Signal(error) => write!(f, "signals cannot be received: {error}"),
            Why::Main(error) => write!(f, "main has not run to its end: {error}"),
        }
    }
}

impl<F> Error for RunError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            Why::Nested => None,
            Why::Thread(error) => Some(error),
            Why::Signal(error) => Some(error),
            Why::Main(error) => Some(error),
        }
    }
}

/// Makes a [`Runtime`] that differs from the default one.
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing until `build` is called"]
pub struct RuntimeBuilder {
    config: Config,
    stack_size: Option<usize>,
    main_stack_size: Option<usize>,
    cancels_on_sigint: bool,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self { config: Runtime::default().config, stack_size: None, main_stack_size: None, cancels_on_sigint: false }
    }
}

impl RuntimeBuilder {
    /// On how many threads tasks run, the one that calls `run` among them. The default is the number of CPUs.
    pub fn workers(mut self, count: usize) -> Self {
        self.config.workers = count;
        self
    }

    /// The least size of the stacks of tasks, in bytes. The default is [`DEFAULT_SIZE`](crate::stack::DEFAULT_SIZE).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// The least size of the stack of `main`, in bytes. The default is 2 MiB, as of a thread of std.
    pub fn main_stack_size(mut self, bytes: usize) -> Self {
        self.main_stack_size = Some(bytes);
        self
    }

    /// What the workers' threads are called, before their number. The first worker is the thread that calls `run`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// A clock that stands still while any task can run, and jumps to the next timer when all wait: tests of hours run in
    /// milliseconds.
    ///
    /// It knows of tasks only. Where they wait for other threads, it jumps all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchback::{Runtime, task};
    ///
    /// let runtime = Runtime::builder().workers(1).virtual_clock(true).build()?;
    /// runtime.run(|| {
    ///     let start = task::now();
    ///     task::sleep(Duration::from_secs(3600)).unwrap();
    ///     assert_eq!(task::now() - start, Duration::from_secs(3600));
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn virtual_clock(mut self, is_virtual: bool) -> Self {
        self.config.has_virtual_clock = is_virtual;
        self
    }

    /// Runs tasks in an order that is chosen by chance, the same for each `seed`. It takes a single worker; with the
    /// [virtual clock](Self::virtual_clock) too, and nothing else that differs from run to run, an interleaving that fails
    /// is replayed from its seed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use switchback::{Runtime, task};
    ///
    /// let order = |seed| {
    ///     let runtime = Runtime::builder().workers(1).seed(seed).build().unwrap();
    ///     runtime.run(|| {
    ///         let order = Arc::new(Mutex::new(Vec::new()));
    ///         let push = |n| { let order = Arc::clone(&order); task::spawn(move || order.lock().unwrap().push(n)) };
    ///         for handle in [push(1), push(2), push(3)] {
    ///             handle.join().unwrap();
    ///         }
    ///         order.lock().unwrap().clone()
    ///     })
    /// };
    /// assert_eq!(order(7), order(7));
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// How long `run` waits, when `main` has returned, for tasks that have been cancelled and do not end. What has not ended
    /// then never goes on: it is [reported](crate::set_report_hook), and leaked with its stack. The default is five seconds,
    /// by the system's clock.
    ///
    /// A task that computes without ever switching cannot be stopped: its thread goes on by itself; if it is the calling
    /// thread, `run` does not return. Nor can what was [offloaded](crate::offload()): it is reported by the place of that call.
    pub fn grace(mut self, period: Duration) -> Self {
        self.config.grace = period;
        self
    }

    /// How many threads there are at most for what is [offloaded](crate::offload()), beside the workers. The default is 64. They
    /// are started when they are needed.
    ///
    /// With none, what is offloaded runs in place, and holds up its worker: so nothing differs from run to run where the order is
    /// that of a [seed](Self::seed).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Runtime, offload};
    ///
    /// let runtime = Runtime::builder().offload_threads(0).build()?;
    /// let here = runtime.run(|| std::thread::current().id() == offload(|| std::thread::current().id()));
    /// assert!(here);
    /// # Ok::<(), switchback::BuildError>(())
    /// ```
    pub fn offload_threads(mut self, most: usize) -> Self {
        self.config.offload_threads = most;
        self
    }

    /// Makes the runtime. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// Without a worker, with too many, with a seed for more than one, with a name that no thread can have, and with stacks that
    /// are too large: see [`BuildError`].
    pub fn build(mut self) -> Result<Runtime, BuildError> {
        const MOST_WORKERS: usize = 1 << 16;
        match self.config.workers {
            0 => return Err(BuildError::NoWorkers),
            1..=MOST_WORKERS => {}
            _ => return Err(BuildError::TooManyWorkers),
        }
        if self.config.name.contains('\0') {
            return Err(BuildError::ThreadName);
        }
        if self.config.seed.is_some() && self.config.workers != 1 {
            return Err(BuildError::SeedNeedsOneWorker);
        }
        let class = |size: Option<usize>| size.map(Class::with).transpose().map_err(BuildError::Stack);
        self.config.class = class(self.stack_size)?.unwrap_or(self.config.class);
        self.config.main_class = class(self.main_stack_size)?.unwrap_or(self.config.main_class);
        self.config.observers.runs = Default::default();
        Ok(Runtime { config: self.config, cancels_on_sigint: self.cancels_on_sigint })
    }
}

/// Why there is no such runtime.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// There must be a worker.
    NoWorkers,
    /// More than 65,536 cannot be meant.
    TooManyWorkers,
    /// No thread can have such a name: there is a NUL in it.
    ThreadName,
    /// The order of several workers cannot be chosen.
    SeedNeedsOneWorker,
    /// No stack can be that large.
    Stack(StackError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("a runtime must have a worker"),
            Self::TooManyWorkers => f.write_str("a runtime cannot have so many workers"),
            Self::ThreadName => f.write_str("a thread's name cannot have a NUL in it"),
            Self::SeedNeedsOneWorker => f.write_str("a run order by seed takes a single worker: workers(1)"),
            Self::Stack(error) => error.fmt(f),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stack(error) => error.source(),
            Self::NoWorkers | Self::TooManyWorkers | Self::ThreadName | Self::SeedNeedsOneWorker => None,
        }
    }
}
