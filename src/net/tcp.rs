//! TCP.
#![forbid(unsafe_code)]

use super::address::{ConnectError, ToSocketAddrs};
use super::common::{self, Inner, forward, is_cancelled, socket, stream, timeouts};
use super::file::send_file;
use crate::scheduler::Direction;
use core::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// [`std::net::TcpStream`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use switchback::net::{TcpListener, TcpStream};
///
/// switchback::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut here = TcpStream::connect(listener.local_addr()?)?;
///     let (there, _) = listener.accept()?;
///     here.set_nodelay(true)?;
///     writeln!(here, "a line")?;
///     let mut line = String::new();
///     BufReader::new(there).read_line(&mut line)?;
///     assert_eq!(line, "a line\n");
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct TcpStream(Inner<net::TcpStream>);

socket!(TcpStream, net::TcpStream);
timeouts!(TcpStream);
stream!(TcpStream, net::TcpStream, read_tcp);
send_file!(TcpStream);
forward! { TcpStream:
    /// The address of the other end.
    peer_addr() -> SocketAddr;
    /// The address of this end.
    local_addr() -> SocketAddr;
    /// Ends one direction, or both. Who waits for it in another task goes on.
    shutdown(how: Shutdown) -> ();
    /// Whether small segments are sent at once.
    nodelay() -> bool;
    /// Sends small segments at once, or not.
    set_nodelay(nodelay: bool) -> ();
    /// How many hops a packet may take.
    ttl() -> u32;
    /// Sets how many hops a packet may take.
    set_ttl(ttl: u32) -> ();
}

impl TcpStream {
    /// Connects to the first of the addresses that answers. They are tried one after another.
    ///
    /// # Errors
    ///
    /// If none does: the system's error, and where there are several addresses a [`ConnectError`](super::ConnectError) with the error
    /// of each, of the last one's kind. When the task is cancelled: then no further address is tried. When the name is not known.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::{TcpListener, TcpStream};
    ///
    /// switchback::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let stream = TcpStream::connect(("127.0.0.1", address.port()))?;
    ///     assert_eq!(stream.peer_addr()?, address);
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut attempts = Vec::new();
        for address in address.to_socket_addrs()? {
            match common::connect(&address.into(), None) {
                Ok(inner) => return Ok(Self(inner)),
                Err(error) if is_cancelled(&error) => return Err(error),
                Err(error) => attempts.push((address, error)),
            }
        }
        Err(ConnectError::told(attempts))
    }

    /// Connects to that address, and waits that long at most.
    ///
    /// # Errors
    ///
    /// When it does not answer, in time or at all; when the task is cancelled; and of a timeout of zero, as std's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchback::net::{TcpListener, TcpStream};
    ///
    /// switchback::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    ///     assert_eq!(stream.peer_addr()?, address);
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero"));
        }
        common::connect(&(*address).into(), Some(timeout)).map(Self)
    }

    /// Reads what is there, and leaves it there.
    ///
    /// # Errors
    ///
    /// As reading.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use switchback::net::{TcpListener, TcpStream};
    ///
    /// switchback::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let mut here = TcpStream::connect(listener.local_addr()?)?;
    ///     let (mut there, _) = listener.accept()?;
    ///     here.write_all(b"x")?;
    ///     let mut byte = [0];
    ///     assert_eq!(there.peek(&mut byte)?, 1);
    ///     assert_eq!(there.read(&mut byte)?, 1); // it was still there
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(|socket| socket.peek(buffer))
    }
}

/// [`std::net::TcpListener`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use switchback::net::{TcpListener, TcpStream};
/// use switchback::task;
///
/// switchback::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let server = task::spawn(move || listener.accept()?.0.write_all(b"welcome"));
///     let mut text = String::new();
///     TcpStream::connect(address)?.read_to_string(&mut text)?;
///     assert_eq!(text, "welcome");
///     server.join().unwrap()?;
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct TcpListener(Inner<net::TcpListener>);

socket!(TcpListener, net::TcpListener);
forward! { TcpListener:
    /// The address that it listens at.
    local_addr() -> SocketAddr;
    /// How many hops a packet may take.
    ttl() -> u32;
    /// Sets how many hops a packet may take.
    set_ttl(ttl: u32) -> ();
}

impl TcpListener {
    /// Listens at the first of the addresses that can be had.
    ///
    /// # Errors
    ///
    /// When none can; when a name is not known, or the task is cancelled while it is looked up.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        Self::from_std(net::TcpListener::bind(&addresses[..])?)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// When the task is cancelled. When there is no descriptor left, after a pause of ten milliseconds: so a loop that goes on
    /// does not spin, and the connection is accepted when there is one again.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = self.0.accept(net::TcpListener::accept)?;
        Ok((TcpStream::from_std(stream)?, address))
    }

    /// The connections, until the task is cancelled: then it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use switchback::net::{TcpListener, TcpStream};
    /// use switchback::task;
    ///
    /// switchback::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let server = task::spawn(move || {
    ///         for stream in listener.incoming().flatten() {
    ///             task::spawn(move || (&stream).write_all(b"welcome"));
    ///         }
    ///     });
    ///     for _ in 0..2 {
    ///         let mut text = String::new();
    ///         TcpStream::connect(address)?.read_to_string(&mut text)?;
    ///         assert_eq!(text, "welcome");
    ///     }
    ///     server.cancel();
    ///     server.join().unwrap(); // the loop is over
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }
}

/// See [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a>(&'a TcpListener);

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.accept() {
            Err(error) if is_cancelled(&error) => None,
            accepted => Some(accepted.map(|(stream, _)| stream)),
        }
    }
}
