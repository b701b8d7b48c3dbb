//! Waiting for descriptors, which stay the caller's.

use super::guard::{guarded, refuse};
use super::status::Status;
use super::wait::FOREVER;
use crate::cancelled::Cancelled;
use crate::scheduler::{self as task, Direction, Source};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

#[unsafe(no_mangle)]
extern "C" fn swb_wait_readable(fd: RawFd, timeout: u64) -> Status {
    guarded(|| wait(fd, Direction::Read, timeout).unwrap_or_else(|error| status_of(&error)))
}

#[unsafe(no_mangle)]
extern "C" fn swb_wait_writable(fd: RawFd, timeout: u64) -> Status {
    guarded(|| wait(fd, Direction::Write, timeout).unwrap_or_else(|error| status_of(&error)))
}

/// Tries first. What has to be waited for is watched under another number for the same, as this one may be watched already, by
/// another task, and may be closed meanwhile.
fn wait(fd: RawFd, direction: Direction, timeout: u64) -> io::Result<Status> {
    task::check_cancelled()?;
    match ready(fd, direction) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        done => {
            done?;
            // A task whose descriptor is always ready must not keep the others waiting. It is ready, cancelled or not.
            let _ = task::yield_now();
            return Ok(Status::Ok);
        }
    }
    if timeout == 0 {
        // Nor must one that asks again and again.
        let _ = task::yield_now();
        return Ok(Status::TimedOut);
    }
    let longest = (timeout != FOREVER).then(|| Duration::from_nanos(timeout));
    Source::new(another(fd)?).call(direction, longest, |other| ready(other.as_fd().as_raw_fd(), direction))?;
    Ok(Status::Ok)
}

/// Whether a call would not wait. What has failed, or is shut, is ready: the call tells.
fn ready(fd: RawFd, direction: Direction) -> io::Result<()> {
    let events = match direction {
        Direction::Read => libc::POLLIN,
        Direction::Write => libc::POLLOUT,
    };
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    let found = loop {
        // SAFETY: it is asked about one descriptor, of any number, and does not wait.
        let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
        // It does not wait, but a signal that comes meanwhile interrupts it all the same, and SA_RESTART is not for it.
        if found != -1 || io::Error::last_os_error().kind() != ErrorKind::Interrupted {
            break found;
        }
    };
    match found {
        0 => Err(ErrorKind::WouldBlock.into()),
        1 if asked.revents & libc::POLLNVAL != 0 => Err(io::Error::from_raw_os_error(libc::EBADF)),
        1 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Another descriptor for what `fd` is one of.
fn another(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it takes any number.
    match unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: it was made just now, and nobody else has it.
        other => Ok(unsafe { OwnedFd::from_raw_fd(other) }),
    }
}

fn status_of(error: &io::Error) -> Status {
    if let Some(cancelled) = Cancelled::find_in(error) {
        return Status::of_cancelled(cancelled);
    }
    match error.kind() {
        ErrorKind::TimedOut => Status::TimedOut,
        _ if error.raw_os_error() == Some(libc::EBADF) => Status::Invalid,
        _ => refuse(Status::Io, &error.to_string()),
    }
}
