//! Signals of Unix as messages: whoever waits for one stops a task, and not a thread.
//!
//! A [`Signals`] receives those that it was made for, until it is dropped. It is an ordinary receiver: for tasks and for plain
//! threads, with cancellation and timeouts, as an iterator, and as an arm of [`select!`](crate::select!). Nothing runs inside of a
//! signal handler but the few instructions that note the signal.
//!
//! - Each receiver of a signal gets it.
//! - One that comes again before a receiver has looked is merged with itself, as the system does with its own pending ones. Those of
//!   different kinds are received in the order in which they were noticed, which is not always that in which they came.
//! - While there is a receiver, a signal does nothing else: SIGINT does not end the process. A handler that somebody had installed
//!   before is called as well.
//! - When the last receiver is gone, a signal does again what it did before the first one came: its default action, if it had no
//!   handler and was not ignored. So a program that drops its receiver when it begins to shut down is ended by the next Ctrl-C.
//!   (Realtime signals have no default action any more then: they do nothing.)
//! - A thread of the process's own, which stays as long as that, hands signals on to the receivers. It is started by the first one.
//! - [A virtual clock](crate::RuntimeBuilder::virtual_clock) knows nothing of signals that may come, and jumps.
//!
//! # Examples
//!
//! Ctrl-C ends the loop, and the program cleans up:
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use switchback::signal::{SIGINT, SIGTERM, Signals};
//! use switchback::{select, task};
//!
//! switchback::run(|| {
//!     let signals = Signals::new([SIGINT, SIGTERM])?;
//! #   task::spawn(|| SIGTERM.raise());
//!     loop {
//!         let signal = select! {
//!             recv(signals) -> signal => Some(signal),
//!             sleep(Duration::from_millis(10)) => None, // something to do now and then
//!         };
//!         if let Some(signal) = signal? {
//!             println!("{signal}: the end");
//!             break;
//!         }
//!     }
//!     Ok::<_, io::Error>(())
//! }).unwrap();
//! ```

mod action;
mod registry;

pub(crate) use registry::{Watch, is_ignored};

use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Stopped};
use crate::sync::Arrivals;
use crate::sync::select::Arriving;
use core::ffi::c_int;
use core::fmt;
use signal_hook::low_level;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A signal, by its number.
///
/// Its text is its name, as far as it has one that POSIX knows.
///
/// # Examples
///
/// ```
/// use switchback::signal::{SIGTERM, Signal};
///
/// assert_eq!(SIGTERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::from_raw(SIGTERM.as_raw()), SIGTERM);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(c_int);

/// The terminal, or what has started the process, is gone. Daemons take it for a request to read their settings anew.
pub const SIGHUP: Signal = Signal(libc::SIGHUP);
/// Ctrl-C in a terminal.
pub const SIGINT: Signal = Signal(libc::SIGINT);
/// Ctrl-\ in a terminal. See also [`RuntimeBuilder::dump_on_sigquit`](crate::RuntimeBuilder::dump_on_sigquit).
pub const SIGQUIT: Signal = Signal(libc::SIGQUIT);
/// A request to end.
pub const SIGTERM: Signal = Signal(libc::SIGTERM);
/// For programs to give a meaning to.
pub const SIGUSR1: Signal = Signal(libc::SIGUSR1);
/// For programs to give a meaning to.
pub const SIGUSR2: Signal = Signal(libc::SIGUSR2);
/// Somebody has written where nobody reads.
pub const SIGPIPE: Signal = Signal(libc::SIGPIPE);
/// The time of `alarm` is over.
pub const SIGALRM: Signal = Signal(libc::SIGALRM);
/// A child has ended or stopped, or goes on.
pub const SIGCHLD: Signal = Signal(libc::SIGCHLD);
/// The process goes on after it was stopped.
pub const SIGCONT: Signal = Signal(libc::SIGCONT);
/// Ctrl-Z in a terminal.
pub const SIGTSTP: Signal = Signal(libc::SIGTSTP);
/// There is urgent data at a socket.
pub const SIGURG: Signal = Signal(libc::SIGURG);
/// The terminal has another size.
pub const SIGWINCH: Signal = Signal(libc::SIGWINCH);

