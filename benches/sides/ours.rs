//! What is timed of switchback.

use super::{Adds, Timed, dropped, narrow, sum, timed_sum, wide};
use std::hint::black_box;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, Generator, Thrown, Yielder};

/// The sum of `n` items.
#[inline(always)]
pub(crate) fn items(mut generator: Generator<u64>, n: u64) -> Timed {
    generator.start().expect("it starts"); // an item that does not count
    timed_sum(sum(n), || {
        let mut total = 0;
        for _ in 0..n {
            match generator.resume() {
                Ok(Yielded(x)) => total += x,
                _ => unreachable!("it has more items"),
            }
        }
        total
    })
}

pub(crate) fn send(n: u64) -> Timed {
    let echo = Coroutine::new(|y| {
        let mut x = 0;
        loop {
            x = y.yield_(x)?;
        }
    });
    drive(echo, n)
}

/// Sends 0 to n - 1 to a coroutine that yields what it was sent.
#[inline(always)]
pub(crate) fn drive(mut echo: Coroutine<u64, u64>, n: u64) -> Timed {
    echo.start().expect("it starts");
    timed_sum(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            match echo.send(black_box(i)) {
                Ok(Yielded(x)) => total += x,
                _ => unreachable!("it never ends"),
            }
        }
        total
    })
}

pub(crate) fn value<const WORDS: usize>(n: u64) -> Timed {
    let mut echo = Coroutine::<[u64; WORDS], [u64; WORDS]>::new(|y| {
        let mut x = wide(0);
        loop {
            x = y.yield_(x)?;
        }
    });
    echo.start().expect("it starts");
    timed_sum(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            match echo.send(wide(black_box(i))) {
                Ok(Yielded(x)) => total += narrow(&x),
                _ => unreachable!("it never ends"),
            }
        }
        total
    })
}

pub(crate) fn throw(n: u64) -> Timed {
    let mut co = Coroutine::<u64, (), (), u64>::throwing(|y| {
        let mut x = 0;
        loop {
            match y.yield_(x) {
                Ok(()) => {}
                Err(Thrown::Error(error)) => x = error,
                Err(other) => return Err(other),
            }
        }
    });
    co.start().expect("it starts");
    timed_sum(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            if let Ok(Yielded(x)) = co.throw(black_box(i)) {
                total += x;
            }
        }
        total
    })
}

/// Suspended, with a local to be dropped.
#[inline(always)]
pub(crate) fn suspended(i: u64) -> Generator<u64> {
    let mut co = Generator::new(move |y| {
        let _adds = Adds(i);
        y.yield_(i)
    });
    assert!(matches!(co.start(), Ok(Yielded(x)) if x == i), "it yields first");
    co
}

pub(crate) fn close(n: u64) -> Timed {
    timed_sum(sum(n), || {
        for i in 0..n {
            suspended(i).close().expect("it lets itself be closed");
        }
        dropped()
    })
}

pub(crate) fn drop_suspended(n: u64) -> Timed {
    timed_sum(sum(n), || {
        for i in 0..n {
            drop(suspended(i));
        }
        dropped()
    })
}

pub(crate) fn create_pooled(n: u64) -> Timed {
    timed_sum(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            let mut co = Coroutine::<u64, (), u64>::new(move |_| Ok(black_box(i)));
            if let Ok(Complete(x)) = co.start() {
                total += x;
            }
        }
        total
    })
}

#[inline(never)]
fn walk_frames(y: &Yielder<u64>, low: u64, high: u64) -> Result<(), Thrown> {
    if low < high {
        let middle = (low + high) / 2;
        walk_frames(y, low, middle)?;
        y.yield_(middle)?;
        walk_frames(y, middle + 1, high)?;
    }
    Ok(())
}

pub(crate) fn walk(n: u64) -> Timed {
    let mut walk = Generator::new(move |y| walk_frames(y, 0, n));
    timed_sum(sum(n), || {
        let mut total = 0;
        while let Ok(Yielded(x)) = walk.resume() {
            total += x;
        }
        total
    })
}

/// The coroutine of the root of the tree over `low..high`, which is not empty. It delegates to those of its children.
fn node(low: u64, high: u64) -> Generator<u64> {
    Generator::new(move |y| {
        let middle = (low + high) / 2;
        if low < middle {
            y.yield_from(&mut node(low, middle))?;
        }
        y.yield_(middle)?;
        if middle + 1 < high {
            y.yield_from(&mut node(middle + 1, high))?;
        }
        Ok(())
    })
}

pub(crate) fn counter(n: u64) -> Generator<u64> {
    Generator::new(move |y| {
        for i in 0..n {
            y.yield_(i)?;
        }
        Ok(())
    })
}

pub(crate) fn chain(depth: u64, n: u64) -> Timed {
    let mut chain = Generator::new(move |y| {
        y.yield_(0)?;
        for i in 0..=n {
            y.yield_(i)?;
        }
        Ok(())
    });
    for _ in 1..depth {
        let mut inner = chain;
        chain = Generator::new(move |y| y.yield_from(&mut inner));
    }
    items(chain, n)
}

pub(crate) fn walk_nodes(n: u64) -> Timed {
    let nodes = node(0, n);
    timed_sum(sum(n), || nodes.sum())
}

pub(crate) fn for_loop(n: u64) -> Timed {
    let count = counter(n);
    timed_sum(sum(n), || {
        let mut total = 0;
        for x in count {
            total += x;
        }
        total
    })
}
