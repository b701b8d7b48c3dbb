//! Locks, channels and what else tasks talk to each other with.

mod arms;
mod cancelled;
mod channels;
mod documented;
mod locks;
mod others;
mod outside;
mod pairs;
mod races;
mod select;
#[path = "../common/slow.rs"]
mod slow;
mod turns;
#[cfg(panic = "unwind")]
#[path = "../common/unwinding.rs"]
mod unwinding;

use slow::SLOW;
use std::time::Duration;
use switchback::{Runtime, task};

const LONG: Duration = Duration::from_secs(3600);

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).build().expect("a runtime")
}

/// One worker, whose clock jumps when all wait.
fn jumping() -> Runtime {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime")
}

/// Lets the other tasks of the worker run until they wait.
fn settle() {
    for _ in 0..10 {
        task::yield_now().expect("not cancelled");
    }
}

/// How often to try what depends on chance: less where a tool watches, or an emulator runs it.
fn rounds(most: usize) -> usize {
    if SLOW { most.div_ceil(10) } else { most }
}
