//! Datagrams between Unix sockets.
#![forbid(unsafe_code)]

use super::common::{Inner, forward, socket, timeouts};
use crate::scheduler::Direction;
use core::fmt;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// [`std::os::unix::net::UnixDatagram`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use switchback::net::UnixDatagram;
///
/// switchback::run(|| {
///     let path = std::env::temp_dir().join(format!("datagrams-{}", std::process::id()));
///     let server = UnixDatagram::bind(&path)?;
///     let client = UnixDatagram::unbound()?;
///     client.send_to(b"hello", &path)?;
///     let mut bytes = [0; 16];
///     let (count, from) = server.recv_from(&mut bytes)?;
///     assert_eq!(&bytes[..count], b"hello");
///     assert!(from.is_unnamed());
///     std::fs::remove_file(&path)?; // it stays otherwise
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct UnixDatagram(Inner<net::UnixDatagram>);

socket!(UnixDatagram, net::UnixDatagram);
timeouts!(UnixDatagram);
forward! { UnixDatagram:
    /// The address that it was connected to.
    peer_addr() -> SocketAddr;
    /// The address that it is bound to.
    local_addr() -> SocketAddr;
    /// Sends to that address from now on. It does not wait.
    connect_addr(address: &SocketAddr) -> ();
    /// Ends one direction, or both. Who waits for it in another task goes on.
    shutdown(how: Shutdown) -> ();
}

impl UnixDatagram {
    /// A socket at that path, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::bind(path)?)
    }

    /// [`bind`](Self::bind) at an address, which need not be a path.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::bind_addr(address)?)
    }

    /// A socket without an address.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(net::UnixDatagram::unbound()?)
    }

    /// Two that are connected to each other.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::UnixDatagram;
    ///
    /// switchback::run(|| {
    ///     let (here, there) = UnixDatagram::pair()?;
    ///     here.send(b"one")?;
    ///     here.send(b"another")?;
    ///     let mut bytes = [0; 16];
    ///     assert_eq!(there.recv(&mut bytes)?, 3); // each by itself
    ///     assert_eq!(there.recv(&mut bytes)?, 7);
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Sends to the socket at that path from now on. It does not wait.
    ///
    /// # Errors
    ///
    /// When there is none, or the system refuses.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.get().connect(path)
    }

    /// Sends a datagram to the socket at that path. Where the receiver has no room there is no event that tells of it: then this
    /// tries again every ten milliseconds.
    ///
    /// # Errors
    ///
    /// When there is no such socket, the system refuses, the time is over, or the task is cancelled.
    pub fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.0.write_without_events(|socket| socket.send_to(bytes, path))
    }

    /// [`send_to`](Self::send_to) an address, which need not be a path.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_to_addr(&self, bytes: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.0.write_without_events(|socket| socket.send_to_addr(bytes, address))
    }

    /// Sends to the one that it is connected to, and waits for room there.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); and when it is not connected.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(|socket| socket.send(bytes))
    }

    /// Waits for a datagram, and says who has sent it. Of a socket that is shut for reads it is an empty one of nobody, as std's.
    ///
    /// # Errors
    ///
    /// When the task is cancelled, or the time is over.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let end = || SocketAddr::from_pathname("").map(|nobody| (0, nobody));
        self.receive(|socket| socket.recv_from(buffer), end)
    }

    /// Waits for a datagram: an empty one, if the socket is shut for reads.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(|socket| socket.recv(buffer), || Ok(0))
    }

    /// Calls `attempt` until it need not wait, or the socket is shut and has no more: then it is `end`.
    fn receive<R>(
        &self,
        mut attempt: impl FnMut(&net::UnixDatagram) -> io::Result<R>,
        end: impl Fn() -> io::Result<R>,
    ) -> io::Result<R> {
        let is_nonblocking = self.0.is_nonblocking();
        self.0.read(|socket| match attempt(socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && !is_nonblocking && is_shut(socket) => {
                // What came before that may have come just now.
                match attempt(socket) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => end(),
                    done => done,
                }
            }
            done => done,
        })
    }
}

/// Whether nothing more will come. Linux tells that to calls that block alone: others would wait for ever.
#[cfg(target_os = "linux")]
fn is_shut(socket: &net::UnixDatagram) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::retry_on_intr;

    let mut asked = [PollFd::new(socket, PollFlags::RDHUP)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    retry_on_intr(|| poll(&mut asked, Some(&at_once))).is_ok() && asked[0].revents().contains(PollFlags::RDHUP)
}

/// Elsewhere the call itself comes to an end.
#[cfg(not(target_os = "linux"))]
fn is_shut(_: &net::UnixDatagram) -> bool {
    false
}
