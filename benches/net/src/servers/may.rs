//! may: a coroutine for each connection.

use super::BUFFER;
use may::coroutine;
use may::net::{TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net;
use std::os::fd::{FromRawFd, IntoRawFd};

pub(super) fn serve(listener: net::TcpListener, workers: usize) -> io::Result<()> {
    may::config().set_workers(workers);
    // SAFETY: the descriptor is nobody else's.
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let accepting = move || -> io::Result<()> {
        for stream in listener.incoming() {
            let stream = stream?;
            stream.set_nodelay(true)?;
            // SAFETY: `echo` uses no thread-local, and little stack.
            drop(unsafe { coroutine::spawn(move || echo(stream)) });
        }
        Ok(())
    };
    // SAFETY: as above.
    unsafe { coroutine::spawn(accepting) }.join().expect("it does not panic")
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length])?;
    }
}
