//! What stacks ask of the operating system, in its own words: address space, access, guards, residency, limits.
//!
//! | function | Unix | Windows |
//! |---|---|---|
//! | [`reserve`] | `mmap` without access | `VirtualAlloc(MEM_RESERVE)` |
//! | [`allow`] | `mprotect` | `VirtualAlloc(MEM_COMMIT)` |
//! | [`advise_guard`] | `madvise(MADV_GUARD_INSTALL)` on Linux | never |
//! | [`advise_guards`] | `process_madvise` with the same advice on Linux | never |
//! | [`discard`] | `madvise(MADV_DONTNEED)` | `VirtualAlloc(MEM_RESET)` |

use std::io;

#[cfg(unix)]
mod memory;
#[cfg(unix)]
#[path = "unix.rs"]
mod this;
#[cfg(windows)]
#[path = "windows.rs"]
mod this;

pub(super) use this::*;

/// A call of the operating system that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) call: &'static str,
    pub(super) error: io::Error,
}

impl Failed {
    /// `call` has just failed.
    pub(super) fn now(call: &'static str) -> Self {
        Self { call, error: io::Error::last_os_error() }
    }
}

/// What becomes of memory that the process has locked (mlock(2), mlockall(2)) when it is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    /// It stays, as whoever has locked it wishes.
    Stays,
    /// It goes too, where the system can: it is locked again when it is next touched.
    Goes,
}

/// Limits of a process that stacks come up against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// `RLIMIT_AS`
    AddressSpace,
    /// `RLIMIT_DATA`
    Data,
    /// `RLIMIT_MEMLOCK`
    Locked,
}
