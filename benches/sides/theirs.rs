//! The same with corosensei, written as its best user would: everything inlined, and stacks from a pool by hand.

use super::{Adds, Timed, dropped, narrow, sum, timed_sum, wide};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::RefCell;
use std::hint::black_box;

pub(crate) type Pooled<Return = ()> = Coroutine<(), u64, Return, DefaultStack>;

thread_local! {
    static POOL: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

#[inline(always)]
pub(crate) fn take() -> DefaultStack {
    POOL.with_borrow_mut(Vec::pop).unwrap_or_default()
}

#[inline(always)]
pub(crate) fn put(stack: DefaultStack) {
    POOL.with_borrow_mut(|pool| pool.push(stack));
}

#[inline(always)]
pub(crate) fn items(mut co: Pooled, n: u64) -> Timed {
    co.resume(());
    let elapsed = timed_sum(sum(n), || {
        let mut total = 0;
        for _ in 0..n {
            match co.resume(()) {
                CoroutineResult::Yield(x) => total += x,
                CoroutineResult::Return(()) => unreachable!("it has more items"),
            }
        }
        total
    });
    // By its return, not by an unwind.
    while !co.done() {
        co.resume(());
    }
    elapsed
}

pub(crate) fn send(n: u64) -> Timed {
    let echo = Coroutine::new(|y: &Yielder<u64, u64>, mut x| {
        loop {
            x = y.suspend(x);
        }
    });
    drive(echo, n)
}

#[inline(always)]
pub(crate) fn drive(mut echo: Coroutine<u64, u64, ()>, n: u64) -> Timed {
    echo.resume(0);
    let elapsed = timed_sum(sum(n), || {
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

pub(crate) fn value<const WORDS: usize>(n: u64) -> Timed {
    let mut echo = Coroutine::<[u64; WORDS], [u64; WORDS], ()>::new(|y, mut x| {
        loop {
            x = y.suspend(x);
        }
    });
    echo.resume(wide(0));
    let elapsed = timed_sum(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            match echo.resume(wide(black_box(i))) {
                CoroutineResult::Yield(x) => total += narrow(&x),
                CoroutineResult::Return(()) => unreachable!("it never ends"),
            }
        }
        total
    });
    echo.force_unwind();
    elapsed
}

/// The nearest to a throw: a `Result` is sent.
pub(crate) fn throw(n: u64) -> Timed {
    let mut co = Coroutine::<Result<(), u64>, u64, ()>::new(|y, _| {
        let mut x = 0;
        loop {
            if let Err(error) = y.suspend(x) {
                x = error;
            }
        }
    });
    co.resume(Ok(()));
    let elapsed = timed_sum(sum(n), || {
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

// To drop is to unwind here, as in any program that does not have a word of its own that asks its bodies to leave.
pub(crate) fn drop_suspended(n: u64) -> Timed {
    timed_sum(sum(n), || {
        for i in 0..n {
            let mut co: Pooled = Coroutine::with_stack(take(), move |y, ()| {
                let _adds = Adds(i);
                y.suspend(i);
            });
            assert_eq!(co.resume(()).as_yield(), Some(i), "it yields first");
            co.force_unwind();
            put(co.into_stack());
        }
        dropped()
    })
}

pub(crate) fn create_pooled(n: u64) -> Timed {
    // The best of pools: one stack, in a local.
    let mut pool = vec![DefaultStack::default()];
    timed_sum(sum(n), || {
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

#[inline(never)]
fn walk_frames(y: &Yielder<(), u64>, low: u64, high: u64) {
    if low < high {
        let middle = (low + high) / 2;
        walk_frames(y, low, middle);
        y.suspend(middle);
        walk_frames(y, middle + 1, high);
    }
}

pub(crate) fn walk(n: u64) -> Timed {
    let mut walk = Coroutine::<(), u64, ()>::new(move |y, ()| walk_frames(y, 0, n));
    timed_sum(sum(n), || {
        let mut total = 0;
        while let CoroutineResult::Yield(x) = walk.resume(()) {
            total += x;
        }
        total
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

/// The coroutine of the root of the tree over `low..high`, which is not empty.
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

pub(crate) fn counter(n: u64) -> Coroutine<(), u64, ()> {
    Coroutine::new(move |y, ()| {
        for i in 0..n {
            y.suspend(i);
        }
    })
}

pub(crate) fn chain(depth: u64, n: u64) -> Timed {
    let mut chain: Pooled = Coroutine::with_stack(take(), move |y, ()| {
        y.suspend(0);
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
    items(chain, n)
}

pub(crate) fn walk_nodes(n: u64) -> Timed {
    timed_sum(sum(n), || {
        let mut total = 0;
        each(0, n, |x| total += x);
        total
    })
}

/// The iterator that its user would write.
pub(crate) struct Items(pub(crate) Coroutine<(), u64, ()>);

impl Iterator for Items {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        if self.0.done() { None } else { self.0.resume(()).as_yield() }
    }
}

pub(crate) fn for_loop(n: u64) -> Timed {
    let count = counter(n);
    timed_sum(sum(n), || {
        let mut total = 0;
        for x in Items(count) {
            total += x;
        }
        total
    })
}
