//! A ring of tasks that hand a number on, each to the next: the oldest benchmark of switching. A round takes one switch a
//! task; the last one back at the start says how many steps there were.
//!
//! ```text
//! cargo run --release --example ring                    # 1,000 tasks, 1,000,000 steps, on one worker and on all
//! cargo run --release --example ring -- 100 5000
//! ```
//!
//! What a task hands on goes through [`task::suspend`]: there is no channel here, only the primitive that they are built on.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;
use switchback::{Resumer, Runtime, task};

/// Where a task takes numbers from, and the one before it puts them. At most one is on its way.
#[derive(Default)]
struct Hop(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Full(u64),
    Awaited(Resumer<u64>),
}

impl Hop {
    fn put(&self, number: u64) {
        let mut state = self.0.lock().expect("no panic inside");
        match std::mem::take(&mut *state) {
            State::Awaited(resumer) => {
                // The lock is not held while somebody else is woken.
                drop(state);
                resumer.send(number).expect("nobody is cancelled here");
            }
            _ => *state = State::Full(number),
        }
    }

    fn take(&self) -> u64 {
        let taken = task::suspend(|resumer| {
            let mut state = self.0.lock().expect("no panic inside");
            match std::mem::take(&mut *state) {
                State::Full(number) => {
                    drop(state);
                    resumer.send(number).expect("nobody is cancelled here");
                }
                _ => *state = State::Awaited(resumer),
            }
        });
        taken.expect("nobody is cancelled here")
    }
}

/// Sends a number round the ring until it has made that many steps. Returns how many there were.
fn ring(tasks: usize, steps: u64) -> u64 {
    let hops: Vec<Arc<Hop>> = (0..tasks).map(|_| Arc::default()).collect();
    let members: Vec<_> = (0..tasks)
        .map(|n| {
            let (own, next) = (Arc::clone(&hops[n]), Arc::clone(&hops[(n + 1) % tasks]));
            task::spawn(move || {
                loop {
                    // Past the end it goes round once more, to let everybody know.
                    let number = own.take();
                    next.put(number + 1);
                    if number >= steps {
                        return number;
                    }
                }
            })
        })
        .collect();
    hops[0].put(0);
    let last: Vec<u64> = members.into_iter().map(|member| member.join().expect("it does not fail")).collect();
    last.into_iter().min().unwrap_or(0)
}

fn main() -> ExitCode {
    let given = std::env::args_os().skip(1).map(|number| number.to_str()?.parse::<u64>().ok());
    let (tasks, steps) = match given.collect::<Option<Vec<_>>>().as_deref() {
        Some([]) => (1_000, 1_000_000),
        Some(&[tasks @ 1..=1_000_000]) => (tasks, 1_000_000),
        Some(&[tasks @ 1..=1_000_000, steps]) => (tasks, steps),
        _ => {
            let _ = writeln!(io::stderr(), "usage: ring [TASKS [STEPS]], a million tasks at most");
            return ExitCode::from(2);
        }
    };
    match on_one_worker_and_on_all(tasks as usize, steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ring: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_one_worker_and_on_all(tasks: usize, steps: u64) -> Result<(), Box<dyn Error>> {
    let all = thread::available_parallelism().map_or(1, usize::from);
    for workers in [1, all.max(2)] {
        let runtime = Runtime::builder().workers(workers).build()?;
        let start = Instant::now();
        let taken = runtime.run(|| ring(tasks, steps));
        let each = start.elapsed().as_nanos() / u128::from(taken.max(1));
        writeln!(io::stdout(), "{tasks} tasks on {workers} workers: {taken} steps, {each} ns each")?;
        assert!(taken >= steps);
    }
    Ok(())
}
