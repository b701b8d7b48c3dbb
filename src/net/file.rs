//! Files that are sent without passing through the process.
#![forbid(unsafe_code)]

use super::common::Inner;
#[cfg(target_os = "linux")]
use super::sigpipe::without_sigpipe;
use crate::scheduler::{Direction, offload_unless_late};
use core::ops::Range;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// How much is read at once, where it has to be.
const BLOCK: u64 = 64 << 10;

/// How much the kernel is asked to send at once: a thread is held up for as long as the disk takes for it.
#[cfg(target_os = "linux")]
const MOST: u64 = 1 << 20;

/// Sends some of that part of the file: how much, none at the end of either.
pub(super) fn send<T: AsFd + Sync>(socket: &Inner<T>, file: &File, range: Range<u64>) -> io::Result<u64>
where
    for<'a> &'a T: Write,
{
    if range.is_empty() {
        return Ok(0);
    }
    #[cfg(target_os = "linux")]
    match socket.write_within(|socket, limit| offload_unless_late(limit, || hand_over(socket, file, range.clone()))?) {
        // Of what is in no cache of the system's, as in /proc.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {}
        done => return done,
    }
    let mut block = vec![0; (range.end - range.start).min(BLOCK) as usize];
    let limit = socket.limit(Direction::Write);
    let length = offload_unless_late(limit, || read_at(file, &mut block, range.start))??;
    match length {
        0 => Ok(0),
        _ => socket.write(|mut socket| socket.write(&block[..length])).map(|count| count as u64),
    }
}

#[cfg(target_os = "linux")]
fn hand_over(socket: &impl AsFd, file: &File, range: Range<u64>) -> io::Result<u64> {
    let mut from = range.start;
    let length = (range.end - range.start).min(MOST) as usize;
    Ok(without_sigpipe(|| rustix::fs::sendfile(socket, file, Some(&mut from), length))? as u64)
}

fn read_at(file: &File, block: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(block, offset) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Files are sent.
macro_rules! send_file {
    ($name:ident) => {
        impl $name {
            /// Sends some of that part of a file, and returns how many bytes, as `write` does: none if the part is empty or the file
            /// has ended. Where the file has been read before makes no difference, and it stays there.
            ///
            /// On Linux the bytes go from the system's cache to the socket without a copy in between; elsewhere, and where the file has
            /// no place in the cache, they are read and written. Either is done on [a thread beside the worker](crate::offload()),
            /// as the disk may be slow.
            ///
            /// # Errors
            ///
            /// Of the file and of the socket; when the task is cancelled, or the time is over, while there is no room, or no thread has
            /// time for it: then nothing has been sent. Neither reaches a call that a thread has begun, and that waits for the disk. A
            /// start beyond what files can have fails (`EOVERFLOW`, `EINVAL`).
            ///
            /// A peer that has hung up is an error, and no SIGPIPE, as in all calls of a socket.
            ///
            /// # Examples
            ///
            /// ```
            /// use std::{fs::File, io::{self, Read}};
            /// use switchback::{net::UnixStream, offload, task};
            ///
            /// switchback::run(|| {
            ///     let (here, mut there) = UnixStream::pair()?; // others have it too
            ///     let sender = task::spawn(move || {
            ///         let file = offload(|| File::open("Cargo.toml"))?;
            ///         let (mut sent, end) = (0, file.metadata()?.len());
            ///         while sent < end {
            ///             match here.send_file(&file, sent..end)? {
            ///                 0 => return Err(io::ErrorKind::UnexpectedEof.into()), // somebody has made it shorter
            ///                 count => sent += count,
            ///             }
            ///         }
            ///         Ok::<_, io::Error>(())
            ///     });
            ///     let mut text = String::new();
            ///     there.read_to_string(&mut text)?;
            ///     assert!(text.starts_with("[package]"));
            ///     sender.join().unwrap()
            /// }).unwrap();
            /// ```
            pub fn send_file(&self, file: &std::fs::File, range: core::ops::Range<u64>) -> io::Result<u64> {
                $crate::net::file::send(&self.0, file, range)
            }
        }
    };
}

pub(super) use send_file;
