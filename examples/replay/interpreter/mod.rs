//! An interpreter of programs of Python's generators, on coroutines with stacks of their own.
//!
//! | in Python | here | file |
//! |---|---|---|
//! | a generator | a [`Coroutine`](switchback::Coroutine) that yields, is sent and returns values | `machine.rs` |
//! | `next`, `send`, `throw`, `close` | `resume`, `send`, `throw` or `throw_exit`, `close` | `machine.rs` |
//! | references to it, and its finalisation | `Rc`, and the coroutine's own drop | `machine.rs` |
//! | `sys.unraisablehook` | `set_report_hook` | `machine.rs` |
//! | `yield`, `yield from`, `yield from` a list | `yield_`, `yield_from`, `yield_all` | `body.rs` |
//! | an exception in flight | `Thrown`, passed on by `?` | `exception.rs` |
//! | `GeneratorExit` | `Thrown::Exit` | `exception.rs` |
//!
//! The language is told of in `tests/conformance/LANGUAGE.md`.

mod body;
mod exception;
mod machine;
mod parse;
mod program;
mod trace;

pub(crate) use machine::run;
pub(crate) use parse::parse;
