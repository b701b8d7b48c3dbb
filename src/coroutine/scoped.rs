//! Coroutines that borrow.

use super::entry;
use super::error::{CreateError, Thrown};
use super::protocol::protocol;
use super::raw::Raw;
use super::report::abort;
use super::shut::Shut;
use super::yielder::Yielder;
use crate::stack::{Class, Header};
use core::convert::Infallible;
use core::marker::PhantomData;
use core::panic::Location;
use core::ptr::NonNull;

/// A coroutine whose body borrows, inside [`scoped`].
///
/// It has the methods of [`Coroutine`](crate::Coroutine), can be delegated to, and is gone when `scoped` returns.
pub struct Scoped<'scope, Y, S = (), R = (), E = Infallible> {
    pub(super) raw: Raw<Y, S, R, E>,
    /// Invariant: were it not, two of these could be swapped out of their scopes.
    _scope: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

/// Closes the coroutine however the scope is left.
struct Guard<'scope, Y, S, R, E>(Scoped<'scope, Y, S, R, E>);

impl<Y, S, R, E> Drop for Guard<'_, Y, S, R, E> {
    fn drop(&mut self) {
        if self.0.raw.shut() == Shut::Leaked {
            // Its frames hold borrows that end now (invariant 8).
            abort("a scoped coroutine could not be ended at the end of its scope");
        }
    }
}

/// Makes a coroutine whose `body` may borrow from the caller, and lends it to `f`. Returns what `f` returns.
///
/// An owned coroutine cannot borrow: it may be leaked while it is suspended, for instance inside
/// [`std::thread::scope`], and what its frames have borrowed would be freed under them. This one is not owned by
/// anybody: it is closed, as by dropping a [`Coroutine`](crate::Coroutine), before `scoped` returns.
///
/// # Panics
///
/// When there is no stack to be had ([`try_scoped`] returns an error instead), when `f` does, or when the body does while
/// it is closed.
///
/// # Aborts
///
/// When the body cannot be made to leave its stack: it goes on yielding after its exit and catches the unwind that
/// follows, or the program is built with `panic=abort`.
///
/// # Examples
///
/// ```
/// use switchback::{Scoped, scoped};
///
/// let words = ["to", "borrow", "is", "human"];
/// let mut yielded = 0;
/// let long = scoped(
///     |y| {
///         for word in &words {
///             if word.len() > 2 {
///                 yielded += 1;
///                 y.yield_(*word)?;
///             }
///         }
///         Ok(())
///     },
///     |co: &mut Scoped<'_, &str>| co.collect::<Vec<_>>(),
/// );
/// assert_eq!(long, ["borrow", "human"]);
/// assert_eq!(yielded, 2);
/// ```
#[track_caller]
pub fn scoped<'env, Y, S, R, E, T>(
    body: impl FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'env,
    f: impl for<'scope> FnOnce(&'scope mut Scoped<'scope, Y, S, R, E>) -> T,
) -> T {
    match entry::take(Class::DEFAULT) {
        Ok(header) => enter(header, body, f, Location::caller()),
        Err(error) => panic!("no stack for a scoped coroutine: {error}"),
    }
}

/// [`scoped`] that returns an error when there is no stack to be had.
///
/// # Errors
///
/// When the operating system refuses a stack; the error tells which limit was hit, and hands back `body` and `f`.
///
/// # Panics
///
/// When `f` does, or when the body does while it is closed.
///
/// # Aborts
///
/// As [`scoped`].
///
/// # Examples
///
/// ```
/// use switchback::{Scoped, Yielder, try_scoped};
///
/// let words = ["a", "b"];
/// match try_scoped(|y: &Yielder<&&str>| y.yield_all(&words), |co: &mut Scoped<'_, &&str>| co.count()) {
///     Ok(count) => assert_eq!(count, 2),
///     Err(refused) => println!("{refused}"),
/// }
/// ```
#[track_caller]
pub fn try_scoped<'env, Y, S, R, E, T, B, F>(body: B, f: F) -> Result<T, CreateError<(B, F)>>
where
    B: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'env,
    F: for<'scope> FnOnce(&'scope mut Scoped<'scope, Y, S, R, E>) -> T,
{
    match entry::take(Class::DEFAULT) {
        Ok(header) => Ok(enter(header, body, f, Location::caller())),
        Err(error) => Err(CreateError::new(error, (body, f), None)),
    }
}

fn enter<Y, S, R, E, T>(
    header: NonNull<Header>,
    body: impl FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
    f: impl for<'scope> FnOnce(&'scope mut Scoped<'scope, Y, S, R, E>) -> T,
    created_at: &'static Location<'static>,
) -> T {
    let raw = Raw::new(header, body, created_at, None);
    let mut guard = Guard(Scoped { raw, _scope: PhantomData });
    let scoped: *mut Scoped<'_, Y, S, R, E> = &mut guard.0;
    // SAFETY: the reference lives for the call of `f` alone: its lifetime is any that `f` may think of, none of which it
    // can take out of the call. The guard uses the coroutine again when the call is over.
    let result = f(unsafe { &mut *scoped });
    // By name: where a destructor panics on the way out, what is about to be returned would not be dropped.
    drop(guard);
    result
}

impl<Y, S, R, E> Scoped<'_, Y, S, R, E> {
    protocol!();
}

impl<Y, S, R> Scoped<'_, Y, S, R> {
    /// An iterator over what the coroutine yields that keeps what it returns: see [`Values`](crate::Values).
    ///
    /// # Panics
    ///
    /// Its `next` panics as the body does, and when the body ends with an exit or a misuse of its own making.
    pub fn values(&mut self) -> crate::Values<'_, Y, S, R> {
        crate::Values::new(&mut self.raw)
    }
}

impl<Y, S: Default, R> Iterator for Scoped<'_, Y, S, R> {
    type Item = Y;

    #[inline(always)]
    fn next(&mut self) -> Option<Y> {
        super::iter::next(&mut self.raw).0
    }
}

impl<Y, S, R, E> core::fmt::Debug for Scoped<'_, Y, S, R, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.raw.debug("Scoped", f)
    }
}
