//! A million tasks asleep at once, each until a time of its own.
//!
//! ```text
//! cargo run --release --example asleep            # 1,000,000
//! cargo run --release --example asleep -- 50000
//! ```
//!
//! First by a virtual clock, which jumps from one wake-up to the next when all are asleep: a day goes by. Then by the real one:
//! once all are asleep, one wakes up every ten microseconds.

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use switchback::{Runtime, task};

fn main() -> ExitCode {
    let mut given = std::env::args_os().skip(1).map(|count| count.to_str()?.parse().ok());
    let count = match (given.next(), given.next()) {
        (None, _) => 1_000_000,
        (Some(Some(count)), None) if count > 0 => count,
        _ => {
            let _ = writeln!(io::stderr(), "usage: asleep [N], how many tasks");
            return ExitCode::from(2);
        }
    };
    match by_virtual_clock(count).and_then(|time| by_real_clock(count, time)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "asleep: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the sleepers share: all are on one worker.
#[derive(Default)]
struct Bedroom {
    asleep: Cell<u32>,
    awake: Cell<u32>,
    last: Cell<Option<Instant>>,
    latest: Cell<Duration>,
}

impl Bedroom {
    /// Sleeps until `time`, and sees whether it is woken in its turn and not too early.
    fn sleep_until(&self, time: Instant) {
        self.asleep.set(self.asleep.get() + 1);
        if task::sleep_until(time).is_err() {
            return; // main has ended: nobody reads what it says
        }
        let now = task::now();
        assert!(now >= time, "woken too early");
        assert!(self.last.replace(Some(time)).is_none_or(|last| last <= time), "woken out of turn");
        self.latest.set(self.latest.get().max(now - time));
        self.awake.set(self.awake.get() + 1);
    }
}

/// A place in 0..count for each number below `count`, in no order.
fn shuffled(count: u32) -> impl Iterator<Item = u32> {
    // A step that has no divisor in common with the count comes by each place once.
    let gcd = |mut a: u32, mut b: u32| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let near = (f64::from(count) * 0.618) as u32;
    let step = (near..=count).find(|&step| step > 0 && gcd(step, count) == 1).unwrap_or(1);
    (0..count).map(move |n| (u64::from(n) * u64::from(step) % u64::from(count)) as u32)
}

/// Returns how long it has taken.
fn by_virtual_clock(count: u32) -> Result<Duration, Box<dyn Error>> {
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build()?;
    let start = Instant::now();
    let day = runtime.run(|| {
        let begun = task::now();
        let apart = Duration::from_secs(24 * 60 * 60) / count;
        sleep(count, |place| begun + apart * (place + 1))?;
        Ok::<_, io::Error>(task::now() - begun)
    })?;
    let hours = day.as_secs_f64() / 3_600.0;
    let took = start.elapsed();
    writeln!(io::stdout(), "virtual clock: {count} tasks have slept, in {hours:.1} hours that took {took:.1?}")?;
    Ok(took)
}

fn by_real_clock(count: u32, time_to_sleep: Duration) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().workers(1).build()?;
    let latest = runtime.run(|| {
        // When all are asleep, most likely.
        let first = task::now() + time_to_sleep;
        sleep(count, |place| first + Duration::from_micros(10) * place)
    })?;
    writeln!(io::stdout(), "real clock: {count} tasks have slept, and none was late by more than {latest:.1?}")?;
    Ok(())
}

/// Puts `count` tasks to sleep, each until its time, and waits for all of them.
fn sleep(count: u32, time: impl Fn(u32) -> Instant) -> io::Result<Duration> {
    let bedroom = Rc::new(Bedroom::default());
    let before = resident();
    let sleepers: Vec<_> = shuffled(count)
        .map(|place| {
            let (bedroom, time) = (Rc::clone(&bedroom), time(place));
            task::spawn_local(move || bedroom.sleep_until(time))
        })
        .collect();
    let mut in_vain = 0;
    while bedroom.asleep.get() < count {
        let asleep = bedroom.asleep.get();
        task::yield_now().expect("nobody cancels it");
        in_vain = if asleep < bedroom.asleep.get() { 0 } else { in_vain + 1 };
        // A task for which there is no stack begins when another has ended, and by a virtual clock none does while this one runs.
        if in_vain > 100 {
            return Err(io::Error::other(format!("{asleep} of {count} are asleep, and there is no stack for another")));
        }
    }
    match (before, resident()) {
        (Some(before), Some(now)) => {
            let each = now.saturating_sub(before) as f64 / f64::from(count);
            writeln!(io::stdout(), "asleep: {count}, memory: {each:.2} KiB each")?;
        }
        _ => writeln!(io::stdout(), "asleep: {count}; how much memory that is, this system does not tell (no /proc)")?,
    }
    for sleeper in sleepers {
        sleeper.join().expect("it ends well");
    }
    assert_eq!(bedroom.awake.get(), count);
    Ok(bedroom.latest.get())
}

/// What the process has in memory, in KiB (Linux: proc_pid_status(5)).
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
