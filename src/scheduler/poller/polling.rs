//! By the `polling` crate.

use super::{Event, refused};
use polling::PollMode;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Which part of a key an event has.
pub(in super::super) const KEY_MASK: u64 = usize::MAX as u64;

/// See the module.
pub(in super::super) struct Poller(polling::Poller);

/// What a wait has brought.
pub(in super::super) struct Events(polling::Events);

impl Poller {
    pub(in super::super) fn new() -> io::Result<Self> {
        let poller = polling::Poller::new().map_err(refused("a poller"))?;
        if !poller.supports_edge() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell of I/O by edges"));
        }
        Ok(Self(poller))
    }

    /// Watches a descriptor for both directions, until it is deleted.
    pub(in super::super) fn add(&self, fd: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        let event = polling::Event::all((key & KEY_MASK) as usize);
        // SAFETY: whoever adds it deletes it before it is closed (invariant 37).
        unsafe { self.0.add_with_mode(fd.as_raw_fd(), event, PollMode::Edge) }
    }

    pub(in super::super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.0.delete(fd)
    }

    /// Ends the wait that goes on, or the next one.
    pub(in super::super) fn notify(&self) {
        // It fails where its counter is full, and then there is a notice.
        let _ = self.0.notify();
    }

    /// Waits for events, for a notice, or for that time. It may also end without a reason.
    pub(in super::super) fn wait(&self, events: &mut Events, longest: Option<Duration>) {
        events.0.clear();
        // Interrupted by a signal, it is over early.
        let _ = self.0.wait(&mut events.0, longest);
    }
}

impl AsFd for Poller {
    /// Of what can be asked for readiness itself.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Events {
    pub(in super::super) fn new() -> Self {
        Self(polling::Events::new())
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().map(|event| Event {
            key: event.key as u64,
            is_readable: event.readable,
            is_writable: event.writable,
            // It does not say.
            hides_more: true,
        })
    }
}
