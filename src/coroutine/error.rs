//! What can go wrong, as values that hand back what they were given.
#![forbid(unsafe_code)]

use crate::stack::{Stack, StackError};
use core::convert::Infallible;
use core::fmt;
use std::error::Error;

/// What a suspended body finds instead of a value: it is asked to leave, or an error was thrown in.
///
/// A body that has nothing to say about it passes it on with `?`. A value of `E` becomes a `Thrown<E>` by `?` too, so a
/// body may use `?` on its own errors.
///
/// # Examples
///
/// ```
/// use switchback::{Coroutine, CoroutineState, SendError, Thrown};
///
/// let mut co = Coroutine::throwing(|y| loop {
///     match y.yield_("ready") {
///         Ok(()) => {}
///         Err(Thrown::Error("recoverable")) => {}
///         Err(thrown) => return Err::<(), _>(thrown),
///     }
/// });
/// co.start().unwrap();
/// assert_eq!(co.throw("recoverable"), Ok(CoroutineState::Yielded("ready")));
/// assert_eq!(co.throw("fatal"), Err(SendError::Thrown(Thrown::Error("fatal"))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Thrown<E = Infallible> {
    /// The coroutine is being closed or dropped: clean up and return. Python's `GeneratorExit`.
    Exit,
    /// An error that was thrown in.
    Error(E),
    /// The coroutine was used in a way that cannot work. Python's `RuntimeError` and `ValueError` inside a generator.
    Misuse(Misuse),
}

impl<E> From<E> for Thrown<E> {
    fn from(error: E) -> Self {
        Self::Error(error)
    }
}

/// By `?` in a body that resumes another coroutine: what that one ended with goes on, and a refusal becomes a [`Misuse`].
/// The value that was not delivered is dropped.
impl<S, E> From<SendError<S, E>> for Thrown<E> {
    fn from(error: SendError<S, E>) -> Self {
        Self::Misuse(match error {
            SendError::Thrown(thrown) => return thrown,
            SendError::NotStarted(_) => Misuse::NotStarted,
            SendError::Started(_) => Misuse::Started,
            SendError::Finished(_) => Misuse::Finished,
            SendError::Running(_) => Misuse::Running,
            SendError::Abandoned(_) => Misuse::Abandoned,
        })
    }
}

impl<E: fmt::Display> fmt::Display for Thrown<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit => f.write_str("the coroutine was asked to exit"),
            Self::Error(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for Thrown<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) => error.source(),
            _ => None,
        }
    }
}

/// Uses of a coroutine that cannot work, told to the body that attempted them or that they happened to.
// As wide as a word, so that `Result<u64, Thrown>`, which every yield returns, is a pair of words and stays in registers;
// with a tag of one byte it is returned through memory, by each function on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(usize)]
pub enum Misuse {
    /// The coroutine delegated to was asked to exit and yielded instead. It is suspended there.
    Ignored,
    /// The coroutine to delegate to, or to resume, has finished.
    Finished,
    /// The coroutine to delegate to, or to resume, is running.
    Running,
    /// A value was sent to a coroutine that had not started, and `?` has made this of the error.
    NotStarted,
    /// A coroutine was to be started that had been started before, and `?` has made this of the error.
    Started,
    /// The coroutine to delegate to, or to resume, will never run again: see [`SendError::Abandoned`].
    Abandoned,
    /// A value was sent to a body that only takes "go on": it yields the items of an iterator.
    Sent,
    /// The coroutine delegates to another, or runs something on its consumer's stack, and cannot suspend until that has
    /// ended.
    Delegating,
    /// The thread is unwinding from a panic that began in this coroutine: suspending now would make unrelated code
    /// believe that it is panicking.
    Panicking,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignored => "the coroutine delegated to ignored the exit",
            Self::Finished => "the coroutine delegated to, or resumed, has finished",
            Self::Running => "the coroutine delegated to, or resumed, is running",
            Self::NotStarted => "a value was sent to a coroutine that has not started",
            Self::Started => "the coroutine has already started",
            Self::Abandoned => "the coroutine delegated to, or resumed, will never run again",
            Self::Sent => "a value was sent to a coroutine that yields the items of an iterator",
            Self::Delegating => "the coroutine delegates to another and cannot suspend by itself",
            Self::Panicking => "a coroutine cannot suspend while it is unwinding from a panic",
        })
    }
}

impl Error for Misuse {}

