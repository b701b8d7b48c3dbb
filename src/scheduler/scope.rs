//! Scopes whose children return results: the first failure cancels the others, and no error is lost.

use super::cancel::{Entered, Kind, Node};
use super::children::Children;
use super::errors::{Errors, Failure};
use super::handle::{self, Task};
use super::join::{JoinError, JoinHandle};
use super::life::drop_quietly;
use super::spawn::{Builder, SpawnError};
use crate::cancelled::{CancelReason, Cancelled, ScopeId};
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use parking_lot::Mutex;
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

/// Runs `body`, which may start tasks that borrow from whatever is around it, and waits until all of them have ended.
///
/// The first failure, of the body or of a task, cancels everything else in the scope: what waits there returns
/// [`Cancelled`] with the [reason](Cancelled::reason) [`SiblingFailed`](CancelReason::SiblingFailed). So does a cancellation of
/// the caller. Nothing of the scope is left behind when this returns.
///
/// A `Cancelled` of this very scope is a consequence, not a cause, and is not among the errors; it is recognised through
/// [`Error::source`](std::error::Error::source), so an error type of yours that wraps it is fine. That of somebody further out
/// is passed on, once.
///
/// `E` is any [`Error`](std::error::Error), a `Box<dyn Error + Send + Sync>`, or a string: see [`Failure`].
///
/// # Errors
///
/// All errors of the body and of the tasks, in the order in which they came.
///
/// # Panics
///
/// When the body or a task does, with its payload, after all others have ended; and when there was no stack for a task, which has
/// not run then. In the body, [`Scope::spawn`] panics outside of a runtime.
///
/// # Aborts
///
/// When the scope would have to be left while tasks run and nothing can wait: in a destructor, while a panic unwinds.
///
/// # Examples
///
/// ```
/// use std::io;
/// use switchback::task;
///
/// switchback::run(|| {
///     let words = ["to", "borrow", "is", "human"]; // on the stack, and lent to tasks on other threads
///     let letters = task::scope(|s| {
///         let counts: Vec<_> = words.iter().map(|word| s.spawn(|| Ok::<_, io::Error>(word.len()))).collect();
///         counts.into_iter().map(|count| count.join().map_err(io::Error::from)).sum::<Result<usize, _>>()
///     });
///     assert_eq!(letters.unwrap(), 15);
///
///     let failed = task::scope(|s| {
///         s.spawn(|| Ok(task::park()?)); // for ever, were it not cancelled
///         s.spawn(|| Err::<(), _>(io::Error::other("no luck")));
///         Ok(())
///     });
///     assert_eq!(failed.unwrap_err().to_string(), "no luck");
/// });
/// ```
pub fn scope<'env, T, E, M>(
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, E>) -> Result<T, E>,
) -> Result<T, Errors<E>>
where
    E: Failure<M> + Send + 'static,
{
    let entered = Entered::new(Kind::Scope);
    let shared = Arc::new(Shared {
        children: Children::new(),
        node: entered.as_ref().map(|entered| Arc::clone(entered.node())),
        id: entered.as_ref().map_or_else(ScopeId::new, |entered| entered.node().id()),
        failures: Mutex::default(),
        cancelled: E::cancelled,
    });
    let scope = Scope { shared: Arc::clone(&shared), _scope: PhantomData, _env: PhantomData };
    // The error is looked through in here too: by code of users, which may panic.
    let result = panic::catch_unwind(AssertUnwindSafe(|| body(&scope).map_err(|error| shared.fail(error, None))));
    let mut own = None;
    let result = match result {
        Ok(Ok(value)) => Ok(Some(value)),
        Ok(Err(back)) => {
            own = back;
            Ok(None)
        }
        Err(payload) => {
            shared.cancel(CancelReason::SiblingFailed);
            Err(payload)
        }
    };
    let waited = shared.children.wait();
    drop(entered);
    if waited.was_cancelled && (waited.was_refused || waited.was_told || !shared.failures.lock().is_empty()) {
        Children::tell();
    }
    let panicked = shared.children.take_panic();
    let value = match (result, panicked) {
        (Err(payload), others) => {
            // Not while this one unwinds.
            drop_quietly(others);
            panic::resume_unwind(payload)
        }
        (Ok(_), Some(payload)) => panic::resume_unwind(payload),
        (Ok(value), None) => value,
    };
    if let Some(why) = shared.children.take_no_stack() {
        panic!("{why}");
    }
    let failures = core::mem::take(&mut *shared.failures.lock());
    let mut failures: Vec<E> = failures.into_iter().map(|(error, _)| error).collect();
    if failures.is_empty() {
        // The body has left because of a cancellation that nobody has caused by failing: it is all there is to say.
        failures.extend(own);
    }
    match (Errors::new(failures), value) {
        (Some(errors), value) => {
            // By name: where a destructor panics on the way out, what is about to be returned would not be dropped.
            drop(value);
            Err(errors)
        }
        (None, Some(value)) => Ok(value),
        (None, None) => unreachable!("a body without a value has failed"),
    }
}

