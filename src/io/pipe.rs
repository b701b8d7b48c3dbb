//! Pipes.

use crate::scheduler::{Direction, Limit, Source};
use core::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::Stdio;

/// A pipe: what is written to its one end is read from the other. As [`std::io::pipe`], and the ends block the task.
///
/// # Errors
///
/// When there is no descriptor left.
///
/// # Examples
///
/// ```
/// use switchback::io::{self, BufRead, BufReader, Write};
/// use switchback::task;
///
/// switchback::run(|| {
///     let (reader, mut writer) = io::pipe()?;
///     let lines = task::spawn(move || BufReader::new(reader).lines().map_while(Result::ok).count());
///     (0..3).try_for_each(|number| writeln!(writer, "line {number}"))?;
///     drop(writer);
///     assert_eq!(lines.join().unwrap(), 3);
///     Ok::<_, io::Error>(())
/// }).unwrap();
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((PipeReader::from_std(reader)?, PipeWriter::from_std(writer)?))
}

/// [`std::io::PipeReader`] that blocks the task. See the [module](super).
pub struct PipeReader(Source<io::PipeReader>);

/// [`std::io::PipeWriter`] that blocks the task. See the [module](super).
///
/// When all readers are gone, writing is an error of kind [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).
pub struct PipeWriter(Source<io::PipeWriter>);

impl PipeReader {
    /// Another one for the same end. Each byte is read by one of them.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Source::new(self.0.get().try_clone()?)))
    }

    /// What is there in either of two: read by the first of these, or the second. Which one that was, and how many bytes, none
    /// at its end.
    pub(crate) fn read_either(
        pair: [&Self; 2],
        mut read: impl FnMut(usize, &mut dyn Read) -> io::Result<usize>,
    ) -> io::Result<(usize, usize)> {
        Source::call_any(pair.map(|end| &end.0), Direction::Read, Limit::Never, || {
            for (side, end) in pair.into_iter().enumerate() {
                match read(side, &mut end.0.get()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done.map(|count| (side, count)),
                }
            }
            Err(io::ErrorKind::WouldBlock.into())
        })
    }
}

impl PipeWriter {
    /// Another one for the same end. The reader comes to the end when all are gone.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Source::new(self.0.get().try_clone()?)))
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.call(Direction::Read, None, |mut end: &io::PipeReader| end.read(buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.call(Direction::Read, None, |mut end: &io::PipeReader| end.read_vectored(buffers))
    }
}

impl Write for &PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.call(Direction::Write, None, |mut end: &io::PipeWriter| end.write(bytes))
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.call(Direction::Write, None, |mut end: &io::PipeWriter| end.write_vectored(buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get().as_fd()
    }
}

impl AsFd for PipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get().as_fd()
    }
}

impl TryFrom<OwnedFd> for PipeReader {
    type Error = io::Error;

    /// The end with this descriptor, which does not block any more.
    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self(Source::new(fd.into())))
    }
}

impl TryFrom<OwnedFd> for PipeWriter {
    type Error = io::Error;

    /// The end with this descriptor, which does not block any more.
    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self(Source::new(fd.into())))
    }
}

impl From<PipeReader> for OwnedFd {
    /// The descriptor, which still does not block.
    fn from(end: PipeReader) -> Self {
        end.0.into_inner().into()
    }
}

impl From<PipeWriter> for OwnedFd {
    /// The descriptor, which still does not block.
    fn from(end: PipeWriter) -> Self {
        end.0.into_inner().into()
    }
}

/// What all ends of pipes have, made of and into descriptors.
macro_rules! pipe_end {
    ($name:ident, $std:ty) => {
        impl $name {
            /// An end of std's, which does not block any more.
            ///
            /// # Errors
            ///
            /// When the system refuses to make it so.
            pub fn from_std(end: $std) -> io::Result<Self> {
                Self::try_from(OwnedFd::from(end))
            }

            /// The end as one of std's, which blocks the thread.
            ///
            /// # Errors
            ///
            /// When the system refuses to make it so.
            pub fn into_std(self) -> io::Result<$std> {
                let fd = OwnedFd::from(self);
                rustix::io::ioctl_fionbio(&fd, false)?;
                Ok(fd.into())
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            /// The descriptor, which still does not block.
            fn into_raw_fd(self) -> RawFd {
                OwnedFd::from(self).into_raw_fd()
            }
        }

        impl TryFrom<$std> for $name {
            type Error = io::Error;

            /// [`from_std`](Self::from_std).
            fn try_from(end: $std) -> io::Result<Self> {
                Self::from_std(end)
            }
        }

        impl From<$name> for Stdio {
            /// For a child, and so it blocks again.
            fn from(end: $name) -> Self {
                let fd = OwnedFd::from(end);
                // It is refused of no descriptor that has been made not to block.
                let _ = rustix::io::ioctl_fionbio(&fd, false);
                Self::from(fd)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("fd", &self.as_raw_fd()).finish()
            }
        }
    };
}

/// Reading where a reference reads.
macro_rules! reads {
    ($name:ident) => {
        impl Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }
    };
}

/// Writing where a reference writes.
macro_rules! writes {
    ($name:ident) => {
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

pub(crate) use {pipe_end, reads, writes};

pipe_end!(PipeReader, io::PipeReader);
pipe_end!(PipeWriter, io::PipeWriter);
reads!(PipeReader);
writes!(PipeWriter);
