//! The same with corosensei, written as its best user would: everything inlined, and stacks from a pool by hand.

use crate::harness::{sum, timed};
use crate::ours::{Counted, dropped};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

type Echo = Coroutine<u64, u64, ()>;
type Down<'a> = &'a Yielder<u64, u64>;
type Pooled<Return = ()> = Coroutine<(), u64, Return, DefaultStack>;

thread_local! {
    static POOL: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

#[inline(always)]
fn take() -> DefaultStack {
    POOL.with_borrow_mut(Vec::pop).unwrap_or_default()
}

#[inline(always)]
fn put(stack: DefaultStack) {
    POOL.with_borrow_mut(|pool| pool.push(stack));
}

#[inline(always)]
fn drive(mut echo: Echo, n: u64) -> Duration {
    echo.resume(0);
    let elapsed = timed(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            match echo.resume(black_box(i)) {
                CoroutineResult::Yield(x) => total += x,
                CoroutineResult::Return(()) => unreachable!("it never ends"),
            }
        }
        total
    });
    echo.force_unwind();
    elapsed
}

pub(crate) fn body(n: u64) -> Duration {
    drive(
        Coroutine::new(|y: Down<'_>, mut x| {
            loop {
                x = y.suspend(x);
            }
        }),
        n,
    )
}

#[inline(never)]
fn down1(y: Down<'_>, x: u64) -> u64 {
    black_box(y.suspend(x))
}

#[inline(never)]
fn down2(y: Down<'_>, x: u64) -> u64 {
    black_box(down1(y, x))
}

#[inline(never)]
fn down3(y: Down<'_>, x: u64) -> u64 {
    black_box(down2(y, x))
}

#[inline(never)]
fn down4(y: Down<'_>, x: u64) -> u64 {
    black_box(down3(y, x))
}

pub(crate) fn one_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y: Down<'_>, mut x| {
            loop {
                x = down1(y, x);
            }
        }),
        n,
    )
}

pub(crate) fn four_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y: Down<'_>, mut x| {
            loop {
                x = down4(y, x);
            }
        }),
        n,
    )
}

#[inline(never)]
fn walk_frames(y: &Yielder<(), u64>, low: u64, high: u64) {
    if low < high {
        let middle = (low + high) / 2;
        walk_frames(y, low, middle);
        y.suspend(middle);
        walk_frames(y, middle + 1, high);
    }
}

pub(crate) fn walk(n: u64) -> Duration {
    let mut walk = Coroutine::<(), u64, ()>::new(move |y, ()| walk_frames(y, 0, n));
    timed(sum(n), || {
        let mut total = 0;
        while let CoroutineResult::Yield(x) = walk.resume(()) {
            total += x;
        }
        total
    })
}

pub(crate) fn for_loop(n: u64) -> Duration {
    let mut count = Coroutine::<(), u64, ()>::new(move |y, ()| {
        for i in 0..n {
            y.suspend(i);
        }
    });
    timed(sum(n), || {
        let mut total = 0;
        while let CoroutineResult::Yield(x) = count.resume(()) {
            total += x;
        }
        total
    })
}

pub(crate) fn create(n: u64) -> Duration {
    // The best of pools: one stack, in a local.
    let mut pool = vec![DefaultStack::default()];
    timed(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            let stack = pool.pop().unwrap_or_default();
            let mut co: Pooled<u64> = Coroutine::with_stack(stack, move |_, ()| black_box(i));
            if let CoroutineResult::Return(x) = co.resume(()) {
                total += x;
            }
            pool.push(co.into_stack());
        }
        total
    })
}

