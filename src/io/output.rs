//! Standard output and standard error.
//!
//! They may be terminals, pipes or sockets that other processes use too, and whether one blocks is the same for all of them: so that is
//! left alone. What can be told with each call not to wait is (a socket), and what can be opened once more gets a description of its
//! own, which does not block (a pipe or a terminal, on Linux). Anything else is asked first whether there is room, and gets no more at
//! once than there is room for then (a byte, if it is a terminal): the thread waits only where another process has been quicker in between.

use super::Beside;
use crate::cancelled::Cancelled;
use crate::scheduler::{self, Direction, Source};
use crate::sync::faces::lock;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use core::fmt::{self, Write as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use socket2::SockRef;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::process::Stdio;
use std::sync::Arc;

static OUTPUT: Mutex<Output> = Mutex::new(Output::new());
static ERRORS: Mutex<Output> = Mutex::new(Output::new());

/// The standard output of the process, as [`std::io::stdout`], and writing to it blocks the task: where a pipe is full or a terminal is
/// stopped, the other tasks of the worker run. Files are written to at once, as nothing can tell when these would wait.
///
/// It has no buffer, unlike std's, so nothing is left behind in one when the process ends: each call writes what it is given. A line
/// that `writeln!` formats is written in one piece, and no other's is written in between. For much that is small put a
/// [`BufWriter`](std::io::BufWriter) or [`LineWriter`](std::io::LineWriter) around it. `print!` and `println!` are std's: they have std's
/// buffer, and block the thread.
///
/// Whether the descriptor blocks is not changed, as other processes may use it too. It is looked at once, by the first call that writes:
/// if it is replaced after that, what was there before is still written to, and of a pipe the reader sees no end. As long as there is no descriptor left to look at it by,
/// the call is the system's, and blocks the thread. Where there is no standard output, or it is open for reads only, a write is an error;
/// std's drops what it is given then.
///
/// A `write` that is cancelled has written nothing; `write_all` and `writeln!` may have written some. What there is room for is
/// written, cancelled or not.
///
/// # Examples
///
/// ```
/// use switchback::io::{self, Write};
/// use switchback::task;
///
/// switchback::run(|| {
///     let words = ["one", "two"];
///     let tellers = words.map(|word| task::spawn(move || writeln!(io::stdout(), "a task tells {word}")));
///     tellers.into_iter().try_for_each(|teller| teller.join().unwrap())
/// }).unwrap();
/// ```
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

/// The standard error of the process, as [`std::io::stderr`], and writing to it blocks the task, as writing to [`stdout`] does.
///
/// # Examples
///
/// ```
/// use switchback::io::{self, Write};
///
/// switchback::run(|| writeln!(io::stderr(), "no other task waits for this")).unwrap();
/// ```
#[must_use]
pub fn stderr() -> Stderr {
    Stderr(io::stderr())
}

/// See [`stdout`].
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// See [`stderr`].
#[derive(Debug)]
pub struct Stderr(io::Stderr);

/// [`Stdout`] for one task or thread alone, until it is dropped.
pub struct StdoutLock<'a>(MutexGuard<'a, Output>);

/// [`Stderr`] for one task or thread alone, until it is dropped.
pub struct StderrLock<'a>(MutexGuard<'a, Output>);

macro_rules! output {
    ($name:ident, $lock:ident, $place:ident, $std:expr) => {
        impl $name {
            /// Waits until nobody else writes, and keeps the others from it: who has this and writes by another handle waits for
            /// ever. No cancellation reaches this wait, as it has no way to tell; the other calls wait for their turn too, and tell.
            #[must_use]
            pub fn lock(&self) -> $lock<'static> {
                $lock($place.lock().unwrap_or_else(PoisonError::into_inner))
            }

            /// Whether it is a terminal, as [`std::io::IsTerminal::is_terminal`].
            #[must_use]
            pub fn is_terminal(&self) -> bool {
                self.0.is_terminal()
            }

            /// The right to write, for one call.
            fn turn(&self) -> io::Result<$lock<'static>> {
                Ok($lock(lock(&$place)?.unwrap_or_else(PoisonError::into_inner)))
            }
        }

        impl Write for &$name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.turn()?.write(bytes)
            }

            /// In one piece: nobody else's is in between.
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.turn()?.write_all(bytes)
            }

            /// In one piece: nobody else's is in between.
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                // Before it is its turn: what is formatted may write as well.
                let text = format(text)?;
                self.turn()?.write_all(text.as_bytes())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for $name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                (&*self).write(bytes)
            }

            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                (&*self).write_all(bytes)
            }

            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                (&*self).write_fmt(text)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for $lock<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(&$std, bytes)
            }

            /// In one piece, if there is room for it.
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.write_all(format(text)?.as_bytes())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl From<$name> for Stdio {
            /// For a child, which gets the same.
            fn from(output: $name) -> Self {
                output.0.into()
            }
        }

        impl fmt::Debug for $lock<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }
    };
}

