//! The names of [`std::sync`], for tasks: whoever waits stops a task, and not a thread.
//!
//! Everything here works between tasks of one worker, between workers, between tasks and plain threads, and outside of any
//! runtime, where a wait blocks the thread. Locks and channels serve those that wait in the order in which they came, and
//! nobody who comes later is before them. Who is cancelled while it waits leaves its place, and takes no notice, permit
//! or message with it.
//!
//! The calls have std's signatures, which have no place for a cancellation: `docs/CANCELLATION.md` in the repository says what
//! each does then. [`task`](crate::task) has the same calls with errors that tell.
//!
//! | for | there is |
//! |---|---|
//! | one at a time, one writer or many readers | [`Mutex`], [`RwLock`] |
//! | so many at a time | [`Semaphore`] |
//! | something to be so, or to happen | [`Condvar`], [`Event`], [`Notify`] |
//! | all to have come, or to be done | [`Barrier`], [`WaitGroup`] |
//! | once | [`Once`], [`OnceLock`], [`LazyLock`], [`oneshot`] |
//! | messages: to one, to all, the newest, hand to hand | [`mpsc`], [`broadcast`], [`watch`], [`rendezvous`] |
//! | work, in some order, until all is done | [`Queue`], [`PriorityQueue`], [`LifoQueue`] |
//! | the first of several | [`select!`](crate::select!), [`select`](mod@select) |
//!
//! A guard may be kept while its task waits, as it may while a thread does. What a *`std::sync::Mutex`* guards must not: its
//! holder stops a task, and the next to lock it would stop the worker on which that task is to go on.

// | question | file |
// |---|---|
// | how does one wait, and leave a queue? | `wait.rs`, `queue.rs`, `latch.rs` |
// | who has a lock, and who is given it? | `mutex.rs`, `raw_rwlock.rs`, `rwlock.rs`, `poison.rs` |
// | where is a message, and who gets it? | `channel/` |
// | how does one wait for several? | `select.rs`, `select/` |
// | how does one wait for what comes from outside of the program? | `arrivals.rs` |
// | which calls tell of cancellation? | `faces.rs` |

#[cfg(unix)]
mod arrivals;
mod barrier;
pub mod broadcast;
mod channel;
mod condvar;
mod event;
pub(crate) mod faces;
mod latch;
mod lazy;
pub mod mpsc;
mod mutex;
mod once;
pub mod oneshot;
mod poison;
mod queue;
mod raw_rwlock;
mod rwlock;
pub mod select;
mod semaphore;
mod wait;
mod wait_group;
pub mod watch;
mod work_queue;

#[cfg(unix)]
pub(crate) use arrivals::Arrivals;
#[cfg(feature = "capi")]
pub(crate) use channel::{Channel, RecvStop, SendStop};

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{Event, Notify};
pub use lazy::{LazyLock, OnceLock};
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{OwnedPermit, Permit, Semaphore};
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
pub use wait_group::WaitGroup;
pub use work_queue::{Item, LifoQueue, Pending, PriorityQueue, Queue, WorkQueue};

/// A channel without a buffer: each message goes from hand to hand, when sender and receiver meet. [`mpsc::sync_channel`] of 0.
///
/// # Examples
///
/// ```
/// use switchback::{sync::rendezvous, task};
///
/// switchback::run(|| {
///     let (sender, receiver) = rendezvous();
///     task::spawn(move || sender.send("here").unwrap());
///     assert_eq!(receiver.recv(), Ok("here"));
/// });
/// ```
#[must_use]
pub fn rendezvous<T>() -> (mpsc::SyncSender<T>, mpsc::Receiver<T>) {
    mpsc::sync_channel(0)
}
