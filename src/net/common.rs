//! What all sockets have in common.
#![forbid(unsafe_code)]

use crate::Cancelled;
use crate::scheduler::{self, Direction, Limit, Resumer, Source, Stopped, suspend_until};
use core::sync::atomic::{AtomicU8, Ordering};
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long a listener waits before it tells that there is no descriptor left, as who goes on at once must not spin; and anybody
/// who waits for what there is no event for.
const BACK_OFF: Duration = Duration::from_millis(10);

/// A socket of std's that does not block, and how long its calls wait in each direction.
#[derive(Debug)]
pub(super) struct Inner<T: AsFd> {
    source: Source<T>,
    patience: [Patience; 2],
}

/// How long calls wait. Where there are no limits, nobody looks for any behind the lock.
#[derive(Debug, Default)]
struct Patience {
    limits: AtomicU8,
    timeout: Mutex<Option<Duration>>,
}

/// A limit: there is a timeout. Changed under its lock.
const TIMEOUT: u8 = 1;
/// A limit: no call waits.
const NONBLOCKING: u8 = 2;

impl<T: AsFd> Inner<T> {
    /// `io` does not block.
    pub(super) fn new(io: T) -> Self {
        Self { source: Source::new(io), patience: Default::default() }
    }

    pub(super) fn clone_with(&self, io: T) -> Self {
        Self { source: Source::new(io), patience: [self.patience[0].clone(), self.patience[1].clone()] }
    }

    pub(super) fn get(&self) -> &T {
        self.source.get()
    }

    pub(super) fn into_inner(self) -> T {
        self.source.into_inner()
    }

    /// Calls `attempt` until it need not wait. Where there are no limits they cost one branch.
    #[inline(always)]
    fn call<R>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
        has_emptied: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let patience = &self.patience[direction as usize];
        let longest = match patience.limits.load(Ordering::Acquire) {
            0 => None,
            limits if limits & NONBLOCKING != 0 => return attempt(self.get()),
            _ => patience.timeout(),
        };
        self.source.call_emptying(direction, longest, attempt, has_emptied)
    }

    #[inline(always)]
    pub(super) fn read<R>(&self, attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.call(Direction::Read, attempt, |_| false)
    }

    /// [`read`](Self::read) of at most so many bytes of a stream.
    #[inline(always)]
    pub(super) fn read_stream(
        &self,
        _length: usize,
        attempt: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.read(attempt)
    }

    /// [`read_stream`](Self::read_stream) of TCP: one that brings fewer bytes has emptied the socket, as epoll(7) says, and an event
    /// tells of the end and of urgent data, at which it stops as well. Of a Unix socket it stops at descriptors too, untold.
    #[inline(always)]
    pub(super) fn read_tcp(&self, length: usize, attempt: impl FnMut(&T) -> io::Result<usize>) -> io::Result<usize> {
        self.call(Direction::Read, attempt, |read| (1..length).contains(read))
    }

    #[inline(always)]
    pub(super) fn write<R>(&self, attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.call(Direction::Write, attempt, |_| false)
    }

    /// [`write`](Self::write) whose attempts may have to wait themselves: until when, they are told.
    #[cfg(target_os = "linux")]
    pub(super) fn write_within<R>(&self, mut attempt: impl FnMut(&T, Limit) -> io::Result<R>) -> io::Result<R> {
        let limit = self.limit(Direction::Write);
        match self.is_nonblocking() {
            true => attempt(self.get(), limit),
            false => Source::call_any([&self.source], Direction::Write, limit, || attempt(self.get(), limit)),
        }
    }

    /// When a call is over that begins now: never, if it does not wait for the socket.
    pub(super) fn limit(&self, direction: Direction) -> Limit {
        Limit::from(self.timeout(direction).filter(|_| !self.is_nonblocking()))
    }

    /// [`write`](Self::write) of what may have to wait although the socket is ready: it is tried again now and then.
    pub(super) fn write_without_events<R>(&self, mut attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        if self.is_nonblocking() {
            return attempt(self.get());
        }
        let longest = self.timeout(Direction::Write);
        let mut deadline = None;
        self.source.call(Direction::Write, None, |io| match attempt(io) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let now = scheduler::now();
                let deadline = *deadline.get_or_insert_with(|| longest.and_then(|longest| now.checked_add(longest)));
                let left = deadline.map_or(BACK_OFF, |deadline| deadline.saturating_duration_since(now));
                if left.is_zero() {
                    return Err(scheduler::timed_out());
                }
                pause(left.min(BACK_OFF))?;
                // To be tried again.
                Err(ErrorKind::Interrupted.into())
            }
            done => done,
        })
    }

    pub(super) fn accept<R>(&self, attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let accepted = self.read(attempt);
        if accepted.as_ref().is_err_and(has_too_little) && !self.is_nonblocking() {
            // Who is cancelled is told of that: the next call might have no descriptor either, and whoever goes on would not end.
            pause(BACK_OFF)?;
        }
        accepted
    }

    pub(super) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.patience[direction as usize].timeout()
    }

    pub(super) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero"));
        }
        self.patience[direction as usize].set_timeout(timeout);
        Ok(())
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        self.patience[0].limits.load(Ordering::Acquire) & NONBLOCKING != 0
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.patience.iter().for_each(|patience| patience.set(NONBLOCKING, nonblocking));
    }
}

