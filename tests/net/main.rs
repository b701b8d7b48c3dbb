//! Sockets.
#![cfg(unix)]

#[path = "../common/process.rs"]
mod process;
#[path = "../common/slow.rs"]
mod slow;

mod addresses;
mod cancelled;
mod descriptors;
mod echo;
mod emptied;
mod others;
mod refused;

use std::io;
use switchback::Runtime;
use switchback::net::{TcpListener, TcpStream};

/// Runs `main` on that many workers.
fn on<T>(workers: usize, main: impl FnOnce() -> T) -> T {
    Runtime::builder().workers(workers).build().expect("a runtime").run(main)
}

/// Two ends of a connection.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    Ok((one, listener.accept()?.0))
}
