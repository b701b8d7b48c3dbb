//! Who looks on while a runtime runs.

use super::{Runtime, RuntimeBuilder};
use crate::scheduler::{self, Dump, Sink, Task};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

impl Runtime {
    /// What all tasks are at, of the [`run`](Self::run)s of this runtime and its clones that go on: from another thread, most
    /// often. See [`Dump`]; [`task::dump`](crate::task::dump()) is for use inside.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = switchback::Runtime::default();
    /// assert!(runtime.dump().tasks().is_empty(), "nothing runs");
    /// runtime.run(|| assert_eq!(runtime.dump().tasks().len(), 1));
    /// ```
    #[must_use]
    pub fn dump(&self) -> Dump {
        scheduler::dump_runs(&self.config.observers)
    }
}

/// Looking on. Hooks are called on the threads of the workers, on a worker's own stack (`on_task_spawn`: wherever the task is
/// spawned), and should be quick; there nothing can wait, and what a hook panics with is dropped. A runtime without any of
/// these pays one branch a switch for them.
impl RuntimeBuilder {
    /// Calls `hook` with each task that is spawned, before it is put into a queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use switchback::{Runtime, task};
    ///
    /// let alive = Arc::new(AtomicUsize::new(0));
    /// let (more, fewer) = (Arc::clone(&alive), Arc::clone(&alive));
    /// let runtime = Runtime::builder()
    ///     .on_task_spawn(move |_| { more.fetch_add(1, Ordering::Relaxed); })
    ///     .on_task_end(move |_| { fewer.fetch_sub(1, Ordering::Relaxed); })
    ///     .build()?;
    /// runtime.run(|| task::spawn(|| ()).join().unwrap());
    /// assert_eq!(alive.load(Ordering::Relaxed), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_task_spawn(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.config.observers.on_spawn = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with each task before it runs for the first time.
    pub fn on_task_start(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.config.observers.on_start = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with a task each time before it runs, the first one included.
    pub fn on_task_resume(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.config.observers.on_resume = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with a task each time that it has run and has not ended.
    pub fn on_task_suspend(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.config.observers.on_suspend = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with each task that has ended, or that will never begin: once for each `on_task_spawn`. Only tasks that are
    /// [leaked](crate::Event::NotEnded) have no end.
    pub fn on_task_end(mut self, hook: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        self.config.observers.on_end = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with the number of a worker that has nothing to do, before its thread sleeps.
    pub fn on_worker_park(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.config.observers.on_park = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with the number of a worker whose thread has slept.
    pub fn on_worker_unpark(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.config.observers.on_unpark = Some(Arc::new(hook));
        self
    }

    /// Reports a task that has run for that long without switching, once each time, by the [report
    /// hook](crate::set_report_hook) as [`Event::NotSwitching`](crate::Event::NotSwitching): it computes, or blocks its thread, and
    /// all other tasks of its worker wait for it. A thread of its own looks, four times in that time but once a millisecond at most, by
    /// the system's clock.
    pub fn watchdog(mut self, longest: Duration) -> Self {
        self.config.observers.watchdog = Some(longest);
        self
    }

    /// Prints a [`Dump`] to standard error whenever the process gets SIGQUIT (Ctrl-\ in a terminal), instead of ending it.
    ///
    /// Each runtime that runs with this has a dump of its own. When the last one has ended, the signal does again what it did before. A
    /// handler that was there before is called as well. See [`signal`](crate::signal). On Unix only.
    #[cfg(unix)]
    pub fn dump_on_sigquit(mut self, dumps: bool) -> Self {
        self.config.observers.dumps_on_sigquit = dumps;
        self
    }

    /// Writes a trace of the first run to `writer`, in the format of Chrome's `about:tracing`, which <https://ui.perfetto.dev>
    /// opens: a lane for each worker, a slice for each stretch that a task has run, named after the task or the place of its
    /// spawn, and an arrow from each wake by a task to where the one that was woken went on. Times are the system's.
    ///
    /// The whole of it is written when the run has ended. When the writer fails, the trace ends there, and the run goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::File;
    /// use switchback::{Runtime, task};
    ///
    /// # let path = std::env::temp_dir().join("switchback-doc-trace.json");
    /// let runtime = Runtime::builder().workers(2).trace(File::create(&path)?).build()?;
    /// runtime.run(|| task::spawn(|| ()).join().unwrap());
    /// assert!(std::fs::read_to_string(&path)?.trim_end().ends_with(']'));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace(mut self, writer: impl Write + Send + 'static) -> Self {
        self.config.observers.trace = Some(Sink::new(writer));
        self
    }
}
