//! Waiting: what all calls have in common that can.
#![forbid(unsafe_code)]

use super::status::Status;
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Stopped};
use std::time::Duration;

/// `SWB_FOREVER`.
pub(super) const FOREVER: u64 = u64::MAX;

/// A handle of what threads share: compared, never followed.
pub(super) type Shared = *mut super::slot::Opaque;

/// The limit that `nanoseconds` stand for.
pub(super) fn limit(nanoseconds: u64) -> Limit {
    if nanoseconds == FOREVER { Limit::Never } else { Limit::After(Duration::from_nanos(nanoseconds)) }
}

pub(super) fn done(waited: Result<(), Cancelled>) -> Status {
    match waited {
        Ok(()) => Status::Ok,
        Err(cancelled) => Status::of_cancelled(&cancelled),
    }
}

/// Why a wait has ended.
pub(super) fn why(stopped: &Stopped) -> Status {
    match stopped {
        Stopped::TimedOut => Status::TimedOut,
        Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => Status::of_cancelled(cancelled),
    }
}