thread_local! {
    static KEPT: RefCell<Vec<Coroutine<(), u64, ()>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn create_kept(n: u64) -> Duration {
    KEPT.with_borrow_mut(|kept| {
        kept.reserve_exact(n as usize);
        timed(sum(n), || {
            let mut total = 0;
            for i in 0..n {
                let mut co = Coroutine::new(move |y: &Yielder<(), u64>, ()| y.suspend(i));
                total += co.resume(()).as_yield().unwrap_or(0);
                kept.push(co);
            }
            total
        })
    })
}

pub(crate) fn forget_kept() {
    KEPT.take();
}

// To drop is to unwind here, as in any program. A user could send a word of their own that asks the body to leave, as
// cheaply as any value; it would have to be part of the type of what is sent, and every body would have to heed it.
pub(crate) fn drop_suspended(n: u64) -> Duration {
    timed(n, || {
        for i in 0..n {
            let mut co: Pooled = Coroutine::with_stack(take(), move |y, ()| {
                let _counted = Counted;
                y.suspend(i);
            });
            match co.resume(()) {
                CoroutineResult::Yield(x) => assert_eq!(x, i),
                CoroutineResult::Return(()) => unreachable!("it yields first"),
            }
            co.force_unwind();
            put(co.into_stack());
        }
        dropped()
    })
}

/// The usual loop: resume the child, yield each of its items again.
#[inline(always)]
fn each(low: u64, high: u64, mut item: impl FnMut(u64)) {
    let mut child = node(low, high);
    while let CoroutineResult::Yield(x) = child.resume(()) {
        item(x);
    }
    put(child.into_stack());
}

/// The coroutine of the node at the root of the tree over `low..high`, which is not empty.
fn node(low: u64, high: u64) -> Pooled {
    Coroutine::with_stack(take(), move |y, ()| {
        let middle = (low + high) / 2;
        if low < middle {
            each(low, middle, |x| y.suspend(x));
        }
        y.suspend(middle);
        if middle + 1 < high {
            each(middle + 1, high, |x| y.suspend(x));
        }
    })
}

pub(crate) fn nodes(n: u64) -> Duration {
    timed(sum(n), || {
        let mut total = 0;
        each(0, n, |x| total += x);
        total
    })
}

pub(crate) fn chain(depth: u64, n: u64) -> Duration {
    let mut chain: Pooled = Coroutine::with_stack(take(), move |y, ()| {
        for i in 0..=n {
            y.suspend(i);
        }
    });
    for _ in 1..depth {
        let mut inner = chain;
        chain = Coroutine::with_stack(take(), move |y, ()| {
            while let CoroutineResult::Yield(x) = inner.resume(()) {
                y.suspend(x);
            }
            put(inner.into_stack());
        });
    }
    assert_eq!(chain.resume(()).as_yield(), Some(0));
    let elapsed = timed(sum(n + 1), || {
        let mut total = 0;
        for _ in 0..n {
            if let CoroutineResult::Yield(x) = chain.resume(()) {
                total += x;
            }
        }
        total
    });
    assert!(chain.resume(()).as_return().is_some());
    put(chain.into_stack());
    elapsed
}

/// The nearest to a throw: a `Result` is sent.
pub(crate) fn result_sent(n: u64) -> Duration {
    let mut co = Coroutine::<Result<(), u64>, u64, ()>::new(|y, _| {
        let mut x = 0;
        loop {
            if let Err(error) = y.suspend(x) {
                x = error;
            }
        }
    });
    co.resume(Ok(()));
    let elapsed = timed(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            if let CoroutineResult::Yield(x) = co.resume(Err(black_box(i))) {
                total += x;
            }
        }
        total
    });
    co.force_unwind();
    elapsed
}

pub(crate) fn in_turn(live: u64, n: u64) -> Duration {
    let mut all: Vec<Pooled> = (0..live)
        .map(|_| {
            Coroutine::with_stack(take(), |y: &Yielder<(), u64>, ()| {
                for i in 1.. {
                    y.suspend(i);
                }
            })
        })
        .collect();
    let (rounds, rest) = (n / live, n % live);
    let elapsed = timed(live * sum(rounds + 1) + rest * (rounds + 1), || {
        let mut total = 0;
        for round in 0..=rounds {
            let count = if round < rounds { live } else { rest };
            for co in &mut all[..count as usize] {
                if let CoroutineResult::Yield(x) = co.resume(()) {
                    total += x;
                }
            }
        }
        total
    });
    for mut co in all {
        co.force_unwind();
        put(co.into_stack());
    }
    elapsed
}
