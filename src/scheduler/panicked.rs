//! What a task has panicked with, kept so that errors can be shared by threads.
#![forbid(unsafe_code)]

use core::fmt;
use std::any::Any;
use std::error::Error;
use std::panic;
use std::sync::{Mutex, PoisonError};

/// What a task's body has panicked with. It can be sent to other threads and shared by them, whatever it is: it is only handed out
/// by value.
///
/// # Examples
///
/// ```
/// use switchback::task::{self, JoinError};
///
/// switchback::run(|| {
///     let failed = task::spawn(|| { if true { panic!("no luck") } });
///     let Err(JoinError::Panicked(panic)) = failed.join() else { unreachable!() };
///     assert_eq!(panic.message(), Some("no luck"));
///     assert_eq!(panic.to_string(), "no luck");
///     assert_eq!(panic.into_payload().downcast_ref(), Some(&"no luck"));
/// });
/// ```
// A word, so that outcomes of tasks get no larger.
pub struct Panic(Box<Payload>);

/// A message may be looked at by anybody, anything else by its owner alone: the lock is never taken.
enum Payload {
    Literal(&'static str),
    Text(String),
    Other(Mutex<Box<dyn Any + Send>>),
}

impl Panic {
    #[cold]
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let kept = payload.downcast().map(|text| Payload::Literal(*text));
        let kept = kept.or_else(|payload| payload.downcast().map(|text| Payload::Text(*text)));
        Self(Box::new(kept.unwrap_or_else(|payload| Payload::Other(Mutex::new(payload)))))
    }

    /// The message of `panic!` and the like; none if it has panicked with something else.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &*self.0 {
            Payload::Literal(text) => Some(text),
            Payload::Text(text) => Some(text),
            Payload::Other(_) => None,
        }
    }

    /// The message, or what stands for one.
    pub(super) fn text(&self) -> &str {
        self.message().unwrap_or("..")
    }

    /// The payload, as [`catch_unwind`](std::panic::catch_unwind) returns it.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match *self.0 {
            Payload::Literal(text) => Box::new(text),
            Payload::Text(text) => Box::new(text),
            Payload::Other(payload) => payload.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Goes on with the panic, without a message of its own.
    ///
    /// # Panics
    ///
    /// With the payload.
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.text()).finish()
    }
}

/// The [message](Panic::message), or `..` where there is none.
impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Error for Panic {}
