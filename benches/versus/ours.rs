//! What is measured, written with switchback.

use crate::harness::{sum, timed};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Duration;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, Generator, Thrown, Yielder};

type Echo = Coroutine<u64, u64>;
type Down<'a> = &'a Yielder<u64, u64>;

/// Sends 0 to n - 1 to a coroutine that yields what it was sent.
#[inline(always)]
fn drive(mut echo: Echo, n: u64) -> Duration {
    echo.start().expect("it starts");
    timed(sum(n), || {
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

pub(crate) fn body(n: u64) -> Duration {
    drive(
        Coroutine::new(|y| {
            let mut x = 0;
            loop {
                x = y.yield_(x)?;
            }
        }),
        n,
    )
}

// The work after each call keeps it from being the caller's last act, which would make it a jump.

#[inline(never)]
fn down1(y: Down<'_>, x: u64) -> Result<u64, Thrown> {
    Ok(black_box(y.yield_(x)?))
}

#[inline(never)]
fn down2(y: Down<'_>, x: u64) -> Result<u64, Thrown> {
    Ok(black_box(down1(y, x)?))
}

#[inline(never)]
fn down3(y: Down<'_>, x: u64) -> Result<u64, Thrown> {
    Ok(black_box(down2(y, x)?))
}

#[inline(never)]
fn down4(y: Down<'_>, x: u64) -> Result<u64, Thrown> {
    Ok(black_box(down3(y, x)?))
}

pub(crate) fn one_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y| {
            let mut x = 0;
            loop {
                x = down1(y, x)?;
            }
        }),
        n,
    )
}

pub(crate) fn four_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y| {
            let mut x = 0;
            loop {
                x = down4(y, x)?;
            }
        }),
        n,
    )
}

/// Yields the nodes of the balanced tree over `low..high` in order.
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

pub(crate) fn walk(n: u64) -> Duration {
    let mut walk = Generator::new(move |y| walk_frames(y, 0, n));
    timed(sum(n), || {
        let mut total = 0;
        while let Ok(Yielded(x)) = walk.resume() {
            total += x;
        }
        total
    })
}

pub(crate) fn for_loop(n: u64) -> Duration {
    let count = Generator::new(move |y| {
        for i in 0..n {
            y.yield_(i)?;
        }
        Ok(())
    });
    timed(sum(n), || {
        let mut total = 0;
        for x in count {
            total += x;
        }
        total
    })
}

pub(crate) fn create(n: u64) -> Duration {
    timed(sum(n), || {
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

thread_local! {
    /// Coroutines of earlier batches: as long as they are there, those to come need new stacks.
    static KEPT: RefCell<Vec<Generator<u64>>> = const { RefCell::new(Vec::new()) };
}

/// Creates `n` on new stacks, starts them, and keeps them.
pub(crate) fn create_kept(n: u64) -> Duration {
    KEPT.with_borrow_mut(|kept| {
        kept.reserve_exact(n as usize);
        timed(sum(n), || {
            let mut total = 0;
            for i in 0..n {
                let mut co = Generator::new(move |y| y.yield_(i));
                total += co.next().unwrap_or(0);
                kept.push(co);
            }
            total
        })
    })
}

/// Drops what `create_kept` has kept.
pub(crate) fn forget_kept() {
    KEPT.take();
}

thread_local! {
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// A local with a destructor, to see that it runs.
pub(crate) struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// How many have been dropped since the last look.
pub(crate) fn dropped() -> u64 {
    DROPPED.take()
}

pub(crate) fn drop_suspended(n: u64) -> Duration {
    timed(n, || {
        for i in 0..n {
            let mut co = Generator::<u64>::new(move |y| {
                let _counted = Counted;
                y.yield_(i)?;
                Ok(())
            });
            match co.start() {
                Ok(Yielded(x)) => assert_eq!(x, i),
                _ => unreachable!("it yields first"),
            }
        }
        dropped()
    })
}

/// The coroutine of the node at the root of the tree over `low..high`, which is not empty. It delegates to those of its
/// children.
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

pub(crate) fn nodes(n: u64) -> Duration {
    timed(sum(n), || {
        let mut total = 0;
        for x in node(0, n) {
            total += x;
        }
        total
    })
}

/// `depth` coroutines, each delegating to the next; the innermost counts.
pub(crate) fn chain(depth: u64, n: u64) -> Duration {
    let mut chain = Generator::new(move |y| {
        for i in 0..=n {
            y.yield_(i)?;
        }
        Ok(())
    });
    for _ in 1..depth {
        let mut inner = chain;
        chain = Generator::new(move |y| y.yield_from(&mut inner));
    }
    // To build it is not what is timed.
    assert_eq!(chain.start(), Ok(Yielded(0)));
    timed(sum(n + 1), || {
        let mut total = 0;
        for _ in 0..n {
            if let Ok(Yielded(x)) = chain.resume() {
                total += x;
            }
        }
        total
    })
}

pub(crate) fn throw(n: u64) -> Duration {
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
    timed(sum(n), || {
        let mut total = 0;
        for i in 0..n {
            if let Ok(Yielded(x)) = co.throw(black_box(i)) {
                total += x;
            }
        }
        total
    })
}

/// Resumes `live` coroutines one after the other, again and again, `n` times in all.
pub(crate) fn in_turn(live: u64, n: u64) -> Duration {
    let mut all: Vec<Generator<u64>> = (0..live)
        .map(|_| {
            Generator::new(|y| {
                for i in 1.. {
                    y.yield_(i)?;
                }
                Ok(())
            })
        })
        .collect();
    let (rounds, rest) = (n / live, n % live);
    timed(live * sum(rounds + 1) + rest * (rounds + 1), || {
        let mut total = 0;
        for round in 0..=rounds {
            let count = if round < rounds { live } else { rest };
            for co in &mut all[..count as usize] {
                if let Ok(Yielded(x)) = co.resume() {
                    total += x;
                }
            }
        }
        total
    })
}
