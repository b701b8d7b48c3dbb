//! Unix.

use super::memory::kilobytes_of;
pub(in crate::stack) use super::memory::memory;
use super::{Failed, Locked, Resource};
use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;

/// The size of a page, in bytes.
#[inline]
pub(in crate::stack) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: it asks and changes nothing.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let size = usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(4096);
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Reserves address space for stacks, page-aligned. Its pages can be used after [`allow`], or at once if `usable`.
pub(in crate::stack) fn reserve(len: usize, usable: bool) -> Result<NonNull<u8>, Failed> {
    let access = if usable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_NONE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    let flags = flags | libc::MAP_STACK;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(Failed::now("mmap"));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // One touched byte must not cost a huge page. Kernels without huge pages refuse, and then there is nothing to refuse.
    // SAFETY: advice about our own new mapping that does not change its contents.
    unsafe {
        libc::madvise(base, len, libc::MADV_NOHUGEPAGE);
    }
    Ok(NonNull::new(base.cast()).expect("mmap does not return null"))
}

/// Makes pages of a reservation readable and writable.
///
/// # Safety
///
/// The pages belong to a reservation, and to the caller.
pub(in crate::stack) unsafe fn allow(start: NonNull<u8>, len: usize) -> Result<(), Failed> {
    // SAFETY: the caller's own pages become more accessible than they were.
    unsafe { protect(start, len, libc::PROT_READ | libc::PROT_WRITE) }
}

/// Makes pages inaccessible by their protection.
///
/// # Safety
///
/// The pages belong to a reservation and to the caller, and nobody uses them.
pub(in crate::stack) unsafe fn forbid(start: NonNull<u8>, len: usize) -> Result<(), Failed> {
    // SAFETY: nobody uses them.
    unsafe { protect(start, len, libc::PROT_NONE) }
}

/// # Safety
///
/// The pages belong to the caller, and are used as `access` says only.
unsafe fn protect(start: NonNull<u8>, len: usize, access: c_int) -> Result<(), Failed> {
    // SAFETY: by this function's contract.
    match unsafe { libc::mprotect(start.as_ptr().cast(), len, access) } {
        0 => Ok(()),
        _ => Err(Failed::now("mprotect")),
    }
}

/// `MADV_GUARD_INSTALL` of include/uapi/asm-generic/mman-common.h.
#[cfg(any(target_os = "linux", target_os = "android"))]
const GUARD_INSTALL: c_int = 102;

/// Makes pages inaccessible by advice, which costs no mapping (Linux 6.13, madvise(2), `MADV_GUARD_INSTALL`).
///
/// # Safety
///
/// The pages belong to a reservation and to the caller, and nobody uses them.
pub(in crate::stack) unsafe fn advise_guard(start: NonNull<u8>, len: usize) -> Result<(), Failed> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: nobody uses the pages. Kernels that do not know the advice refuse it.
        if unsafe { libc::madvise(start.as_ptr().cast(), len, GUARD_INSTALL) } == 0 {
            return Ok(());
        }
        Err(Failed::now("madvise(MADV_GUARD_INSTALL)"))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (start, len);
        Err(Failed { call: "madvise(MADV_GUARD_INSTALL)", error: io::ErrorKind::Unsupported.into() })
    }
}

/// How many guards [`advise_guards`] makes at most.
pub(in crate::stack) const GUARDS: usize = 32;

/// [`advise_guard`] for `count` guards of `len` bytes, one each `spacing` bytes from `start` on. Returns how many of them there are
/// now, from the first on. One call of the system makes them all where it can (Linux 6.15, process_madvise(2) on the process itself).
///
/// # Safety
///
/// As for [`advise_guard`], for each of them.
pub(in crate::stack) unsafe fn advise_guards(start: NonNull<u8>, len: usize, spacing: usize, count: usize) -> usize {
    let count = count.min(GUARDS);
    // Valgrind prints a request to write to its authors, if it does not know the call.
    #[cfg(all(target_os = "linux", not(switchback_valgrind)))]
    {
        use core::sync::atomic::AtomicBool;
        /// `PIDFD_SELF` of include/uapi/linux/pidfd.h.
        const PIDFD_SELF: c_int = -10_000;
        static REFUSED: AtomicBool = AtomicBool::new(false);
        if !REFUSED.load(Ordering::Relaxed) {
            let mut ranges = [libc::iovec { iov_base: ptr::null_mut(), iov_len: len }; GUARDS];
            for (number, range) in ranges[..count].iter_mut().enumerate() {
                range.iov_base = start.as_ptr().wrapping_add(number * spacing).cast();
            }
            // SAFETY: there are so many ranges, which nobody uses. Kernels that do not know the descriptor or the advice refuse it.
            let done = unsafe {
                libc::syscall(libc::SYS_process_madvise, PIDFD_SELF, ranges.as_ptr(), count, GUARD_INSTALL, 0_u32)
            };
            if done > 0 {
                return done as usize / len;
            }
            REFUSED.fetch_or(!is_passing(&io::Error::last_os_error()), Ordering::Relaxed);
        }
    }
    // SAFETY: each of them is the caller's.
    (0..count).take_while(|number| unsafe { advise_guard(start.add(number * spacing), len) }.is_ok()).count()
}

