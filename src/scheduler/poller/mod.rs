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
