//! Coroutines: values that run a function a piece at a time.
//!
//! | question | file |
//! |---|---|
//! | how is one resumed, sent to, thrown at? | `raw.rs`; the public methods are `protocol.rs` |
//! | what does its body do to suspend? | `yielder.rs` |
//! | `yield from` another coroutine? | `delegate.rs` |
//! | close, drop, forced unwind? | `shut.rs`, `unwind.rs` |
//! | what is on its stack, and how does it begin and end? | `control.rs`, `entry.rs` |
//! | what may a body borrow? | `scoped.rs` |
//! | what of bodies that another compiler has made? | `foreign.rs` |
//! | what is it called, and what is told of it? | `name.rs`, `report.rs` |
//! | where does a debugger find them? | `debug.rs` |

mod builder;
mod control;
#[cfg(not(switchback_fallback))]
mod debug;
mod delegate;
mod entry;
mod error;
#[cfg(feature = "capi")]
mod foreign;
mod iter;
mod message;
mod name;
mod protocol;
mod raw;
mod relay;
mod report;
mod scoped;
mod shut;
mod unwind;
mod yielder;

pub use builder::Builder;
pub use delegate::Delegate;
pub use error::{CloseError, CreateError, Misuse, SendError, Thrown};
#[cfg(feature = "capi")]
pub(crate) use foreign::{Block, RESUME, SEND, tag_here};
pub use iter::Values;
pub(crate) use name::Name;
#[cfg(feature = "capi")]
pub(crate) use report::unset_report_hook;
pub use report::{Description, Event, Report, set_report_hook};
pub(crate) use report::{abort, report};
pub use scoped::{Scoped, scoped, try_scoped};
pub(crate) use unwind::lose;
pub use yielder::Yielder;

use crate::stack::Class;
use crate::stack::StackError;
use core::convert::Infallible;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::Location;
use protocol::protocol;
use raw::Raw;

/// What resuming a coroutine has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoroutineState<Y, R> {
    /// The body has yielded this, and is suspended.
    Yielded(Y),
    /// The body has returned this. The coroutine has finished.
    Complete(R),
}

impl<Y, R> CoroutineState<Y, R> {
    /// What was yielded, if anything was.
    pub fn yielded(self) -> Option<Y> {
        match self {
            Self::Yielded(value) => Some(value),
            Self::Complete(_) => None,
        }
    }

    /// What was returned, if the coroutine has finished.
    pub fn complete(self) -> Option<R> {
        match self {
            Self::Yielded(_) => None,
            Self::Complete(value) => Some(value),
        }
    }
}

/// Where a coroutine is in its life. Python's `inspect.getgeneratorstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Its body has not begun.
    Created,
    /// Its body waits in a yield.
    Suspended,
    /// Its body runs, or has resumed something that runs.
    Running,
    /// Its body has ended, or will never go on.
    Finished,
}

/// A function on a stack of its own, which runs a piece at a time.
///
/// It yields `Y`s, is sent `S`s, returns an `R`, and may be thrown an `E`: Python's `Generator[Y, S, R]`. The body is
/// an ordinary function of a [`Yielder`]; every function that it calls may suspend it.
///
/// A coroutine stays on the thread that created it. Dropping one that is suspended closes it: its yield returns
/// `Err(Thrown::Exit)`, and `?` leads out through all destructors. A body that ignores the exit is unwound by a private
/// panic, during which, as during any, a destructor that panics aborts the process; one that stops that too and yields
/// again is leaked, with its stack, and [reported](set_report_hook).
///
/// # What a body may not borrow
///
/// Its captures are `'static`; see [`scoped`] for borrowing ones. And a body must not suspend inside code of others that
/// counts on thread-locals being restored in the order in which they were set (`scoped-tls`, the "current runtime" guards
/// of async executors): two interleaved coroutines would restore each other's. No library of this kind can detect that.
///
/// # Examples
///
/// ```
/// use switchback::{Coroutine, CoroutineState::{Complete, Yielded}};
///
/// let mut average = Coroutine::<f64, Option<f64>, usize>::new(|y| {
///     let (mut sum, mut count) = (0.0, 0);
///     while let Some(x) = y.yield_(if count == 0 { 0.0 } else { sum / count as f64 })? {
///         sum += x;
///         count += 1;
///     }
///     Ok(count)
/// });
/// average.start()?;
/// assert_eq!(average.send(Some(1.0))?, Yielded(1.0));
/// assert_eq!(average.send(Some(2.0))?, Yielded(1.5));
/// assert_eq!(average.send(None)?, Complete(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a coroutine does nothing until it is resumed"]
pub struct Coroutine<Y, S = (), R = (), E = Infallible> {
    raw: Raw<Y, S, R, E>,
}