/// Whether a read of the byte at `address` would be a fault. The kernel tries it: write(2) fails with `EFAULT`.
///
/// `None` if it cannot be asked, for want of a file descriptor for instance.
pub(in crate::stack) fn faults(address: *const u8) -> Option<bool> {
    let mut pipe = [0; 2];
    // SAFETY: there is room for two descriptors, which no child is to inherit.
    #[cfg(not(target_vendor = "apple"))]
    let made = unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) };
    // SAFETY: there is room for two descriptors.
    #[cfg(target_vendor = "apple")]
    let made = unsafe { libc::pipe(pipe.as_mut_ptr()) };
    if made != 0 {
        return None;
    }
    // SAFETY: the kernel checks the address before it reads; the pipe is ours, and has room for a byte.
    let written = unsafe { libc::write(pipe[1], address.cast(), 1) };
    let error = io::Error::last_os_error();
    for end in pipe {
        // SAFETY: the descriptors were made here, and nobody else knows them.
        unsafe { libc::close(end) };
    }
    match written {
        1 => Some(false),
        _ => (error.raw_os_error() == Some(libc::EFAULT)).then_some(true),
    }
}

/// Gives the memory of pages back to the system. Their contents are lost (Linux: they read as zero); guards stay. Returns
/// whether all of it went.
///
/// # Safety
///
/// The pages belong to a reservation and to the caller, and nothing on them is needed any more.
pub(in crate::stack) unsafe fn discard(start: NonNull<u8>, len: usize, locked: Locked) -> bool {
    // Without the memory of macOS's pages being counted as the process's own, as MADV_DONTNEED would leave it there.
    #[cfg(target_vendor = "apple")]
    const ADVICE: c_int = libc::MADV_FREE;
    #[cfg(not(target_vendor = "apple"))]
    const ADVICE: c_int = libc::MADV_DONTNEED;
    // SAFETY: nothing on the pages is needed.
    let advise = |advice| unsafe { libc::madvise(start.as_ptr().cast(), len, advice) == 0 };
    // It is refused of what is locked (EINVAL).
    advise(ADVICE) || locked == Locked::Goes && DONTNEED_LOCKED.is_some_and(advise)
}

/// `MADV_DONTNEED_LOCKED` of include/uapi/asm-generic/mman-common.h, since Linux 5.18.
const DONTNEED_LOCKED: Option<c_int> =
    if cfg!(any(target_os = "linux", target_os = "android")) { Some(24) } else { None };

/// Whether memory is there as soon as it may be used, touched or not, because the process locks all that it will have
/// (mlockall(2), `MCL_FUTURE`).
pub(in crate::stack) fn is_filled_at_once() -> bool {
    let page = page_size();
    let Ok(start) = reserve(page, true) else { return false };
    // SAFETY: reserved just now, and nobody has heard of it.
    unsafe {
        let is_filled = !discard(start, page, Locked::Stays) && untouched(start, page) == 0;
        release(start, page);
        is_filled
    }
}

/// Unmaps a reservation.
///
/// # Safety
///
/// It is what `reserve` has returned for `len`, nobody uses it, and nobody will.
pub(in crate::stack) unsafe fn release(start: NonNull<u8>, len: usize) {
    // SAFETY: by this function's contract. It can fail only by splitting a mapping at the limit of mappings, and then it
    // stays.
    unsafe { libc::munmap(start.as_ptr().cast::<c_void>(), len) };
}

