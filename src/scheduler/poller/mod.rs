//! How the system tells of I/O, each change once (by *edges*): epoll on Linux, elsewhere what the `polling` crate has.
//!
//! The crate has epoll too, but there a wait takes five system calls, four of which arm its own timer and its own notice again; and it
//! does not say that a socket has come to its end, without which nobody knows that it is empty. With the feature `fallback`
//! it is used on Linux as well.

#[cfg(all(target_os = "linux", not(feature = "fallback")))]
#[path = "epoll.rs"]
mod system;
#[cfg(not(all(target_os = "linux", not(feature = "fallback"))))]
#[path = "polling.rs"]
mod system;

use core::fmt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit};
use std::error::Error;
use std::io;
use std::time::Duration;
pub(super) use system::{Events, KEY_MASK, Poller};

/// What has changed at a descriptor.
pub(super) struct Event {
    /// What it was added by.
    pub(super) key: u64,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// Whether a read that brings less than it might can still leave something behind: the end, an error, urgent data.
    pub(super) hides_more: bool,
}

impl Poller {
    /// Waits until there is something for [`wait`](Self::wait), for that long at most, and leaves it there. Whether there is, or may
    /// be.
    pub(super) fn has_any(&self, longest: Option<Duration>) -> bool {
        poll(&mut [PollFd::new(self, PollFlags::IN)], longest.map(timespec).as_ref()) != Ok(0)
    }
}

/// For a `poll`. What is too long for the system is cut: who has waited in vain looks again whether the time is over.
pub(super) fn timespec(longest: Duration) -> Timespec {
    Timespec::try_from(longest).unwrap_or(Timespec { tv_sec: 1 << 30, tv_nsec: 0 })
}

/// Why there is no poller: in an [`io::Error`] of the same kind as the system's, which is its source.
#[derive(Debug)]
struct Refused {
    call: &'static str,
    error: io::Error,
}

/// What the system says to `call`.
fn refused(call: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), Refused { call, error })
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, for the I/O of a worker: {}", self.call, self.error)?;
        if self.error.raw_os_error() == Some(libc::EMFILE)
            && let Some(limit) = getrlimit(Resource::Nofile).current
        {
            write!(f, ": the process may have {limit} descriptors (RLIMIT_NOFILE)")?;
        }
        Ok(())
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
