//! Instructions an item, by callgrind: what a clock cannot resolve. A count says nothing of how long they take.

use crate::catalog::{self, WORKLOADS, Workload};
use crate::machine::output;
use crate::system::System;
use std::process::Command;
use switchback_peers_report::result::Row;

/// Where figures are so small that they are near what a clock resolves, and of whom.
const GROUPS: [&str; 2] = ["switch", "iterate"];
const SYSTEMS: [&str; 2] = ["switchback", "corosensei"];

/// Two runs that differ in nothing but the number of items.
const FEW: u64 = 1_000;
const MORE: u64 = 11_000;

/// Puts them into the rows that have been measured.
///
/// # Errors
///
/// Where there is no callgrind, or a run under it fails: in words. The rows that were counted before have their counts.
pub(crate) fn count(systems: &[System], rows: &mut [Row]) -> Result<(), String> {
    if output("valgrind", &["--version"]).is_none() {
        return Err("there is no valgrind (Debian: valgrind)".to_owned());
    }
    for workload in WORKLOADS.iter().filter(|workload| GROUPS.contains(&workload.group)) {
        for system in systems.iter().filter(|system| SYSTEMS.contains(&system.name)) {
            if let Some(row) = rows.iter_mut().find(|row| row.workload == workload.name && row.system == system.name) {
                let [few, more] = [run(system, workload, FEW)?, run(system, workload, MORE)?];
                // Each does a tenth of its work before it, and nothing else that grows.
                row.instructions = Some((more - few) / (MORE - FEW) as f64 / 1.1);
            }
        }
    }
    Ok(())
}

/// All instructions of one process, whose sum is right.
fn run(system: &System, workload: &Workload, n: u64) -> Result<f64, String> {
    let plain = system.command();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(plain.get_program());
    let command = command.args(plain.get_args()).arg(workload.name).arg(n.to_string());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let (text, notes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let sum = format!("sum={}", catalog::expected(workload.name, n));
    let collected = notes.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() && text.split_whitespace().any(|word| word == sum) => Ok(count),
        _ => Err(format!("{command:?} has failed, {}: {text}{notes}", output.status)),
    }
}
