//! Writes to sockets without SIGPIPE, by a call that has no flag for that: the signal is held back in the calling thread, and taken
//! back. Others do not see it: it goes to the thread that writes.

use core::mem::MaybeUninit;
use core::ptr;

/// Calls `write`, whose error (EPIPE) says all that the signal would.
pub(super) fn without_sigpipe<T>(write: impl FnOnce() -> T) -> T {
    let held_back = HeldBack::new();
    let result = write();
    drop(held_back);
    result
}

/// SIGPIPE does not reach the thread until this is dropped.
struct HeldBack {
    /// The signals that it held back before. None if it has one of these by now, of somebody else's, who is to have it: then another one
    /// is no more than that.
    before: Option<libc::sigset_t>,
}

impl HeldBack {
    fn new() -> Self {
        let mut before = MaybeUninit::uninit();
        // SAFETY: the sets are written before they are read; the thread's mask is changed by SIGPIPE alone.
        unsafe {
            let mut pending = empty();
            if libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, libc::SIGPIPE) == 1 {
                return Self { before: None };
            }
            let held_back = libc::pthread_sigmask(libc::SIG_BLOCK, &sigpipe(), before.as_mut_ptr()) == 0;
            Self { before: held_back.then(|| before.assume_init()) }
        }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // Also after a write that has sent something, as one that is made of several may raise it at the last.
        // SAFETY: the set and the time are there, and nobody is told more than the number.
        while unsafe { libc::sigtimedwait(&sigpipe(), ptr::null_mut(), &at_once) } == -1
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
        {}
        // SAFETY: it is what the thread's mask was.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: it writes the set, and does not fail.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn sigpipe() -> libc::sigset_t {
    let mut set = empty();
    // SAFETY: there is a set, and such a signal.
    unsafe { libc::sigaddset(&mut set, libc::SIGPIPE) };
    set
}

#[cfg(test)]
mod tests {
    use super::{HeldBack, empty, sigpipe, without_sigpipe};
    use std::ptr;

    fn is_in(set: &libc::sigset_t) -> bool {
        // SAFETY: there is a set, and such a signal.
        unsafe { libc::sigismember(set, libc::SIGPIPE) == 1 }
    }

    fn is_blocked() -> bool {
        let mut mask = empty();
        // SAFETY: it asks.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask) };
        is_in(&mask)
    }

    fn is_pending() -> bool {
        let mut pending = empty();
        // SAFETY: it asks.
        unsafe { libc::sigpending(&mut pending) };
        is_in(&pending)
    }

    /// Sends this thread one, as a write does.
    fn raise() {
        // SAFETY: it is blocked.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGPIPE) }, 0);
    }

    #[test]
    fn it_is_taken_back_unless_it_is_anothers() {
        without_sigpipe(|| {
            assert!(is_blocked());
            raise();
        });
        assert!(!is_blocked() && !is_pending());
        // By who blocks it and waits for it.
        let others = HeldBack::new();
        without_sigpipe(raise);
        assert!(is_blocked() && !is_pending());
        raise();
        without_sigpipe(raise);
        assert!(is_blocked() && is_pending());
        drop(others);
        assert!(!is_blocked() && !is_pending() && !is_in(&empty()) && is_in(&sigpipe()));
    }
}
