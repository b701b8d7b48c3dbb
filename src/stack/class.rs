//! Sizes of stacks.
#![forbid(unsafe_code)]

use super::{DEFAULT_SIZE, MAX_SIZE, MIN_SIZE, StackError, system};

/// Sizes are powers of two from `MIN_SIZE` on; the last place is for stacks that are not the pool's.
pub(super) const CLASSES: usize = (MAX_SIZE / MIN_SIZE).ilog2() as usize + 2;

/// A size of stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Class(u32);

impl Class {
    pub(crate) const DEFAULT: Self = Self((DEFAULT_SIZE / MIN_SIZE).ilog2());
    /// That of all stacks that are not the pool's.
    pub(super) const PROVIDED: Self = Self(CLASSES as u32 - 1);

    /// The smallest class with at least `size` usable bytes.
    pub(crate) fn with(size: usize) -> Result<Self, StackError> {
        Self::with_pages(size, system::page_size())
    }

    /// [`with`](Self::with), where pages have this size: there is a guard between any two stacks, so none is smaller than a page.
    fn with_pages(size: usize, page: usize) -> Result<Self, StackError> {
        if size > MAX_SIZE {
            return Err(StackError::too_large(size));
        }
        Ok(Self((size.max(MIN_SIZE).max(page).next_power_of_two() / MIN_SIZE).ilog2()))
    }

    /// The class that has this index.
    pub(super) const fn of_index(index: usize) -> Self {
        Self(index as u32)
    }

    /// The class's place in arrays of `CLASSES`.
    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The usable bytes of a stack of this class.
    pub(super) const fn size(self) -> usize {
        MIN_SIZE << self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_never_smaller_than_asked() {
        for size in [0, 1, MIN_SIZE, MIN_SIZE + 1, DEFAULT_SIZE, 1_000_000, MAX_SIZE] {
            let class = Class::with(size).expect("in range");
            assert!(class.size() >= size && class != Class::PROVIDED, "{size}");
        }
        assert_eq!(Class::with(DEFAULT_SIZE).expect("in range"), Class::DEFAULT);
        assert!(Class::with(MAX_SIZE + 1).is_err());
    }

    #[test]
    fn stacks_are_whole_pages() {
        for page in [4 << 10, 16 << 10, 64 << 10] {
            for size in [0, MIN_SIZE, MIN_SIZE + 1, DEFAULT_SIZE] {
                let class = Class::with_pages(size, page).expect("in range");
                assert!(class.size().is_multiple_of(page) && class.size() >= size, "{size} in pages of {page}");
            }
        }
    }
}
