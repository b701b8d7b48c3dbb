//! Coroutines as iterators.
#![forbid(unsafe_code)]

use super::CoroutineState;
use super::error::SendError;
use super::raw::Raw;
use core::fmt;
use core::iter::FusedIterator;

/// Resumes; what is yielded, and what is returned at the end.
///
/// # Panics
///
/// When the coroutine ends with an exit or a misuse, or cannot be resumed for any other reason than having finished: to
/// end the iteration would hide it.
#[inline(always)]
pub(super) fn next<Y, S: Default, R>(raw: &mut Raw<Y, S, R, core::convert::Infallible>) -> (Option<Y>, Option<R>) {
    match raw.resume() {
        Ok(CoroutineState::Yielded(item)) => (Some(item), None),
        Ok(CoroutineState::Complete(value)) => (None, Some(value)),
        Err(SendError::Finished(())) => (None, None),
        Err(error) => refused(&error),
    }
}

#[cold]
#[inline(never)]
fn refused(error: &dyn fmt::Display) -> ! {
    panic!("the iteration over a coroutine failed: {error}")
}

/// The values that a coroutine yields, and then the one that it returns. Made by `Coroutine::values`.
///
/// # Examples
///
/// ```
/// use switchback::Generator;
///
/// let mut squares = Generator::new(|y| { for i in 1..=3 { y.yield_(i * i)?; } Ok("done") });
/// let mut values = squares.values();
/// assert_eq!(values.by_ref().sum::<i32>(), 14);
/// assert_eq!(values.take_return(), Some("done"));
/// ```
pub struct Values<'a, Y, S, R> {
    raw: &'a mut Raw<Y, S, R, core::convert::Infallible>,
    returned: Option<R>,
}

impl<'a, Y, S, R> Values<'a, Y, S, R> {
    pub(super) fn new(raw: &'a mut Raw<Y, S, R, core::convert::Infallible>) -> Self {
        Self { raw, returned: None }
    }

    /// What the coroutine has returned: `Some` once, after the iteration has come to its end.
    pub fn take_return(&mut self) -> Option<R> {
        self.returned.take()
    }
}

impl<Y, S: Default, R> Iterator for Values<'_, Y, S, R> {
    type Item = Y;

    #[inline(always)]
    fn next(&mut self) -> Option<Y> {
        let (item, returned) = next(self.raw);
        if returned.is_some() {
            self.returned = returned;
        }
        item
    }
}

impl<Y, S: Default, R> FusedIterator for Values<'_, Y, S, R> {}

impl<Y, S, R: fmt::Debug> fmt::Debug for Values<'_, Y, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("returned", &self.returned).finish_non_exhaustive()
    }
}