/// Why a coroutine was not resumed, or did not come back with a value. What was sent and not delivered is in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError<S, E = Infallible> {
    /// A value was sent before the coroutine had reached its first yield. It is still usable: `start` it.
    NotStarted(S),
    /// It was to be started, and has been started before. It is suspended where it was.
    Started(S),
    /// It has finished.
    Finished(S),
    /// It is running: this call comes from inside it.
    Running(S),
    /// The thread is ending, and thread-locals that the coroutine's frames may have borrowed are gone: it will never run.
    Abandoned(S),
    /// It was resumed, and its body ended with this; or an error was thrown at a coroutine that had not started.
    Thrown(Thrown<E>),
}

impl<S, E> SendError<S, E> {
    /// The value that was not delivered.
    pub fn into_value(self) -> Option<S> {
        match self {
            Self::NotStarted(value)
            | Self::Started(value)
            | Self::Finished(value)
            | Self::Running(value)
            | Self::Abandoned(value) => Some(value),
            Self::Thrown(_) => None,
        }
    }

    /// The variant's name and message; the message of `Thrown` is the thrown thing's.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotStarted(_) => ("NotStarted", "a value was sent to a coroutine that has not started"),
            Self::Started(_) => ("Started", "the coroutine has already started"),
            Self::Finished(_) => ("Finished", "the coroutine has finished"),
            Self::Running(_) => ("Running", "the coroutine is running"),
            Self::Abandoned(_) => ("Abandoned", "the coroutine's thread is ending"),
            Self::Thrown(_) => ("Thrown", ""),
        }
    }
}

// By hand: `unwrap` must not ask for `Debug` of what was sent.
impl<S, E: fmt::Debug> fmt::Debug for SendError<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thrown(thrown) => f.debug_tuple("Thrown").field(thrown).finish(),
            other => write!(f, "{}(..)", other.words().0),
        }
    }
}

impl<S, E: fmt::Display> fmt::Display for SendError<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thrown(thrown) => thrown.fmt(f),
            other => f.write_str(other.words().1),
        }
    }
}

impl<S, E: Error + 'static> Error for SendError<S, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thrown(thrown) => thrown.source(),
            _ => None,
        }
    }
}

/// Why a coroutine could not be closed cleanly.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseError<Y, E = Infallible> {
    /// It was asked to exit and yielded this instead. It is suspended there, and may be resumed or closed again.
    Ignored(Y),
    /// Its body ended with this error. It is finished.
    Error(E),
    /// Its body ended with this misuse. It is finished.
    Misuse(Misuse),
    /// It is running: this call comes from inside it.
    Running,
    /// The program is built with `panic=abort`, and the body waits where it can only leave by unwinding: in
    /// [`yield_or_unwind`](crate::Yielder::yield_or_unwind). It will never run again, and is leaked with its stack.
    Leaked,
}

impl<Y, E: fmt::Debug> fmt::Debug for CloseError<Y, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored(_) => f.write_str("Ignored(..)"),
            Self::Error(error) => f.debug_tuple("Error").field(error).finish(),
            Self::Misuse(misuse) => f.debug_tuple("Misuse").field(misuse).finish(),
            Self::Running => f.write_str("Running"),
            Self::Leaked => f.write_str("Leaked"),
        }
    }
}

impl<Y, E: fmt::Display> fmt::Display for CloseError<Y, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored(_) => f.write_str("the coroutine ignored the exit"),
            Self::Error(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Running => f.write_str("the coroutine is running"),
            Self::Leaked => f.write_str("the coroutine can only leave by unwinding, which this program cannot"),
        }
    }
}

impl<Y, E: Error + 'static> Error for CloseError<Y, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) => error.source(),
            Self::Misuse(_) | Self::Ignored(_) | Self::Running | Self::Leaked => None,
        }
    }
}

/// Why a coroutine could not be created, with the body that it was to have.
///
/// It may hold a [`Stack`] of the caller's, so it stays on its thread. The [`StackError`] in it need not.
pub struct CreateError<F> {
    error: StackError,
    body: F,
    stack: Option<Box<dyn Stack>>,
}

impl<F> CreateError<F> {
    #[cold]
    pub(super) fn new(error: StackError, body: F, stack: Option<Box<dyn Stack>>) -> Self {
        Self { error, body, stack }
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &StackError {
        &self.error
    }

    /// The body, back.
    #[must_use]
    pub fn into_body(self) -> F {
        self.body
    }

    /// What went wrong, the body, and the stack that was given to the builder.
    #[must_use]
    pub fn into_parts(self) -> (StackError, F, Option<Box<dyn Stack>>) {
        (self.error, self.body, self.stack)
    }
}

impl<F> fmt::Debug for CreateError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for CreateError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no stack for a coroutine: {}", self.error)
    }
}

impl<F> Error for CreateError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
