//! Addresses: names are looked up beside the worker, and an error tells what became of each address.
#![forbid(unsafe_code)]

use crate::scheduler::offload_or_cancelled;
use core::{fmt, iter, option, slice};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::vec;

/// [`std::net::ToSocketAddrs`] that blocks the task: what is an address is one at once, and a name is looked up by the system's
/// resolver on [a thread beside the worker](crate::offload()). Outside of a task that blocks the thread.
///
/// It is a trait of its own, because the one of std blocks the thread wherever it is called. The types that have that one have this
/// one too; one of yours gets it by changing the import.
///
/// # Examples
///
/// ```
/// use switchback::net::ToSocketAddrs;
///
/// switchback::run(|| {
///     let mut addresses = ("127.0.0.1", 80).to_socket_addrs()?;
///     assert_eq!(addresses.next(), Some(([127, 0, 0, 1], 80).into()));
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub trait ToSocketAddrs {
    /// The addresses.
    type Iter: Iterator<Item = SocketAddr>;

    /// The addresses that this stands for.
    ///
    /// # Errors
    ///
    /// When a name is not known, or is none; and when the task is cancelled while it would have to be looked up. A lookup that has
    /// begun goes on, for nobody.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;
}

/// What is one address.
macro_rules! address {
    ($($type:ty),*) => {
        $(
            impl ToSocketAddrs for $type {
                type Iter = option::IntoIter<SocketAddr>;

                fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                    net::ToSocketAddrs::to_socket_addrs(self)
                }
            }
        )*
    };
}

address!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = iter::Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.parse() {
            Ok(address) => Ok(vec![address].into_iter()),
            Err(_) => look_up(self.to_owned()),
        }
    }
}

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![SocketAddr::new(address, port)].into_iter()),
            Err(_) => look_up((host.to_owned(), port)),
        }
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (self.0.as_str(), self.1).to_socket_addrs()
    }
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        self.as_str().to_socket_addrs()
    }
}

/// Asks the system's resolver.
fn look_up<A>(name: A) -> io::Result<vec::IntoIter<SocketAddr>>
where
    A: net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + Send + 'static,
{
    offload_or_cancelled(move || name.to_socket_addrs())?
}

/// Why no connection could be made to any of several addresses: what has come of each. It is inside of the [`io::Error`] of
/// [`TcpStream::connect`](super::TcpStream::connect), whose kind is that of the last. Where there is but one address, that returns
/// the system's error itself.
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use switchback::net::{ConnectError, TcpListener, TcpStream};
///
/// switchback::run(|| {
///     // Two at which nobody listens any more.
///     let gone = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
///     let addresses = [gone()?, gone()?];
///     let error = TcpStream::connect(&addresses[..]).unwrap_err();
///     assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
///     let each = error.get_ref().and_then(|inner| inner.downcast_ref::<ConnectError>()).unwrap();
///     assert!(each.attempts().map(|(address, _)| address).eq(addresses));
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct ConnectError {
    /// At least two.
    attempts: Vec<(SocketAddr, io::Error)>,
}

impl ConnectError {
    /// As an [`io::Error`]. Without any attempt there was no address.
    pub(super) fn told(mut attempts: Vec<(SocketAddr, io::Error)>) -> io::Error {
        match attempts.pop() {
            Some((_, only)) if attempts.is_empty() => only,
            Some(last) => {
                let kind = last.1.kind();
                attempts.push(last);
                io::Error::new(kind, Self { attempts })
            }
            None => io::Error::new(ErrorKind::InvalidInput, "there is no address to connect to"),
        }
    }

    /// The addresses, in the order in which they were tried, with the error of each. There are at least two.
    pub fn attempts(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &io::Error)> {
        self.attempts.iter().map(|(address, error)| (*address, error))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.attempts.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{address}: {error}")?;
        }
        Ok(())
    }
}

impl Error for ConnectError {
    /// The last one.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.attempts.last().map(|(_, error)| error as _)
    }
}
