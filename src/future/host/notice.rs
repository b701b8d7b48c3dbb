//! Whether a host is to poll a task, apart from what that is: tests/loom goes through its interleavings.
#![forbid(unsafe_code)]

use super::atomic::{AtomicBool, Ordering};

/// Given by whoever wakes a task, and taken by the host before it polls.
pub(crate) struct Notice(AtomicBool);

impl Notice {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether the host has to be told: there was none.
    pub(crate) fn give(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// One that is given from here on counts. Not a mere store: whoever has found one here told nobody, so the poll that follows must
    /// see what they have done before.
    pub(crate) fn take(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}
