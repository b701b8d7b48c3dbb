//! Scopes, as those of std.

use super::{Result, Thread, Who, payload};
use crate::scheduler::{Builder, Children, JoinError, JoinHandle, SpawnError};
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

/// Runs `f`, which may start tasks that borrow from whatever is around it, and waits until all of them have ended:
/// [`std::thread::scope`].
///
/// When the calling task is cancelled, the tasks of the scope are too, and it goes on waiting for them.
///
/// # Panics
///
/// When `f` does, with its payload; or when a task that was not joined has panicked, or has not run, because there was no stack for
/// it. In each case after all have ended.
///
/// # Aborts
///
/// When the scope would have to be left while tasks run and nothing can wait: in a destructor, while a panic unwinds.
///
/// # Examples
///
/// ```
/// use switchback::thread;
///
/// switchback::run(|| {
///     let mut numbers = vec![1, 2, 3];
///     let mut sum = 0;
///     thread::scope(|s| {
///         s.spawn(|| sum = numbers.iter().sum());
///     });
///     numbers.push(sum);
///     assert_eq!(numbers, [1, 2, 3, 6]);
/// });
/// ```
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { children: Children::new(), _scope: PhantomData, _env: PhantomData };
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    if scope.children.wait().was_cancelled {
        Children::tell();
    }
    match result {
        Err(payload) => panic::resume_unwind(payload),
        Ok(_) if scope.children.is_untold() => panic!("a scoped thread panicked"),
        Ok(value) => match scope.children.take_no_stack() {
            Some(why) => panic!("{why}"),
            None => value,
        },
    }
}

/// A scope that tasks can be started in: see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    children: Arc<Children>,
    /// Invariant, so that `'scope` cannot shrink: see `std::thread::Scope`.
    _scope: PhantomData<&'scope mut &'scope ()>,
    _env: PhantomData<&'env mut &'env ()>,
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Starts a task in the scope.
    ///
    /// # Panics
    ///
    /// Outside of a runtime. [`Builder::spawn_scoped`](super::Builder::spawn_scoped) returns an error instead.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.start(Builder::new(), f, Location::caller()) {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn start<F, T>(
        &'scope self,
        builder: Builder,
        f: F,
        spawned_at: &'static Location<'static>,
    ) -> core::result::Result<ScopedJoinHandle<'scope, T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (wanted, f) = Children::prepare(builder, f)?;
        let children = Arc::clone(&self.children);
        let child = move || {
            panic::catch_unwind(AssertUnwindSafe(f)).inspect_err(|_: &Box<dyn Any + Send>| children.add_untold())
        };
        // SAFETY: `f` and its result may be sent; what they borrow lives as long as 'scope, and `scope` does not return, nor
        // unwind, before `wait` has.
        let handle = unsafe { self.children.spawn(wanted, child, spawned_at) };
        let thread = Thread(Who::Task(handle.task()));
        Ok(ScopedJoinHandle { handle, thread, children: Arc::clone(&self.children), _scope: PhantomData })
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// The owner's end of a task in a scope. It need not be joined: the scope waits for it.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<Result<T>>,
    thread: Thread,
    children: Arc<Children>,
    _scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the task to end, and returns what its body has returned.
    ///
    /// # Errors
    ///
    /// As [`JoinHandle::join`](super::JoinHandle::join).
    pub fn join(self) -> Result<T> {
        match self.handle.join() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(payload)) => {
                self.children.tell_panic();
                Err(payload)
            }
            Err(error) => {
                if let JoinError::NoStack(_) = error {
                    self.children.take_no_stack();
                }
                Err(payload(error))
            }
        }
    }

    /// The task.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinHandle").field(&self.thread).finish()
    }
}
