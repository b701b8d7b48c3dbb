//! The methods that [`Coroutine`](super::Coroutine) and [`Scoped`](super::Scoped) share, written once.
#![forbid(unsafe_code)]

/// The methods of a handle with a field `raw`.
macro_rules! protocol {
    () => {
        /// Runs the body up to its first yield or its end.
        ///
        /// # Errors
        ///
        /// - [`SendError::Thrown`](crate::SendError::Thrown): the body ended with an error;
        /// - [`SendError::Started`](crate::SendError::Started): it had been started before, and is suspended as it was;
        /// - [`SendError::Finished`](crate::SendError::Finished), and the rarer ones of
        ///   [`SendError`](crate::SendError).
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Coroutine, CoroutineState::Yielded, SendError};
        ///
        /// let mut echo = Coroutine::<i32, i32, i32>::new(|y| { let sent = y.yield_(1)?; y.yield_(sent) });
        /// assert_eq!(echo.send(7), Err(SendError::NotStarted(7)));
        /// assert_eq!(echo.start(), Ok(Yielded(1)));
        /// assert_eq!(echo.send(7), Ok(Yielded(7)));
        /// assert_eq!(echo.start(), Err(SendError::Started(())));
        /// ```
        #[inline(always)]
        pub fn start(&mut self) -> Result<crate::CoroutineState<Y, R>, crate::SendError<(), E>> {
            self.raw.start()
        }

        /// Resumes the body up to its next yield or its end: Python's `next`.
        ///
        /// A coroutine that has not started is started; after that its yield returns `S::default()`.
        ///
        /// # Errors
        ///
        /// - [`SendError::Thrown`](crate::SendError::Thrown): the body ended with an error;
        /// - [`SendError::Finished`](crate::SendError::Finished), and the rarer ones of
        ///   [`SendError`](crate::SendError).
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{CoroutineState::{Complete, Yielded}, Generator, SendError};
        ///
        /// let mut answer = Generator::new(|y| { y.yield_("thinking")?; Ok(42) });
        /// assert_eq!(answer.resume(), Ok(Yielded("thinking")));
        /// assert_eq!(answer.resume(), Ok(Complete(42)));
        /// assert_eq!(answer.resume(), Err(SendError::Finished(())));
        /// ```
        #[inline(always)]
        pub fn resume(&mut self) -> Result<crate::CoroutineState<Y, R>, crate::SendError<(), E>>
        where
            S: Default,
        {
            self.raw.resume()
        }

        /// Resumes the body with `value`, which its yield returns, up to its next yield or its end.
        ///
        /// # Errors
        ///
        /// - [`SendError::Thrown`](crate::SendError::Thrown): the body ended with an error;
        /// - the others of [`SendError`](crate::SendError) hand `value` back: the coroutine has
        ///   [not started](crate::SendError::NotStarted), has [finished](crate::SendError::Finished), ….
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Coroutine, CoroutineState::Yielded};
        ///
        /// let mut double = Coroutine::<u32, u32>::new(|y| {
        ///     let mut n = 0;
        ///     loop { n = 2 * y.yield_(n)?; }
        /// });
        /// double.start()?;
        /// assert_eq!(double.send(21)?, Yielded(42));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[inline(always)]
        pub fn send(&mut self, value: S) -> Result<crate::CoroutineState<Y, R>, crate::SendError<S, E>> {
            self.raw.send(value)
        }

        /// Resumes the body with an error: its yield returns `Err(Thrown::Error(error))`.
        ///
        /// The answer is what the body does with it: it may yield again, return, or end with this error or another.
        /// Thrown at a coroutine that has not started, the error finishes it: the body never runs.
        ///
        /// # Errors
        ///
        /// - [`SendError::Thrown`](crate::SendError::Thrown): the body ended with an error, this one for instance;
        /// - the others of [`SendError`](crate::SendError) hand `error` back: the coroutine has
        ///   [finished](crate::SendError::Finished), ….
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Coroutine, CoroutineState::Yielded, SendError, Thrown};
        ///
        /// let mut co = Coroutine::<u32, (), (), &str>::throwing(|y| {
        ///     if let Err(Thrown::Error(word)) = y.yield_(1) { y.yield_(word.len() as u32)?; }
        ///     Ok(())
        /// });
        /// assert_eq!(co.start(), Ok(Yielded(1)));
        /// assert_eq!(co.throw("four"), Ok(Yielded(4))); // caught
        /// assert_eq!(co.throw("again"), Err(SendError::Thrown(Thrown::Error("again")))); // not caught
        /// ```
        #[inline(always)]
        pub fn throw(&mut self, error: E) -> Result<crate::CoroutineState<Y, R>, crate::SendError<E, E>> {
            self.raw.throw(error)
        }

        /// Asks the body to leave: its yield returns `Err(Thrown::Exit)`. Python's `throw(GeneratorExit)`.
        ///
        /// Unlike [`close`](Self::close), takes any answer, a further yield too.
        ///
        /// # Errors
        ///
        /// - [`SendError::Thrown`](crate::SendError::Thrown): the body ended with an error, most often
        ///   [`Thrown::Exit`](crate::Thrown::Exit) itself;
        /// - [`SendError::Finished`](crate::SendError::Finished), and the rarer ones of
        ///   [`SendError`](crate::SendError).
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Generator, SendError, Thrown};
        ///
        /// let mut one = Generator::new(|y| { y.yield_(1)?; Ok(()) });
        /// one.start()?;
        /// assert_eq!(one.throw_exit(), Err(SendError::Thrown(Thrown::Exit)));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn throw_exit(&mut self) -> Result<crate::CoroutineState<Y, R>, crate::SendError<(), E>> {
            self.raw.throw_exit()
        }

        /// Ends the coroutine: asks the body to leave, and returns what it returns if it catches the exit to do so.
        ///
        /// `Ok(None)` when it passed the exit on (by `?`), had not started, or had already finished.
        ///
        /// # Errors
        ///
        /// - [`CloseError::Ignored`](crate::CloseError::Ignored): the body yielded again. It is suspended there, and the
        ///   value is in the error;
        /// - [`CloseError::Error`](crate::CloseError::Error): the body ended with an error of its own.
        ///
        /// # Panics
        ///
        /// When the body does, with its payload.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{CloseError, Generator, Thrown};
        ///
        /// let mut sum = Generator::new(|y| {
        ///     let mut n = 0;
        ///     while y.yield_(n).is_ok() { n += 1; }
        ///     Ok(n) // on the exit
        /// });
        /// sum.start()?;
        /// sum.resume()?;
        /// assert_eq!(sum.close()?, Some(1));
        /// assert_eq!(sum.close()?, None);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        pub fn close(&mut self) -> Result<Option<R>, crate::CloseError<Y, E>> {
            self.raw.close()
        }

        /// Whether the coroutine has started, waits, runs or has finished.
        #[must_use]
        pub fn state(&self) -> crate::State {
            self.raw.state()
        }

        /// The name that its builder gave it.
        #[must_use]
        pub fn name(&self) -> Option<&str> {
            self.raw.description().name()
        }

        /// Where it was created.
        #[must_use]
        pub fn created_at(&self) -> &'static core::panic::Location<'static> {
            self.raw.description().created_at()
        }

        /// The size of its stack, in bytes, or `None` once it has ended and given the stack back.
        ///
        /// # Examples
        ///
        /// ```
        /// let co = switchback::Generator::new(|y| y.yield_(1));
        /// assert!(co.stack_size().is_some_and(|size| size > 250 * 1024));
        /// ```
        #[must_use]
        pub fn stack_size(&self) -> Option<usize> {
            self.raw.stack_size()
        }

        /// How much of its stack it has used so far, in bytes, or `None` once it has given the stack back.
        ///
        /// It is an upper bound, to the page: what earlier users of the stack have touched counts as well. Exact, to the
        /// word, if [`Measure::Painted`](crate::stack::Measure::Painted) was chosen when it was created. For coroutines
        /// that have ended there is [`stack::usage`](crate::stack::usage()).
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Generator, stack::{self, Measure}};
        ///
        /// stack::set_measure(Measure::Painted);
        /// let mut co = Generator::new(|y| y.yield_(format!("{:?}", [1.5; 3])));
        /// co.next();
        /// println!("{} of {} bytes", co.stack_high_water().unwrap_or(0), co.stack_size().unwrap_or(0));
        /// ```
        #[must_use]
        pub fn stack_high_water(&self) -> Option<usize> {
            self.raw.stack_high_water()
        }

        /// The coroutine that this one delegates to just now: Python's `gi_yieldfrom`.
        ///
        /// # Examples
        ///
        /// ```
        /// use switchback::{Builder, Generator};
        ///
        /// let mut inner = Builder::new().name("inner").generator(|y| { y.yield_(1)?; Ok(()) })?;
        /// let mut outer = Generator::new(move |y| y.yield_from(&mut inner));
        /// outer.start()?;
        /// assert_eq!(outer.delegate().and_then(|inner| inner.name()), Some("inner"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[must_use]
        pub fn delegate(&self) -> Option<crate::Description<'_>> {
            self.raw.delegate()
        }
    };
}

pub(super) use protocol;
