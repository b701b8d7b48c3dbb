//! Connections: each is a task, which reads and writes as if it were alone.

use crate::request::{Failure, Reader};
use crate::response::{Response, Status};
use crate::site::Site;
use std::fmt;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream};
use switchback::{Cancelled, task};

/// How long a client may take for a request, and for each block of an answer, if the command line does not say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until the process is killed.
pub(crate) fn serve_all(address: SocketAddr, directory: &Path, patience: Duration) -> io::Result<()> {
    let site = Site::new(directory, patience)
        .map_err(|error| io::Error::new(error.kind(), format!("{} cannot be served: {error}", directory.display())))?;
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listening at {}", listener.local_addr()?)?;
    accept_all(&listener, &Arc::new(site));
    Ok(())
}

/// Spawns a task for each connection, until the calling task is cancelled.
pub(crate) fn accept_all(listener: &TcpListener, site: &Arc<Site>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let site = Arc::clone(site);
                drop(task::spawn(move || match converse(&stream, &site) {
                    // That the server ends is no news.
                    Err(error) if Cancelled::find_in(&error).is_none() => {
                        complain(format_args!("a connection has ended: {error}"));
                    }
                    _ => {}
                }));
            }
            // No descriptor is left, or whoever came has gone again: the next one may do better.
            Err(error) => complain(format_args!("{error}")),
        }
    }
}

/// All that happens on a connection: requests, one after another, and an answer to each, in their order. A client may send
/// several at once; what it has sent too early waits in the reader.
fn converse(stream: &TcpStream, site: &Site) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream);
    loop {
        // One time limit for the whole request. A limit for each read would be met by a client that sends a byte now and then.
        let (request, response) = match task::timeout(site.patience(), || reader.next()) {
            Ok(Ok(Some(request))) => {
                let response = site.answer(&request);
                (request, response)
            }
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(Failure::Io(error))) => return Err(error),
            Ok(Err(Failure::Refused(status))) => return refuse(stream, site, status),
            Err(_) if reader.has_begun() => return refuse(stream, site, Status::REQUEST_TIMEOUT),
            // Nothing was asked, so nothing is answered.
            Err(_) => return Ok(()),
        };
        response.send(stream, request.is_head(), request.keep_alive, site.patience())?;
        if !request.keep_alive {
            return leave(stream, site);
        }
    }
}

/// The last answer of a connection: after a request that was none, nobody knows where the next one begins.
fn refuse(stream: &TcpStream, site: &Site, status: Status) -> io::Result<()> {
    Response::plain(status).send(stream, false, false, site.patience())?;
    leave(stream, site)
}

/// Closes a connection when the client has read its answer. Closed at once, with bytes unread, it would be reset, and a reset
/// takes away what the client has not read.
fn leave(stream: &TcpStream, site: &Site) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    // Out of time or reset, it is closed all the same.
    let _ = task::timeout(site.patience(), || io::copy(&mut &*stream, &mut io::sink()));
    Ok(())
}

/// A message for whoever runs the server. `eprintln!` would panic where standard error is closed.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "http_server: {message}");
}
