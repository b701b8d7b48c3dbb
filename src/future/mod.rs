//! Futures and coroutines, both ways: synchronous code that awaits, under any executor.
//!
//! The front page has [an example](crate#futures).
//!
//! | for | there is |
//! |---|---|
//! | synchronous code as a future | [`stackful`], [`try_stackful`]; with a name or another stack, [`Builder::stackful`](crate::Builder::stackful) |
//! | awaiting, in it and in tasks, at any depth | [`await_`], [`try_await`]; where there is no place for `?`, [`await_or_unwind`] |
//! | the same by what the body is given | [`Awaiter`] |
//! | an async generator | [`stackful_stream`], [`StackfulStream`], with the feature `stream` one of futures-core |
//! | executors that move futures between threads | [`stackful_on`], [`Host`] |

// | question | file |
// |---|---|
// | how does a body wait for a future? | `drive.rs`; its suspension is `awaiter.rs`, its wakers `waker.rs` |
// | and code that was not handed the awaiter? | `current.rs`; in a task that is no body, `outer.rs` |
// | how is a body a future, a stream? | `stackful.rs`, `stream.rs`; what they share is `live.rs` |
// | what passes between the two? | `message.rs` |
// | and for executors that move futures between threads? | `host/`: its `thread.rs` runs them, `inbox.rs` and `notice.rs` are how it hears, `promise.rs` how it answers |
// | what does an await return instead of a value? | `error.rs` |

mod awaiter;
mod current;
mod drive;
mod error;
mod host;
mod live;
mod message;
mod outer;
mod stackful;
mod stream;
mod waker;

pub use awaiter::Awaiter;
pub use current::{await_, await_or_unwind, try_await};
pub use error::AwaitError;
pub use host::{Host, HostBuilder, OnHost, stackful_on};
pub(crate) use outer::{Bodies, PollOnce, Tasks};
pub use stackful::{Stackful, stackful, try_stackful};
pub use stream::{Emitter, StackfulStream, stackful_stream, try_stackful_stream};
