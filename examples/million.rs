//! Holds a million suspended coroutines, each with a guarded stack of its own, resumes each of them once, closes them, and gives
//! their memory back, which the pool would keep for the next ones.
//!
//! ```text
//! cargo run --release --example million            # 1,000,000
//! cargo run --release --example million -- 50000
//! SWITCHBACK_GUARD=protection cargo run --release --example million    # the guards of older systems: stops with an error
//! ```
//!
//! The stack of each has 256 KiB of address space, of which it uses a page. A number that is too large for the machine
//! ends with the error that names the limit.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use switchback::CoroutineState::{Complete, Yielded};
use switchback::Generator;
use switchback::stack::{self, Guard, GuardedStack};

/// Coroutines are kept in chunks, so that no list of them is ever copied to a larger place.
const CHUNK: usize = 10_000;

fn main() -> ExitCode {
    let mut given = std::env::args_os().skip(1).map(|count| count.to_str()?.parse().ok());
    let count = match (given.next(), given.next()) {
        (None, _) => 1_000_000,
        (Some(Some(count)), None) => count,
        _ => {
            let _ = writeln!(io::stderr(), "usage: million [N], how many coroutines");
            return ExitCode::from(2);
        }
    };
    match hold(count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "million: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hold(count: usize) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "guards: {}", Guard::in_use())?;
    let before = Memory::now();

    let start = Instant::now();
    let mut all: Vec<Vec<Generator<usize>>> = Vec::new();
    for first in (0..count).step_by(CHUNK) {
        let mut chunk = Vec::with_capacity(CHUNK);
        for number in first..count.min(first + CHUNK) {
            let mut co = Generator::try_new(move |y| {
                y.yield_(number)?;
                y.yield_(number + 1)
            })?;
            assert_eq!(co.next(), Some(number));
            chunk.push(co);
        }
        all.push(chunk);
    }
    let created = each(start.elapsed(), count);
    writeln!(out, "{count} coroutines created, and resumed to their first yield: {created} each")?;
    writeln!(out, "guarded stacks in the process: {}", GuardedStack::mapped())?;

    match (before, Memory::now()) {
        (Some(before), Some(now)) => {
            let resident = now.resident.saturating_sub(before.resident);
            let tables = now.page_tables.saturating_sub(before.page_tables);
            writeln!(out, "resident memory: {:.2} KiB each", resident as f64 / count.max(1) as f64)?;
            writeln!(out, "page tables: {:.2} KiB each", tables as f64 / count.max(1) as f64)?;
            writeln!(out, "mappings of the process: {}", now.mappings)?;
        }
        _ => writeln!(out, "how much memory that is, this system does not tell (no /proc)")?,
    }

    let start = Instant::now();
    let mut sum = 0;
    for co in all.iter_mut().flatten() {
        match co.resume()? {
            Yielded(next) => sum += next,
            Complete(()) => return Err("one has ended too early".into()),
        }
    }
    writeln!(out, "each resumed once more, to its second yield: {} each", each(start.elapsed(), count))?;
    assert_eq!(sum, count * (count + 1) / 2);
    writeln!(out, "sum of what they have yielded: {sum}")?;

    let start = Instant::now();
    drop(all);
    writeln!(out, "each closed: {} each", each(start.elapsed(), count))?;
    let (start, pooled) = (Instant::now(), stack::pooled());
    stack::trim();
    writeln!(out, "{pooled} free stacks gave their memory back: {} each", each(start.elapsed(), pooled))?;
    Ok(())
}

fn each(time: Duration, count: usize) -> String {
    format!("{:.0} ns", time.as_nanos() as f64 / count.max(1) as f64)
}

/// What the process takes, in KiB, and in how many pieces (Linux: proc_pid_status(5), proc_pid_maps(5)).
struct Memory {
    resident: u64,
    page_tables: u64,
    mappings: usize,
}

impl Memory {
    fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse().ok()
        };
        let mappings = fs::read_to_string("/proc/self/maps").ok()?.lines().count();
        Some(Self { resident: field("VmRSS:")?, page_tables: field("VmPTE:")?, mappings })
    }
}
