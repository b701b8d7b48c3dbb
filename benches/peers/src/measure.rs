//! One batch after the other, of one system after the other.

use crate::catalog::{self, CPU_TIME, FRAMES, Items, LIVE, METRICS, Metric, OURS, SWEPT, WORKLOADS, Workload};
use crate::options::Options;
use crate::system::System;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::HashMap;
use std::io;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use switchback_peers_report::result::{Goal, Remark, Row, quantile, ratios};

/// How long a batch is to be, in nanoseconds of CPU time.
const LONG_ENOUGH: f64 = 20e6;
/// What takes longer than this for one batch gets fewer of them.
const TOO_LONG: Duration = Duration::from_secs(1);
const FEW: usize = 5;
/// What takes longer hangs.
const PATIENCE: Timespec = Timespec { tv_sec: 300, tv_nsec: 0 };

/// Measures, and keeps what it has measured.
pub(crate) struct Measuring<'a> {
    options: &'a Options,
    systems: &'a [System],
    machine: String,
    progress: ProgressBar,
    pub(crate) rows: Vec<Row>,
    pub(crate) remarks: Vec<Remark>,
    /// Batches that went wrong, with what they said. Their systems are left out of the row, and a remark says so.
    pub(crate) failures: Vec<String>,
}

/// What a system is measured with.
struct Contestant<'a> {
    system: &'a System,
    n: u64,
    batches: usize,
    values: Vec<f64>,
}

