//! switchback beside every peer, in one command:
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- --json FILE --report DIR`.
//!
//! ROWS.md says what is measured, and what is aimed at. Each batch is a process: this program itself (`run SYSTEM WORKLOAD N`)
//! for systems of Rust, a program of `foreign/` for the others. All are asked the same and answer in the same words.
//!
//! | file | question it answers |
//! |---|---|
//! | `catalog.rs` | what is measured, of whom, what is the goal? |
//! | `run/` | what does a system of Rust do? |
//! | `system.rs` | how is a system started, and is it there? |
//! | `measure.rs` | in which order, how often, with how many items? |
//! | `instructions.rs` | how many instructions does an item take, where a clock says too little? |
//! | `report/`, a library and a program | what was it, as JSON, text, a page and README's tables? |

mod catalog;
mod instructions;
mod machine;
mod measure;
mod options;
mod run;
mod system;

use measure::Measuring;
use options::{Options, Print, USAGE};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use switchback_peers_report::reasons::Reasons;
use switchback_peers_report::result::{Remark, Results};
use switchback_peers_report::{page, table};
use system::{Absent, System};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, system, workload, n] = &arguments[..]
        && first == "run"
    {
        let is_known = n.parse().is_ok_and(|n| run::run(system, workload, n));
        return if is_known { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let done = Options::from_args().map_err(|error| format!("{error}\n{USAGE}")).and_then(|options| bench(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), String> {
    match options.print {
        Some(Print::Help) => println!("{USAGE}"),
        Some(Print::Names) => println!("{}", names().join("\n")),
        Some(Print::Rows) => print!("{}", catalog::rows()),
        None => {
            if !options.test && cfg!(debug_assertions) {
                return Err("a debug build is not worth timing: --release, or --test".to_owned());
            }
            options.json.as_deref().map_or(Ok(()), may_write)?;
            if let Some(folder) = &options.report {
                fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
                may_write(&folder.join("index.html"))?;
            }
            let (results, failures) = measure(options)?;
            if let Some(file) = &options.json {
                fs::write(file, results.to_json()).map_err(|error| format!("{}: {error}", file.display()))?;
            }
            if let Some(folder) = &options.report {
                fs::write(folder.join("index.html"), page::page(&results, &Reasons::of_the_repository()))
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
            }
            // What is right has been written.
            if !failures.is_empty() {
                return Err(format!("batches that failed: {}\n{}", failures.len(), failures.join("\n")));
            }
        }
    }
    Ok(())
}

/// All workloads, and their groups.
fn known_workloads() -> Vec<(String, &'static str)> {
    let sweeps = catalog::FRAMES.iter().map(|frames| (format!("sweep-{frames}"), "sweep"));
    catalog::WORKLOADS.iter().map(|workload| (workload.name.to_owned(), workload.group)).chain(sweeps).collect()
}

fn names() -> Vec<String> {
    known_workloads().into_iter().map(|(name, _)| name).collect()
}

/// Finds out that a file cannot be written before it measures for minutes.
fn may_write(file: &Path) -> Result<(), String> {
    let was_there = file.exists();
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|_| if was_there { Ok(()) } else { fs::remove_file(file) })
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// The systems that are asked for and there, and why others are not.
fn systems(options: &Options) -> Result<(Vec<System>, Vec<Remark>), String> {
    let mut known: Vec<&'static str> = Vec::new();
    let workloads = catalog::WORKLOADS.iter().filter(|workload| options.wants(workload.name, workload.group));
    let mut wanted: Vec<&'static str> = workloads.flat_map(|workload| workload.systems).copied().collect();
    if catalog::FRAMES.iter().any(|frames| options.wants(&format!("sweep-{frames}"), "sweep")) {
        wanted.extend(catalog::SWEPT);
    }
    if let Some(name) = options.stranger(&known_workloads()) {
        return Err(format!("no workload is called {name}; there are:\n{}", names().join(" ")));
    }
    for name in wanted {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    if let Some(unknown) = options.systems().iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("{unknown} takes part in none of these workloads; there are:\n{}", known.join(" ")));
    }
    let (mut systems, mut remarks) = (Vec::new(), Vec::new());
    for name in known.into_iter().filter(|name| options.wants_system(name)) {
        match system::prepare(name) {
            Ok(system) => systems.push(system),
            Err(Absent(reason)) if !options.may_skip(name) => return Err(format!("{name} is not there: {reason}")),
            Err(Absent(reason)) => {
                println!("skipped: {name}: {reason}");
                remarks.push(Remark { system: name.to_owned(), text: format!("skipped: {reason}") });
            }
        }
    }
    Ok((systems, remarks))
}

fn measure(options: &Options) -> Result<(Results, Vec<String>), String> {
    if options.test && include_str!("../ROWS.md") != catalog::rows() {
        return Err("ROWS.md is not what --rows prints".to_owned());
    }
    let (systems, mut remarks) = systems(options)?;
    let machine = machine::now(machine::pin());
    if !options.test {
        println!("{}", machine.summary());
        for system in &systems {
            println!("  {:16}{}", system.name, system.version);
        }
    }
    let mut measuring = Measuring::new(options, &systems, machine.summary());
    let mut count = 0;
    measuring.all(|progress, rows| {
        count += rows.len();
        if !options.test {
            progress.suspend(|| print!("{}", table::table(rows)));
        }
    });
    let Measuring { mut rows, remarks: stopped, failures, .. } = measuring;
    if options.instructions
        && let Err(reason) = instructions::count(&systems, &mut rows)
    {
        println!("not counted: instructions: {reason}");
        remarks.push(Remark { system: "callgrind".to_owned(), text: format!("instructions not counted: {reason}") });
    }
    for Remark { system, text } in &stopped {
        println!("{system}: {text}");
    }
    remarks.extend(stopped);
    if options.test {
        let sums = if failures.is_empty() { "all sums right" } else { "not all sums right" };
        println!("systems: {}, rows: {count}, {sums}, none timed", systems.len());
    } else {
        let goals: Vec<_> = rows.iter().filter_map(|row| row.goal.as_ref()).filter(|goal| goal.is.is_some()).collect();
        println!("\ngoals: {}, missed: {}", goals.len(), goals.iter().filter(|goal| goal.is_missed()).count());
    }
    Ok((Results { machine, rows, remarks }, failures))
}
