//! The Rust side of each workload: what `peers run SYSTEM WORKLOAD N` does, in a process of its own.

mod boxed;
mod corosensei;
mod down;
mod generator;
mod hand;
mod may;
#[path = "../../../sides/mod.rs"]
mod sides;
mod smol;
mod sweep;
mod switchback;
mod tokio;

use self::Outcome as Timed;
use ::rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;

/// What one run has taken and computed.
#[derive(Clone, Copy)]
struct Outcome {
    /// Nanoseconds of CPU time of the whole process, user and system.
    ns: u64,
    /// What the harness knows beforehand.
    sum: u64,
}

/// CPU time of the process so far, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Times `work`, which returns its sum.
#[inline(always)]
fn timed(work: impl FnOnce() -> u64) -> Outcome {
    let start = cpu_time();
    let sum = black_box(work());
    Outcome { ns: cpu_time() - start, sum }
}

/// 0 + 1 + … + (n - 1).
fn sum(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// [`timed`] for what others time as well: here the harness knows the sum.
#[inline(always)]
fn timed_sum(_: u64, work: impl FnOnce() -> u64) -> Outcome {
    timed(work)
}

/// The same for futures.
async fn timed_async(work: impl Future<Output = u64>) -> Outcome {
    let start = cpu_time();
    let sum = black_box(work.await);
    Outcome { ns: cpu_time() - start, sum }
}

/// Runs a workload once to warm up, then once for the line that it prints. Says whether there is such a workload.
pub(crate) fn run(system: &str, workload: &str, n: u64) -> bool {
    if let Some(frames) = workload.strip_prefix("sweep-").and_then(|frames| frames.parse().ok()) {
        return sweep::run(system, frames, n as usize);
    }
    let one: fn(&str, u64) -> Option<Outcome> = match system {
        "switchback" => switchback::run,
        "corosensei" => corosensei::run,
        "generator" => generator::run,
        "hand" => hand::run,
        "may" => may::run,
        "tokio" => tokio::run,
        "tokio-bare" => tokio::run_bare,
        "smol" => smol::run,
        _ => return false,
    };
    // What is created and kept would make the next ones no cheaper, but the process larger. A million is its own warm-up.
    let (workload, first) = match workload {
        "create-fresh" | "million" | "skynet" => (workload, 0),
        "million-again" => ("million", n),
        _ => (workload, (n / 10).next_multiple_of(100)),
    };
    if first != 0 && one(workload, first).is_none() {
        return false;
    }
    let Some(Outcome { ns, sum }) = one(workload, n) else { return false };
    println!("ns={ns} sum={sum}");
    true
}

/// The D of `prefix-D`.
fn depth(workload: &str, prefix: &str) -> Option<u64> {
    workload.strip_prefix(prefix)?.parse().ok()
}
