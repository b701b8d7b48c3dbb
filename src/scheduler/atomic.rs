//! The atomics of the shared words, under a name by which tests/loom gives them loom's.
#![forbid(unsafe_code)]

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
