//! What a guard is made of on this machine.

use super::system::{self, Failed};
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::env;

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
        /// No `OnceLock`: one that another thread is at when a process forks is so in the child for ever.
        static FOUND: AtomicU8 = AtomicU8::new(UNKNOWN);
        const UNKNOWN: u8 = u8::MAX;
        let of = |known| if known == Self::Advice as u8 { Self::Advice } else { Self::Protection };
        let known = FOUND.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return of(known);
        }
        let found = match env::var("SWITCHBACK_GUARD") {
            Ok(wish) if wish == "protection" || wish == "mprotect" => Self::Protection,
            _ => match advice_is_real() {
                Some(true) => Self::Advice,
                Some(false) => Self::Protection,
                // It could not be tried, for want of memory or of a file descriptor: that may be different next time.
                None => return Self::Protection,
            },
        };
        // Another thread may have been first.
        FOUND.compare_exchange(UNKNOWN, found as u8, Ordering::Relaxed, Ordering::Relaxed).map_or_else(of, |_| found)
    }

    /// Whether advice was refused though it is in use, so that stacks may cost mappings all the same.
    pub(super) fn has_been_refused() -> bool {
        COSTS_MAPPINGS.load(Ordering::Relaxed)
    }

    /// Whether guards of advice are in use, and worth making before they are wanted: not where the advice will be refused again.
    pub(super) fn is_advice_taken() -> bool {
        Self::in_use() == Self::Advice && !REFUSED.load(Ordering::Relaxed)
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
                system::advise_guard(start, len).or_else(|failed| {
                    COSTS_MAPPINGS.store(true, Ordering::Relaxed);
                    REFUSED.fetch_or(!system::is_passing(&failed.error), Ordering::Relaxed);
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

/// Whether some stacks have guards of protection though advice is in use.
static COSTS_MAPPINGS: AtomicBool = AtomicBool::new(false);
/// Whether advice was refused for a reason that stays.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether a page that was advised to be a guard is one: emulators take the advice and do nothing. None if that cannot be found out now.
fn advice_is_real() -> Option<bool> {
    let page = system::page_size();
    let start = system::reserve(page, true).ok()?;
    // SAFETY: a page of our own that nobody uses.
    let real = match unsafe { system::advise_guard(start, page) } {
        Ok(()) => system::faults(start.as_ptr()),
        Err(failed) => (!system::is_passing(&failed.error)).then_some(false),
    };
    // SAFETY: it was reserved above, and is not used any more.
    unsafe { system::release(start, page) };
    real
}
