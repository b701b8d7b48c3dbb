//! What is to be known of the machine.

use std::fs;
use std::process::Command;
use switchback_peers_report::result::Machine;

/// The machine as it is, of which this CPU is used.
pub(crate) fn now(pinned: Option<usize>) -> Machine {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(": ")).map_or("?", |(_, value)| value).to_owned()
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Machine {
        cpu: format!(
            "{} (family {}, model {}, stepping {})",
            field("model name"),
            field("cpu family"),
            field("model"),
            field("stepping")
        ),
        cores: text.lines().filter(|line| line.starts_with("processor")).count(),
        kernel: output("uname", &["-srm"]).unwrap_or_else(|| "unknown kernel".to_owned()),
        mitigations: mitigations(),
        rustc: output("rustc", &["-V"]).unwrap_or_else(|| "rustc of unknown version".to_owned()),
        load: load.split(' ').next().unwrap_or("?").to_owned(),
        pinned,
    }
}

fn mitigations() -> Vec<String> {
    let Ok(folder) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else { return Vec::new() };
    let mut all: Vec<String> = folder
        .flatten()
        .filter_map(|file| {
            let text = fs::read_to_string(file.path()).ok()?;
            let text = text.trim();
            (text != "Not affected").then(|| format!("{}: {text}", file.file_name().to_string_lossy()))
        })
        .collect();
    all.sort();
    all
}

/// The first line that a program prints.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    // Some print their version to stderr.
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

/// Pins this process, and those that it starts, to the last CPU that it may use; the first has most of the interrupts.
pub(crate) fn pin() -> Option<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let usable = sched_getaffinity(None).ok()?;
    let last = (0..CpuSet::MAX_CPU).rfind(|&cpu| usable.is_set(cpu))?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).ok()?;
    Some(last)
}
