//! Sockets, pipes, standard input and output, and processes.
#![cfg(unix)]

#[path = "../common/process.rs"]
mod process;
#[path = "../common/require.rs"]
mod require;
#[path = "../common/slow.rs"]
mod slow;
#[cfg(target_os = "linux")]
#[path = "../common/terminal.rs"]
mod terminal;
#[path = "../common/unwinding.rs"]
mod unwinding;

mod addresses;
mod cancelled;
mod children;
mod descriptors;
mod echo;

mod emptied;
mod files;
mod nonblocking;
mod others;
mod output;
mod pipes;
mod refused;
mod stdin;
mod workers;

use std::io;
use switchback::Runtime;
use switchback::net::{TcpListener, TcpStream};

/// Runs `main` on that many workers.
fn on<T>(workers: usize, main: impl FnOnce() -> T) -> T {
    Runtime::builder().workers(workers).build().expect("a runtime").run(main)
}

/// How many descriptors the process has open, where the system tells.
fn descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Opens files until none can be had any more.
fn all_descriptors() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

fn is_non_blocking(io: &impl std::os::fd::AsFd) -> bool {
    socket2::SockRef::from(io).nonblocking().expect("the system tells")
}

/// Two ends of a connection.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    Ok((one, listener.accept()?.0))
}
