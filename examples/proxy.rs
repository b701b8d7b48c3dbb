//! A proxy: what comes to one address is passed on to another, and back, with two tasks for each connection.
//!
//! ```text
//! cargo run --release --example proxy                                    # passes on for fifty clients of its own, and ends
//! cargo run --release --example proxy -- 127.0.0.1:7000 127.0.0.1:7777   # passes on until it is killed
//! ```
//!
//! Each direction ends by itself: who has no more to say may still hear the answer. If one breaks, so does the other.

#![forbid(unsafe_code)]

#[cfg(not(unix))]
fn main() {
    println!("proxy: there are no sockets here yet, but on Unix");
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
    use switchback::{Cancelled, task};

    const CLIENTS: usize = 50;
    /// More than the sockets have room for, in all.
    const SIZE: usize = 200_000;

    pub(super) fn main() -> ExitCode {
        let addresses = std::env::args_os().skip(1).map(|address| address.to_str()?.parse().ok());
        let done = match addresses.collect::<Option<Vec<SocketAddr>>>().as_deref() {
            Some([]) => switchback::run(serve_own_clients),
            Some(&[listen, target]) => switchback::run(|| serve_all(listen, target)),
            _ => return usage(),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(format_args!("{error}"));
                ExitCode::FAILURE
            }
        }
    }

    fn usage() -> ExitCode {
        let _ =
            writeln!(io::stderr(), "usage: proxy [LISTEN TARGET], each an address and a port, such as 127.0.0.1:7777");
        ExitCode::from(2)
    }

    /// A message for whoever runs the proxy. `eprintln!` would panic where standard error is closed.
    fn complain(message: fmt::Arguments<'_>) {
        let _ = writeln!(io::stderr(), "proxy: {message}");
    }

    fn serve_all(listen: SocketAddr, target: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(listen)?;
        writeln!(io::stdout(), "listening at {}", listener.local_addr()?)?;
        accept_all(&listener, target);
        Ok(())
    }

    /// Spawns a task for each connection, until the calling task is cancelled.
    fn accept_all(listener: &TcpListener, target: SocketAddr) {
        for client in listener.incoming() {
            match client {
                Ok(client) => drop(task::spawn(move || match relay(&client, target) {
                    // That the proxy ends is no news.
                    Err(error) if Cancelled::find_in(&error).is_none() => {
                        complain(format_args!("a connection has ended: {error}"));
                    }
                    _ => {}
                })),
                // No descriptor is left, or whoever came has gone again: the next one may do better.
                Err(error) => complain(format_args!("{error}")),
            }
        }
    }

    /// Passes on in both directions, until both have ended. If one fails, the scope cancels the other: it may be reading from
    /// somebody who waits for what will never come.
    fn relay(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
        let server = TcpStream::connect(target)?;
        for stream in [client, &server] {
            stream.set_nodelay(true)?;
        }
        let done = task::scope(|s| {
            s.spawn(|| pass_on(client, &server));
            pass_on(&server, client)
        });
        done.map_err(io::Error::other)
    }

    /// One direction. Its end is passed on too, and the other direction stays.
    fn pass_on(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        io::copy(&mut from, &mut to)?;
        to.shutdown(Shutdown::Write)
    }

    /// A target, the proxy, and clients, which send all that they have, say so, and are answered then.
    fn serve_own_clients() -> io::Result<()> {
        let (target, proxy) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let (target_address, address) = (target.local_addr()?, proxy.local_addr()?);
        let serving = task::spawn(move || accept_all(&proxy, target_address));
        let done = task::scope(|s| {
            for number in 0..CLIENTS {
                s.spawn(move || client(number, address));
            }
            for _ in 0..CLIENTS {
                let (stream, _) = target.accept()?;
                s.spawn(move || answer(&stream));
            }
            Ok::<_, io::Error>(())
        });
        done.map_err(io::Error::other)?;
        serving.cancel();
        serving.join().map_err(|error| io::Error::other(error.to_string()))?;
        writeln!(
            io::stdout(),
            "{CLIENTS} clients at once, each was answered after it had ended: {} bytes there and back",
            CLIENTS * SIZE
        )
    }

    /// Answers only when all has come, so nothing would come back if the client's end were not passed on.
    fn answer(mut stream: &TcpStream) -> io::Result<()> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        bytes.reverse();
        stream.write_all(&bytes)
    }

    fn client(number: usize, proxy: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(proxy)?;
        let mut sent: Vec<u8> = (0..SIZE).map(|n| (n * 7 + n / 256 + number) as u8).collect();
        stream.write_all(&sent)?;
        stream.shutdown(Shutdown::Write)?;
        let mut came = Vec::new();
        stream.read_to_end(&mut came)?;
        sent.reverse();
        match came == sent {
            true => Ok(()),
            false => Err(io::Error::other(format!("client {number}: what came back is not what was sent"))),
        }
    }
}
