//! What a task on a host comes to, on its way to whoever waits for it.
#![forbid(unsafe_code)]

use super::guarded;
use parking_lot::Mutex;
use std::any::Any;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A value, a panic, or nothing: the task was ended before it came to either.
pub(super) type Outcome<T> = Option<Result<T, Box<dyn Any + Send>>>;

enum State<T> {
    /// Who is to be woken, if anybody has asked.
    Open(Option<Waker>),
    Kept(Outcome<T>),
    /// Nobody asks any more.
    Over,
}

/// The side of the task. Dropped, it keeps the promise with nothing.
pub(super) struct Promise<T>(Arc<Mutex<State<T>>>);

/// The side of whoever waits.
pub(super) struct Promised<T>(Arc<Mutex<State<T>>>);

pub(super) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let state = Arc::new(Mutex::new(State::Open(None)));
    (Promise(state.clone()), Promised(state))
}

impl<T> Promise<T> {
    /// Only the first time counts. What nobody asks for any more is dropped here.
    pub(super) fn keep(&self, outcome: Outcome<T>) {
        let mut state = self.0.lock();
        if let State::Open(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Kept(outcome);
            // Neither wakers nor values are touched under the lock.
            drop(state);
            if let Some(waker) = waker {
                guarded(|| waker.wake());
            }
        } else {
            drop(state);
            drop(outcome);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.keep(None);
    }
}

impl<T> Promised<T> {
    /// After it was ready, it is ready with nothing.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let mut newest = None;
        loop {
            let mut state = self.0.lock();
            let old = match &mut *state {
                State::Open(Some(waker)) if waker.will_wake(cx.waker()) => None,
                State::Open(waker) if newest.is_some() => mem::replace(waker, newest.take()),
                State::Open(_) => {
                    drop(state);
                    newest = Some(cx.waker().clone());
                    continue;
                }
                State::Kept(_) => match mem::replace(&mut *state, State::Over) {
                    State::Kept(outcome) => return Poll::Ready(outcome),
                    _ => unreachable!("it was just that"),
                },
                State::Over => return Poll::Ready(None),
            };
            drop(state);
            drop(old);
            return Poll::Pending;
        }
    }

    /// Ends the asking. Whether the promise was still open.
    pub(super) fn leave(&self) -> bool {
        let old = mem::replace(&mut *self.0.lock(), State::Over);
        matches!(old, State::Open(_))
    }
}
