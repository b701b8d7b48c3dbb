//! The scheduler of switchback beside those of tokio, smol and may, and beside a bare one of sixty lines on corosensei:
//! `cargo run --release --manifest-path benches/scheduler/Cargo.toml -- --bench [FILTER]`.
//!
//! The harness is that of `benches/versus`: interleaved batches in one process, medians of the ratios of the batches. Each side
//! asserts that it has computed the right answer. Without `--bench` each row runs once, in small, for its answer only.
//!
//! | row | what is timed, on one worker unless it says otherwise |
//! |---|---|
//! | yield | two tasks that yield in turn: one switch |
//! | spawn + join | a task is spawned and waited for, one at a time |
//! | many | a hundred thousand are spawned, then all are waited for: each |
//! | skynet | a tree of a million tasks, each of which waits for its ten children: a leaf |
//! | message | two tasks hand a number to and fro: one way. Ours by `suspend` alone, for there is no channel yet |
//!
//! tokio is its `current_thread` runtime with a `LocalSet`, smol is `async_executor::LocalExecutor` under `block_on`; may has one
//! worker. The bare one has no timers, no cancellation, no wakes from other threads, and panics end it.

#[path = "../../versus/harness.rs"]
mod harness;

mod bare;
mod ours;
mod peers;

use harness::{Harness, indirect_call, sum};
use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

const MANY: u64 = 100_000;
const LEAVES: u64 = 1_000_000;

fn main() {
    let harness = Harness::from_args();
    harness.header(include_str!("../Cargo.lock"), &["corosensei", "tokio", "async-executor", "may"]);
    may::config().set_workers(1);

    harness.row("yield, bare", Some(0.6), 1_000_000, ours::yields, bare::yields);
    harness.row("yield, tokio", Some(0.05), 1_000_000, ours::yields, peers::tokio::yields);
    harness.row("yield, tokio's LocalSet", None, 300_000, ours::yields, peers::tokio::local_yields);
    harness.row("yield, smol", None, 300_000, ours::yields, peers::smol::yields);
    harness.row("yield, may", None, 300_000, ours::yields, peers::may::yields);

    harness.row("spawn + join, bare", Some(0.75), 300_000, ours::spawn_join, bare::spawn_join);
    harness.row("spawn + join, tokio", Some(0.25), 300_000, ours::spawn_join, peers::tokio::spawn_join);
    harness.row("spawn + join, smol", None, 100_000, ours::spawn_join, peers::smol::spawn_join);
    harness.row("spawn + join, may", None, 100_000, ours::spawn_join, peers::may::spawn_join);

    harness.row("many, bare", None, MANY, ours::many, bare::many);
    harness.row("many, tokio", Some(0.3), MANY, ours::many, peers::tokio::many);
    harness.row("many, smol", None, MANY, ours::many, peers::smol::many);
    harness.row("a million, tokio", Some(0.3), 1_000_000, ours::many, peers::tokio::many);

    harness.row("skynet, tokio", Some(0.15), LEAVES, |n| ours::skynet(1, n), peers::tokio::skynet);
    harness.row("skynet, smol", None, LEAVES, |n| ours::skynet(1, n), peers::smol::skynet);
    harness.note("(two workers; right: one)").row(
        "skynet, two / one",
        Some(0.9),
        LEAVES,
        |n| ours::skynet(2, n),
        |n| ours::skynet(1, n),
    );

    harness.row("message, tokio", None, 300_000, ours::messages, peers::tokio::messages);
    harness.row("message, smol", None, 300_000, ours::messages, peers::smol::messages);
    harness.row("message, may", None, 300_000, ours::messages, peers::may::messages);

    harness.note("(yield; right: the call)").row("floor: indirect call", None, 1_000_000, ours::yields, indirect_call);
    harness.footer();
}

/// The greatest power of ten up to `n`: how many leaves a tree can have.
fn power_of_ten(n: u64) -> u64 {
    10_u64.pow(n.max(1).ilog10())
}

/// [`harness::timed`] for futures.
async fn timed_async(expected: u64, work: impl Future<Output = u64>) -> Duration {
    let start = Instant::now();
    let answer = black_box(work.await);
    let elapsed = start.elapsed();
    assert_eq!(answer, expected, "a benchmark must compute the right answer");
    elapsed
}
