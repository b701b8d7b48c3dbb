//! Windows.

use super::{Failed, Locked, Resource};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;
use windows_sys::Win32::Foundation::{ERROR_COMMITMENT_LIMIT, ERROR_NOT_ENOUGH_MEMORY};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, MEM_RESET, PAGE_NOACCESS, PAGE_READWRITE, VirtualAlloc, VirtualFree,
    VirtualProtect, VirtualQuery,
};
use windows_sys::Win32::System::SystemInformation::GetSystemInfo;

/// The size of a page, in bytes.
#[inline]
pub(in crate::stack) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: a structure of numbers, for which zeros will do, and there is room for the answer.
            let size = unsafe {
                let mut info = core::mem::zeroed();
                GetSystemInfo(&mut info);
                info.dwPageSize as usize
            };
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Reserves address space for stacks, page-aligned. Its pages can be used after [`allow`].
pub(in crate::stack) fn reserve(len: usize, _usable: bool) -> Result<NonNull<u8>, Failed> {
    // SAFETY: a new reservation at an address of the system's choice touches nothing that exists.
    let base = unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE, PAGE_NOACCESS) };
    NonNull::new(base.cast()).ok_or_else(|| Failed::now("VirtualAlloc(MEM_RESERVE)"))
}

/// Makes pages of a reservation readable and writable.
///
/// # Safety
///
/// The pages belong to a reservation, and to the caller.
pub(in crate::stack) unsafe fn allow(start: NonNull<u8>, len: usize) -> Result<(), Failed> {
    // SAFETY: the caller's own pages become more accessible than they were.
    let committed = unsafe { VirtualAlloc(start.as_ptr().cast(), len, MEM_COMMIT, PAGE_READWRITE) };
    if committed.is_null() { Err(Failed::now("VirtualAlloc(MEM_COMMIT)")) } else { Ok(()) }
}

/// Makes pages inaccessible by their protection.
///
/// # Safety
///
/// The pages belong to a reservation and to the caller, and nobody uses them.
pub(in crate::stack) unsafe fn forbid(start: NonNull<u8>, len: usize) -> Result<(), Failed> {
    let mut before = 0;
    // SAFETY: nobody uses them, and there is room for what they were.
    match unsafe { VirtualProtect(start.as_ptr().cast(), len, PAGE_NOACCESS, &mut before) } {
        0 => Err(Failed::now("VirtualProtect")),
        _ => Ok(()),
    }
}

/// Windows has no guards of this kind.
///
/// # Safety
///
/// None.
pub(in crate::stack) unsafe fn advise_guard(_start: NonNull<u8>, _len: usize) -> Result<(), Failed> {
    Err(Failed { call: "madvise", error: io::ErrorKind::Unsupported.into() })
}

/// No more than one is asked for.
pub(in crate::stack) const GUARDS: usize = 1;

/// As [`advise_guard`].
///
/// # Safety
///
/// None.
pub(in crate::stack) unsafe fn advise_guards(
    _start: NonNull<u8>,
    _len: usize,
    _spacing: usize,
    _count: usize,
) -> usize {
    0
}

/// Whether a read of the byte at `address` would be a fault, by what the system says of its page.
pub(in crate::stack) fn faults(address: *const u8) -> Option<bool> {
    // SAFETY: a structure of numbers and addresses, for which zeros will do; there is room for the answer.
    let (written, info) = unsafe {
        let mut info = core::mem::zeroed();
        (VirtualQuery(address.cast(), &mut info, size_of_val(&info)), info)
    };
    (written != 0).then_some(info.State != MEM_COMMIT || info.Protect != PAGE_READWRITE)
}

/// Tells the system that the contents of pages are not needed. They are lost, or stay as they were. Returns whether it was heard.
///
/// # Safety
///
/// The pages belong to a reservation and to the caller, and nothing on them is needed any more.
pub(in crate::stack) unsafe fn discard(start: NonNull<u8>, len: usize, _locked: Locked) -> bool {
    // SAFETY: nothing on the pages is needed.
    !unsafe { VirtualAlloc(start.as_ptr().cast(), len, MEM_RESET, PAGE_READWRITE) }.is_null()
}

/// Whether memory is there as soon as it may be used, touched or not.
pub(in crate::stack) fn is_filled_at_once() -> bool {
    false
}

/// Gives a reservation back.
///
/// # Safety
///
/// It is what `reserve` has returned for `len`, nobody uses it, and nobody will.
pub(in crate::stack) unsafe fn release(start: NonNull<u8>, _len: usize) {
    // SAFETY: by this function's contract.
    unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
}

/// How many bytes from `start` on are in pages that have no memory behind them: none is known to have none.
pub(in crate::stack) fn untouched(_start: NonNull<u8>, _len: usize) -> usize {
    0
}

/// Windows has no limits of this kind.
pub(in crate::stack) fn limit_of(_resource: Resource) -> Option<u64> {
    None
}

/// Windows does not count mappings.
pub(in crate::stack) fn most_mappings_cached() -> Option<usize> {
    None
}

/// As `most_mappings_cached`.
pub(in crate::stack) fn most_mappings() -> Option<usize> {
    None
}

/// As `most_mappings_cached`.
pub(in crate::stack) fn mappings() -> Option<usize> {
    None
}

/// There is no limit to compare it with.
pub(in crate::stack) fn in_use(_resource: Resource) -> Option<u64> {
    None
}

/// Windows promises no more memory than it has, but does not tell how much that is in this way.
pub(in crate::stack) fn strict_overcommit() -> Option<usize> {
    None
}

/// Windows refuses what it has not.
pub(in crate::stack) fn memory() -> Option<(usize, usize)> {
    None
}

/// Whether an error says that there is no memory or address space left.
pub(in crate::stack) fn is_out_of_memory(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(|code| code as u32);
    matches!(code, Some(ERROR_NOT_ENOUGH_MEMORY | ERROR_COMMITMENT_LIMIT))
}

/// Of guards, which are never refused here.
pub(in crate::stack) fn is_passing(_error: &io::Error) -> bool {
    false
}

/// Windows does not say this.
pub(in crate::stack) fn is_locked(_error: &io::Error) -> bool {
    false
}
