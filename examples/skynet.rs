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

use std::error::Error;
use std::io::{self, Write};
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
    let mut given = std::env::args_os().skip(1).map(|leaves| leaves.to_str()?.parse::<u64>().ok());
    let leaves = match (given.next(), given.next()) {
        (None, _) => 1_000_000,
        // The sum of more would not be a number of 64 bits.
        (Some(Some(leaves @ 1..=1_000_000_000)), None) if 10_u64.pow(leaves.ilog10()) == leaves => leaves,
        _ => {
            let _ = writeln!(io::stderr(), "usage: skynet [LEAVES], a power of ten, of at most a billion");
            return ExitCode::from(2);
        }
    };
    match on_one_worker_and_on_all(leaves) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "skynet: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_one_worker_and_on_all(leaves: u64) -> Result<(), Box<dyn Error>> {
    let all = thread::available_parallelism().map_or(1, usize::from);
    for workers in [1, all.max(2)] {
        let runtime = Runtime::builder().workers(workers).build()?;
        let start = Instant::now();
        let sum = runtime.run(|| skynet(0, leaves));
        let time = start.elapsed();
        writeln!(io::stdout(), "{sum}")?;
        assert_eq!(sum, leaves * (leaves - 1) / 2);
        let stacks = GuardedStack::mapped();
        writeln!(io::stdout(), "workers: {workers}, stacks so far: {stacks}, time: {time:.1?}")?;
    }
    Ok(())
}