/// A coroutine that is sent nothing and thrown nothing: Python's plain generator. It is an [`Iterator`] over `Y`.
///
/// # Examples
///
/// ```
/// use switchback::Generator;
///
/// let fibonacci = Generator::<u64>::new(|y| {
///     let (mut a, mut b) = (0, 1);
///     loop {
///         y.yield_(a)?;
///         (a, b) = (b, a + b);
///     }
/// });
/// assert_eq!(fibonacci.take(10).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
/// ```
pub type Generator<Y, R = ()> = Coroutine<Y, (), R>;

impl<Y: 'static, S: 'static, R: 'static> Coroutine<Y, S, R> {
    /// Makes a coroutine that nothing can be thrown at, on a stack of the default size. Nothing runs yet.
    ///
    /// # Panics
    ///
    /// When there is no stack to be had: [`try_new`](Self::try_new) returns an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Generator;
    ///
    /// let total: i32 = Generator::new(|y| { y.yield_(1)?; y.yield_(2)?; Ok(()) }).sum();
    /// assert_eq!(total, 3);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn new(body: impl FnOnce(&Yielder<Y, S>) -> Result<R, Thrown> + 'static) -> Self {
        Self::throwing(body)
    }

    /// [`new`](Self::new) that returns an error when there is no stack to be had.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a stack; the error tells which limit was hit, and hands the body back.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::Generator;
    ///
    /// let generator = Generator::try_new(|y| { y.yield_(1)?; Ok(()) })?;
    /// assert_eq!(generator.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn try_new<F>(body: F) -> Result<Self, CreateError<F>>
    where
        F: FnOnce(&Yielder<Y, S>) -> Result<R, Thrown> + 'static,
    {
        Self::try_throwing(body)
    }
}

