//! Interleaved batches, medians of ratios, and what is to be known of the machine.

use std::cell::Cell;
use std::env;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

// What a crate cannot ask of its compiler, it can read.
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// Options of `cargo test` that are followed by a value, which is no filter.
const VALUED: [&str; 6] = ["--test-threads", "--skip", "--color", "--format", "--logfile", "-Z"];

/// How many items are enough to see that the answer is right.
const SMALL: u64 = 200;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// All batches, timed.
    Time,
    /// Once, in small, for the answer.
    Check,
    /// Names only.
    List,
}

pub(crate) struct Harness {
    filters: Vec<String>,
    batches: usize,
    mode: Mode,
    /// What the next row says of itself at the end of its line.
    note: Cell<&'static str>,
    /// How many rows have run.
    rows: Cell<usize>,
    missed: Cell<usize>,
}

/// Times `work`, which must return `expected`.
#[inline(always)]
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
    timed(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            total += f(black_box(i));
        }
        total
    })
}

impl Harness {
    pub(crate) fn from_args() -> Self {
        let (mut filters, mut bench, mut check, mut list) = (Vec::new(), false, false, false);
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--test" => check = true,
                "--list" => list = true,
                "--rows" => filters.extend(arguments.next()),
                option if VALUED.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                filter => filters.push(filter.to_owned()),
            }
        }
        let mode = match (list, bench && !check) {
            (true, _) => Mode::List,
            (false, true) => Mode::Time,
            (false, false) => Mode::Check,
        };
        assert!(!(mode == Mode::Time && cfg!(debug_assertions)), "a debug build is not worth timing");
        let batches = env::var("SWITCHBACK_BENCH_BATCHES").map_or(15, |batches| match batches.parse() {
            Ok(batches) if batches > 0 => batches,
            _ => panic!("SWITCHBACK_BENCH_BATCHES is {batches:?}, not a number from 1 on"),
        });
        Self { filters, batches, mode, note: Cell::new(""), rows: Cell::new(0), missed: Cell::new(0) }
    }

    /// What is compared, how it was compiled, and on what it runs.
    ///
    /// `lock` is the text of the Cargo.lock that names the peers.
    pub(crate) fn header(&self, lock: &str, peers: &[&str]) {
        if self.mode == Mode::List {
            return;
        }
        let version = version(lock, "switchback");
        let peers: Vec<String> = peers.iter().map(|peer| format!("{peer} {}", self::version(lock, peer))).collect();
        println!("switchback {version} beside {}", peers.join(", "));
        println!("  features: the default ones, where Cargo.toml does not say otherwise");
        println!("  compiler: {}, {} {}", rustc(), env::consts::ARCH, env::consts::OS);
        println!("  profile:  {}", profile());
        println!("  machine:  {}", machine());
        if self.mode == Mode::Time {
            println!("  batches:  {}, interleaved; nanoseconds of wall time", self.batches);
            println!("{:24}{:^22}{:^24}{:^31}", "", "switchback", "the peer", "ratio");
            let (least, median) = ("min", "median");
            println!(
                "{:24}{least:>10}{median:>10}{least:>13}{median:>10}{median:>12}{:>16}{:>10}",
                "", "quartiles", "target"
            );
        }
    }

    /// What there is to say after the last row.
    pub(crate) fn footer(&self) {
        match (self.mode, self.rows.get(), self.missed.get()) {
            (Mode::List, ..) => {}
            (_, 0, _) => println!("no row has {} in its name: --list prints all names", self.filters.join(" or ")),
            (Mode::Check, rows, _) => println!("rows: {rows}, all right on both sides, none timed"),
            (Mode::Time, rows, missed) => println!("rows: {rows}, missed targets: {missed}"),
        }
    }

    /// Makes the next row say this of itself.
    pub(crate) fn note(&self, note: &'static str) -> &Self {
        self.note.set(note);
        self
    }

    /// A row whose both sides do `n` times the same.
    pub(crate) fn row(
        &self,
        name: &str,
        target: Option<f64>,
        n: u64,
        ours: impl Fn(u64) -> Duration,
        theirs: impl Fn(u64) -> Duration,
    ) {
        self.uneven(name, target, (n, ours), (n, theirs));
    }

    /// A row whose sides do the same different numbers of times, because it takes too long on one of them.
    pub(crate) fn uneven(
        &self,
        name: &str,
        target: Option<f64>,
        (n, ours): (u64, impl Fn(u64) -> Duration),
        (m, theirs): (u64, impl Fn(u64) -> Duration),
    ) {
        let note = self.note.take();
        if !self.filters.is_empty() && !self.filters.iter().any(|filter| name.contains(filter.as_str())) {
            return;
        }
        self.rows.set(self.rows.get() + 1);
        match self.mode {
            Mode::List => println!("{name}: benchmark"),
            Mode::Check => {
                ours(n.min(SMALL));
                theirs(m.min(SMALL));
                println!("{name:24} right");
            }
            Mode::Time => {
                let measured = self.measure(|| per_item(ours(n), n), || per_item(theirs(m), m));
                self.print(name, target, note, measured);
            }
        }
    }

    fn measure(&self, ours: impl Fn() -> f64, theirs: impl Fn() -> f64) -> Measured {
        // Once untimed, for caches, predictors and pools.
        ours();
        theirs();
        let mut measured = Measured { ours: Vec::new(), theirs: Vec::new(), ratios: Vec::new() };
        for batch in 0..self.batches {
            // Who goes first alternates.
            let (a, b) = if batch % 2 == 0 {
                let a = ours();
                (a, theirs())
            } else {
                let b = theirs();
                (ours(), b)
            };
            measured.ours.push(a);
            measured.theirs.push(b);
            measured.ratios.push(a / b);
        }
        for times in [&mut measured.ours, &mut measured.theirs, &mut measured.ratios] {
            times.sort_by(f64::total_cmp);
        }
        measured
    }

    fn print(&self, name: &str, target: Option<f64>, note: &str, Measured { ours, theirs, ratios }: Measured) {
        let ratio = quantile(&ratios, 0.5);
        let quartiles = format!("{}–{}", show(quantile(&ratios, 0.25)), show(quantile(&ratios, 0.75)));
        let verdict = match target {
            None => "",
            Some(target) if ratio <= target => "PASS",
            Some(_) => {
                self.missed.set(self.missed.get() + 1);
                "MISS"
            }
        };
        println!(
            "{name:24}{:>10.2}{:>10.2}{:>13.2}{:>10.2}{:>12}{quartiles:>16}{:>10} {verdict:4} {note}",
            ours[0],
            quantile(&ours, 0.5),
            theirs[0],
            quantile(&theirs, 0.5),
            show(ratio),
            target.map_or_else(|| "-".to_owned(), show),
        );
    }
}

