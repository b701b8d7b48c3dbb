//! The same with corosensei.

use crate::harness::{sum, timed};
use crate::sides::theirs::{Pooled, drive, put, take};
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

type Down<'a> = &'a Yielder<u64, u64>;

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
fn further(y: Down<'_>, frames: u32, x: u64) -> u64 {
    black_box(if frames > 5 { further(y, frames - 1, x) } else { down4(y, x) })
}

pub(crate) fn sixteen_down(n: u64) -> Duration {
    drive(
        Coroutine::new(|y: Down<'_>, mut x| {
            loop {
                x = further(y, 16, x);
            }
        }),
        n,
    )
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
