//! A stack that is not the pool's, but as well guarded.

use super::class::Class;
use super::slab::{self, Slot};
use super::system::Locked;
use super::{Stack, StackError};
use core::ptr::NonNull;

/// A stack with a guard below it, whose memory goes back to the system when it is dropped.
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
pub struct GuardedStack(Slot);

impl GuardedStack {
    /// Takes a stack with at least `size` usable bytes (at least [`MIN_SIZE`](super::MIN_SIZE)), rounded up to a power of
    /// two. What is not touched costs address space only.
    ///
    /// # Errors
    ///
    /// When `size` is over [`MAX_SIZE`](super::MAX_SIZE), or the operating system refuses the mapping or its guard.
    pub fn new(size: usize) -> Result<Self, StackError> {
        let slot = slab::take(Class::with(size)?)?;
        super::header::vacate(slot);
        Ok(Self(slot))
    }

    /// How many guarded stacks exist in this process just now, those of coroutines and pooled ones included.
    #[must_use]
    pub fn mapped() -> usize {
        slab::stacks()
    }
}

// SAFETY: the slot is the value's own until it is dropped, and a guard lies below `limit`.
unsafe impl Stack for GuardedStack {
    fn top(&self) -> NonNull<u8> {
        self.0.top()
    }

    fn limit(&self) -> NonNull<u8> {
        self.0.limit()
    }
}

impl Drop for GuardedStack {
    fn drop(&mut self) {
        super::notices::unregister(self.0.limit().as_ptr(), self.0.top());
        // SAFETY: `new` took the slot, and nobody uses the memory any more: a coroutine keeps its stack until it has ended.
        unsafe { slab::give_back(&mut [self.0], Locked::Stays) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::MIN_SIZE;
    use crate::stack::system::{faults, page_size};

    #[test]
    fn the_page_below_the_limit_is_a_guard_and_the_rest_is_not() {
        let stack = GuardedStack::new(1).expect("a stack");
        let limit = stack.limit().as_ptr();
        assert_eq!(faults(limit), Some(false));
        assert_eq!(faults(stack.top().as_ptr().wrapping_sub(1)), Some(false));
        assert_eq!(faults(limit.wrapping_sub(1)), Some(true));
        assert_eq!(faults(limit.wrapping_sub(page_size())), Some(true));
        assert!(stack.top().addr().get() - limit.addr() >= MIN_SIZE);
    }

    #[test]
    fn sizes_are_rounded_up_and_bounded() {
        let stack = GuardedStack::new(100_001).expect("a stack");
        assert_eq!(stack.top().addr().get() - stack.limit().addr().get(), 128 << 10);
        let error = GuardedStack::new(usize::MAX).expect_err("too large");
        assert!(error.to_string().contains(" GiB"), "{error}");
    }
}
