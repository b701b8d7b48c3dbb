//! Why there was no stack.
#![forbid(unsafe_code)]

use super::MAX_SIZE;
use core::fmt;
use rustix::io::Errno;
use std::io;

/// The error of everything that needs a stack: what failed, the limit that was hit, and what to change.
///
/// # Examples
///
/// ```
/// use switchback::Builder;
///
/// let refused = Builder::new().stack_size(usize::MAX).generator(|y| { y.yield_(1)?; Ok(()) });
/// let error = refused.err().expect("no machine has that much");
/// println!("{error}");
/// let _body = error.into_body(); // not lost
/// ```
#[derive(Debug)]
pub struct StackError(Kind);

#[derive(Debug)]
enum Kind {
    TooLarge { asked: usize },
    TooSmall { has: usize },
    ShadowStack,
    Os { call: &'static str, source: io::Error, len: usize, stacks: usize, limit: Limit },
}

/// Which limit an out-of-memory answer of the operating system most likely speaks of, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Mappings(u64),
    AddressSpace(u64),
    Memory,
    Other,
}

impl StackError {
    pub(super) fn too_large(asked: usize) -> Self {
        Self(Kind::TooLarge { asked })
    }

    pub(super) fn too_small(has: usize) -> Self {
        Self(Kind::TooSmall { has })
    }

    pub(super) fn shadow_stack() -> Self {
        Self(Kind::ShadowStack)
    }

    /// `call` failed for a mapping of `len` bytes when the process had `stacks` stacks.
    #[cold]
    pub(super) fn os(call: &'static str, errno: Errno, len: usize, stacks: usize) -> Self {
        let limit = if errno == Errno::NOMEM { Limit::find(len, stacks) } else { Limit::Other };
        Self(Kind::Os { call, source: errno.into(), len, stacks, limit })
    }

    /// The error of the operating system, if it was the operating system that refused.
    #[must_use]
    pub fn os_error(&self) -> Option<&io::Error> {
        match &self.0 {
            Kind::Os { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Limit {
    fn find(len: usize, stacks: usize) -> Self {
        // Each stack is two mappings, itself and its guard; the rest of a process has hundreds, not thousands.
        const OTHERS: u64 = 2_000;
        #[cfg(target_os = "linux")]
        if let Some(limit) =
            std::fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|s| s.trim().parse().ok())
            && 2 * stacks as u64 + OTHERS > limit
        {
            return Self::Mappings(limit);
        }
        let _ = (len, stacks, OTHERS);
        match rustix::process::getrlimit(rustix::process::Resource::As).current {
            Some(limit) => Self::AddressSpace(limit),
            None => Self::Memory,
        }
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::TooLarge { asked } => {
                write!(f, "a stack of {asked} bytes was asked for, and the largest is {} GiB", MAX_SIZE >> 30)
            }
            Kind::TooSmall { has } => write!(
                f,
                "the given stack has {has} usable bytes, and the smallest that a coroutine can run on has {}: \
                 give it a larger one",
                super::pool::MIN_PROVIDED
            ),
            Kind::ShadowStack => f.write_str(
                "this thread runs with a shadow stack (CET or GCS), which switching stacks would corrupt: \
                 run the program without it (glibc: GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK)",
            ),
            Kind::Os { call, source, len, stacks, limit } => {
                write!(
                    f,
                    "{call} for a stack of {len} bytes, guard included, failed with {stacks} stacks mapped: {source}; "
                )?;
                match limit {
                    Limit::Mappings(value) => write!(
                        f,
                        "each stack takes two of the vm.max_map_count = {value} mappings that the process may have: \
                         raise it (sysctl -w vm.max_map_count=1000000) or keep fewer coroutines alive"
                    ),
                    Limit::AddressSpace(value) => write!(
                        f,
                        "the address space of the process is limited to {value} bytes (RLIMIT_AS): \
                         raise it (ulimit -v unlimited) or ask for smaller stacks"
                    ),
                    Limit::Memory => f.write_str(
                        "the machine has not that much address space or memory to promise (vm.overcommit_memory): \
                         ask for smaller stacks or keep fewer coroutines alive",
                    ),
                    Limit::Other => f.write_str("ask for smaller stacks or keep fewer coroutines alive"),
                }
            }
        }
    }
}

impl std::error::Error for StackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.os_error().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_call_the_limit_and_what_to_change() {
        let text = |stacks| StackError::os("mprotect", Errno::NOMEM, 69_632, stacks).to_string();
        let few = text(10);
        assert!(
            few.starts_with("mprotect for a stack of 69632 bytes") && few.contains("with 10 stacks mapped"),
            "{few}"
        );
        assert!(few.contains("RLIMIT_AS") || few.contains("vm.overcommit_memory"), "{few}");
        #[cfg(target_os = "linux")]
        {
            let many = text(usize::MAX / 4);
            assert!(many.contains("vm.max_map_count = ") && many.contains("sysctl -w"), "{many}");
        }
        let other = StackError::os("mmap", Errno::ACCESS, 1, 0).to_string();
        assert!(other.contains("Permission denied"), "{other}");
    }
}
