//! Python's exceptions, as what the library throws.
//!
//! | in Python | here |
//! |---|---|
//! | `GeneratorExit` | `Thrown::Exit`, which is never an `Error` |
//! | `E0`..`E3`, `StopIteration` raised by a program | `Thrown::Error(Error::Raised(..))` |
//! | `RuntimeError: generator ignored GeneratorExit` | `Misuse::Ignored` |
//! | `ValueError: generator already executing` | `Misuse::Running` |
//! | `TypeError: can't send non-None value to a just-started generator` | `Misuse::NotStarted` |
//! | `AttributeError: 'list_iterator' object has no attribute 'send'` | `Misuse::Sent` |
//! | `RuntimeError: cannot reuse already awaited coroutine` | `Misuse::Finished`, where the kind is `coro` |
//!
//! What has no counterpart are rules of Python alone, which the interpreter keeps: a StopIteration that leaves a body
//! becomes a RuntimeError (PEP 479), and a coroutine is not awaited twice at a time.

use super::program::{Class, Kind, Value};
use serde_json::{Value as Json, json};
use switchback::{Misuse, Thrown};

/// What is in flight in a body, or comes out of it.
pub(crate) type Exception = Thrown<Error>;

/// What can be thrown at a coroutine, and what its body fails with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    /// By a program: E0 to E3 or StopIteration, and what it carries.
    Raised(Class, Value),
    /// A StopIteration has left a body.
    LeftByStopIteration,
    /// A delegation to a coroutine that is suspended: another awaits it.
    AlreadyAwaited,
    /// The run is given up: nobody catches this.
    Stop,
}

/// The exception that a program raises or throws. GeneratorExit carries nothing.
pub(crate) fn exception(class: Class, payload: Value) -> Exception {
    match class {
        Class::GeneratorExit => Thrown::Exit,
        class => Thrown::Error(Error::Raised(class, payload)),
    }
}

/// The class of an exception, unless it is the one that has none.
pub(crate) fn class(exception: Exception) -> Option<Class> {
    Some(match exception {
        Thrown::Exit => Class::GeneratorExit,
        Thrown::Error(Error::Raised(class, _)) => class,
        Thrown::Error(Error::LeftByStopIteration | Error::AlreadyAwaited) => Class::RuntimeError,
        Thrown::Error(Error::Stop) => return None,
        Thrown::Misuse(Misuse::Ignored | Misuse::Finished) => Class::RuntimeError,
        Thrown::Misuse(Misuse::Running) => Class::ValueError,
        Thrown::Misuse(Misuse::NotStarted) => Class::TypeError,
        Thrown::Misuse(Misuse::Sent) => Class::AttributeError,
        other => unreachable!("no program comes to this: {other:?}"),
    })
}

/// What a handler's variable gets.
pub(crate) fn payload(exception: Exception) -> Value {
    match exception {
        Thrown::Error(Error::Raised(_, payload)) => payload,
        _ => None,
    }
}

/// An exception as a trace has it.
pub(crate) fn shown(exception: Exception, kind: Kind) -> Json {
    let Some(class) = class(exception) else { unreachable!("nothing is traced of a run that is given up") };
    let word = match kind {
        Kind::Generators => "generator",
        Kind::Coroutines => "coroutine",
    };
    let message = match exception {
        Thrown::Exit => return json!([class.name()]),
        Thrown::Error(Error::Raised(_, payload)) => return json!([class.name(), payload]),
        Thrown::Error(Error::AlreadyAwaited) => "coroutine is being awaited already".into(),
        Thrown::Misuse(Misuse::Finished) => "cannot reuse already awaited coroutine".into(),
        Thrown::Misuse(Misuse::Ignored) => format!("{word} ignored GeneratorExit"),
        Thrown::Misuse(Misuse::Running) => format!("{word} already executing"),
        Thrown::Misuse(Misuse::NotStarted) => format!("can't send non-None value to a just-started {word}"),
        Thrown::Misuse(Misuse::Sent) => "'list_iterator' object has no attribute 'send'".into(),
        _ => format!("{word} raised StopIteration"),
    };
    json!([class.name(), message])
}
