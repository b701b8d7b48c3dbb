//! What a connection that does nothing takes: its task waits in `read`.

use crate::child::Process;
use crate::load::{Load, Talk};
use crate::servers::Server;
use std::io;
use std::process::{Command, Stdio};

const SERVERS: [(&str, Server); 4] = [
    ("switchback, default stacks", Server::Switchback(None)),
    ("switchback, stacks of 16 KiB", Server::Switchback(Some(16 << 10))),
    ("tokio", Server::Tokio),
    ("may", Server::May),
];

/// Prints a line for each server.
pub(crate) fn print(connections: usize) -> io::Result<()> {
    println!("\nMemory of a connection that waits in `read`, bytes: {connections} of them, on one thread\n");
    println!("{:34} {:>9} {:>12}", "", "resident", "page tables");
    for (name, server) in SERVERS {
        let process = Process::start(server, 1, Some(0))?;
        // The first ones bring what a server has once.
        let _first = Load::connect(process.port, Talk::Echo, 64, false)?;
        let before = (process.memory("VmRSS")?, process.memory("VmPTE")?);
        let _load = Load::connect(process.port, Talk::Echo, connections, false)?;
        let after = (process.memory("VmRSS")?, process.memory("VmPTE")?);
        let each = |before: u64, after: u64| after.saturating_sub(before) / connections as u64;
        println!("{name:34} {:>9} {:>12}", each(before.0, after.0), each(before.1, after.1));
    }
    if Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("{:34} not installed here", "Go");
    } else {
        println!("{:34} there is no server in Go in this bench", "Go");
    }
    println!(
        "\nNot counted: what the kernel has for a connection (the socket, its buffers, the file, the entry in epoll)."
    );
    Ok(())
}
