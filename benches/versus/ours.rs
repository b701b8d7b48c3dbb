//! What is measured, written with switchback, besides what `benches/sides` has.

use crate::harness::{sum, timed};
use crate::sides::ours::drive;
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;
use switchback::CoroutineState::Yielded;
use switchback::{Coroutine, Generator, Thrown, Yielder};

type Down<'a> = &'a Yielder<u64, u64>;

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

#[inline(never)]
fn further(y: Down<'_>, frames: u32, x: u64) -> Result<u64, Thrown> {
    Ok(black_box(if frames > 5 { further(y, frames - 1, x)? } else { down4(y, x)? }))
}

pub(crate) fn sixteen_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y| {
            let mut x = 0;
            loop {
                x = further(y, 16, x)?;
            }
        }),
        n,
    )
}

/// The loop without a coroutine. Each item is hidden from the compiler, which would make a formula of it.
pub(crate) fn by_hand(n: u64) -> Duration {
    timed(sum(n), || {
        let mut total = 0;
        for x in 0..n {
            total += black_box(x);
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