/// Nanoseconds an item, and ours by theirs, each in ascending order.
struct Measured {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: Vec<f64>,
}

fn per_item(elapsed: Duration, items: u64) -> f64 {
    elapsed.as_secs_f64() * 1e9 / items as f64
}

/// The value below which the given part of the sorted `values` lies, interpolated.
fn quantile(values: &[f64], part: f64) -> f64 {
    let place = part * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// A ratio; a tiny one as a fraction, so that it tells how many times faster.
fn show(ratio: f64) -> String {
    if ratio < 0.01 { format!("1/{:.0}", 1.0 / ratio) } else { format!("{ratio:.3}") }
}

/// The version of a package in the text of a Cargo.lock.
fn version<'a>(lock: &'a str, name: &str) -> &'a str {
    let line = format!("name = \"{name}\"\n");
    let mut packages = lock.split("[[package]]").filter(|package| package.contains(&line));
    let package = packages.next().expect("Cargo.lock names the package");
    assert!(packages.next().is_none(), "Cargo.lock names two versions of {name}: which one is this?");
    let version = package.lines().find_map(|line| line.strip_prefix("version = "));
    version.expect("a package has a version").trim_matches('"')
}

/// The compiler that is in the path: under `cargo bench` the one that has compiled this.
fn rustc() -> String {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-V").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if version.is_empty() { "rustc of unknown version".to_owned() } else { version.trim().to_owned() }
}

/// What Cargo.toml says of the profile of benches.
fn profile() -> String {
    if cfg!(debug_assertions) {
        return "a debug build, not for timing".to_owned();
    }
    let Some((_, rest)) = MANIFEST.split_once("[profile.bench]\n") else { return "optimised".to_owned() };
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let settings: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    format!("optimised; under cargo bench with {}", settings.join(", "))
}

fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let model = model.map_or("CPU of unknown model", |(_, model)| model);
    let numbers: Vec<&str> = ["cpu family", "model\t", "stepping"]
        .iter()
        .filter_map(|field| text.lines().find(|line| line.starts_with(field))?.split_once(": "))
        .map(|(_, number)| number)
        .collect();
    let usable = std::thread::available_parallelism().map_or(0, usize::from);
    let cores = text.lines().filter(|line| line.starts_with("processor")).count().max(usable);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{model} ({}), {cores} cores, {usable} of them usable, load {load}", numbers.join("/"))
}
