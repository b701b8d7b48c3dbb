//! What a guard is made of on this machine.

use super::system::{self, Failed};
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::env;
use std::sync::OnceLock;

/// What keeps a coroutine that runs out of stack from writing over its neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// `madvise(MADV_GUARD_INSTALL)`, of Linux 6.13 and later: a mark in the page tables. It costs no mapping, so the
    /// number of stacks is bounded by memory and address space only. Processes with many stacks make several at once, by
    /// `process_madvise` where that takes the advice.
    Advice,
    /// `mprotect`, on every other system. Each stack is two mappings of the process, and Linux allows
    /// `vm.max_map_count` of them: by default there can be about 31,000 stacks.
    Protection,
}

impl Guard {
    /// The kind of guard that stacks of this process have.
    ///
    /// It is found out once, by trying. Setting the environment variable `SWITCHBACK_GUARD` to `protection` (or `mprotect`)
    /// before the first coroutine chooses that; with any other value, and without one, advice is taken where it is real.
    ///
    /// # Examples
    ///
    /// ```
    /// println!("guards: {}", switchback::stack::Guard::in_use());
    /// ```
    #[must_use]
    pub fn in_use() -> Self {
        static FOUND: OnceLock<Guard> = OnceLock::new();
        if let Some(guard) = FOUND.get() {
            return *guard;
        }
        match env::var("SWITCHBACK_GUARD") {
            Ok(wish) if wish == "protection" || wish == "mprotect" => *FOUND.get_or_init(|| Self::Protection),
            _ => match advice_is_real() {
                Some(true) => *FOUND.get_or_init(|| Self::Advice),
                Some(false) => *FOUND.get_or_init(|| Self::Protection),
                // It could not be tried, for want of a file descriptor perhaps: that may be different next time.
                None => Self::Protection,
            },
        }
    }

    /// Whether advice was refused though it is in use, so that stacks may cost mappings all the same.
    pub(super) fn has_been_refused() -> bool {
        REFUSED.load(Ordering::Relaxed)
    }

    /// Makes the pages below a stack inaccessible.
    ///
    /// # Safety
    ///
    /// The pages belong to a reservation and to the caller, and nobody uses them.
    pub(super) unsafe fn install(self, start: NonNull<u8>, len: usize) -> Result<(), Failed> {
        match self {
            // The process may have locked its memory since the advice was tried; then it is refused (EINVAL).
            // SAFETY: by this function's contract.
            Self::Advice => unsafe {
                system::advise_guard(start, len).or_else(|_| {
                    REFUSED.store(true, Ordering::Relaxed);
                    system::forbid(start, len)
                })
            },
            // SAFETY: as above.
            Self::Protection => unsafe { system::forbid(start, len) },
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advice => "madvise(MADV_GUARD_INSTALL)",
            Self::Protection => "mprotect",
        })
    }
}

static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether a page that was advised to be a guard is one: emulators take the advice and do nothing.
fn advice_is_real() -> Option<bool> {
    let page = system::page_size();
    let start = system::reserve(page, true).ok()?;
    // SAFETY: a page of our own that nobody uses.
    let advised = unsafe { system::advise_guard(start, page) }.is_ok();
    let real = if advised { system::faults(start.as_ptr()) } else { Some(false) };
    // SAFETY: it was reserved above, and is not used any more.
    unsafe { system::release(start, page) };
    real
}
