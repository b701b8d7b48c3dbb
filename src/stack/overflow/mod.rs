//! The end of a coroutine that ran out of stack: a report that names it, instead of a bare signal.
//!
//! A write to a guard is a fault (`SIGSEGV`, on some systems `SIGBUS`). The handler of this module runs on an alternate
//! stack, looks the address up in the slab's table, and if it is in the guard of the very stack that the thread runs on,
//! writes who that is. Then, as with every fault that is not an overflow, it leaves the signal to whoever handled it
//! before: a crash reporter, the handler of std, or the default action, which ends the process.
//!
//! Only async-signal-safe functions are called (POSIX.1-2017, 2.4.3): `write`, `sigaction`, `raise`. Nothing is
//! allocated, and no lock is taken.

#[cfg(unix)]
mod context;
#[cfg(unix)]
#[path = "unix.rs"]
mod this;
#[cfg(not(unix))]
#[path = "other.rs"]
mod this;

pub(super) use this::Watch;

use core::sync::atomic::{AtomicBool, Ordering};

static WANTED: AtomicBool = AtomicBool::new(true);

/// Keeps switchback from handling faults, if it is called before the process's first coroutine.
///
/// A coroutine that overflows its stack then ends the process with a bare signal, unless a handler of your own reports it.
/// For programs that may not have handlers they did not install.
///
/// # Examples
///
/// ```
/// switchback::stack::disable_overflow_report();
/// ```
pub fn disable_overflow_report() {
    WANTED.store(false, Ordering::Relaxed);
}

#[cfg(unix)]
fn wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}
