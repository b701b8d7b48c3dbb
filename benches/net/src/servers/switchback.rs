//! Ours: a task for each connection, which reads and writes as if it were alone.

use super::BUFFER;
use std::io::{self, Read, Write};
use std::net;
use switchback::net::{TcpListener, TcpStream};
use switchback::{Runtime, task};

/// Calls `converse` in a task for each connection.
pub(super) fn serve(
    listener: net::TcpListener,
    workers: usize,
    stack: Option<usize>,
    converse: fn(TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let builder = Runtime::builder().workers(workers);
    let builder = stack.map_or(builder.clone(), |bytes| builder.stack_size(bytes));
    let runtime = builder.build().map_err(io::Error::other)?;
    runtime.run(|| {
        let listener = TcpListener::from_std(listener)?;
        for stream in listener.incoming() {
            let stream = stream?;
            stream.set_nodelay(true)?;
            drop(task::spawn(move || converse(stream)));
        }
        Ok(())
    })
}

pub(super) fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length])?;
    }
}
