//! The atomics of the shared words: loom's where loom goes through their interleavings.
#![forbid(unsafe_code)]

#[cfg(not(switchback_loom))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(switchback_loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
