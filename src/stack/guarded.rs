//! A mapping with a guard page below it.

use super::{MAX_SIZE, MIN_SIZE, Stack, StackError};
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

/// How many stacks are mapped in the process; told in errors.
static MAPPED: AtomicUsize = AtomicUsize::new(0);

/// A stack in a mapping of its own, with a guard page below it, unmapped when it is dropped.
///
/// # Examples
///
/// ```
/// use switchback::stack::{GuardedStack, Stack};
///
/// let stack = GuardedStack::new(100_000)?;
/// assert!(stack.top().addr().get() - stack.limit().addr().get() >= 100_000);
/// # Ok::<(), switchback::stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct GuardedStack {
    /// The mapping's first byte: the guard's.
    base: NonNull<u8>,
    /// The mapping's length, guard included.
    len: usize,
    /// The guard's length.
    guard: usize,
}

// SAFETY: a mapping belongs to the process; nothing in it is tied to a thread while nothing runs on it.
unsafe impl Send for GuardedStack {}

impl GuardedStack {
    /// Maps a stack with at least `size` usable bytes (at least [`MIN_SIZE`]), rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// When `size` is over [`MAX_SIZE`], or the operating system refuses the mapping or its guard.
    pub fn new(size: usize) -> Result<Self, StackError> {
        if size > MAX_SIZE {
            return Err(StackError::too_large(size));
        }
        let page = rustix::param::page_size();
        let guard = page;
        let len = size.max(MIN_SIZE).next_multiple_of(page) + guard;
        let stacks = MAPPED.load(Ordering::Relaxed);
        // Reserved without access first, so that the guard is there from the start and is never counted as committed.
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        #[cfg(not(any(target_os = "macos", target_os = "ios")))]
        let flags = flags | MapFlags::STACK;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags) }
            .map_err(|errno| StackError::os("mmap", errno, len, stacks))?;
        let base = NonNull::new(base.cast::<u8>()).expect("mmap does not return null");
        // From here on `Drop` unmaps.
        MAPPED.fetch_add(1, Ordering::Relaxed);
        let stack = Self { base, len, guard };
        let usable = stack.limit().as_ptr().cast::<c_void>();
        // SAFETY: the range is the part of our own mapping above the guard.
        unsafe { rustix::mm::mprotect(usable, len - guard, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(|errno| StackError::os("mprotect", errno, len, stacks))?;
        #[cfg(target_os = "linux")]
        // One touched byte must not cost a huge page. Kernels without huge pages refuse, and then there is nothing to
        // refuse either.
        // SAFETY: advice about our own mapping that does not change its contents.
        let _ = unsafe { rustix::mm::madvise(usable, len - guard, rustix::mm::Advice::LinuxNoHugepage) };
        Ok(stack)
    }

    /// How many stacks are mapped in this process just now, pooled ones included.
    #[must_use]
    pub fn mapped() -> usize {
        MAPPED.load(Ordering::Relaxed)
    }
}

// SAFETY: the mapping is private to the value and lives as long as it; a page without access lies below `limit`.
unsafe impl Stack for GuardedStack {
    fn top(&self) -> NonNull<u8> {
        // SAFETY: one past the end of the mapping.
        unsafe { self.base.add(self.len) }
    }

    fn limit(&self) -> NonNull<u8> {
        // SAFETY: the guard is the lowest part of the mapping.
        unsafe { self.base.add(self.guard) }
    }
}

impl Drop for GuardedStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone and nobody uses it any more: a coroutine keeps its stack until it has ended.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
        // It can fail only by splitting a mapping at the limit of mappings; then the stack stays mapped, and is told so.
        if unmapped.is_ok() {
            MAPPED.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the kernel can read the byte at `address` on our behalf: a fault would be EFAULT.
    fn readable(address: *const u8) -> bool {
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        // SAFETY: a slice is only formed to pass an address to the kernel, which checks it; nothing here reads it.
        let byte = unsafe { core::slice::from_raw_parts(address, 1) };
        match rustix::io::write(&writer, byte) {
            Ok(count) => count == 1,
            Err(errno) => {
                assert_eq!(errno, rustix::io::Errno::FAULT);
                false
            }
        }
    }

    #[test]
    fn the_page_below_the_limit_is_a_guard_and_the_rest_is_not() {
        let stack = GuardedStack::new(1).expect("a stack");
        let limit = stack.limit().as_ptr();
        assert!(readable(limit));
        assert!(readable(stack.top().as_ptr().wrapping_sub(1)));
        assert!(!readable(limit.wrapping_sub(1)));
        assert!(!readable(limit.wrapping_sub(rustix::param::page_size())));
        assert!(stack.top().addr().get() - limit.addr() >= MIN_SIZE);
    }

    #[test]
    fn sizes_are_rounded_up_and_bounded() {
        let stack = GuardedStack::new(100_001).expect("a stack");
        let size = stack.top().addr().get() - stack.limit().addr().get();
        assert!(size >= 100_001 && size.is_multiple_of(rustix::param::page_size()));
        let error = GuardedStack::new(usize::MAX).expect_err("too large");
        assert!(error.to_string().contains("64 GiB"), "{error}");
    }
}
