#![doc = include_str!("../docs/GUIDE.md")]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arch;
mod coroutine;
pub mod future;
pub mod stack;

pub use coroutine::{
    Builder, CloseError, Coroutine, CoroutineState, CreateError, Delegate, Description, Event, Generator, Misuse,
    Report, Scoped, SendError, State, Thrown, Values, Yielder, scoped, set_report_hook, try_scoped,
};
pub use future::{Awaiter, Cancelled, await_, stackful, stackful_on};
