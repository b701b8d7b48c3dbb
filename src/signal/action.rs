//! What a signal does, as the system has it. Handlers are installed by signal-hook; here they are only looked at.

use super::Signal;
use core::mem::MaybeUninit;
use core::ptr;
use std::io;

/// What a signal does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Default,
    Ignore,
    Handler,
}

/// What the signal does now.
pub(super) fn of(signal: Signal) -> io::Result<Action> {
    Ok(match get(signal)?.sa_sigaction {
        libc::SIG_DFL => Action::Default,
        libc::SIG_IGN => Action::Ignore,
        _ => Action::Handler,
    })
}

/// Lets the handler of a signal run on the alternate stack of its thread, which std gives to each. signal-hook does not ask for
/// it, and a coroutine may have less stack left than the kernel and a handler want.
pub(super) fn use_alternate_stack(signal: Signal) -> io::Result<()> {
    let mut action = get(signal)?;
    if action.sa_flags & libc::SA_ONSTACK != 0 {
        return Ok(());
    }
    action.sa_flags |= libc::SA_ONSTACK;
    // SAFETY: it is the action that is installed, but for the flag, which asks nothing of a handler (invariant 52).
    if unsafe { libc::sigaction(signal.0, &action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn get(signal: Signal) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: it is only asked for, and there is room for it, which is written when the call succeeds.
    unsafe {
        if libc::sigaction(signal.0, ptr::null(), action.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(action.assume_init())
    }
}
