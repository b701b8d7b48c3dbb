//! Skynet: a task spawns ten, each of those ten, and so on, down to a million leaves; each leaf is a number, and each task
//! returns the sum of what it has spawned.
//!
//! ```text
//! cargo run --release --example skynet                  # 1,000,000 leaves, on one worker and on all
//! cargo run --release --example skynet -- 1000
//! ```
//!
//! There are 1,111,111 tasks, and only a handful of stacks: a task has none before it begins, the newest begin first, and
//! whoever has waited for a task runs when it ends.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;
use switchback::stack::GuardedStack;
use switchback::{Runtime, task};

/// The sum of the numbers of `leaves` leaves, from `first` on.
fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let part = leaves / 10;
    let parts: Vec<_> = (0..10).map(|n| task::spawn(move || skynet(first + n * part, part))).collect();
    parts.into_iter().map(|part| part.join().expect("it does not fail")).sum()
}

fn main() -> ExitCode {
    let leaves = match std::env::args().nth(1).map(|leaves| leaves.parse::<u64>()) {
        None => 1_000_000,
        Some(Ok(leaves)) if leaves >= 1 && 10_u64.pow(leaves.ilog10()) == leaves => leaves,
        Some(_) => {
            eprintln!("usage: skynet [LEAVES], a power of ten");
            return ExitCode::from(2);
        }
    };
    let all = thread::available_parallelism().map_or(1, usize::from);
    for workers in [1, all.max(2)] {
        let runtime = match Runtime::builder().workers(workers).build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("skynet: {error}");
                return ExitCode::FAILURE;
            }
        };
        let start = Instant::now();
        let sum = runtime.run(|| skynet(0, leaves));
        let time = start.elapsed();
        println!("{sum}");
        assert_eq!(sum, leaves * (leaves - 1) / 2);
        println!("workers: {workers}, stacks so far: {}, time: {time:.1?}", GuardedStack::mapped());
    }
    ExitCode::SUCCESS
}
