//! What streams do all the time: they receive and send.
//!
//! On Linux they do it by the system calls themselves, where the program calls `read`, `write` and `write_all`. libc's are functions, and a
//! function that returns after a system call returns to where the CPU has not predicted, as the kernel has called and returned
//! since: that costs much more than the call. docs/ARCHITECTURE.md has the figures.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, IoSlice};
pub(super) use system::{receive, send};

/// So many buffers are used by one call at most, here and by std, and by the system: `UIO_MAXIOV` of include/uapi/linux/uio.h.
pub(super) const MOST_BUFFERS: usize = 1_024;

/// `write_vectored` of std's stream without SIGPIPE, which std takes care of in `write` alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn send_vectored(stream: &impl std::os::fd::AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    // More would be refused.
    let buffers = &buffers[..buffers.len().min(MOST_BUFFERS)];
    socket2::SockRef::from(stream).send_vectored_with_flags(buffers, libc::MSG_NOSIGNAL)
}

/// `write_vectored` of std's stream.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn send_vectored<'a, S>(mut stream: &'a S, buffers: &[IoSlice<'_>]) -> io::Result<usize>
where
    &'a S: io::Write,
{
    io::Write::write_vectored(&mut stream, buffers)
}

/// ThreadSanitizer learns by libc's functions that what was received was sent before.
#[cfg(all(target_os = "linux", not(feature = "tsan")))]
mod system {
    use rustix::net::{RecvFlags, SendFlags};
    use std::io;
    use std::os::fd::AsFd;

    /// `read` of std's stream.
    #[inline(always)]
    pub(in super::super) fn receive(stream: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(stream, buffer, RecvFlags::empty())?.1)
    }

    /// `write` of std's stream.
    #[inline(always)]
    pub(in super::super) fn send(stream: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?)
    }
}

#[cfg(not(all(target_os = "linux", not(feature = "tsan"))))]
mod system {
    use std::io::{self, Read, Write};

    pub(in super::super) fn receive<'a, S>(mut stream: &'a S, buffer: &mut [u8]) -> io::Result<usize>
    where
        &'a S: Read,
    {
        stream.read(buffer)
    }

    pub(in super::super) fn send<'a, S>(mut stream: &'a S, bytes: &[u8]) -> io::Result<usize>
    where
        &'a S: Write,
    {
        stream.write(bytes)
    }
}

/// As std's `write_all` says it.
#[cold]
pub(super) fn written_nothing() -> io::Error {
    io::Error::new(ErrorKind::WriteZero, "failed to write whole buffer")
}

/// Reading, by this method of [`Inner`], and writing, through a reference too.
macro_rules! stream {
    ($name:ident, $std:ty, $read:ident) => {
        impl Read for &$name {
            #[inline(always)]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.$read(buffer.len(), |socket| super::stream::receive(socket, buffer))
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                // What is filled, so that one which brings less has emptied the socket.
                let used = buffers.len().min(super::stream::MOST_BUFFERS);
                let buffers = &mut buffers[..used];
                let length = buffers.iter().map(|buffer| buffer.len()).sum();
                if length == 0 {
                    // As the system has it, which waits for nothing then.
                    return Ok(0);
                }
                self.0.$read(length, |mut socket: &$std| socket.read_vectored(buffers))
            }
        }

        impl Read for $name {
            #[inline(always)]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl Write for &$name {
            #[inline(always)]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(|socket| super::stream::send(socket, bytes))
            }

            #[inline(always)]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                let mut left = bytes;
                while !left.is_empty() {
                    match self.write(left) {
                        Ok(0) => return Err(super::stream::written_nothing()),
                        Ok(written) => left = left.get(written..).unwrap_or_default(),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.write(|socket| super::stream::send_vectored(socket, buffers))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for $name {
            #[inline(always)]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                (&*self).write(bytes)
            }

            #[inline(always)]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                (&*self).write_all(bytes)
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

pub(super) use stream;