/// How many bytes from `start` on are in pages that have no memory behind them, of `len`.
///
/// An upper bound of what was touched follows: pages that are swapped out count as untouched.
pub(in crate::stack) fn untouched(start: NonNull<u8>, len: usize) -> usize {
    let page = page_size();
    let mut residency = [0_u8; 4_096];
    let mut done = 0;
    while done < len {
        let part = (len - done).min(residency.len() * page);
        let from = start.as_ptr().wrapping_add(done);
        // SAFETY: it looks at page tables, not at memory; there is a byte for each page of the part.
        if unsafe { libc::mincore(from.cast(), part, residency.as_mut_ptr().cast()) } != 0 {
            return done;
        }
        let pages = part.div_ceil(page);
        if let Some(first) = residency[..pages].iter().position(|page| page & 1 != 0) {
            return done + first * page;
        }
        done += part;
    }
    len
}

/// The limit that the process has of something, if it has one.
pub(in crate::stack) fn limit_of(resource: Resource) -> Option<u64> {
    let which = match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::Locked => libc::RLIMIT_MEMLOCK,
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: there is room for the answer.
    let asked = unsafe { libc::getrlimit(which, &mut limit) };
    // The type of a limit differs between systems.
    #[allow(clippy::unnecessary_cast)]
    (asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

/// How many mappings a process may have (Linux: `vm.max_map_count`), as it was when last asked: once in a thousand calls.
pub(in crate::stack) fn most_mappings_cached() -> Option<usize> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    if CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(1_000) {
        KNOWN.store(most_mappings().unwrap_or(0), Ordering::Relaxed);
    }
    Some(KNOWN.load(Ordering::Relaxed)).filter(|known| *known != 0)
}

/// How many mappings a process may have.
pub(in crate::stack) fn most_mappings() -> Option<usize> {
    number_in("/proc/sys/vm/max_map_count")
}

/// How many mappings the process has.
pub(in crate::stack) fn mappings() -> Option<usize> {
    Some(std::fs::read("/proc/self/maps").ok()?.iter().filter(|byte| **byte == b'\n').count())
}

/// How many bytes of what a limit is about the process has in use.
pub(in crate::stack) fn in_use(resource: Resource) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let name = match resource {
        Resource::AddressSpace => "VmSize:",
        Resource::Data => "VmData:",
        Resource::Locked => "VmLck:",
    };
    kilobytes_of(&status, name).map(|kilobytes| kilobytes as u64 * 1024)
}

/// Whether memory is promised strictly, so that a reservation may be refused although nobody uses it
/// (`vm.overcommit_memory` is 2), and how many kilobytes may be promised.
pub(in crate::stack) fn strict_overcommit() -> Option<usize> {
    if number_in("/proc/sys/vm/overcommit_memory") != Some(2) {
        return None;
    }
    kilobytes_of(&std::fs::read_to_string("/proc/meminfo").ok()?, "CommitLimit:")
}

fn number_in(path: &str) -> Option<usize> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether an error says that there is no memory, no address space or no mapping left, or that too much would be locked.
pub(in crate::stack) fn is_out_of_memory(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM))
}

/// Whether what was refused with an error may be granted soon: there was no memory for it just now, or a signal came.
pub(in crate::stack) fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EAGAIN | libc::EINTR))
}

/// Whether an error says that the memory would have to be locked and may not be (mmap(2), `EAGAIN`).
pub(in crate::stack) fn is_locked(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN))
}

// In a child, as it is about the whole process. The tools see to it that nothing is locked.
#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "x86")))]
#[cfg(not(any(switchback_asan, switchback_tsan, switchback_valgrind)))]
mod tests {
    use super::{advise_guard, advise_guards, faults, is_filled_at_once, page_size, reserve};
    use crate::stack::Guard;
    use core::mem::offset_of;

    /// What `f` finds, in a child that leaves without running anything else: all of it is so.
    #[track_caller]
    fn assert_in_child<const N: usize>(f: impl FnOnce() -> [bool; N]) {
        let mut status = -1;
        // SAFETY: the child allocates nothing.
        unsafe {
            match libc::fork() {
                0 => libc::_exit((0..).zip(f()).map(|(bit, is_so)| i32::from(!is_so) << bit).sum()),
                pid => assert_eq!(libc::waitpid(pid, &mut status, 0), pid),
            }
        }
        assert_eq!(status, 0, "the exit status has a bit for each that is not so");
    }

