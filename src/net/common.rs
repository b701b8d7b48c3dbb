//! What all sockets have in common.

use crate::Cancelled;
use crate::scheduler::{self, Direction, Limit, Resumer, Source, Stopped, suspend_until};
use core::sync::atomic::{AtomicBool, Ordering};
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long a listener waits before it tells that there is no descriptor left, as who goes on at once must not spin; and anybody
/// who waits for what there is no event for.
const BACK_OFF: Duration = Duration::from_millis(10);

/// A socket of std's that does not block, and its timeouts.
#[derive(Debug)]
pub(super) struct Inner<T: AsFd> {
    source: Source<T>,
    timeouts: [Timeout; 2],
}

/// Nobody looks for it behind the lock where there is none.
#[derive(Debug, Default)]
struct Timeout {
    is_some: AtomicBool,
    timeout: Mutex<Option<Duration>>,
}

impl<T: AsFd> Inner<T> {
    /// `io` does not block.
    pub(super) fn new(io: T) -> Self {
        Self { source: Source::new(io), timeouts: Default::default() }
    }

    pub(super) fn clone_with(&self, io: T) -> Self {
        let timeouts = [&self.timeouts[0], &self.timeouts[1]].map(|timeout| Timeout::of(timeout.get()));
        Self { source: Source::new(io), timeouts }
    }

    pub(super) fn get(&self) -> &T {
        self.source.get()
    }

    pub(super) fn into_inner(self) -> T {
        self.source.into_inner()
    }

    pub(super) fn read<R>(&self, attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.source.call(Direction::Read, self.timeout(Direction::Read), attempt)
    }

    /// [`read`](Self::read) of at most so many bytes of a stream.
    pub(super) fn read_stream(
        &self,
        _length: usize,
        attempt: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.read(attempt)
    }

    /// [`read_stream`](Self::read_stream) of TCP: one that brings fewer bytes has emptied the socket, as epoll(7) says, and an event
    /// tells of the end and of urgent data, at which it stops as well. Of a Unix socket it stops at descriptors too, untold.
    #[inline]
    pub(super) fn read_tcp(&self, length: usize, attempt: impl FnMut(&T) -> io::Result<usize>) -> io::Result<usize> {
        let timeout = self.timeout(Direction::Read);
        self.source.call_emptying(Direction::Read, timeout, attempt, |read| (1..length).contains(read))
    }

    pub(super) fn write<R>(&self, attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.source.call(Direction::Write, self.timeout(Direction::Write), attempt)
    }

    /// [`write`](Self::write) of what may have to wait although the socket is ready: it is tried again now and then.
    pub(super) fn write_without_events<R>(&self, mut attempt: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
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
        if accepted.as_ref().is_err_and(has_too_little) {
            // Over by its limit; or by cancellation, of which the next call tells.
            let _ = pause(BACK_OFF);
        }
        accepted
    }

    pub(super) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.timeouts[direction as usize].get()
    }

    pub(super) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero"));
        }
        self.timeouts[direction as usize].set(timeout);
        Ok(())
    }
}

impl Timeout {
    fn of(timeout: Option<Duration>) -> Self {
        Self { is_some: AtomicBool::new(timeout.is_some()), timeout: Mutex::new(timeout) }
    }

    fn get(&self) -> Option<Duration> {
        if self.is_some.load(Ordering::Acquire) { *self.timeout.lock() } else { None }
    }

    fn set(&self, timeout: Option<Duration>) {
        let mut place = self.timeout.lock();
        *place = timeout;
        self.is_some.store(timeout.is_some(), Ordering::Release);
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

            /// The socket as one of std's, which blocks the thread.
            ///
            /// # Errors
            ///
            /// When the system refuses to make it so.
            pub fn into_std(self) -> io::Result<$std> {
                let socket = self.0.into_inner();
                socket.set_nonblocking(false)?;
                Ok(socket)
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

/// Reading, by this method of [`Inner`], and writing, through a reference too.
macro_rules! stream {
    ($name:ident, $std:ty, $read:ident) => {
        impl Read for &$name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.$read(buffer.len(), |mut socket: &$std| socket.read(buffer))
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let length = buffers.iter().map(|buffer| buffer.len()).sum();
                self.0.$read(length, |mut socket: &$std| socket.read_vectored(buffers))
            }
        }

        impl Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl Write for &$name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(|mut socket: &$std| socket.write(bytes))
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.write(|mut socket: &$std| socket.write_vectored(buffers))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for $name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                (&*self).write(bytes)
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
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

pub(super) use {forward, socket, stream, timeouts};
