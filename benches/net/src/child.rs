//! A server in a process of its own, and what that has used.

use crate::servers::Server;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ended when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

/// Keeps the calling thread, and those that it will start, on one CPU.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    Ok(sched_setaffinity(None, &cpus)?)
}

/// Lets it run on any CPU again.
pub(crate) fn pin_nowhere() -> io::Result<()> {
    let mut cpus = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|cpu| cpus.set(cpu));
    Ok(sched_setaffinity(None, &cpus)?)
}

impl Process {
    /// Starts a server with that many threads, on that CPU or anywhere.
    pub(crate) fn start(server: Server, workers: usize, cpu: Option<usize>) -> io::Result<Self> {
        let cpu = cpu.map_or_else(|| "any".into(), |cpu| cpu.to_string());
        let mut command = Command::new(env::current_exe()?);
        Self::run(command.args(["--serve", &server.to_argument(), &workers.to_string(), &cpu]))
    }

    /// Starts a program that writes its port to standard output, and ends when its standard input does.
    pub(crate) fn run(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let mut process = Self { child, port: 0 };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        process.port = line.trim().parse().map_err(|_| io::Error::other("a server does not serve"))?;
        Ok(process)
    }

    fn path(&self) -> String {
        format!("/proc/{}", self.child.id())
    }

    /// Nanoseconds of CPU time that its threads have used, in user mode and in the kernel.
    pub(crate) fn cpu_time(&self) -> io::Result<u64> {
        let mut total = 0;
        for task in fs::read_dir(Path::new(&self.path()).join("task"))? {
            let statistics = fs::read_to_string(task?.path().join("schedstat"))?;
            let time = statistics.split(' ').next().and_then(|time| time.parse::<u64>().ok());
            total += time.ok_or_else(|| io::Error::other("schedstat cannot be read"))?;
        }
        Ok(total)
    }

    /// A line of its status, in bytes.
    pub(crate) fn memory(&self, what: &str) -> io::Result<u64> {
        let status = fs::read_to_string(Path::new(&self.path()).join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kibibytes.map(|kibibytes| kibibytes << 10).ok_or_else(|| io::Error::other(format!("no {what} in the status")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
