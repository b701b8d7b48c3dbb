//! Why there was no stack.
#![forbid(unsafe_code)]

use super::class::Class;
use super::system::{self, Failed, Resource};
use super::{MAX_SIZE, slab};
use core::fmt;
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
    Os { failed: Failed, len: usize, stacks: usize, limit: Limit },
    Mappings { most: usize, len: usize, stacks: usize },
    Reservations { most: usize, len: usize, stacks: usize },
    Memory { left: usize, len: usize, stacks: usize },
}

/// Which limit an answer of the operating system most likely speaks of, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    AddressSpace(u64),
    Data(u64),
    Locked(Option<u64>),
    Mappings(usize),
    Overcommit(usize),
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

    /// A call has failed for a stack that takes `len` bytes, when the process had `stacks` stacks.
    #[cold]
    pub(super) fn os(failed: Failed, len: usize, stacks: usize) -> Self {
        let limit = Limit::behind(&failed.error);
        Self(Kind::Os { failed, len, stacks, limit })
    }

    /// A guard was not asked for, because the process would soon be out of mappings, of which it may have `most`.
    #[cold]
    pub(super) fn mappings(most: usize, len: usize, stacks: usize) -> Self {
        Self(Kind::Mappings { most, len, stacks })
    }

    /// The process has `most` reservations, and can have no more.
    #[cold]
    pub(super) fn reservations(most: usize, len: usize, stacks: usize) -> Self {
        Self(Kind::Reservations { most, len, stacks })
    }

    /// The machine has `left` bytes of memory left, which had better stay so.
    #[cold]
    pub(super) fn memory(left: usize, len: usize, stacks: usize) -> Self {
        Self(Kind::Memory { left, len, stacks })
    }

    /// Whether there may be a stack of that class when another one, of whatever class, is given back.
    pub(crate) fn may_pass(&self, class: Class) -> bool {
        match &self.0 {
            Kind::TooLarge { .. } | Kind::TooSmall { .. } | Kind::ShadowStack => false,
            // What is given back is not address space or mappings, but memory.
            Kind::Memory { .. } | Kind::Os { limit: Limit::Locked(_), .. } => true,
            Kind::Os { .. } | Kind::Mappings { .. } | Kind::Reservations { .. } => slab::has(class),
        }
    }

    /// The error of the operating system, if it was the operating system that refused.
    #[must_use]
    pub fn os_error(&self) -> Option<&io::Error> {
        match &self.0 {
            Kind::Os { failed, .. } => Some(&failed.error),
            _ => None,
        }
    }
}

impl Limit {
    fn behind(error: &io::Error) -> Self {
        if system::is_locked(error) {
            return Self::Locked(system::limit_of(Resource::Locked));
        }
        if !system::is_out_of_memory(error) {
            return Self::Other;
        }
        // Several limits may be set: the one that the process is near is meant.
        const NEAR: u64 = 64 * 1024 * 1024;
        let near = |resource| {
            system::limit_of(resource).filter(|limit| system::in_use(resource).is_none_or(|used| used + NEAR >= *limit))
        };
        if let Some(limit) = near(Resource::AddressSpace) {
            return Self::AddressSpace(limit);
        }
        if let Some(limit) = near(Resource::Data) {
            return Self::Data(limit);
        }
        if let (Some(most), Some(now)) = (system::most_mappings(), system::mappings())
            && now + 100 >= most
        {
            return Self::Mappings(most);
        }
        system::strict_overcommit().map_or(Self::Memory, Self::Overcommit)
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
            Kind::Mappings { most, len, stacks } => write!(
                f,
                "mprotect for a stack of {len} bytes, guard included, is not tried with {stacks} stacks mapped: each \
                 takes two of the vm.max_map_count = {most} mappings that the process may have, and the last are left \
                 for its heap and threads: raise it (sysctl -w vm.max_map_count=1000000), run on Linux 6.13 or later, \
                 whose guards take no mapping, or keep fewer coroutines alive"
            ),
            Kind::Reservations { most, len, stacks } => write!(
                f,
                "no place for a stack of {len} bytes, guard included, with {stacks} stacks mapped: the process has \
                 {most} stretches of address space for stacks, and can have no more: ask for smaller stacks"
            ),
            Kind::Memory { left, len, stacks } => write!(
                f,
                "mmap for stacks of {len} bytes, guard included, is not tried with {stacks} stacks mapped: {left} bytes \
                 of memory are left (MemAvailable in /proc/meminfo, or memory.max of a control group), a stack takes a \
                 page of it at least, and who uses the last is killed: add memory or keep fewer coroutines alive"
            ),
            Kind::Os { failed: Failed { call, error }, len, stacks, limit } => {
                write!(
                    f,
                    "{call} for a stack of {len} bytes, guard included, failed with {stacks} stacks mapped: {error}; "
                )?;
                match limit {
                    Limit::AddressSpace(value) => write!(
                        f,
                        "the address space of the process is limited to {value} bytes (RLIMIT_AS): \
                         raise it (ulimit -v unlimited) or ask for smaller stacks"
                    ),
                    Limit::Data(value) => write!(
                        f,
                        "the data of the process is limited to {value} bytes (RLIMIT_DATA): \
                         raise it (ulimit -d unlimited) or ask for smaller stacks"
                    ),
                    Limit::Locked(Some(value)) => write!(
                        f,
                        "the process locks its memory (mlockall), of which it may lock {value} bytes (RLIMIT_MEMLOCK): \
                         raise that (ulimit -l unlimited) or ask for smaller stacks"
                    ),
                    Limit::Locked(None) => f.write_str(
                        "the process locks its memory (mlockall), and the machine has no more to lock: \
                         ask for smaller stacks or keep fewer coroutines alive",
                    ),
                    Limit::Mappings(most) => write!(
                        f,
                        "the process has nearly all of the vm.max_map_count = {most} mappings that it may have: \
                         raise it (sysctl -w vm.max_map_count=1000000) or keep fewer coroutines alive"
                    ),
                    Limit::Overcommit(limit) => write!(
                        f,
                        "the machine promises no more than {limit} kB of memory (vm.overcommit_memory = 2): \
                         raise vm.overcommit_ratio, ask for smaller stacks or keep fewer coroutines alive"
                    ),
                    Limit::Memory => f.write_str(
                        "the machine has not that much address space or memory left, or the process has too many \
                         mappings (vm.max_map_count): ask for smaller stacks or keep fewer coroutines alive",
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
        let text = |code| {
            let failed = Failed { call: "mprotect", error: io::Error::from_raw_os_error(code) };
            StackError::os(failed, 69_632, 10).to_string()
        };
        // The numbers that Unix and Windows have for want of memory and for a refusal.
        let (memory, access) = if cfg!(windows) { (8, 5) } else { (12, 13) };
        let refused = text(memory);
        assert!(
            refused.starts_with("mprotect for a stack of 69632 bytes") && refused.contains("with 10 stacks"),
            "{refused}"
        );
        let limits = ["RLIMIT_AS", "RLIMIT_DATA", "vm.overcommit_memory", "vm.max_map_count"];
        assert!(limits.iter().any(|limit| refused.contains(limit)), "{refused}");
        assert!(text(access).contains("denied"), "{}", text(access));
        let many = StackError::mappings(65_530, 69_632, 31_765).to_string();
        assert!(many.contains("vm.max_map_count = 65530") && many.contains("sysctl -w"), "{many}");
    }
}
