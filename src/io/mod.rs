//! Pipes, and standard input, output and error, that block the task and not the thread, with the names and methods of [`std::io`]:
//! changing the import is enough. On Unix only, for now.
//!
//! What is not listed here as this module's own is std's, as it is: the traits, `BufReader`, `copy`. So are `print!` and `println!`:
//! whoever uses them blocks the thread, where [`stdout`] does not.
//!
//! - A call tries first. If it would block, its task is suspended, and the other tasks of the worker run. Outside of a runtime it
//!   blocks the thread.
//! - Cancelled, or out of the time of a [`timeout`](crate::task::timeout), a call that would wait is an error in which
//!   [`Cancelled::find_in`](crate::Cancelled::find_in) finds the reason, as in [`net`](crate::net). It has taken no byte, if it is one
//!   read: `read_exact`, `read_to_end` and the like have put what they have read into the caller's buffer.
//! - A pipe's end does not block, which [`try_clone`](PipeReader::try_clone) shares, and the other end does not. One comes in by
//!   `from_std`, or as an [`OwnedFd`](std::os::fd::OwnedFd) by `try_from`, and leaves by `into_std` or as a
//!   [`Stdio`](std::process::Stdio) for a child: then it blocks again.
//! - Standard input, output and error may be shared with other processes, so they are left as they are: see [`stdin`] and [`stdout`].
//!
//! # Examples
//!
//! ```
//! use switchback::io::{self, Read, Write};
//! use switchback::task;
//!
//! switchback::run(|| {
//!     let (mut reader, mut writer) = io::pipe()?;
//!     let answer = task::spawn(move || {
//!         let mut text = String::new();
//!         reader.read_to_string(&mut text).map(|_| text)
//!     });
//!     writer.write_all(b"from task to task")?;
//!     drop(writer); // the end
//!     assert_eq!(answer.join().unwrap()?, "from task to task");
//!     Ok::<_, io::Error>(())
//! }).unwrap();
//! ```
#![forbid(unsafe_code)]

mod beside;
mod output;
mod pipe;
mod stdin;

pub(crate) use beside::Beside;
pub use output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub(crate) use pipe::{pipe_end, reads, writes};
pub use std::io::*;
pub use stdin::{Stdin, StdinLock, stdin};
