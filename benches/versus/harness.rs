//! Interleaved batches, medians of ratios, and what is to be known of the machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// One side of a row: does the work, asserts its answer, and returns how long the part took that is to be timed.
pub(crate) struct Side<F>(pub(crate) F);

pub(crate) struct Harness {
    filter: String,
    batches: usize,
    timed: bool,
}

/// Times `work`, which must return `expected`.
pub(crate) fn timed(expected: u64, work: impl FnOnce() -> u64) -> Duration {
    let start = Instant::now();
    let answer = black_box(work());
    let elapsed = start.elapsed();
    assert_eq!(answer, expected, "a benchmark must compute the right answer");
    elapsed
}

/// 0 + 1 + … + (n - 1).
pub(crate) fn sum(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// The least that any resumption can cost: a call through a pointer that the compiler cannot see through.
pub(crate) fn indirect_call(n: u64) -> Duration {
    fn next(x: u64) -> u64 {
        x
    }
    let f = black_box(next as fn(u64) -> u64);
    timed(sum(n), || (0..n).map(|i| black_box(f)(i)).sum())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

impl Harness {
    pub(crate) fn from_args() -> Self {
        let mut harness = Self { filter: String::new(), batches: 15, timed: false };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        // `cargo bench` says --bench and `cargo test` does not; `cargo bench -- --test` says both.
        harness.timed = arguments.iter().any(|a| a == "--bench") && !arguments.iter().any(|a| a == "--test");
        for argument in arguments {
            match argument.as_str() {
                flag if flag.starts_with("--") => {}
                filter => harness.filter = filter.to_owned(),
            }
        }
        if let Some(batches) = std::env::var("SWITCHBACK_BENCH_BATCHES").ok().and_then(|b| b.parse().ok()) {
            harness.batches = batches;
        }
        assert!(!(harness.timed && cfg!(debug_assertions)), "a debug build is not worth timing");
        harness
    }

    /// How much work a batch does: `full`, or little when only the answer counts.
    pub(crate) fn size(&self, full: u64) -> u64 {
        if self.timed { full } else { full.min(200) }
    }

    pub(crate) fn header(&self) {
        let lock = include_str!("../../Cargo.lock");
        let corosensei = lock
            .split("[[package]]")
            .find(|package| package.contains("name = \"corosensei\""))
            .and_then(|package| package.lines().find_map(|line| line.strip_prefix("version = ")))
            .unwrap_or("unknown");
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "switchback {} beside corosensei {} (default features), {} {}, {} batches, CPU{} ({cores} cores)",
            env!("CARGO_PKG_VERSION"),
            corosensei.trim_matches('"'),
            std::env::consts::ARCH,
            if cfg!(debug_assertions) { "debug, answers only" } else { "bench profile, fat LTO" },
            self.batches,
            cpu.trim_start_matches(['\t', ' ']),
        );
        println!("{:24} {:>19} {:>23} {:>10} {:>9}", "", "switchback, ns", "corosensei, ns", "ratio", "target");
        println!("{:24} {:>9} {:>9} {:>12} {:>10} {:>10}", "", "min", "median", "min", "median", "median");
    }

    /// A row whose both sides do `n` times the same.
    pub(crate) fn row<A, B>(&self, name: &str, target: f64, n: u64, ours: Side<A>, theirs: Side<B>)
    where
        A: FnMut() -> Duration,
        B: FnMut() -> Duration,
    {
        self.compare(name, target, (n, ours), (n, theirs), "");
    }

    /// A row that compares two of our own, each over `n` items.
    pub(crate) fn own<A, B>(&self, name: &str, target: f64, n: u64, one: Side<A>, other: Side<B>)
    where
        A: FnMut() -> Duration,
        B: FnMut() -> Duration,
    {
        self.compare(name, target, (n, one), (n, other), "  (both sides ours)");
    }

    /// A row whose sides do different amounts, because one of them takes too long.
    pub(crate) fn chain<A, B>(&self, name: &str, target: f64, n: u64, ours: Side<A>, few: u64, theirs: Side<B>)
    where
        A: FnMut() -> Duration,
        B: FnMut() -> Duration,
    {
        self.compare(name, target, (n, ours), (few, theirs), "");
    }

    fn compare<A, B>(&self, name: &str, target: f64, ours: (u64, Side<A>), theirs: (u64, Side<B>), note: &str)
    where
        A: FnMut() -> Duration,
        B: FnMut() -> Duration,
    {
        if !name.contains(&self.filter) {
            return;
        }
        let ((n, mut ours), (m, mut theirs)) = (ours, theirs);
        let mut ours = || (ours.0)().as_nanos() as f64 / n as f64;
        let mut theirs = || (theirs.0)().as_nanos() as f64 / m as f64;
        // Once for the caches, the pools and the answers.
        ours();
        theirs();
        if !self.timed {
            println!("{name:24} right on both sides");
            return;
        }
        let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for batch in 0..self.batches {
            // Who goes first alternates.
            let (x, y) = if batch % 2 == 0 {
                let x = ours();
                (x, theirs())
            } else {
                let y = theirs();
                (ours(), y)
            };
            a.push(x);
            b.push(y);
            ratios.push(x / y);
        }
        let (least_a, least_b, ratio) = (least(&a), least(&b), median(ratios));
        let verdict = if ratio <= target { "" } else { "  MISSED" };
        let wanted = if target.is_finite() { target.to_string() } else { "-".to_owned() };
        let digits = if target < 0.01 { 6 } else { 3 };
        println!(
            "{name:24} {least_a:>9.2} {:>9.2} {least_b:>12.2} {:>10.2} {ratio:>10.digits$} {wanted:>9.8}{verdict}{note}",
            median(a),
            median(b)
        );
    }
}
