//! What tools are told of stacks. Empty but for the features that are for a tool.

use core::ptr::NonNull;

#[cfg(switchback_asan)]
unsafe extern "C" {
    fn __lsan_register_root_region(start: *const u8, size: usize);
    fn __lsan_unregister_root_region(start: *const u8, size: usize);
}

/// The bytes from `limit` up to `top` are a stack from now on.
#[inline(always)]
pub(super) fn register(limit: *mut u8, top: NonNull<u8>) {
    let _ = (limit, top); // where nobody is told
    #[cfg(switchback_valgrind)]
    super::valgrind::register(limit, top);
    // LeakSanitizer does not look into mappings, and would take what only a coroutine has for lost.
    // SAFETY: the bytes are mapped until `unregister`.
    #[cfg(switchback_asan)]
    unsafe {
        __lsan_register_root_region(limit, top.addr().get() - limit.addr());
    }
}

/// They are to be none: the memory is about to be given back.
#[inline(always)]
pub(super) fn unregister(limit: *mut u8, top: NonNull<u8>) {
    let _ = (limit, top);
    #[cfg(switchback_valgrind)]
    super::valgrind::unregister(limit);
    // SAFETY: it was registered by `register`, with the same bounds.
    #[cfg(switchback_asan)]
    unsafe {
        __lsan_unregister_root_region(limit, top.addr().get() - limit.addr());
    }
}

/// The bytes from `limit` up to `top` of a stack are in nobody's use.
#[inline(always)]
pub(super) fn released(limit: *mut u8, top: *mut u8) {
    let _ = (limit, top);
    #[cfg(switchback_valgrind)]
    super::valgrind::released(limit, top);
}

/// Calls `look`, which reads what frames that are gone have left between `limit` and `top` of a stack.
#[inline(always)]
pub(super) fn looking<T>(limit: *const u8, top: *const u8, look: impl FnOnce() -> T) -> T {
    let _ = (limit, top);
    #[cfg(switchback_valgrind)]
    return super::valgrind::looking(limit, top, look);
    #[cfg(not(switchback_valgrind))]
    look()
}
