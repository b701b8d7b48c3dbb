//! Sockets that block the task and not the thread, with the names and methods of [`std::net`] and [`std::os::unix::net`]:
//! changing the import is enough. On Unix only, for now.
//!
//! - A call tries first. If it would block, its task is suspended until the descriptor is ready, and the other tasks of the
//!   worker run. Outside of a runtime it blocks the thread.
//! - A call that would wait fails when its task is cancelled, or the time of a [`timeout`](crate::task::timeout) around it is
//!   over: with an error of kind [`Other`](std::io::ErrorKind::Other) in which [`Cancelled::find_in`](crate::Cancelled::find_in)
//!   finds the reason. What is there is returned all the same, and no byte is lost: a call that fails so has read none.
//!   `write_all` and the like may have written some, and `read_exact`, `read_to_end` and the like have put what they have read into
//!   the caller's buffer.
//! - A socket's own timeout (`set_read_timeout`, `set_write_timeout`) fails with [`TimedOut`](std::io::ErrorKind::TimedOut), on
//!   all systems, unless what the call is for has come by then. It belongs to the value, not to the descriptor: a clone starts with the original's.
//! - After `set_nonblocking(true)` a call that would wait fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock): for what is to
//!   try, and to do something else meanwhile. This too belongs to the value, where std has it for all clones.
//! - Several tasks may use one socket at once, through a reference: all that wait for it are woken, and try again.
//! - Descriptors are non-blocking in any case, which [`try_clone`](TcpStream::try_clone) shares. One that leaves by `into_std` blocks again,
//!   and so do clones of it. One comes in by `from_std`, or as an [`OwnedFd`](std::os::fd::OwnedFd) by `try_from`: to make it
//!   non-blocking can fail, so there is no `From`, and no `FromRawFd`. `IntoRawFd` and `OwnedFd::from` leave it non-blocking.
//! - With a [virtual clock](crate::RuntimeBuilder::virtual_clock) the time jumps when no task can run and no I/O that tasks wait
//!   for is ready at that moment, as with trio's `MockClock`: I/O between tasks is before any timer, I/O with other threads and
//!   processes may come too late.
//! - Names are looked up by the system's resolver, on [a thread beside the worker](crate::offload()): see [`ToSocketAddrs`].
//!   Addresses are not looked up.
//!
//! # Examples
//!
//! ```
//! use std::io::{self, Read, Write};
//! use switchback::net::{TcpListener, TcpStream};
//! use switchback::task;
//!
//! switchback::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let server = task::spawn(move || {
//!         let (mut stream, _) = listener.accept()?;
//!         io::copy(&mut stream.try_clone()?, &mut stream)
//!     });
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"there and back")?;
//!     client.shutdown(std::net::Shutdown::Write)?;
//!     let mut text = String::new();
//!     client.read_to_string(&mut text)?;
//!     assert_eq!(text, "there and back");
//!     assert_eq!(server.join().unwrap()?, 14);
//!     Ok::<_, io::Error>(())
//! }).unwrap();
//! ```

mod address;
mod common;
mod datagram;
mod file;
#[cfg(target_os = "linux")]
mod sigpipe;
mod stream;
mod tcp;
mod udp;
mod unix;

pub use address::{ConnectError, ToSocketAddrs};
pub use datagram::UnixDatagram;
pub use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixIncoming, UnixListener, UnixStream};