impl<'a> Measuring<'a> {
    pub(crate) fn new(options: &'a Options, systems: &'a [System], machine: String) -> Self {
        // It draws on stderr, and only where that is a terminal.
        let progress = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} batches, {eta} left  {msg:28}");
        progress.set_style(style.expect("the template is right"));
        Self { options, systems, machine, progress, rows: Vec::new(), remarks: Vec::new(), failures: Vec::new() }
    }

    /// All workloads that are asked for, then the sweep; `told` hears of each group of rows when it is there.
    pub(crate) fn all(&mut self, mut told: impl FnMut(&ProgressBar, &[Row])) {
        let workloads: Vec<&Workload> =
            WORKLOADS.iter().filter(|workload| self.options.wants(workload.name, workload.group)).collect();
        let sweeps: Vec<(u32, u64)> = FRAMES
            .iter()
            .filter(|frames| self.options.wants(&format!("sweep-{frames}"), "sweep"))
            .flat_map(|&frames| LIVE.iter().map(move |&live| (frames, live)))
            .filter(|&(_, live)| live <= self.options.live)
            .collect();
        let batches = |names: &[&str], most: usize| self.present(names).count() * self.options.batches.min(most);
        let total: usize = workloads.iter().map(|workload| batches(workload.systems, usize::MAX)).sum::<usize>()
            + sweeps.iter().map(|_| batches(SWEPT, FEW)).sum::<usize>();
        self.progress.set_length(total as u64);
        for workload in workloads {
            let before = self.rows.len();
            self.workload(workload);
            told(&self.progress, &self.rows[before..]);
        }
        for (frames, live) in sweeps {
            let before = self.rows.len();
            self.sweep(frames, live);
            told(&self.progress, &self.rows[before..]);
        }
        self.progress.finish_and_clear();
    }

    fn present<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = &'a System> + 's {
        let systems: &'a [System] = self.systems;
        names.iter().filter_map(move |name| systems.iter().find(|system| system.name == *name))
    }

    fn workload(&mut self, workload: &'static Workload) {
        let mut all: Vec<Contestant<'_>> = Vec::new();
        for system in self.present(workload.systems).collect::<Vec<_>>() {
            self.progress.set_message(format!("{}, {}", workload.name, system.name));
            match self.calibrate(workload, system) {
                Ok((n, batches)) => all.push(Contestant { system, n, batches, values: Vec::with_capacity(batches) }),
                Err(error) => self.failed(system, workload.name, error),
            }
        }
        let fewer: usize = all.iter().map(|one| self.options.batches - one.batches).sum();
        self.progress.set_length(self.progress.length().unwrap_or_default().saturating_sub(fewer as u64));
        for batch in 0..self.options.batches {
            // Who goes first changes from round to round.
            let first = batch % all.len().max(1);
            let (late, early) = all.split_at_mut(first);
            for one in early.iter_mut().chain(late).filter(|one| batch < one.batches) {
                self.progress.set_message(format!("{}, {}", workload.name, one.system.name));
                match run_workload(one.system, workload, one.n) {
                    Ok(value) => one.values.push(value),
                    Err(error) => {
                        one.batches = 0;
                        self.failed(one.system, workload.name, error);
                    }
                }
                self.progress.inc(1);
            }
        }
        all.retain(|one| one.batches > 0);
        let named: Vec<(&System, u64, Vec<f64>)> = all.into_iter().map(|one| (one.system, one.n, one.values)).collect();
        let row =
            Unmeasured { name: workload.name.to_owned(), group: workload.group, what: workload.what, unit: CPU_TIME };
        self.add(&row, workload.trip.name(), None, workload.goal, named);
    }

    /// How many items make a batch long enough, and how many batches there is time for.
    fn calibrate(&self, workload: &Workload, system: &System) -> Result<(u64, usize), String> {
        let most = match (workload.items, self.options.test) {
            (Items::Exactly(n), false) => n,
            (Items::UpTo(most), false) => most,
            (_, true) => return Ok((if workload.name == "skynet" { 100 } else { 200 }, 1)),
        };
        let mut n = if matches!(workload.items, Items::Exactly(_)) { most } else { 1_000.min(most) };
        loop {
            let start = Instant::now();
            let ns = run_workload(system, workload, n)? * n as f64;
            let batches = if start.elapsed() > TOO_LONG { self.options.batches.min(FEW) } else { self.options.batches };
            if ns >= LONG_ENOUGH / 2.0 || n >= most {
                return Ok((n, batches));
            }
            let more = (LONG_ENOUGH / ns.max(1.0)).min(100.0);
            n = ((n as f64 * more) as u64).next_multiple_of(100).min(most);
        }
    }

    fn sweep(&mut self, frames: u32, live: u64) {
        let name = format!("sweep-{frames}");
        let batches = if self.options.test { 1 } else { self.options.batches.min(FEW) };
        let systems: Vec<&System> =
            self.present(SWEPT).filter(|system| !self.has_stopped(system.name, &name)).collect();
        let mut all: Vec<(&System, Vec<HashMap<String, String>>)> =
            systems.iter().map(|system| (*system, Vec::new())).collect();
        let mut failed: Vec<&str> = Vec::new();
        for batch in 0..batches {
            let first = batch % all.len().max(1);
            let (late, early) = all.split_at_mut(first);
            for (system, measured) in early.iter_mut().chain(late) {
                self.progress.set_message(format!("{name} of {live}, {}", system.name));
                let has_stopped = measured.last().is_some_and(|last| last.contains_key("stopped"));
                if !has_stopped && !failed.contains(&system.name) {
                    match run_sweep(system, &name, live) {
                        Ok(words) => measured.push(words),
                        Err(error) => {
                            failed.push(system.name);
                            self.failed(system, &format!("{name} of {live}"), error);
                        }
                    }
                }
                self.progress.inc(1);
            }
        }
        all.retain(|(system, _)| !failed.contains(&system.name));
        for (system, measured) in &all {
            if let Some((reached, reason)) =
                measured.iter().find_map(|words| Some((words.get("live")?, words.get("stopped")?)))
            {
                let text = format!("{name}: stops at {reached} live ones: {}", reason);
                self.remarks.push(Remark { system: system.name.to_owned(), text });
            }
        }
        all.retain(|(_, measured)| measured.iter().all(|words| !words.contains_key("stopped")));
        for metric in METRICS {
            if live < metric.least || self.options.test {
                continue;
            }
            let number = |words: &HashMap<String, String>| words[metric.name].parse::<f64>().expect("a number");
            let told = all.iter().filter(|(system, _)| metric.is_of(system.name));
            let values = told.map(|(system, measured)| (*system, live, measured.iter().map(number).collect()));
            let Metric { name: figure, unit, trip, what, goal, .. } = metric;
            let row = Unmeasured { name: format!("{name}-{figure}"), group: "sweep", what, unit };
            self.add(&row, trip.name(), Some(live), *goal, values.collect());
        }
    }

    /// Leaves a system out of a row.
    fn failed(&mut self, system: &System, row: &str, error: String) {
        let text = format!("{row}: left out: {}", error.lines().next().unwrap_or_default());
        self.remarks.push(Remark { system: system.name.to_owned(), text });
        self.failures.push(error);
    }

    fn has_stopped(&self, system: &str, sweep: &str) -> bool {
        self.remarks.iter().any(|remark| remark.system == system && remark.text.starts_with(&format!("{sweep}: stops")))
    }

    fn add(
        &mut self,
        row: &Unmeasured,
        trip: &str,
        live: Option<u64>,
        goal: Option<(&str, f64)>,
        all: Vec<(&System, u64, Vec<f64>)>,
    ) {
        let of = |name: &str| all.iter().find(|(system, ..)| system.name == name).map(|(.., values)| values);
        let ours = of(OURS);
        for (system, n, values) in &all {
            let goal = goal.filter(|_| system.name == OURS).map(|(peer, at_most)| {
                let is = of(peer).and_then(|theirs| ratios(values, theirs)).map(|[median, ..]| median);
                Goal { peer: peer.to_owned(), at_most, is }
            });
            self.rows.push(Row {
                workload: row.name.clone(),
                group: row.group.to_owned(),
                what: row.what.to_owned(),
                system: system.name.to_owned(),
                version: system.version.clone(),
                unit: row.unit.to_owned(),
                trip: trip.to_owned(),
                live,
                minimum: quantile(values, 0.0),
                median: quantile(values, 0.5),
                quartiles: [quantile(values, 0.25), quantile(values, 0.75)],
                n: *n,
                batches: values.len(),
                ratio: ours.and_then(|ours| ratios(values, ours)),
                again: None,
                goal,
                instructions: None,
                machine: self.machine.clone(),
            });
        }
    }
}

