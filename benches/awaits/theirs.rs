//! The same with corosensei by hand, with `.await`, and with boxed futures.
//!
//! By hand there are two. [`Sound`] does what ours promises: a dropped task's awaits return an error, a poll may await and keeps a waker
//! that lives, a thread-local names the body for free functions, and nothing is suspended in the midst of an unwind. [`Cx`] is bare, and
//! unsound: a poll that awaits goes on with a context that is gone.

use crate::harness::{sum, timed};
use crate::{Ready, Woken, adds_up, run};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::ptr;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// The context of the poll that runs the coroutine.
type Current = *mut Context<'static>;
type Inner = Coroutine<Current, (), u64, DefaultStack>;

/// As one would write it who has not thought of awaits inside of polls: the context is passed on as it is.
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

thread_local! {
    /// The body that runs.
    static CURRENT: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

struct Sound<'a> {
    yielder: &'a Yielder<Current, ()>,
    current: Cell<Current>,
    /// What awaits poll with: a clone of the executor's, made anew when that is another one.
    waker: UnsafeCell<Option<Waker>>,
    /// An await polls with it.
    is_out: Cell<bool>,
    /// How many times the body was woken.
    turn: Cell<u64>,
    before: Cell<*const ()>,
    was_panicking: Cell<bool>,
}

/// The task was dropped, or its body is unwinding.
#[derive(Debug)]
struct Refused;

impl Sound<'_> {
    fn newest(&self) -> Result<Waker, Refused> {
        // SAFETY: as in `Cx`; null after the drop.
        unsafe { self.current.get().as_ref() }.map(|cx| cx.waker().clone()).ok_or(Refused)
    }

    #[inline(always)]
    fn wait<F: Future>(&self, future: F) -> Result<F::Output, Refused> {
        let mut future = pin!(future);
        if self.is_out.replace(true) {
            return self.wait_with(future, self.newest()?);
        }
        // SAFETY: nobody else uses it while it is out.
        let own = unsafe { &mut *self.waker.get() };
        let waker = match own {
            Some(waker) => waker,
            None => own.insert(self.newest()?),
        };
        let mut turn = self.turn.get();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                if turn != self.turn.get() {
                    *own = None;
                }
                self.is_out.set(false);
                return Ok(output);
            }
            turn = self.renew(waker, turn)?;
        }
    }

    /// In the midst of a poll of another.
    #[cold]
    #[inline(never)]
    fn wait_with<F: Future>(&self, mut future: Pin<&mut F>, mut waker: Waker) -> Result<F::Output, Refused> {
        let mut turn = self.turn.get();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(output);
            }
            turn = self.renew(&mut waker, turn)?;
        }
    }

    /// Suspends the body, unless it has been woken since that turn: then the future has to be polled first.
    #[inline(always)]
    fn renew(&self, waker: &mut Waker, turn: u64) -> Result<u64, Refused> {
        if turn == self.turn.get() {
            self.suspend()?;
        }
        // SAFETY: as in `Cx`: it is not null, or `suspend` has refused.
        if !unsafe { &*self.current.get() }.waker().will_wake(waker) {
            *waker = self.newest()?;
        }
        Ok(self.turn.get())
    }

    #[inline(always)]
    fn suspend(&self) -> Result<(), Refused> {
        if thread::panicking() && !self.was_panicking.get() {
            return Err(Refused);
        }
        CURRENT.set(self.before.get());
        let cx = self.yielder.suspend(());
        self.enter();
        self.current.set(cx);
        self.turn.set(self.turn.get() + 1);
        if cx.is_null() { Err(Refused) } else { Ok(()) }
    }

    #[inline(always)]
    fn enter(&self) {
        self.before.set(CURRENT.replace((&raw const *self).cast()));
        self.was_panicking.set(thread::panicking());
    }
}

/// [`Hand`] whose drop tells the body.
struct SoundHand(Hand);

impl Future for SoundHand {
    type Output = u64;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Drop for SoundHand {
    fn drop(&mut self) {
        let inner = &mut self.0.0;
        if inner.started() && !inner.done() {
            let _ = inner.resume(ptr::null_mut());
        }
    }
}

#[inline(always)]
fn sound(body: impl FnOnce(&Sound<'_>) -> Result<u64, Refused> + 'static) -> SoundHand {
    SoundHand(Hand(Coroutine::with_stack(DefaultStack::default(), move |yielder: &Yielder<Current, ()>, cx| {
        let sound = Sound {
            yielder,
            current: Cell::new(cx),
            waker: UnsafeCell::new(None),
            is_out: Cell::new(false),
            turn: Cell::new(0),
            before: Cell::new(ptr::null()),
            was_panicking: Cell::new(false),
        };
        sound.enter();
        let result = body(&sound);
        CURRENT.set(sound.before.get());
        result.unwrap_or(0)
    })))
}

pub(crate) fn ready(n: u64) -> Duration {
    adds_up(n, sound(move |cx| (0..n).map(|i| cx.wait(Ready(black_box(i)))).sum()))
}

pub(crate) fn woken(n: u64) -> Duration {
    adds_up(n, sound(move |cx| (0..n).map(|i| cx.wait(Woken::new(black_box(i)))).sum()))
}

#[inline(never)]
fn descend(cx: &Sound<'_>, depth: u32, x: u64) -> Result<u64, Refused> {
    if depth == 0 {
        return cx.wait(Woken::new(x));
    }
    Ok(black_box(descend(cx, depth - 1, x)?))
}

pub(crate) fn down(depth: u32, n: u64) -> Duration {
    adds_up(n, sound(move |cx| (0..n).map(|i| descend(cx, depth, black_box(i))).sum()))
}

#[inline(always)]
fn hand(body: impl FnOnce(&Cx<'_>) -> u64 + 'static) -> Hand {
    Hand::on(DefaultStack::default(), body)
}

pub(crate) fn bare_ready(n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| cx.wait(Ready(black_box(i)))).sum()))
}

pub(crate) fn bare_woken(n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| cx.wait(Woken::new(black_box(i)))).sum()))
}

#[inline(never)]
fn bare_descend(cx: &Cx<'_>, depth: u32, x: u64) -> u64 {
    if depth == 0 {
        return cx.wait(Woken::new(x));
    }
    black_box(bare_descend(cx, depth - 1, x))
}

pub(crate) fn bare_down(depth: u32, n: u64) -> Duration {
    adds_up(n, hand(move |cx| (0..n).map(|i| bare_descend(cx, depth, black_box(i))).sum()))
}

thread_local! {
    static POOL: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn bare_start(n: u64) -> Duration {
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
