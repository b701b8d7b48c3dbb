//! A server that sends back what it gets, with one task for each connection.
//!
//! ```text
//! cargo run --release --example echo_server                     # serves a hundred clients of its own, and ends
//! cargo run --release --example echo_server -- 127.0.0.1:7777   # serves until it is killed
//! ```
//!
//! Not a word of futures or callbacks: each task reads and writes as a thread would, and `std::io::copy` does both.

#[cfg(not(unix))]
fn main() {
    println!("echo_server: there are no sockets here yet, but on Unix");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::fmt;
    use std::io::{self, Read, Write};
    use std::net::Shutdown;
    use std::process::ExitCode;
    use switchback::net::{SocketAddr, TcpListener, TcpStream};
    use switchback::task;

    const CLIENTS: usize = 100;
    const ROUNDS: usize = 10;
    const SIZE: usize = 1000;

    pub(super) fn main() -> ExitCode {
        let mut addresses = std::env::args_os().skip(1).map(|address| address.to_str()?.parse().ok());
        let done = match (addresses.next(), addresses.next()) {
            (None, _) => switchback::run(serve_own_clients),
            (Some(Some(address)), None) => switchback::run(|| serve_all(address)),
            _ => {
                let usage = "usage: echo_server [ADDR], an address and a port, such as 127.0.0.1:7777";
                let _ = writeln!(io::stderr(), "{usage}");
                return ExitCode::from(2);
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(format_args!("{error}"));
                ExitCode::FAILURE
            }
        }
    }

    /// A message for whoever runs the server. `eprintln!` would panic where standard error is closed.
    fn complain(message: fmt::Arguments<'_>) {
        let _ = writeln!(io::stderr(), "echo_server: {message}");
    }

    fn serve_all(address: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(address)?;
        writeln!(io::stdout(), "listening at {}", listener.local_addr()?)?;
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => drop(task::spawn(move || {
                    if let Err(error) = echo(&stream) {
                        complain(format_args!("a connection has ended: {error}"));
                    }
                })),
                // No descriptor is left, or whoever came has gone again: the next one may do better.
                Err(error) => complain(format_args!("{error}")),
            }
        }
        Ok(())
    }

    /// Sends back what comes, until the other side has no more. Returns how many bytes that were.
    fn echo(stream: &TcpStream) -> io::Result<u64> {
        let (mut from, mut to) = (stream, stream);
        io::copy(&mut from, &mut to)
    }

    /// One server, and clients that see whether each byte comes back. If one of them fails, all the others are cancelled.
    fn serve_own_clients() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let bytes = task::scope(|s| {
            for number in 0..CLIENTS {
                s.spawn(move || client(number, address));
            }
            let mut connections = Vec::new();
            for _ in 0..CLIENTS {
                let (stream, _) = listener.accept()?;
                connections.push(s.spawn(move || echo(&stream)));
            }
            let mut bytes = 0;
            for connection in connections {
                bytes += connection.join()?;
            }
            Ok::<_, io::Error>(bytes)
        });
        let bytes = bytes.map_err(io::Error::other)?;
        writeln!(io::stdout(), "{CLIENTS} clients at once, {bytes} bytes sent and come back")
    }

    /// Sends something of its own, and wants it back.
    fn client(number: usize, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        for round in 0..ROUNDS {
            let sent: Vec<u8> = (0..SIZE).map(|n| (n * 7 + number * 31 + round) as u8).collect();
            stream.write_all(&sent)?;
            let mut came = vec![0; SIZE];
            stream.read_exact(&mut came)?;
            if came != sent {
                return Err(io::Error::other(format!("client {number}: what came back is not what was sent")));
            }
        }
        stream.shutdown(Shutdown::Write)?;
        match stream.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::other(format!("client {number}: more came back than was sent"))),
        }
    }
}
