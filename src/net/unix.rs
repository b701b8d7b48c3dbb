//! Unix sockets.
#![forbid(unsafe_code)]

use super::common::{self, Inner, forward, is_cancelled, socket, timeouts};
use super::file::send_file;
use super::stream::stream;
use crate::scheduler::Direction;
use core::fmt;
use socket2::SockAddr;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// [`std::os::unix::net::UnixStream`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use switchback::net::UnixStream;
/// use switchback::task;
///
/// switchback::run(|| {
///     let (mut here, mut there) = UnixStream::pair()?;
///     let reader = task::spawn(move || {
///         let mut text = String::new();
///         there.read_to_string(&mut text).map(|_| text)
///     });
///     here.write_all(b"from task to task")?;
///     drop(here); // the end
///     assert_eq!(reader.join().unwrap()?, "from task to task");
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct UnixStream(Inner<net::UnixStream>);

socket!(UnixStream, net::UnixStream);
timeouts!(UnixStream);
stream!(UnixStream, net::UnixStream, read_stream);
send_file!(UnixStream);
forward! { UnixStream:
    /// The address of the other end.
    peer_addr() -> SocketAddr;
    /// The address of this end.
    local_addr() -> SocketAddr;
    /// Ends one direction, or both. Who waits for it in another task goes on.
    shutdown(how: Shutdown) -> ();
}

impl UnixStream {
    /// Connects to the socket at that path.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or the task is cancelled. When no socket can have such a path.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        // socket2 takes a NUL: first for a name that is no path, else for the path's end.
        SocketAddr::from_pathname(&path)?;
        common::connect(&SockAddr::unix(path)?, None).map(Self)
    }

    /// Connects to the socket with that address, which may be a name of Linux that is no path.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or the task is cancelled; when the address has neither a path nor a name.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::{UnixListener, UnixStream};
    ///
    /// switchback::run(|| {
    ///     let path = std::env::temp_dir().join(format!("by-address-{}", std::process::id()));
    ///     let listener = UnixListener::bind(&path)?;
    ///     UnixStream::connect_addr(&listener.local_addr()?)?;
    ///     std::fs::remove_file(&path)
    /// }).unwrap();
    /// ```
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        common::connect(&raw_address(address)?, None).map(Self)
    }

    /// Two that are connected to each other.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }
}

/// [`std::os::unix::net::UnixListener`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use switchback::net::{UnixListener, UnixStream};
/// use switchback::task;
///
/// switchback::run(|| {
///     let path = std::env::temp_dir().join(format!("a-socket-{}", std::process::id()));
///     let listener = UnixListener::bind(&path)?;
///     let server = task::spawn(move || listener.accept()?.0.write_all(b"welcome"));
///     let mut text = String::new();
///     UnixStream::connect(&path)?.read_to_string(&mut text)?;
///     assert_eq!(text, "welcome");
///     server.join().unwrap()?;
///     std::fs::remove_file(&path)?; // it stays otherwise
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct UnixListener(Inner<net::UnixListener>);

socket!(UnixListener, net::UnixListener);
forward! { UnixListener:
    /// The address that it listens at.
    local_addr() -> SocketAddr;
}

impl UnixListener {
    /// Listens at that path, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(net::UnixListener::bind(path)?)
    }

    /// Listens at that address, which may be a name of Linux that is no path.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::from_std(net::UnixListener::bind_addr(address)?)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`](super::TcpListener::accept).
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, address) = self.0.accept(net::UnixListener::accept)?;
        Ok((UnixStream::from_std(stream)?, address))
    }

    /// The connections, until the task is cancelled: then it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::{UnixListener, UnixStream};
    /// use switchback::task;
    ///
    /// switchback::run(|| {
    ///     let path = std::env::temp_dir().join(format!("incoming-{}", std::process::id()));
    ///     let listener = UnixListener::bind(&path)?;
    ///     let streams = [UnixStream::connect(&path)?, UnixStream::connect(&path)?];
    ///     std::fs::remove_file(&path)?;
    ///     assert_eq!(listener.incoming().take(2).flatten().count(), streams.len());
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming(self)
    }
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = UnixIncoming<'a>;

    fn into_iter(self) -> UnixIncoming<'a> {
        self.incoming()
    }
}

/// An address of std's as socket2 has it: which takes a name that is no path as a path that begins with a NUL.
fn raw_address(address: &SocketAddr) -> io::Result<SockAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = name_of(address) {
        return SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()));
    }
    let none = || io::Error::new(ErrorKind::InvalidInput, "an address without a path or a name");
    SockAddr::unix(address.as_pathname().ok_or_else(none)?)
}

/// The name of an address that is no path.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn name_of(address: &SocketAddr) -> Option<&[u8]> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    address.as_abstract_name()
}

/// See [`UnixListener::incoming`].
#[derive(Debug)]
pub struct UnixIncoming<'a>(&'a UnixListener);

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.accept() {
            Err(error) if is_cancelled(&error) => None,
            accepted => Some(accepted.map(|(stream, _)| stream)),
        }
    }
}
