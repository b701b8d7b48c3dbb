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
    /// Takes a stack. Of the body nothing runs: it waits for its first poll.
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
            move |yielder: &Inner| -> Result<R, Thrown> {
                // There may be none: it is dropped.
                let lent = yielder.yield_(Signal::PENDING)?;
                Ok(Awaiter::within(yielder, lent, body))
            }
        };
        let mut coroutine = builder.create_of(f, wrap, created_at)?;
        match coroutine.start() {
            Ok(CoroutineState::Yielded(_)) => Ok(Self { coroutine }),
            _ => unreachable!("it waits for its first poll"),
        }
    }

    /// Takes a stack for a body that is to be [started](Self::start) in the poll that lends this waker.
    #[inline(always)]
    fn in_poll<F, B>(
        f: F,
        body: impl FnOnce(F) -> B,
        lent: Lent,
        created_at: &'static Location<'static>,
    ) -> Result<Self, CreateError<F>>
    where
        B: FnOnce(&Awaiter) -> R + 'static,
    {
        let wrap = |f| {
            let body = body(f);
            move |yielder: &Inner| -> Result<R, Thrown> { Ok(Awaiter::within(yielder, lent, body)) }
        };
        Ok(Self { coroutine: Builder::new().create_of(f, wrap, created_at)? })
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

    /// Runs the body from its beginning until it waits, hands something out, or ends.
    #[inline(always)]
    fn start(&mut self, lent: Lent) -> Step<R> {
        self.coroutine.start().map_err(|error| match error {
            SendError::Thrown(thrown) => SendError::Thrown(thrown),
            // A fresh one is not refused.
            _ => SendError::Running(lent),
        })
    }
}

/// The life of a future or a stream.
pub(super) enum Life<R, F> {
    Fresh { f: F, created_at: &'static Location<'static> },
    Live(Live<R>),
    Over,
}

impl<R: 'static, F> Life<R, F> {
    /// Gives a fresh one its stack, and runs the body from its beginning until it waits, hands something out, or ends. None if it
    /// is over.
    ///
    /// # Panics
    ///
    /// When the body does. And when there is no stack to be had; then it is over.
    #[inline(always)]
    pub(super) fn start<B>(&mut self, body: impl FnOnce(F) -> B, waker: &Waker) -> Option<Step<R>>
    where
        B: FnOnce(&Awaiter) -> R + 'static,
    {
        let Self::Fresh { .. } = self else { return None };
        let Self::Fresh { f, created_at } = core::mem::replace(self, Self::Over) else { return None };
        let lent = Lent::new(waker);
        match Live::in_poll(f, body, lent, created_at) {
            Ok(live) => *self = Self::Live(live),
            Err(error) => panic!("{error} (a stackful future created at {created_at})"),
        }
        match self {
            Self::Live(live) => Some(live.start(lent)),
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
