//! Our ends of a child's pipes.

use crate::io::{PipeReader, PipeWriter, pipe_end, reads, writes};
use core::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{self, Stdio};

/// The standard input of a child, to be written to: [`std::process::ChildStdin`] that blocks the task. The child comes to its end when
/// this is dropped.
pub struct ChildStdin(PipeWriter);

/// The standard output of a child, to be read: [`std::process::ChildStdout`] that blocks the task.
pub struct ChildStdout(PipeReader);

/// The standard error of a child, to be read: [`std::process::ChildStderr`] that blocks the task.
pub struct ChildStderr(PipeReader);

/// A child's end is made of a pipe's.
macro_rules! child_end {
    ($name:ident, $std:ty, $pipe:ty) => {
        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl TryFrom<OwnedFd> for $name {
            type Error = io::Error;

            /// The end with this descriptor, which does not block any more.
            fn try_from(fd: OwnedFd) -> io::Result<Self> {
                <$pipe>::try_from(fd).map(Self)
            }
        }

        impl From<$name> for OwnedFd {
            /// The descriptor, which still does not block.
            fn from(end: $name) -> Self {
                end.0.into()
            }
        }

        impl From<$name> for $pipe {
            /// The pipe's end that it is.
            fn from(end: $name) -> Self {
                end.0
            }
        }

        pipe_end!($name, $std);
    };
}

macro_rules! child_reads {
    ($name:ident) => {
        impl Read for &$name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&self.0).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&self.0).read_vectored(buffers)
            }
        }

        reads!($name);
    };
}

child_end!(ChildStdin, process::ChildStdin, PipeWriter);
child_end!(ChildStdout, process::ChildStdout, PipeReader);
child_end!(ChildStderr, process::ChildStderr, PipeReader);
child_reads!(ChildStdout);
child_reads!(ChildStderr);

impl Write for &ChildStdin {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

writes!(ChildStdin);

/// What a child writes to both, each to its end.
pub(super) fn read_both(stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) -> io::Result<[Vec<u8>; 2]> {
    let mut read = [Vec::new(), Vec::new()];
    let pipes = [stdout.map(PipeReader::from), stderr.map(PipeReader::from)];
    let mut left = [true; 2];
    if let [Some(one), Some(other)] = &pipes {
        // Both at once, until one has ended: who waits for the one leaves the other full.
        let ended = loop {
            let (side, count) = PipeReader::read_either([one, other], |side, end| read_some(end, &mut read[side]))?;
            if count == 0 {
                break side;
            }
        };
        left[ended] = false;
    }
    for (side, pipe) in pipes.iter().enumerate().filter(|(side, _)| left[*side]) {
        if let Some(mut pipe) = pipe.as_ref() {
            pipe.read_to_end(&mut read[side])?;
        }
    }
    Ok(read)
}

/// What one call reads.
fn read_some(end: &mut dyn Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    const MORE: usize = 16 * 1024;
    let length = bytes.len();
    bytes.resize(length + MORE, 0);
    let read = end.read(&mut bytes[length..]);
    bytes.truncate(length + *read.as_ref().unwrap_or(&0));
    read
}