impl Patience {
    fn timeout(&self) -> Option<Duration> {
        if self.limits.load(Ordering::Acquire) & TIMEOUT != 0 { *self.timeout.lock() } else { None }
    }

    fn set_timeout(&self, timeout: Option<Duration>) {
        let mut place = self.timeout.lock();
        *place = timeout;
        self.set(TIMEOUT, timeout.is_some());
    }

    fn set(&self, limit: u8, is_set: bool) {
        match is_set {
            true => self.limits.fetch_or(limit, Ordering::Release),
            false => self.limits.fetch_and(!limit, Ordering::Release),
        };
    }
}

impl Clone for Patience {
    fn clone(&self) -> Self {
        let timeout = self.timeout.lock();
        Self { limits: AtomicU8::new(self.limits.load(Ordering::Acquire)), timeout: Mutex::new(*timeout) }
    }
}

/// Whether the system has too little of something: for the call itself, or for a poller, which says so by its source.
fn has_too_little(error: &io::Error) -> bool {
    let source = error.get_ref().and_then(Error::source).and_then(|source| source.downcast_ref::<io::Error>());
    let mut codes = [Some(error), source].into_iter().flatten().filter_map(io::Error::raw_os_error);
    codes.any(|code| matches!(code, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Waits for that long.
fn pause(delay: Duration) -> io::Result<()> {
    match suspend_until(Limit::After(delay), false, |resumer: Resumer<()>| resumer.forget()) {
        Ok(()) | Err(Stopped::TimedOut) => Ok(()),
        Err(Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled)) => Err(cancelled.into()),
    }
}

/// Begins a connection, and waits for its end.
pub(super) fn connect<T: AsFd + From<OwnedFd>>(address: &SockAddr, longest: Option<Duration>) -> io::Result<Inner<T>> {
    let protocol = address.is_ipv4() || address.is_ipv6();
    let socket =
        Socket::new(Domain::from(i32::from(address.family())), Type::STREAM, protocol.then_some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    let source = Source::new(socket);
    let mut has_begun = false;
    source.call(Direction::Write, longest, |socket| {
        if !has_begun {
            match socket.connect(address) {
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => has_begun = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => has_begun = true,
                // A Unix socket whose listener has no room; there is no event for that.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    pause(BACK_OFF)?;
                    return Err(ErrorKind::Interrupted.into());
                }
                done => return done,
            }
        }
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    })?;
    Ok(Inner::new(T::from(source.into_inner().into())))
}

/// Whether an error says that the caller was cancelled: then there is nothing more to be had.
pub(super) fn is_cancelled(error: &io::Error) -> bool {
    Cancelled::find_in(error).is_some()
}

/// What all sockets have of std's traits and methods.
macro_rules! socket {
    ($name:ident, $std:ty) => {
        impl $name {
            /// A socket of std's, which does not block any more.
            ///
            /// # Errors
            ///
            /// When the system refuses to make it so.
            pub fn from_std(socket: $std) -> io::Result<Self> {
                socket.set_nonblocking(true)?;
                Ok(Self(Inner::new(socket)))
            }

            /// The socket as one of std's, which blocks the thread; unless it was [not to wait](Self::set_nonblocking).
            ///
            /// # Errors
            ///
            /// When the system refuses to make it so.
            pub fn into_std(self) -> io::Result<$std> {
                let is_nonblocking = self.0.is_nonblocking();
                let socket = self.0.into_inner();
                socket.set_nonblocking(is_nonblocking)?;
                Ok(socket)
            }

            /// Whether a call that would wait fails instead, with [`WouldBlock`](std::io::ErrorKind::WouldBlock), as in std. Such a
            /// call tries once, and lets no other task run, in a task that is cancelled too; but `send_file` reads the file
            /// on another thread all the same. Calls of other tasks that wait by now
            /// go on waiting.
            ///
            /// Unlike std's this is not shared with clones: like a timeout it belongs to the value, and a clone starts with the
            /// original's. So one may wait where another only tries. The descriptor is the same either way.
            ///
            /// # Errors
            ///
            /// None; it has std's type.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::io::{ErrorKind, Read, Write};
            /// use switchback::net::UnixStream;
            ///
            /// switchback::run(|| {
            ///     let (mut here, mut there) = UnixStream::pair()?; // others have it too
            ///     there.set_nonblocking(true)?;
            ///     assert_eq!(there.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            ///     here.write_all(b"x")?;
            ///     assert_eq!(there.read(&mut [0])?, 1);
            ///     Ok::<_, std::io::Error>(())
            /// }).unwrap();
            /// ```
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.0.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Another one for the same socket.
            ///
            /// # Errors
            ///
            /// When there is no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                Ok(Self(self.0.clone_with(self.0.get().try_clone()?)))
            }

            /// The error that the system has kept for this socket, once.
            ///
            /// # Errors
            ///
            /// When the system does not tell.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.0.get().take_error()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.get().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.get().as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            /// The descriptor, which still does not block.
            fn into_raw_fd(self) -> RawFd {
                OwnedFd::from(self).into_raw_fd()
            }
        }

        impl TryFrom<OwnedFd> for $name {
            type Error = io::Error;

            /// The socket with this descriptor, which does not block any more.
            fn try_from(fd: OwnedFd) -> io::Result<Self> {
                Self::from_std(fd.into())
            }
        }

        impl TryFrom<$std> for $name {
            type Error = io::Error;

            /// [`from_std`](Self::from_std).
            fn try_from(socket: $std) -> io::Result<Self> {
                Self::from_std(socket)
            }
        }

        impl From<$name> for OwnedFd {
            /// The descriptor, which still does not block.
            fn from(socket: $name) -> Self {
                socket.0.into_inner().into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.get().fmt(f)
            }
        }
    };
}

/// The timeouts of std's.
macro_rules! timeouts {
    ($name:ident) => {
        impl $name {
            /// How long a call that reads waits at most; none: for ever. Waits of other tasks that have begun keep theirs.
            ///
            /// # Errors
            ///
            /// Of a timeout of zero, as std's.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::io::{ErrorKind, Read};
            /// use std::time::Duration;
            /// use switchback::net::UnixStream;
            ///
            /// switchback::run(|| {
            ///     let (_here, mut there) = UnixStream::pair()?; // others have it too
            ///     there.set_read_timeout(Some(Duration::from_millis(1)))?;
            ///     assert_eq!(there.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
            ///     Ok::<_, std::io::Error>(())
            /// }).unwrap();
            /// ```
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.0.set_timeout(Direction::Read, timeout)
            }

            /// [`set_read_timeout`](Self::set_read_timeout) for calls that write.
            ///
            /// # Errors
            ///
            /// Of a timeout of zero, as std's.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.0.set_timeout(Direction::Write, timeout)
            }

            /// See [`set_read_timeout`](Self::set_read_timeout).
            ///
            /// # Errors
            ///
            /// None; it has std's type.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.0.timeout(Direction::Read))
            }

            /// See [`set_write_timeout`](Self::set_write_timeout).
            ///
            /// # Errors
            ///
            /// None; it has std's type.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.0.timeout(Direction::Write))
            }
        }
    };
}

/// Methods that are std's and do not wait.
macro_rules! forward {
    ($name:ident: $($(#[$doc:meta])* $method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl $name {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// When the system refuses.
                pub fn $method(&self, $($argument: $type),*) -> io::Result<$result> {
                    self.0.get().$method($($argument),*)
                }
            )*
        }
    };
}

pub(super) use {forward, socket, timeouts};