    /// Guards on every other one of eight pages, of which the fifth is locked: there the first call ends, and the second has none.
    #[test]
    fn guards_are_counted_up_to_the_first_that_is_refused() {
        // SAFETY: the pages are the child's own, and nobody uses them.
        assert_in_child(|| unsafe {
            let page = page_size();
            let Ok(start) = reserve(8 * page, true) else { return [false; 5] };
            let is_locked = libc::mlock(start.add(4 * page).as_ptr().cast(), page) == 0;
            let is_real = advise_guard(start.add(7 * page), page).is_ok();
            let first = advise_guards(start, page, 2 * page, 4) == if is_real { 2 } else { 0 };
            let locked = advise_guards(start.add(4 * page), page, 2 * page, 2) == 0;
            // As the locked one was refused, these are made one by one.
            let others = advise_guards(start.add(6 * page), page, page, 2) == if is_real { 2 } else { 0 };
            let are_there = (0..8).all(|number| {
                faults(start.add(number * page).as_ptr()) == Some(is_real && [0, 2, 6, 7].contains(&number))
            });
            [is_locked, first, locked, others, are_there]
        });
    }

    /// From now on the kernel refuses this thread a call, with an error, where an argument is this number (seccomp(2)).
    fn refuse(call: libc::c_long, argument: usize, number: usize, error: i32) -> bool {
        let word = offset_of!(libc::seccomp_data, args) + argument * size_of::<u64>();
        let step = |code, k, unless| libc::sock_filter { code, jt: 0, jf: unless, k };
        let (load, is, end) = (0x20, 0x15, 0x06); // BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
        let mut steps = [
            step(load, offset_of!(libc::seccomp_data, nr) as u32, 0),
            step(is, call as u32, 3),
            step(load, word as u32, 0),
            step(is, number as u32, 1),
            step(end, libc::SECCOMP_RET_ERRNO | error as u32, 0),
            step(end, libc::SECCOMP_RET_ALLOW, 0),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: the program is there, and it only refuses.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_usize, 0_usize, 0_usize, 0_usize) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER as usize, &raw const program) == 0
        }
    }

    /// What there was no memory for is asked for again, and what is not known, or not allowed, is not.
    #[test]
    fn guards_are_given_up_for_good_only_where_the_refusal_stays() {
        let is_taken = Guard::is_advice_taken();
        // SAFETY: the pages are the child's own, and nobody uses them.
        assert_in_child(|| unsafe {
            let page = page_size();
            let Ok(start) = reserve(32 * page, true) else { return [false; 5] };
            let mut place = 0;
            let mut next = |pages: usize| {
                place += pages;
                start.add((place - pages) * page)
            };
            // Those of one page are made by one call for all of them, or not at all.
            let is_seen = refuse(libc::SYS_madvise, 1, page, libc::EPERM)
                && advise_guards(next(2), page, page, 2) == 2
                && refuse(libc::SYS_process_madvise, 2, 3, libc::ENOMEM)
                && refuse(libc::SYS_madvise, 1, 2 * page, libc::ENOMEM)
                && refuse(libc::SYS_process_madvise, 2, 4, libc::EPERM)
                && refuse(libc::SYS_madvise, 1, 3 * page, libc::EINVAL);
            let now_not =
                advise_guards(next(3), page, page, 3) == 0 && Guard::Advice.install(next(2), 2 * page).is_ok();
            let asked_again = advise_guards(next(2), page, page, 2) == 2;
            let passes = Guard::has_been_refused() && Guard::is_advice_taken();
            let never = advise_guards(next(4), page, page, 4) == 0 && Guard::Advice.install(next(3), 3 * page).is_ok();
            let stays = advise_guards(next(2), page, page, 2) == 0 && !Guard::is_advice_taken();
            // Kernels differ, and there may be none of all this.
            [now_not, asked_again, passes, never, stays].map(|is_so| is_so || !is_taken || !is_seen)
        });
    }

    #[test]
    fn memory_is_filled_at_once_where_it_is_locked_and_not_on_fault() {
        // SAFETY: it is about the child's memory alone.
        let lock = |flags| unsafe { libc::mlockall(flags) == 0 };
        assert_in_child(|| {
            let not_before = !is_filled_at_once();
            let locked = lock(libc::MCL_FUTURE) && is_filled_at_once();
            let on_fault = lock(libc::MCL_FUTURE | libc::MCL_ONFAULT) && !is_filled_at_once();
            [not_before, locked, on_fault]
        });
    }
}
