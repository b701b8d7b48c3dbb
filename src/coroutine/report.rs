//! What happens where nobody can be told by a return value: reports, and the hook that gets them.
#![forbid(unsafe_code)]

use core::fmt;
use core::mem;
use core::panic::Location;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Which coroutine: its name, if it has one, and where it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description<'a> {
    name: Option<&'a str>,
    created_at: &'static Location<'static>,
}

impl<'a> Description<'a> {
    pub(crate) fn new(name: Option<&'a str>, created_at: &'static Location<'static>) -> Self {
        Self { name, created_at }
    }

    /// The name that [`Builder::name`](crate::Builder::name) gave it.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// Where it was created.
    #[must_use]
    pub fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "coroutine {name:?} created at {}", self.created_at),
            None => write!(f, "coroutine created at {}", self.created_at),
        }
    }
}

/// What a [`Report`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A coroutine that was dropped was asked to exit and yielded instead. It is made to unwind next.
    ExitIgnored,
    /// A coroutine that was dropped ended with an error, which is lost.
    ErrorLost,
    /// A coroutine that was dropped during a panic panicked itself, or one that was dropped panicked more than once: its
    /// body, and the destructor of a value that it has yielded, for instance. The later panic is lost.
    PanicLost,
    /// A coroutine that was dropped could not be made to leave its stack: its body catches unwinds and yields again, or
    /// the program cannot unwind, or its thread is ending. The stack, and what is on it, is leaked.
    Leaked,
    /// A task was cancelled, and goes on calling what tells it so, a thousand times by now.
    CancelIgnored,
    /// A task had not ended by the end of its runtime's grace period. It never goes on, and is leaked with its stack; or,
    /// if it computes without ever switching, its thread goes on without the runtime, which is reported as `worker`, with a place of
    /// this crate's. So does that of what a task has [offloaded](crate::offload()), which is reported as `offload`, with the place of
    /// that call.
    NotEnded,
    /// A task has run for longer than the [watchdog](crate::RuntimeBuilder::watchdog) allows, and has not switched: the other
    /// tasks of its worker wait. Reported on the watchdog's thread.
    NotSwitching,
}

impl Event {
    fn words(self) -> &'static str {
        match self {
            Self::ExitIgnored => "ignored the exit when it was dropped",
            Self::ErrorLost => "ended with an error when it was dropped",
            Self::PanicLost => "panicked when it was dropped, during a panic or after one",
            Self::Leaked => "could not be ended when it was dropped, and is leaked",
            Self::CancelIgnored => "is a task that goes on although it was cancelled",
            Self::NotSwitching => "is a task that runs, and has not switched for longer than the watchdog allows",
            Self::NotEnded => {
                "is a task that had not ended when the grace period of its runtime was over, and is leaked"
            }
        }
    }
}

/// Something that went wrong when there is nobody to return it to: while a coroutine was dropped, or with a task.
///
/// Python has `sys.unraisablehook` for it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    event: Event,
    coroutine: Description<'a>,
}

impl<'a> Report<'a> {
    /// What happened.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// Which coroutine, or task, it happened to.
    #[must_use]
    pub fn coroutine(&self) -> Description<'a> {
        self.coroutine
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.coroutine, self.event.words())
    }
}

type Hook = Arc<dyn Fn(&Report<'_>) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets what is called with each [`Report`], on the thread and stack of whoever drops the coroutine; of tasks, of whoever notices.
///
/// Without a hook, the first report of each [`Event`] is written to standard error, and the others are not.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use switchback::{Event, Generator, set_report_hook};
///
/// static IGNORED: AtomicBool = AtomicBool::new(false);
/// set_report_hook(|report| {
///     if report.event() == Event::ExitIgnored {
///         IGNORED.store(true, Ordering::Relaxed);
///     }
/// });
/// let mut stubborn = Generator::new(|y| {
///     let _ = y.yield_(1);
///     y.yield_(2)?; // in answer to the exit
///     Ok(())
/// });
/// stubborn.next();
/// drop(stubborn);
/// assert!(IGNORED.load(Ordering::Relaxed));
/// ```
pub fn set_report_hook(hook: impl Fn(&Report<'_>) + Send + Sync + 'static) {
    // What the old one has captured may report, too, when it is dropped: not under the lock.
    let old = HOOK.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::new(hook));
    drop(old);
}

/// Takes the hook away again.
#[cfg(feature = "capi")]
pub(crate) fn unset_report_hook() {
    let old = HOOK.write().unwrap_or_else(PoisonError::into_inner).take();
    drop(old);
}

#[cold]
pub(crate) fn report(event: Event, coroutine: Description<'_>) {
    let report = Report { event, coroutine };
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(hook) = hook {
        // A drop goes on whatever the hook, or its destructor, does: a scope must not be left half closed.
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(move || hook(&report))) {
            // Its destructor could panic, too.
            mem::forget(payload);
        }
        return;
    }
    static TOLD: AtomicU8 = AtomicU8::new(0);
    let bit = 1 << event as u8;
    if TOLD.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        // Nothing can be done about a standard error that cannot be written.
        let _ = writeln!(std::io::stderr(), "switchback: {report} (told once; set_report_hook sees all)");
    }
}

/// Ends the process because going on would be undefined behaviour.
#[cold]
pub(crate) fn abort(why: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "switchback: {why}; aborting");
    std::process::abort()
}
