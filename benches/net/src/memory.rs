//! What a connection that does nothing takes: its task waits in `read`.

use crate::child::Process;
use crate::load::{Load, Talk};
use crate::servers::Server;
use std::env;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

const SERVERS: [(&str, Server); 4] = [
    ("switchback, default stacks", Server::Switchback(None)),
    ("switchback, stacks of 16 KiB", Server::Switchback(Some(16 << 10))),
    ("tokio", Server::Tokio),
    ("may", Server::May),
];

/// Prints a line for each server, or, of few connections, that they are served.
pub(crate) fn print(is_measured: bool) -> io::Result<()> {
    let connections = if is_measured { 10_000 } else { 200 };
    let go = build_go()?;
    let go = go.map(|program| Process::run(Command::new(program).env("GOMAXPROCS", "1"))).transpose()?;
    let mut processes = Vec::new();
    for (name, server) in SERVERS {
        processes.push((name, Process::start(server, 1, Some(0))?));
    }
    processes.extend(go.map(|process| ("Go", process)));
    if !is_measured {
        for (name, process) in &processes {
            Load::connect(process.port, Talk::Echo, connections, false)?;
            println!("memory: {name:26} right");
        }
        return Ok(());
    }
    println!("\nMemory of a connection that waits in `read`, bytes: {connections} of them, on one thread\n");
    println!("{:34} {:>9} {:>12}", "", "resident", "page tables");
    for (name, process) in &processes {
        measure(name, process, connections)?;
    }
    if processes.len() == SERVERS.len() {
        println!("{:34} not installed here", "Go");
    }
    println!(
        "\nNot counted: what the kernel has for a connection (the socket, its buffers, the file, the entry in epoll)."
    );
    Ok(())
}

fn measure(name: &str, process: &Process, connections: usize) -> io::Result<()> {
    // The first ones bring what a server has once.
    let _first = Load::connect(process.port, Talk::Echo, 64, false)?;
    let before = (process.memory("VmRSS")?, process.memory("VmPTE")?);
    let _load = Load::connect(process.port, Talk::Echo, connections, false)?;
    let after = (process.memory("VmRSS")?, process.memory("VmPTE")?);
    let each = |before: u64, after: u64| after.saturating_sub(before) / connections as u64;
    println!("{name:34} {:>9} {:>12}", each(before.0, after.0), each(before.1, after.1));
    Ok(())
}

/// The server in Go, if there is a compiler.
fn build_go() -> io::Result<Option<PathBuf>> {
    let program = env::current_exe()?.with_file_name("echo-go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/servers/echo.go");
    match Command::new("go").arg("build").arg("-o").arg(&program).arg(source).status() {
        Ok(status) if status.success() => Ok(Some(program)),
        Ok(status) => Err(io::Error::other(format!("go build: {status}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
