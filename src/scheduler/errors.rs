//! What went wrong in a scope.
#![forbid(unsafe_code)]

use crate::cancelled::Cancelled;
use core::fmt;
use core::slice;
use std::error::Error;
use std::vec;

/// An error type of [`scope`](super::scope()), in which a [`Cancelled`] can be recognised.
///
/// Every [`Error`] is one, `Box<dyn Error + Send + Sync>` is, and so are strings. `M` only tells these apart, and is found by
/// itself.
pub trait Failure<M> {
    /// The `Cancelled` that is, or has caused, this error.
    fn cancelled(&self) -> Option<&Cancelled>;
}

/// How an error is looked through: see [`Failure`].
#[derive(Debug)]
pub enum ByError {}

/// See [`Failure`].
#[derive(Debug)]
pub enum ByBox {}

/// See [`Failure`].
#[derive(Debug)]
pub enum ByText {}

impl<E: Error + 'static> Failure<ByError> for E {
    fn cancelled(&self) -> Option<&Cancelled> {
        Cancelled::find_in(self)
    }
}

impl Failure<ByBox> for Box<dyn Error + Send + Sync> {
    fn cancelled(&self) -> Option<&Cancelled> {
        Cancelled::find_in(&**self)
    }
}

impl Failure<ByBox> for Box<dyn Error + Send> {
    fn cancelled(&self) -> Option<&Cancelled> {
        Cancelled::find_in(&**self)
    }
}

impl Failure<ByText> for String {
    fn cancelled(&self) -> Option<&Cancelled> {
        None
    }
}

impl Failure<ByText> for &'static str {
    fn cancelled(&self) -> Option<&Cancelled> {
        None
    }
}

impl Failure<ByText> for () {
    fn cancelled(&self) -> Option<&Cancelled> {
        None
    }
}

/// The errors of a [`scope`](super::scope()), in the order in which they came. There is at least one.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// switchback::run(|| {
///     let failed = task::scope(|s| {
///         s.spawn(|| Err::<(), _>("the task"));
///         Err::<(), _>("the body")
///     });
///     let errors = failed.unwrap_err();
///     assert!(errors.first().starts_with("the "));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors<E>(Vec<E>);

impl<E> Errors<E> {
    pub(super) fn new(errors: Vec<E>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The one that came first, which has cancelled the rest.
    #[must_use]
    pub fn first(&self) -> &E {
        &self.0[0]
    }

    /// The one that came first.
    #[must_use]
    pub fn into_first(self) -> E {
        let mut errors = self.0;
        errors.swap_remove(0)
    }

    /// All of them.
    pub fn iter(&self) -> slice::Iter<'_, E> {
        self.0.iter()
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<E> {
        self.0
    }

    /// Those that `wanted` chooses, and the others. Python's `except*`.
    pub fn split(self, wanted: impl FnMut(&E) -> bool) -> (Option<Self>, Option<Self>) {
        let (these, others) = self.0.into_iter().partition(wanted);
        (Self::new(these), Self::new(others))
    }
}

impl<E> IntoIterator for Errors<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Errors<E> {
    type Item = &'a E;
    type IntoIter = slice::Iter<'a, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<E: fmt::Display> fmt::Display for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first().fmt(f)?;
        match self.0.len() - 1 {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more error)"),
            more => write!(f, " (and {more} more errors)"),
        }
    }
}

impl<E: Error + 'static> Error for Errors<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.first())
    }
}
