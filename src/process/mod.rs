//! Processes that are waited for by a task and not by the thread, with the names and methods of [`std::process`]: changing the
//! import is enough. On Unix only, for now, but for OpenBSD and Redox.
//!
//! - A call that waits for a child suspends its task, and the other tasks of the worker run. Outside of a runtime it blocks the
//!   thread. To start a child takes the thread as long as the system takes, some hundred microseconds in general.
//! - Cancelled, or out of the time of a [`timeout`](crate::task::timeout), [`Child::wait`] is an error in which
//!   [`Cancelled::find_in`](crate::Cancelled::find_in) finds the reason. The child goes on, and can be waited for again.
//! - Calls that have the child to themselves ([`Command::output`], [`Command::status`], [`Child::wait_with_output`]) kill it when they
//!   fail, cancelled or not, and wait for its end: nobody else could. What it has started itself goes on. So does one that may not
//!   be killed, as it runs as another user (`sudo`): it is not waited for.
//! - A [`Child`] that is dropped goes on, as std's does, and stays a zombie when it has ended, until the program ends. With
//!   [`Command::kill_on_drop`] it is killed and waited for, in the same way.
//! - On Linux a child is waited for by a descriptor, a pidfd. Where there is none to be had (other systems, old kernels, sandboxes,
//!   or all descriptors are used up) a thread beside the worker waits, one for each such child, as in [`offload`](crate::offload()):
//!   see there for how many there are. Once begun, that thread waits until the child ends, cancelled or not.
//!
//! What is not listed here as this module's own is std's, as it is. A [`Command`] is made of one of std's by `From`, and
//! [`Command::as_std_mut`] reaches it, for what is unsafe or of one system only.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use switchback::io::{Read, Write};
//! use switchback::process::{Command, Stdio};
//! use switchback::task;
//!
//! switchback::run(|| {
//!     let output = Command::new("echo").arg("hello").output()?;
//!     assert!(output.status.success() && output.stdout == b"hello\n");
//!
//!     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//!     let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
//!     let writer = task::spawn(move || input.write_all(&[b'x'; 1_000_000])); // more than a pipe holds
//!     let mut text = String::new();
//!     output.read_to_string(&mut text)?;
//!     writer.join().unwrap()?;
//!     assert!(child.wait()?.success() && text.len() == 1_000_000);
//!
//!     let mut child = Command::new("sleep").arg("1000").spawn()?;
//!     assert!(task::timeout(Duration::from_millis(1), || child.wait()).is_err()); // the time is over
//!     child.kill()?;
//!     assert!(!child.wait()?.success());
//!     Ok::<_, std::io::Error>(())
//! }).unwrap();
//! ```
#![forbid(unsafe_code)]

mod child;
mod command;
mod ends;
mod wait;

pub use child::Child;
pub use command::Command;
pub use ends::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::*;
