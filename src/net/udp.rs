//! UDP.
#![forbid(unsafe_code)]

use super::address::ToSocketAddrs;
use super::common::{Inner, forward, socket, timeouts};
use crate::scheduler::Direction;
use core::fmt;
use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// [`std::net::UdpSocket`] that blocks the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use switchback::net::UdpSocket;
///
/// switchback::run(|| {
///     let one = UdpSocket::bind("127.0.0.1:0")?;
///     let other = UdpSocket::bind("127.0.0.1:0")?;
///     other.send_to(b"hello", one.local_addr()?)?;
///     let mut bytes = [0; 16];
///     let (count, from) = one.recv_from(&mut bytes)?;
///     assert_eq!(&bytes[..count], b"hello");
///     assert_eq!(from, other.local_addr()?);
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct UdpSocket(Inner<net::UdpSocket>);

socket!(UdpSocket, net::UdpSocket);
timeouts!(UdpSocket);
forward! { UdpSocket:
    /// The address that it was connected to.
    peer_addr() -> SocketAddr;
    /// The address that it is bound to.
    local_addr() -> SocketAddr;
    /// How many hops a packet may take.
    ttl() -> u32;
    /// Sets how many hops a packet may take.
    set_ttl(ttl: u32) -> ();
    /// Whether it may send to all.
    broadcast() -> bool;
    /// Lets it send to all, or not.
    set_broadcast(broadcast: bool) -> ();
    /// Whether what it sends to a group of IPv4 comes to members on this machine too.
    multicast_loop_v4() -> bool;
    /// Sets whether what it sends to a group of IPv4 comes to members on this machine too.
    set_multicast_loop_v4(on: bool) -> ();
    /// How many hops a packet to a group of IPv4 may take.
    multicast_ttl_v4() -> u32;
    /// Sets how many hops a packet to a group of IPv4 may take.
    set_multicast_ttl_v4(ttl: u32) -> ();
    /// Whether what it sends to a group of IPv6 comes to members on this machine too. Of a socket of IPv6 only.
    multicast_loop_v6() -> bool;
    /// Sets whether what it sends to a group of IPv6 comes to members on this machine too. Of a socket of IPv6 only.
    set_multicast_loop_v6(on: bool) -> ();
    /// Becomes a member of a group, by the interface with that address; by one that the system chooses, if that is
    /// [`UNSPECIFIED`](Ipv4Addr::UNSPECIFIED).
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Becomes a member of a group, by the interface with that index; by any, if that is 0.
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves a group that it has joined by the same interface.
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves a group that it has joined by the same interface.
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
}

impl UdpSocket {
    /// A socket at the first of the addresses that can be had.
    ///
    /// # Errors
    ///
    /// When none can; when a name is not known, or the task is cancelled while it is looked up.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        Self::from_std(net::UdpSocket::bind(&addresses[..])?)
    }

    /// Sends to that address from now on, and receives from it alone. It does not wait, but for a name that is looked up.
    ///
    /// # Errors
    ///
    /// When the system refuses; when a name is not known, or the task is cancelled while it is looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::UdpSocket;
    ///
    /// switchback::run(|| {
    ///     let one = UdpSocket::bind("127.0.0.1:0")?;
    ///     let other = UdpSocket::bind("127.0.0.1:0")?;
    ///     other.connect(one.local_addr()?)?;
    ///     other.send(b"hello")?;
    ///     one.connect(other.local_addr()?)?;
    ///     let mut bytes = [0; 16];
    ///     assert_eq!(one.recv(&mut bytes)?, 5);
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let addresses: Vec<_> = address.to_socket_addrs()?.collect();
        self.0.get().connect(&addresses[..])
    }

    /// Sends a datagram to that address.
    ///
    /// # Errors
    ///
    /// When there is no address, the system refuses, the task is cancelled, or the time is over.
    pub fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let none = || io::Error::new(ErrorKind::InvalidInput, "there is no address to send to");
        let address = address.to_socket_addrs()?.next().ok_or_else(none)?;
        self.0.write(|socket| socket.send_to(bytes, address))
    }

    /// Waits for a datagram, and says who has sent it.
    ///
    /// # Errors
    ///
    /// When the task is cancelled, or the time is over.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.read(|socket| socket.recv_from(buffer))
    }

    /// [`recv_from`](Self::recv_from) that leaves it there.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::net::UdpSocket;
    ///
    /// switchback::run(|| {
    ///     let one = UdpSocket::bind("127.0.0.1:0")?;
    ///     let other = UdpSocket::bind("127.0.0.1:0")?;
    ///     other.send_to(b"hello", one.local_addr()?)?;
    ///     let mut bytes = [0; 16];
    ///     let first = one.peek_from(&mut bytes)?;
    ///     assert_eq!(one.recv_from(&mut bytes)?, first); // it was still there
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.read(|socket| socket.peek_from(buffer))
    }

    /// Sends to the address that it is connected to.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); and when it is not connected.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(|socket| socket.send(bytes))
    }

    /// Waits for a datagram of the one that it is connected to.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(|socket| socket.recv(buffer))
    }

    /// [`recv`](Self::recv) that leaves it there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(|socket| socket.peek(buffer))
    }
}
