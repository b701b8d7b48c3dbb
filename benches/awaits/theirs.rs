//! The same with corosensei by hand, with `.await`, and with boxed futures.

use crate::harness::{sum, timed};
use crate::{Ready, Woken, adds_up, run};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// The context of the poll that runs the coroutine.
type Current = *mut Context<'static>;
type Inner = Coroutine<Current, (), u64, DefaultStack>;

/// As its best user would write it, who has not thought of awaits inside of polls: the context is passed on as it is.
struct Cx<'a> {
    yielder: &'a Yielder<Current, ()>,
    current: Cell<Current>,
}

impl Cx<'_> {
    #[inline(always)]
    fn wait<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            // SAFETY: the poll that has passed it in goes on until the coroutine yields.
            let cx = unsafe { &mut *self.current.get() };
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => self.current.set(self.yielder.suspend(())),
            }
        }
    }
}

/// A coroutine as a future.
struct Hand(Inner);

impl Hand {
    #[inline(always)]
    fn on(stack: DefaultStack, body: impl FnOnce(&Cx<'_>) -> u64 + 'static) -> Self {
        Self(Coroutine::with_stack(stack, move |yielder: &Yielder<Current, ()>, cx| {
            body(&Cx { yielder, current: Cell::new(cx) })
        }))
    }
}

impl Future for Hand {
    type Output = u64;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        match self.0.resume((&raw mut *cx).cast()) {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(value) => Poll::Ready(value),
        }
    }
}

#[inline(always)]
fn hand(body: impl FnOnce(&Cx<'_>) -> u64 + 'static) -> Hand {
    Hand::on(DefaultStack::default(), body)
}

pub(crate) fn ready(n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| cx.wait(Ready(black_box(i)))).sum()))
}

pub(crate) fn woken(n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| cx.wait(Woken::new(black_box(i)))).sum()))
}

#[inline(never)]
fn descend(cx: &Cx<'_>, depth: u32, x: u64) -> u64 {
    if depth == 0 {
        return cx.wait(Woken::new(x));
    }
    black_box(descend(cx, depth - 1, x))
}

pub(crate) fn down(depth: u32, n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| descend(cx, depth, black_box(i))).sum()))
}

thread_local! {
    static POOL: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn start(n: u64) -> Duration {
    timed(sum(n), || {
        let one = |i| {
            let stack = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
            let mut hand = Hand::on(stack, move |cx| cx.wait(Woken::new(black_box(i))));
            let value = run(&mut hand);
            POOL.with_borrow_mut(|pool| pool.push(hand.0.into_stack()));
            value
        };
        (0..n).map(one).sum()
    })
}

pub(crate) fn ready_native(n: u64) -> Duration {
    adds_up(n, async move {
        let mut total = 0;
        for i in 0..n {
            total += Ready(black_box(i)).await;
        }
        total
    })
}

pub(crate) fn woken_native(n: u64) -> Duration {
    adds_up(n, async move {
        let mut total = 0;
        for i in 0..n {
            total += Woken::new(black_box(i)).await;
        }
        total
    })
}

/// What a recursive async function is: each level is a future on the heap.
fn descend_boxed(depth: u32, x: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move {
        if depth == 0 {
            return Woken::new(x).await;
        }
        black_box(descend_boxed(depth - 1, x).await)
    })
}

pub(crate) fn boxed(depth: u32, n: u64) -> Duration {
    adds_up(n, async move {
        let mut total = 0;
        for i in 0..n {
            total += descend_boxed(depth, black_box(i)).await;
        }
        total
    })
}