impl Signal {
    /// The one of that number. Whether there is one is for [`Signals::new`] to find out.
    #[must_use]
    pub const fn from_raw(number: c_int) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw(self) -> c_int {
        self.0
    }

    /// Sends it to the calling thread, as `raise` of C does. When this returns, a handler has run, and receivers will have it soon. A
    /// program that has dropped its receivers ends so as if the signal had come then: who waits for it sees by what it has ended.
    ///
    /// # Errors
    ///
    /// When there is no such signal.
    pub fn raise(self) -> io::Result<()> {
        low_level::raise(self.0)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match low_level::signal_name(self.0) {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Receives signals. See the [module](self).
///
/// Several tasks and threads may wait at the same one, through a reference: then each signal is for one of them.
///
/// # Examples
///
/// ```
/// use switchback::signal::{SIGUSR1, Signals};
///
/// let signals = Signals::new([SIGUSR1])?;
/// assert_eq!(signals.try_recv(), None);
/// SIGUSR1.raise()?;
/// assert_eq!(signals.recv(), Ok(SIGUSR1)); // here a thread waits, in a task a task would
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Signals {
    arrivals: Arc<Arrivals<Signal>>,
    watches: Vec<Watch>,
}

impl Signals {
    /// A receiver of these, from now on.
    ///
    /// # Errors
    ///
    /// Of kind [`InvalidInput`](io::ErrorKind::InvalidInput) where there are none to receive, and for those that no program can
    /// go on after (SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL). And what the system says when there is no such signal, or no
    /// descriptor or thread left for the first receiver.
    pub fn new(signals: impl IntoIterator<Item = Signal>) -> io::Result<Self> {
        let arrivals = Arc::new(Arrivals::new());
        let watch = |signal| Watch::of(signal, &arrivals);
        let watches = signals.into_iter().map(watch).collect::<io::Result<Vec<_>>>()?;
        if watches.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no signal to receive"));
        }
        Ok(Self { arrivals, watches })
    }

    /// Waits for a signal.
    ///
    /// # Errors
    ///
    /// When none has come, and the task is cancelled, or cannot be suspended.
    pub fn recv(&self) -> Result<Signal, Cancelled> {
        Ok(self.recv_until(Limit::Never)?.unwrap_or_else(|| unreachable!("there is no limit")))
    }

    /// [`recv`](Self::recv) for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, longest: Duration) -> Result<Option<Signal>, Cancelled> {
        self.recv_until(Limit::After(longest))
    }

    fn recv_until(&self, limit: Limit) -> Result<Option<Signal>, Cancelled> {
        match self.arrivals.take_until(limit) {
            Ok(signal) => Ok(Some(signal)),
            Err(Stopped::TimedOut) => Ok(None),
            Err(Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled)) => Err(cancelled),
        }
    }

    /// A signal that has come, if one has.
    pub fn try_recv(&self) -> Option<Signal> {
        self.arrivals.take()
    }

    /// The signals that come, until the task is cancelled.
    pub fn iter(&self) -> Iter<'_> {
        Iter { signals: self }
    }

    /// An arm for [`select`](crate::sync::select::select()). In [`select!`](crate::select!) it is `recv(signals) -> signal => ..`.
    pub fn arm(&self) -> Arriving<'_, Signal> {
        self.arrivals.arm()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.watches.iter().map(Watch::signal)).finish()
    }
}

/// Iterates over the signals that come. See [`Signals::iter`].
#[derive(Debug)]
pub struct Iter<'a> {
    signals: &'a Signals,
}

impl Iterator for Iter<'_> {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        self.signals.recv().ok()
    }
}

impl<'a> IntoIterator for &'a Signals {
    type Item = Signal;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
