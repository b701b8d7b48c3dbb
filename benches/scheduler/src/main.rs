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
//! | message | two tasks hand a number to and fro: one way. Ours by `suspend` alone, theirs by channels |
//! | channel(1) | the same by channels with room for one, on both sides; "across": each end on a worker, or a thread, of its own |
//! | stream | numbers through a channel with room for 64, across: each |
//! | mutex | a hundred tasks take a lock in turn, and each yields while it has it: a turn. "lock": nobody else wants it |
//! | select | receiving from eight channels with room for one, to which a task sends in turn: each |
//!
//! Without a filter each group of rows has a process of its own: what one leaves of the heap would be the next one's business.
//!
//! tokio is its `current_thread` runtime with all drivers, as `#[tokio::main]` has it; smol is `async_executor::LocalExecutor`
//! under `block_on`; may has one worker. The bare one has no timers, no cancellation, no wakes from other threads, and panics end it.

#[path = "../../versus/harness.rs"]
mod harness;

mod bare;
mod ours;
mod peers;
mod sync;

use harness::{Harness, indirect_call, sum};
use std::env;
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};
use switchback::stack::GuardedStack;

const MANY: u64 = 100_000;
const LEAVES: u64 = 1_000_000;

/// Filters that together name each row once.
const GROUPS: [&str; 11] =
    ["yield", "spawn", "many", "million", "skynet", "message", "channel", "stream", "mutex", "select", "floor"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments == ["--bench"] {
        let program = env::current_exe().expect("this program has a path");
        for group in GROUPS {
            let status = Command::new(&program).args(["--bench", group]).status().expect("this program can be run");
            assert!(status.success(), "the rows of {group} have failed");
        }
        return;
    }
    if arguments == ["--bench", "skynet"] {
        memory_of_skynet();
    }
    let harness = Harness::from_args();
    harness.header(
        include_str!("../Cargo.lock"),
        &["corosensei", "tokio", "async-executor", "may", "crossbeam-channel", "parking_lot"],
    );
    may::config().set_workers(1);

    harness.row("yield, bare", Some(0.6), 1_000_000, ours::yields, bare::yields);
    harness.row("yield, tokio", Some(0.05), 1_000_000, ours::yields, peers::tokio::yields);
    harness.row("yield, LocalSet", None, 300_000, ours::yields, peers::tokio::local_yields);
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

    talking(&harness);
    harness.note("(yield; right: the call)").row("floor: indirect call", None, 1_000_000, ours::yields, indirect_call);
    harness.footer();
}

/// What tasks say to each other. Rows across need two CPUs that do nothing else.
fn talking(harness: &Harness) {
    let alone = |n| sync::ours::ping_pong(1, n);
    let across = |n| sync::ours::ping_pong(2, n);
    harness.row("channel(1), tokio", Some(0.3), 300_000, alone, peers::tokio::messages);
    let note = harness.note("(two workers; right: threads)");
    note.row("channel across, crossbeam", Some(1.3), 20_000, across, sync::threads::ping_pong);
    let note = harness.note("(two workers; right: runtimes)");
    note.row("channel across, tokio", Some(0.1), 20_000, across, sync::tokio::ping_pong_across);
    let note = harness.note("(two workers; right: threads)");
    note.row("stream, crossbeam", Some(2.0), 300_000, sync::ours::stream, sync::threads::stream);
    harness.row("mutex, tokio", Some(0.2), 100_000, sync::ours::hand_off, sync::tokio::hand_off);
    harness.row("mutex lock, parking_lot", Some(1.2), 3_000_000, sync::ours::lock, sync::threads::lock);
    harness.row("select of 8, tokio", Some(0.5), 100_000, sync::ours::select, sync::tokio::select);
}

/// What a million tasks take on one worker, in a process that has done nothing else.
fn memory_of_skynet() {
    ours::skynet(1, LEAVES);
    let stacks = GuardedStack::mapped();
    assert!(stacks <= 64, "{stacks} stacks for skynet");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("of unknown size", str::trim);
    println!("skynet on one worker: {stacks} stacks (at most 64), resident at its peak {peak} (at most 49152 kB)");
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
