//! What a stackful future and a stackful stream are inside: a body that waits for its first poll, a coroutine that waits for its
//! next one, or nothing any more.
#![forbid(unsafe_code)]

use super::awaiter::Awaiter;
use super::message::{Inner, Lent, Signal};
use crate::coroutine::{Builder, Coroutine, CoroutineState, CreateError, SendError, Thrown};
use core::fmt;
use core::panic::Location;
use core::task::Waker;

/// What came of a poll.
pub(super) type Step<R> = Result<CoroutineState<Signal, R>, SendError<Lent>>;

/// A coroutine whose body has an awaiter.
pub(super) struct Live<R> {
    coroutine: Coroutine<Signal, Lent, R>,
}

impl<R: 'static> Live<R> {
    /// Takes a stack. Of the body nothing runs.
    pub(super) fn new<F, B>(
        builder: Builder,
        f: F,
        body: impl FnOnce(F) -> B,
        created_at: &'static Location<'static>,
    ) -> Result<Self, CreateError<F>>
    where
        B: FnOnce(&Awaiter) -> R + 'static,
    {
        let wrap = |f| {
            let body = body(f);
            move |yielder: &Inner| -> Result<R, Thrown> { Awaiter::within(yielder, body) }
        };
        let mut coroutine = builder.create_of(f, wrap, created_at)?;
        match coroutine.start() {
            Ok(CoroutineState::Yielded(_)) => Ok(Self { coroutine }),
            _ => unreachable!("it waits for its first poll"),
        }
    }
}

impl<R> Live<R> {
    /// Runs the body until it waits again, hands something out, or ends.
    ///
    /// # Panics
    ///
    /// When the body does.
    #[inline(always)]
    pub(super) fn resume(&mut self, waker: &Waker) -> Step<R> {
        self.coroutine.send(Lent::new(waker))
    }
}

/// The life of a future or a stream.
pub(super) enum Life<R, F> {
    Fresh { f: F, created_at: &'static Location<'static> },
    Live(Live<R>),
    Over,
}

impl<R: 'static, F> Life<R, F> {
    /// Gives a fresh one its stack, and returns the coroutine if it is not over.
    ///
    /// # Panics
    ///
    /// When there is no stack to be had. Then it is over.
    #[cold]
    #[inline(never)]
    pub(super) fn start<B>(&mut self, body: impl FnOnce(F) -> B) -> Option<&mut Live<R>>
    where
        B: FnOnce(&Awaiter) -> R + 'static,
    {
        if let Self::Fresh { .. } = self
            && let Self::Fresh { f, created_at } = core::mem::replace(self, Self::Over)
        {
            match Live::new(Builder::new(), f, body, created_at) {
                Ok(live) => *self = Self::Live(live),
                Err(error) => panic!("{error} (a stackful future created at {created_at})"),
            }
        }
        match self {
            Self::Live(live) => Some(live),
            _ => None,
        }
    }
}

impl<R, F> Life<R, F> {
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(name);
        match self {
            Self::Fresh { created_at, .. } => out.field("created_at", &format_args!("{created_at}")),
            Self::Live(Live { coroutine, .. }) => out.field("coroutine", coroutine),
            Self::Over => &mut out,
        };
        out.finish_non_exhaustive()
    }
}
