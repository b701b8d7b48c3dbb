//! Connections: each is a task, which reads and writes as if it were alone.

use crate::connections::Connections;
use crate::request::{Failure, Reader};
use crate::response::{Response, Status};
use crate::site::Site;
use std::fmt;
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use switchback::io::{self, Write};
use switchback::net::{TcpListener, TcpStream};
use switchback::signal::{SIGINT, SIGTERM, Signals};
use switchback::{Cancelled, offload, task};

/// How long a client may take for a request, and for each block of an answer, if the command line does not say. Also how long the
/// server waits in the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections there are at most, if the command line does not say: half of the descriptors that a process has by default,
/// as each may have a file open. Who comes then waits until another has gone.
pub(crate) const CONNECTIONS: usize = 512;

/// What all connections share.
pub(crate) struct Server {
    site: Site,
    connections: Connections,
    patience: Duration,
}

impl Server {
    pub(crate) fn new(directory: &Path, patience: Duration, connections: usize) -> io::Result<Self> {
        let site = Site::new(directory).map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be served: {error}", directory.display()))
        })?;
        Ok(Self { site, connections: Connections::new(connections), patience })
    }
}

/// Serves until the process is interrupted or asked to end, and then ends what it has begun.
pub(crate) fn serve_all(address: SocketAddr, server: Server) -> io::Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let listener = TcpListener::bind(address)?;
    say(format_args!("listening at {}", listener.local_addr()?));
    let server = Arc::new(server);
    let accepting = Arc::clone(&server);
    let accepting = task::spawn(move || accept_all(&listener, &accepting));

    let signal = signals.recv()?;
    // Nobody receives signals from here on, so the next one does what it does by default.
    drop(signals);
    accepting.cancel();
    // Then the listener is closed.
    accepting.join().map_err(|error| io::Error::other(error.to_string()))?;
    say(format_args!("{signal}: nobody is accepted any more, {} to be ended", connections(&server)));
    server.connections.end(server.patience);
    // What is left then is cancelled when main returns.
    match server.connections.count() {
        0 => say(format_args!("all connections have ended")),
        _ => say(format_args!("{} cut off", connections(&server))),
    }
    Ok(())
}

fn connections(server: &Server) -> String {
    match server.connections.count() {
        1 => "1 connection is".into(),
        count => format!("{count} connections are"),
    }
}

/// Spawns a task for each connection, until the calling task is cancelled.
pub(crate) fn accept_all(listener: &TcpListener, server: &Arc<Server>) {
    while let Ok(place) = server.connections.place() {
        match listener.accept() {
            Ok((stream, _)) => {
                let server = Arc::clone(server);
                drop(task::spawn(move || {
                    match converse(&stream, &server) {
                        // That the server ends is no news.
                        Err(error) if Cancelled::find_in(&error).is_none() => {
                            complain(format_args!("a connection has ended: {error}"));
                        }
                        _ => {}
                    }
                    drop(stream);
                    drop(place);
                }));
            }
            Err(error) if Cancelled::find_in(&error).is_some() => return,
            // No descriptor is left, or whoever came has gone again: the next one may do better.
            Err(error) => complain(format_args!("{error}")),
        }
    }
}

/// All that happens on a connection: requests, one after another, and an answer to each, in their order. A client may send
/// several at once; what it has sent too early waits in the reader.
fn converse(stream: &TcpStream, server: &Server) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream);
    loop {
        // One time limit for the whole request. A limit for each read would be met by a client that sends a byte now and then.
        let next = task::timeout(server.patience, || {
            let has_more = reader.is_ahead()
                || server.connections.wait_for_request(|| reader.wait()).transpose()?.unwrap_or(false);
            has_more.then(|| reader.next()).transpose()
        });
        let request = match next {
            Ok(Ok(Some(request))) => request,
            // It may have sent another one, which nobody is going to read.
            Ok(Ok(None)) if server.connections.are_ending() => return leave(stream, server),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(Failure::Io(error))) => return Err(error),
            Ok(Err(Failure::Refused(status))) => return refuse(stream, server, status),
            Err(_) if reader.has_begun() => return refuse(stream, server, Status::REQUEST_TIMEOUT),
            // Nothing was asked, so nothing is answered.
            Err(_) => return Ok(()),
        };
        let keep_alive = request.keep_alive && !server.connections.are_ending();
        // Beside the worker: however slow the disk is, the other connections go on.
        let begun = offload(|| server.site.answer(&request).begin(request.is_head(), keep_alive))?;
        begun.send(stream, server.patience)?;
        if !keep_alive {
            return leave(stream, server);
        }
    }
}

/// The last answer of a connection: after a request that was none, nobody knows where the next one begins.
fn refuse(stream: &TcpStream, server: &Server, status: Status) -> io::Result<()> {
    Response::plain(status).begin(false, false)?.send(stream, server.patience)?;
    leave(stream, server)
}

/// Closes a connection when the client has read its answer. Closed at once, with bytes unread, it would be reset, and a reset
/// takes away what the client has not read.
fn leave(stream: &TcpStream, server: &Server) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    // Out of time or reset, it is closed all the same.
    let _ = task::timeout(server.patience, || io::copy(&mut &*stream, &mut io::sink()));
    Ok(())
}

/// Nobody need be there to read it.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A message for whoever runs the server. `eprintln!` would panic where standard error is closed.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "http_server: {message}");
}