impl<Y: 'static, S: 'static, R: 'static, E: 'static> Coroutine<Y, S, R, E> {
    /// Makes a coroutine that errors of type `E` can be thrown at, on a stack of the default size. Nothing runs yet.
    ///
    /// # Panics
    ///
    /// When there is no stack to be had: [`try_throwing`](Self::try_throwing) returns an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Coroutine, SendError, Thrown};
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Cancelled;
    ///
    /// let mut co = Coroutine::<u32, (), (), Cancelled>::throwing(|y| loop { y.yield_(7)?; });
    /// co.start().unwrap();
    /// assert_eq!(co.throw(Cancelled), Err(SendError::Thrown(Thrown::Error(Cancelled))));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn throwing(body: impl FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'static) -> Self {
        match entry::take(Class::DEFAULT) {
            Ok(header) => Self { raw: Raw::new(header, body, Location::caller(), None) },
            Err(error) => no_stack(&error),
        }
    }

    /// [`throwing`](Self::throwing) that returns an error when there is no stack to be had.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a stack; the error tells which limit was hit, and hands the body back.
    #[inline(always)]
    #[track_caller]
    pub fn try_throwing<F>(body: F) -> Result<Self, CreateError<F>>
    where
        F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'static,
    {
        match entry::take(Class::DEFAULT) {
            Ok(header) => Ok(Self { raw: Raw::new(header, body, Location::caller(), None) }),
            Err(error) => Err(CreateError::new(error, body, None)),
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn no_stack(error: &StackError) -> ! {
    panic!("no stack for a coroutine: {error}")
}

impl<Y, S, R, E> Coroutine<Y, S, R, E> {
    protocol!();

    /// Makes a coroutine whose body may borrow, on a stack of the default size.
    ///
    /// # Safety
    ///
    /// The coroutine is finished, or dropped and not [leaked](Event::Leaked), before anything ends that `body` borrows or
    /// that its types borrow. [`scoped`] sees to that by itself.
    ///
    /// # Panics
    ///
    /// When there is no stack to be had.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Coroutine, Generator};
    ///
    /// let words = vec!["a", "b"];
    /// // SAFETY: `generator` is a local that is dropped before `words`, and nobody leaks it.
    /// let generator: Generator<&&str> = unsafe { Coroutine::new_unchecked(|y| y.yield_all(&words)) };
    /// assert_eq!(generator.count(), 2);
    /// ```
    #[track_caller]
    pub unsafe fn new_unchecked(body: impl FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>) -> Self {
        match entry::take(Class::DEFAULT) {
            Ok(header) => Self { raw: Raw::new(header, body, Location::caller(), None) },
            Err(error) => no_stack(&error),
        }
    }

    /// [`new_unchecked`](Self::new_unchecked) that returns an error when there is no stack to be had.
    ///
    /// # Safety
    ///
    /// As for [`new_unchecked`](Self::new_unchecked).
    ///
    /// # Errors
    ///
    /// When the operating system refuses a stack; the error tells which limit was hit, and hands the body back.
    #[track_caller]
    pub unsafe fn try_new_unchecked<F>(body: F) -> Result<Self, CreateError<F>>
    where
        F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>>,
    {
        match entry::take(Class::DEFAULT) {
            Ok(header) => Ok(Self { raw: Raw::new(header, body, Location::caller(), None) }),
            Err(error) => Err(CreateError::new(error, body, None)),
        }
    }
}

impl<Y: 'static, S: 'static, R: 'static, E: 'static> Coroutine<Y, S, R, E> {
    /// Makes a coroutine that is told of under this name and place, on a stack of that class.
    #[inline(always)]
    pub(crate) fn described(
        class: Class,
        name: Option<&str>,
        created_at: &'static Location<'static>,
        body: impl FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'static,
    ) -> Result<Self, StackError> {
        Ok(Self { raw: Raw::new(entry::take(class)?, body, created_at, name) })
    }
}

impl<Y, S, R, E> Coroutine<Y, S, R, E> {
    /// Runs `f` on the coroutine's stack, where that is suspended, and leaves it so: to walk it from there. False if it is not.
    pub(crate) fn inspect(&mut self, f: &mut dyn FnMut()) -> bool {
        self.raw.inspect(f)
    }
}

impl<Y, S, R> Coroutine<Y, S, R> {
    /// An iterator over what the coroutine yields that keeps what it returns: see [`Values`].
    ///
    /// # Panics
    ///
    /// Its `next` panics as the body does, and when the body ends with an exit or a misuse of its own making.
    pub fn values(&mut self) -> Values<'_, Y, S, R> {
        Values::new(&mut self.raw)
    }
}

impl<Y, S, R, E> Drop for Coroutine<Y, S, R, E> {
    #[inline(always)]
    fn drop(&mut self) {
        // A leak has been reported.
        let _ = self.raw.shut();
    }
}

/// Resumes the coroutine; its return value is dropped. To have it, iterate over [`Coroutine::values`].
///
/// `next` panics when the body does, and when it ends with an exit or a misuse of its own making: to end the iteration
/// silently would hide it.
impl<Y, S: Default, R> Iterator for Coroutine<Y, S, R> {
    type Item = Y;

    #[inline(always)]
    fn next(&mut self) -> Option<Y> {
        iter::next(&mut self.raw).0
    }
}

impl<Y, S: Default, R> FusedIterator for Coroutine<Y, S, R> {}

impl<Y, S, R, E> fmt::Debug for Coroutine<Y, S, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw.debug("Coroutine", f)
    }
}
