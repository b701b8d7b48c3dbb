//! Coroutines with a name, a size or a stack of one's own.
#![forbid(unsafe_code)]

use super::control::TENANT;
use super::entry;
use super::error::{CreateError, Thrown};
use super::raw::Raw;
use super::yielder::Yielder;
use super::{Coroutine, Generator};
use crate::stack::{Class, Header, pool};
use crate::stack::{Stack, StackError};
use core::convert::identity;
use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;

/// Makes coroutines that differ from what [`Coroutine::new`] makes, as [`std::thread::Builder`] does for threads.
///
/// # Examples
///
/// ```
/// use switchback::Builder;
///
/// let deep = Builder::new().name("deep").stack_size(4 << 20).generator(|y| { y.yield_(1)?; Ok(()) })?;
/// assert_eq!(deep.name(), Some("deep"));
/// assert_eq!(deep.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "a builder makes nothing until `create` is called"]
pub struct Builder {
    name: Option<Box<str>>,
    size: Option<usize>,
    stack: Option<Box<dyn Stack>>,
}

impl Builder {
    /// A builder that makes what [`Coroutine::new`] makes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The coroutine's name, for reports and errors.
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The least size of the coroutine's stack, in bytes, of which up to two kilobytes at its top are the library's.
    ///
    /// It is rounded up to a power of two, and to [`MIN_SIZE`](crate::stack::MIN_SIZE). The default is
    /// [`DEFAULT_SIZE`](crate::stack::DEFAULT_SIZE).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.size = Some(bytes);
        self
    }

    /// A stack to run on instead of one from the pool, whatever [`stack_size`](Self::stack_size) says. It is dropped when the
    /// coroutine has ended.
    pub fn stack(mut self, stack: impl Stack) -> Self {
        self.stack = Some(Box::new(stack));
        self
    }

    /// Makes a coroutine that is sent nothing and thrown nothing. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// When there is no stack of that size to be had, or the given one is too small. The error hands back what it was
    /// given.
    #[track_caller]
    pub fn generator<Y, R, F>(self, body: F) -> Result<Generator<Y, R>, CreateError<F>>
    where
        Y: 'static,
        R: 'static,
        F: FnOnce(&Yielder<Y>) -> Result<R, Thrown> + 'static,
    {
        self.create_throwing(body)
    }

    /// Makes a coroutine that nothing can be thrown at. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// As [`generator`](Self::generator).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Builder, Coroutine, CoroutineState::Yielded};
    ///
    /// let mut echo: Coroutine<String, String> = Builder::new().name("echo").create(|y| {
    ///     let mut word = String::new();
    ///     loop {
    ///         word = y.yield_(word)?;
    ///     }
    /// })?;
    /// echo.start()?;
    /// assert_eq!(echo.send("hello".into())?, Yielded("hello".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn create<Y, S, R, F>(self, body: F) -> Result<Coroutine<Y, S, R>, CreateError<F>>
    where
        Y: 'static,
        S: 'static,
        R: 'static,
        F: FnOnce(&Yielder<Y, S>) -> Result<R, Thrown> + 'static,
    {
        self.create_throwing(body)
    }

    /// Makes a coroutine that errors of type `E` can be thrown at. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// As [`generator`](Self::generator).
    #[track_caller]
    pub fn create_throwing<Y, S, R, E, F>(self, body: F) -> Result<Coroutine<Y, S, R, E>, CreateError<F>>
    where
        Y: 'static,
        S: 'static,
        R: 'static,
        E: 'static,
        F: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'static,
    {
        self.create_of(body, identity, Location::caller())
    }

    /// Makes a coroutine whose body is made of `f`, which is what comes back if there is no stack.
    #[inline(always)]
    pub(crate) fn create_of<Y, S, R, E, F, B>(
        self,
        f: F,
        body: impl FnOnce(F) -> B,
        created_at: &'static Location<'static>,
    ) -> Result<Coroutine<Y, S, R, E>, CreateError<F>>
    where
        Y: 'static,
        S: 'static,
        R: 'static,
        E: 'static,
        B: FnOnce(&Yielder<Y, S, E>) -> Result<R, Thrown<E>> + 'static,
    {
        match find_stack(self.size, self.stack) {
            Ok(header) => Ok(Coroutine { raw: Raw::new(header, body(f), created_at, self.name.as_deref()) }),
            Err((error, stack)) => Err(CreateError::new(error, f, stack)),
        }
    }
}

/// Why there was no stack, and the stack that was given, if one was.
type Refused = (StackError, Option<Box<dyn Stack>>);

fn find_stack(size: Option<usize>, stack: Option<Box<dyn Stack>>) -> Result<NonNull<Header>, Refused> {
    match stack {
        Some(stack) => pool::adopt(stack, &TENANT).map_err(|(error, stack)| (error, Some(stack))),
        None => size.map_or(Ok(Class::DEFAULT), Class::with).and_then(entry::take).map_err(|error| (error, None)),
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("stack_size", &self.size)
            .field("stack", &self.stack.as_ref().map(|stack| (stack.limit(), stack.top())))
            .finish()
    }
}
