//! How a child's end is waited for.

use crate::io::Beside;
use crate::scheduler;
#[cfg(target_os = "linux")]
use crate::{
    cancelled::Cancelled,
    scheduler::{Direction, Source},
};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::io;
use std::process::{self, ExitStatus};

/// A child of std's, and what its end is waited for with. Its number is its own until it has been waited for to the end.
pub(super) struct Waited {
    child: process::Child,
    /// From the first wait to the end.
    #[cfg(target_os = "linux")]
    pidfd: Option<Source<std::os::fd::OwnedFd>>,
    thread: Beside<rustix::io::Result<()>>,
    pub(super) kill_on_drop: bool,
}

impl Waited {
    pub(super) fn new(child: process::Child, kill_on_drop: bool) -> Self {
        Self {
            child,
            #[cfg(target_os = "linux")]
            pidfd: None,
            thread: Beside::new(),
            kill_on_drop,
        }
    }

    pub(super) fn get(&self) -> &process::Child {
        &self.child
    }

    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        #[cfg(target_os = "linux")]
        if status.is_some() {
            self.pidfd = None;
        }
        Ok(status)
    }

    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            #[cfg(target_os = "linux")]
            if let Some(done) = self.wait_for_descriptor() {
                return done;
            }
            if !scheduler::can_wait() {
                return Err(scheduler::refusal().into());
            }
            let pid = Pid::from_child(&self.child);
            let told = self.thread.call(move || wait_and_leave(pid))?;
            // As that leaves the status where it is, it is there now. If not, the thread may have begun late, and have waited for
            // another child that has got the number of one that somebody else has waited for: try again.
            if let (None, Err(error)) = (self.try_wait()?, told) {
                return Err(error.into());
            }
        }
    }

    /// None where there is no descriptor, or it cannot be watched.
    #[cfg(target_os = "linux")]
    fn wait_for_descriptor(&mut self) -> Option<io::Result<ExitStatus>> {
        use rustix::process::{PidfdFlags, pidfd_open};

        if self.thread.goes_on() {
            return None;
        }
        let pidfd = match &mut self.pidfd {
            Some(pidfd) => &*pidfd,
            none => none.insert(Source::new(pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).ok()?)),
        };
        let child = &mut self.child;
        let waited =
            pidfd.call(Direction::Read, None, |_| child.try_wait()?.ok_or_else(|| io::ErrorKind::WouldBlock.into()));
        match waited {
            Err(error) if Cancelled::find_in(&error).is_none() => None,
            told => {
                if told.is_ok() {
                    self.pidfd = None;
                }
                Some(told)
            }
        }
    }
}

/// Blocks until the child has ended, and leaves it to be waited for.
fn wait_and_leave(pid: Pid) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)).map(drop)
}

impl Drop for Waited {
    fn drop(&mut self) {
        if !self.kill_on_drop || !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if self.child.kill().is_err() {
            // It runs as another user, and goes on for as long as it likes.
            return;
        }
        // Not for long. Where the task cannot wait, the thread does.
        if scheduler::shield(|| self.wait()).is_err() {
            let _ = self.child.wait();
        }
    }
}
