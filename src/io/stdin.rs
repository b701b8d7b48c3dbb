//! Standard input.
//!
//! It may be a terminal or a pipe that other processes use too, and whether it blocks is the same for all of them: so that is left
//! alone. Instead a task waits in the reactor until there is something to read, and the read is done by a thread beside the
//! workers: if another process has been quicker, that thread waits, and not the worker. What it comes back with later is kept for
//! the next call.

use super::Beside;
use crate::cancelled::Cancelled;
use crate::scheduler::{self, Direction, Source};
use crate::sync::faces::lock;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use core::{fmt, str};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Lines, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

/// What is read at once: as much as a pipe holds.
const CHUNK: usize = 64 * 1024;

static INPUT: Mutex<Input> = Mutex::new(Input::new());

/// The standard input of the process, as [`std::io::stdin`], and reading it blocks the task.
///
/// It has a buffer, which all of the process's tasks and threads share that use this; std's own is another, so use one of the two.
/// Whether the descriptor blocks is not changed, as other processes may use it too. The descriptor is looked at once, by the first
/// call that reads: if it is replaced after that, what was there before is still read. Where there is none, or it is open for writes
/// only, a read is an error, and not the end, as std's has it.
///
/// A call that is cancelled takes nothing: what has been read, be it half a line, stays in the buffer for the next one. But
/// `read_exact`, `read_to_end` and the like, which are several reads, have put what they have taken into the caller's buffer.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use switchback::{io, task};
///
/// switchback::run(|| {
///     let mut name = String::new();
///     let asked = task::timeout(Duration::from_secs(10), || io::stdin().read_line(&mut name));
///     match asked {
///         Ok(read) if read.is_ok() => println!("hello, {}", name.trim_end()),
///         _ => println!("hello, whoever you are"), // what was typed by now is still there
///     }
/// });
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin(io::stdin())
}

/// See [`stdin`].
#[derive(Debug)]
pub struct Stdin(io::Stdin);

/// [`Stdin`] for one task or thread alone, until it is dropped.
pub struct StdinLock<'a>(MutexGuard<'a, Input>);

impl Stdin {
    /// Waits until nobody else reads, and keeps the others from it. No cancellation reaches this wait, as it has no way to tell; the
    /// other calls wait for their turn too, and tell.
    #[must_use]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock(INPUT.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends a line to `line`, with its end, and returns how many bytes it has: none where there is no more.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidData` when the line is not UTF-8: it is dropped, as by std's. When the task is cancelled: then nothing
    /// is taken, and a later call gets the whole line.
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        self.turn()?.read_line(line)
    }

    /// The lines, without their ends. Nobody else reads until this is dropped.
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }

    /// Whether it is a terminal, as [`std::io::IsTerminal::is_terminal`].
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// The right to read, for one call.
    fn turn(&self) -> io::Result<StdinLock<'static>> {
        Ok(StdinLock(lock(&INPUT)?.unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Read for &Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn()?.read(buffer)
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Read for StdinLock<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for StdinLock<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.rest().is_empty() {
            self.0.read_more()?;
        }
        Ok(self.0.rest())
    }

    fn consume(&mut self, count: usize) {
        self.0.take(count);
    }

    /// Cancelled, it has taken nothing.
    fn read_until(&mut self, byte: u8, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let count = self.0.find(byte)?;
        bytes.extend_from_slice(&self.0.rest()[..count]);
        self.0.take(count);
        Ok(count)
    }

    /// Cancelled, it has taken nothing.
    fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        let count = self.0.find(b'\n')?;
        let found = str::from_utf8(&self.0.rest()[..count]).map(|found| line.push_str(found));
        self.0.take(count);
        found.map(|()| count).map_err(|_| io::Error::new(ErrorKind::InvalidData, "a line of input is not UTF-8"))
    }
}

/// What is read, and what of it nobody has taken yet.
struct Input {
    /// Another descriptor for the same, which stays open.
    source: Option<Source<Arc<File>>>,
    read: Beside<io::Result<Vec<u8>>>,
    bytes: Vec<u8>,
    taken: usize,
}

impl Input {
    const fn new() -> Self {
        Self { source: None, read: Beside::new(), bytes: Vec::new(), taken: 0 }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.bytes.len());
    }

    /// How many bytes there are up to the next of that value, or to the end of input.
    fn find(&mut self, byte: u8) -> io::Result<usize> {
        let mut without = 0;
        loop {
            let rest = self.rest();
            if let Some(place) = rest[without..].iter().position(|&other| other == byte) {
                return Ok(without + place + 1);
            }
            without = rest.len();
            if !self.read_more()? {
                return Ok(without);
            }
        }
    }

    /// Waits for more, and puts it behind what is there. Returns whether there was any; else it is the end, for now.
    fn read_more(&mut self) -> io::Result<bool> {
        let source = match &mut self.source {
            Some(source) => source,
            none => none.insert(Source::new(Arc::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)))),
        };
        if !self.read.goes_on() {
            match source.call(Direction::Read, None, |file| is_readable(file)) {
                Err(error) if Cancelled::find_in(&error).is_some() => return Err(error),
                Err(_) if !scheduler::can_wait() => return Err(scheduler::refusal().into()),
                // What cannot be watched is waited for by the thread.
                _ => {}
            }
        }
        let file = Arc::clone(source.get());
        let mut more = self.read.call(move || read_once(&file))??;
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let has_more = !more.is_empty();
        match self.bytes.is_empty() {
            true => self.bytes = more,
            false => self.bytes.append(&mut more),
        }
        Ok(has_more)
    }
}

/// Whether a read would not wait, as far as one can tell.
fn is_readable(file: &File) -> io::Result<()> {
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
        // Nothing would tell of more where it is open for writes only, and the read fails.
        0 if fcntl_getfl(file)? & OFlags::RWMODE != OFlags::WRONLY => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

fn read_once(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; CHUNK];
    loop {
        match file.read(&mut bytes) {
            // Somebody else has made it so that it does not block, and another has been quicker.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(file, PollFlags::IN)], None);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => {
                bytes.truncate(done?);
                return Ok(bytes);
            }
        }
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}