/// What a row says before there are figures.
struct Unmeasured {
    name: String,
    group: &'static str,
    what: &'static str,
    unit: &'static str,
}

/// Nanoseconds an item, of a batch whose sum is right.
fn run_workload(system: &System, workload: &Workload, n: u64) -> Result<f64, String> {
    let words = run(system, workload.name, n, catalog::expected(workload.name, n))?;
    let ns = words.get("ns").and_then(|ns| ns.parse::<f64>().ok());
    ns.map(|ns| ns / n as f64).ok_or_else(|| format!("{} of {}: no time in {words:?}", workload.name, system.name))
}

/// The words of a sweep whose sum is right, or which has stopped.
fn run_sweep(system: &System, sweep: &str, live: u64) -> Result<HashMap<String, String>, String> {
    let words = run(system, sweep, live, catalog::expected_of_sweep(live))?;
    let is_whole = words.contains_key("stopped")
        || METRICS.iter().all(|metric| words.get(metric.name).is_some_and(|word| word.parse::<f64>().is_ok()));
    if is_whole { Ok(words) } else { Err(format!("{sweep} of {}: figures are missing in {words:?}", system.name)) }
}

/// The words `key=value` that a batch prints, if its sum is right.
fn run(system: &System, workload: &str, n: u64, expected: u64) -> Result<HashMap<String, String>, String> {
    let mut command = system.command();
    command.arg(workload).arg(n.to_string()).stdin(Stdio::null());
    let output = output(&mut command).map_err(|error| format!("{command:?}: {error}"))?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("{command:?} has failed, {}:\n{errors}", output.status));
    }
    // Why one has stopped is the rest of the line.
    let (words, stopped) = text.split_once(" stopped=").unwrap_or((&text, ""));
    let words = words.split_whitespace().filter_map(|word| word.split_once('='));
    let mut words: HashMap<String, String> = words.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if !stopped.is_empty() {
        words.insert("stopped".to_owned(), stopped.trim().to_owned());
    }
    let sum = words.get("sum").map_or("none", String::as_str);
    if sum != expected.to_string() && !words.contains_key("stopped") {
        return Err(format!("{command:?} has computed {sum}, and {expected} is right: {text}{errors}"));
    }
    Ok(words)
}

/// What a program has printed, which is killed when it takes too long. It prints less than a pipe has room for.
fn output(command: &mut Command) -> io::Result<Output> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    // Nothing of this process runs meanwhile: they share a CPU.
    if poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&PATIENCE))? == 0 {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("killed, as it was not done after {} seconds", PATIENCE.tv_sec),
        ));
    }
    child.wait_with_output()
}
