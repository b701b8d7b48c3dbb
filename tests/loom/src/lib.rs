//! The words that the threads of the scheduler and of hosts share, as they are in src, on loom's atomics. A package of its own, so that
//! nothing else is built with loom.
#![cfg(test)]
#![allow(dead_code, reason = "not all of the words' functions are under test")]

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
}
mod hand_over;
#[path = "../../../src/scheduler/inbox.rs"]
mod inbox;
mod interleavings;
#[path = "../../../src/future/host/notice.rs"]
mod notice;
#[path = "../../../src/sync/queue.rs"]
mod queue;
#[path = "../../../src/scheduler/word.rs"]
mod word;