/// A scope that tasks can be started in: see [`scope`].
// `E: 'env` is for the borrow checker: where E has a lifetime in it, be it 'static, it would not know otherwise which of E's
// and 'env to take for a bound of 'scope, and would ask for 'static.
pub struct Scope<'scope, 'env: 'scope, E: 'env> {
    shared: Arc<Shared<E>>,
    /// Invariant, so that `'scope` cannot shrink: see `std::thread::Scope`.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

/// What the tasks of a scope share.
struct Shared<E> {
    children: Arc<Children>,
    node: Option<Arc<Node>>,
    id: ScopeId,
    /// Each with the scope of the `Cancelled` in it, if there is one.
    failures: Mutex<Vec<(E, Option<ScopeId>)>>,
    cancelled: fn(&E) -> Option<&Cancelled>,
}

impl<E> Shared<E> {
    /// Keeps an error of the body or of that task, and cancels the rest; or hands it back, if it only says that the scope, or
    /// the task, was cancelled, or says what another has said.
    fn fail(&self, error: E, task: Option<ScopeId>) -> Option<E> {
        // Code of users, which may wait: without the lock.
        let scope = (self.cancelled)(&error).and_then(Cancelled::scope);
        let mut failures = self.failures.lock();
        if scope.is_some()
            && (scope == Some(self.id) || scope == task || failures.iter().any(|(_, known)| *known == scope))
        {
            drop(failures);
            return Some(error);
        }
        failures.push((error, scope));
        drop(failures);
        self.cancel(CancelReason::SiblingFailed);
        None
    }

    fn panicked(&self, payload: Box<dyn Any + Send>) {
        self.children.add_panic(payload);
        self.cancel(CancelReason::SiblingFailed);
    }

    fn cancel(&self, reason: CancelReason) {
        let cancelled = Cancelled::new(reason, self.id);
        if let Some(node) = &self.node {
            node.cancel_as(cancelled.clone());
        }
        self.children.cancel(&cancelled);
    }
}

impl<'scope, 'env, E: Send + 'static> Scope<'scope, 'env, E> {
    /// Starts a task in the scope.
    ///
    /// # Panics
    ///
    /// Outside of a runtime. [`spawn_with`](Self::spawn_with) returns an error instead.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_at(f, Location::caller())
    }

    /// [`spawn`](Self::spawn) by a call of that place: closures have no caller that could be asked for.
    #[track_caller]
    pub(super) fn spawn_at<F, T>(&'scope self, f: F, spawned_at: &'static Location<'static>) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        match self.start(Builder::new(), f, spawned_at) {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a task with a name or a stack size in the scope.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_with<F, T>(&'scope self, builder: Builder, f: F) -> Result<ScopedHandle<'scope, T>, SpawnError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        self.start(builder, f, Location::caller())
    }

    fn start<F, T>(
        &'scope self,
        builder: Builder,
        f: F,
        spawned_at: &'static Location<'static>,
    ) -> Result<ScopedHandle<'scope, T>, SpawnError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        let (wanted, f) = Children::prepare(builder, f)?;
        let shared = Arc::clone(&self.shared);
        let child = move || {
            let fail = |error| drop(shared.fail(error, handle::current_scope()));
            panic::catch_unwind(AssertUnwindSafe(|| f().map_err(fail))).map_or_else(
                |payload| {
                    shared.panicked(payload);
                    None
                },
                Result::ok,
            )
        };
        // SAFETY: `f`, its result and its error may be sent; what they borrow lives as long as 'scope, and `scope` does not
        // return, nor unwind, before `wait` has.
        let handle = unsafe { self.shared.children.spawn(wanted, child, spawned_at) };
        Ok(ScopedHandle { handle, scope: self.shared.id, _scope: PhantomData })
    }

    /// Cancels everything in the scope: the body, and all tasks.
    pub fn cancel(&self) {
        self.shared.cancel(CancelReason::Requested);
    }

    pub(super) fn cancel_because(&self, reason: CancelReason) {
        self.shared.cancel(reason);
    }

    /// That there was no stack for a task has been told by its outcome.
    pub(super) fn tell_no_stack(&self) {
        while self.shared.children.take_no_stack().is_some() {}
    }

    /// What the [`Cancelled`] of this scope carry.
    #[must_use]
    pub fn id(&self) -> ScopeId {
        self.shared.id
    }
}

impl<E> fmt::Debug for Scope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

/// A task of a [`Scope`]. It need not be waited for: the scope does.
pub struct ScopedHandle<'scope, T> {
    handle: JoinHandle<Option<T>>,
    scope: ScopeId,
    _scope: PhantomData<&'scope ()>,
}

impl<T> ScopedHandle<'_, T> {
    /// Waits for the task to end, and leaves its value for [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// When the caller is cancelled, or cannot wait here.
    pub fn wait(&mut self) -> Result<(), Cancelled> {
        self.handle.wait().map_err(|error| match error {
            JoinError::Cancelled(cancelled) | JoinError::Interrupted(cancelled) => cancelled,
            _ => super::refusal(),
        })
    }

    /// Waits for the task to end, and returns its value.
    ///
    /// # Errors
    ///
    /// When the task has none, because it has failed or was cancelled, or when the caller is cancelled: in both cases there
    /// is a reason to leave, and the task's error is among those that the scope returns.
    pub fn join(self) -> Result<T, Cancelled> {
        match self.handle.join() {
            Ok(Some(value)) => Ok(value),
            Err(JoinError::Cancelled(cancelled) | JoinError::Interrupted(cancelled)) => Err(cancelled),
            Err(JoinError::Refused | JoinError::Itself) => Err(super::refusal()),
            Ok(None) | Err(_) => Err(Cancelled::new(CancelReason::SiblingFailed, self.scope)),
        }
    }

    /// [`join`](Self::join) that tells why there is no value, if the task has never begun.
    pub(super) fn outcome(self) -> Result<Option<T>, JoinError> {
        self.handle.join()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Cancels this task alone. That it then leaves with a [`Cancelled`] is no failure of the scope.
    pub fn cancel(&self) -> bool {
        self.handle.cancel()
    }

    /// The task, for its name, and to unpark it.
    #[must_use]
    pub fn task(&self) -> Task {
        self.handle.task()
    }
}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedHandle").field(&self.task()).finish()
    }
}