output!(Stdout, StdoutLock, OUTPUT, io::stdout());
output!(Stderr, StderrLock, ERRORS, io::stderr());

fn format(text: fmt::Arguments<'_>) -> io::Result<String> {
    let mut formatted = String::new();
    formatted.write_fmt(text).map_err(|_| io::Error::other("what was to be formatted has refused"))?;
    Ok(formatted)
}

/// What is written to.
struct Output {
    target: Option<Target>,
}

/// A descriptor for the same, which stays open, and how it is written to.
struct Target {
    source: Source<Arc<File>>,
    way: Way,
    /// A thread that waits, where the descriptor cannot be watched.
    room: Beside<()>,
}

/// How not to wait.
#[derive(Clone, Copy)]
enum Way {
    /// It is a file, or has a description that is ours and does not block, or fails.
    Plain,
    /// A socket, which is told with each call.
    Told,
    /// It is asked whether there is room: for so much then.
    Asked(usize),
}

impl Output {
    const fn new() -> Self {
        Self { target: None }
    }

    fn write(&mut self, to: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let target = match &mut self.target {
            Some(target) => target,
            none => match Target::new(to.as_fd()) {
                Ok(target) => none.insert(target),
                // There is no descriptor left perhaps, and that is about to be told.
                Err(_) => return Ok(rustix::io::write(to, bytes)?),
            },
        };
        target.write(bytes)
    }
}

impl Target {
    fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let file = File::from(fd.try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        // The call is to fail then: nothing would tell of room, and with a description of its own it would not.
        let is_for_reads = fcntl_getfl(&file)? & OFlags::RWMODE == OFlags::RDONLY;
        let (file, way) = match own_description(&file).filter(|_| !is_for_reads) {
            Some(own) => (own, Way::Plain),
            None if is_for_reads => (file, Way::Plain),
            None if kind.is_file() => (file, Way::Plain),
            None if kind.is_socket() => (file, Way::Told),
            // A terminal that has room has room for one.
            None => {
                let most = if file.is_terminal() { 1 } else { libc::PIPE_BUF };
                (file, Way::Asked(most))
            }
        };
        Ok(Self { source: Source::new(Arc::new(file)), way, room: Beside::new() })
    }

    /// Waits until some can be written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            // Its own errors are told apart from those of the wait.
            let written = self.source.call(Direction::Write, None, |file| match self.way.write(file, bytes) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Err(error),
                done => Ok(done),
            });
            match written {
                Ok(done) => return done,
                Err(error) if Cancelled::find_in(&error).is_some() => return Err(error),
                Err(_) if !scheduler::can_wait() => return Err(scheduler::refusal().into()),
                Err(_) => {}
            }
            let file = Arc::clone(self.source.get());
            self.room.call(move || {
                let _ = poll(&mut [PollFd::new(&*file, PollFlags::OUT)], None);
            })?;
        }
    }
}

impl Way {
    /// Writes what there is room for.
    fn write(self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain => file.write(bytes),
            Self::Told => SockRef::from(file).send_with_flags(bytes, libc::MSG_DONTWAIT),
            Self::Asked(most) => {
                let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
                match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&at_once))? {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    _ => file.write(&bytes[..bytes.len().min(most)]),
                }
            }
        }
    }
}

/// Another description of the same pipe or terminal, which does not block: that of the file is shared by other processes.
#[cfg(target_os = "linux")]
fn own_description(file: &File) -> Option<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    let is = file.metadata().ok()?;
    // The other end of terminals would be another one.
    let is_terminal = file.is_terminal() && is.rdev() != libc::makedev(5, 2);
    if !is.file_type().is_fifo() && !is_terminal {
        return None;
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let own = File::options().write(true).custom_flags(flags).open(path).ok()?;
    let own_is = own.metadata().ok()?;
    ((own_is.dev(), own_is.ino()) == (is.dev(), is.ino())).then_some(own)
}

#[cfg(not(target_os = "linux"))]
fn own_description(_: &File) -> Option<File> {
    None
}
