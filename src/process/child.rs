//! A process that was started.

use super::ends::{ChildStderr, ChildStdin, ChildStdout, read_both};
use super::wait::Waited;
use core::fmt;
use core::mem;
use std::io;
use std::process::{self, ExitStatus, Output};

/// A process that was started by [`Command::spawn`](super::Command::spawn): [`std::process::Child`] that is waited for by the task.
/// See the [module](super).
///
/// Dropped, it goes on; only [`kill_on_drop`](super::Command::kill_on_drop) ends it then.
///
/// # Examples
///
/// ```
/// use switchback::io::{BufRead, BufReader};
/// use switchback::process::{Command, Stdio};
///
/// switchback::run(|| {
///     let mut child = Command::new("sh").args(["-c", "echo one; echo two; exit 3"]).stdout(Stdio::piped()).spawn()?;
///     let lines = BufReader::new(child.stdout.take().unwrap()).lines();
///     assert_eq!(lines.collect::<Result<Vec<_>, _>>()?, ["one", "two"]);
///     assert_eq!(child.wait()?.code(), Some(3));
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct Child {
    waited: Waited,
    /// Its standard input, if that is piped.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is piped.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    pub(super) fn new(mut child: process::Child, kill_on_drop: bool) -> io::Result<Self> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // Should a pipe be refused, nobody has the child.
        let mut waited = Waited::new(child, true);
        let stdin = pipes.0.map(ChildStdin::from_std).transpose()?;
        let stdout = pipes.1.map(ChildStdout::from_std).transpose()?;
        let stderr = pipes.2.map(ChildStderr::from_std).transpose()?;
        waited.kill_on_drop = kill_on_drop;
        Ok(Self { waited, stdin, stdout, stderr })
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.waited.get().id()
    }

    /// Makes it end, by SIGKILL, without waiting for that. Nothing happens if it has been waited for to the end.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.waited.kill()
    }

    /// How it has ended, if it has; without waiting.
    ///
    /// # Errors
    ///
    /// When somebody else has waited for it.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.waited.try_wait()
    }

    /// Waits until it has ended, and tells how. What is left of its standard input is closed first, so that it does not wait for that.
    ///
    /// # Errors
    ///
    /// When the task is cancelled: then the child goes on, and this can be called again. When somebody else has waited for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchback::process::Command;
    /// use switchback::task;
    ///
    /// switchback::run(|| {
    ///     let mut child = Command::new("sleep").arg("1000").spawn()?;
    ///     let status = match task::timeout(Duration::from_millis(10), || child.wait()) {
    ///         Ok(status) => status?,
    ///         Err(_) => {
    ///             child.kill()?; // it had its time
    ///             child.wait()?
    ///         }
    ///     };
    ///     assert_eq!(status.code(), None); // it was killed
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.waited.wait()
    }

    /// Reads what it writes to its standard output and standard error, where these are piped, until all who can write to them
    /// have gone, and then waits until it has ended. What is left of its standard input is closed first.
    ///
    /// # Errors
    ///
    /// When the task is cancelled, or reading fails: then the child is killed and waited for, as nobody has it any more. When
    /// somebody else has waited for it.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let kill_on_drop = mem::replace(&mut self.waited.kill_on_drop, true);
        let [stdout, stderr] = read_both(self.stdout.take(), self.stderr.take())?;
        let status = self.waited.wait()?;
        self.waited.kill_on_drop = kill_on_drop;
        Ok(Output { status, stdout, stderr })
    }

    /// [`wait`](Self::wait) of one that nobody has afterwards.
    pub(super) fn wait_and_end(mut self) -> io::Result<ExitStatus> {
        self.waited.kill_on_drop = true;
        self.wait()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish()
    }
}
