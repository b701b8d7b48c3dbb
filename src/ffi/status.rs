//! What calls return: `swb_status` of the header.
#![forbid(unsafe_code)]

use crate::cancelled::{CancelReason, Cancelled};
use crate::{Misuse, SendError};
use core::ffi::CStr;

/// Defines the statuses, each with its number and its words.
macro_rules! statuses {
    ($($name:ident = $number:literal, $words:literal;)*) => {
        /// `swb_status`: see the header for each.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(i32)]
        pub(super) enum Status {
            $($name = $number,)*
        }

        /// The words of `swb_status_string`.
        pub(super) fn words(status: i32) -> &'static CStr {
            match status {
                $($number => $words,)*
                _ => c"no status of this library",
            }
        }
    };
}

statuses! {
    Ok = 0, c"done";
    Yielded = 1, c"the coroutine has yielded";
    Returned = 2, c"the coroutine has returned";
    Exit = -1, c"the coroutine is to exit, or has exited";
    Thrown = -2, c"an error was thrown";
    NotStarted = -3, c"the coroutine has not started";
    Started = -4, c"the coroutine has already started";
    Finished = -5, c"the coroutine has finished";
    Running = -6, c"the coroutine is running";
    Unfinished = -7, c"the coroutine has not finished";
    Abandoned = -8, c"the coroutine's thread is ending";
    Ignored = -9, c"the coroutine ignored the exit";
    Outside = -10, c"this is not called by what it is for";
    Panicking = -11, c"nothing can be suspended while a panic unwinds the thread";
    Invalid = -12, c"a handle or an argument is not valid";
    WrongThread = -13, c"the coroutine belongs to another thread";
    NoStack = -14, c"there is no stack to be had";
    Panic = -15, c"the library has failed";
    Cancelled = -16, c"the task was cancelled";
    TimedOut = -17, c"the time is over";
    Closed = -18, c"the other side is gone";
    NoRuntime = -19, c"there is no runtime here";
    Nested = -20, c"a runtime cannot run inside of a task";
    NotLocked = -21, c"the mutex is not locked";
    Itself = -22, c"a task cannot wait for itself";
    NoThread = -23, c"a thread could not be started";
    Busy = -24, c"it is in use";
    Io = -25, c"the system refuses";
}

impl Status {
    /// Why something was not delivered to a coroutine.
    #[cold]
    pub(super) fn of_refusal<S, E>(error: &SendError<S, E>) -> Self {
        match error {
            SendError::NotStarted(_) => Self::NotStarted,
            SendError::Started(_) => Self::Started,
            SendError::Finished(_) => Self::Finished,
            SendError::Running(_) => Self::Running,
            SendError::Abandoned(_) => Self::Abandoned,
            SendError::Thrown(_) => Self::Thrown,
        }
    }

    #[cold]
    pub(super) fn of_misuse(misuse: Misuse) -> Self {
        match misuse {
            Misuse::Ignored => Self::Ignored,
            Misuse::Finished => Self::Finished,
            Misuse::Running => Self::Running,
            Misuse::NotStarted => Self::NotStarted,
            Misuse::Started => Self::Started,
            Misuse::Abandoned => Self::Abandoned,
            Misuse::Panicking => Self::Panicking,
            Misuse::Sent | Misuse::Delegating => Self::Outside,
        }
    }

    #[cold]
    pub(super) fn of_cancelled(cancelled: &Cancelled) -> Self {
        match cancelled.reason() {
            CancelReason::Panicking => Self::Panicking,
            CancelReason::Outside => Self::Outside,
            _ => Self::Cancelled,
        }
    }
}
