//! The same with generator-rs.

use super::down::down_by;
use super::sides::{Adds, dropped, narrow, through_dyn, wide};
use super::{Outcome, depth, timed};
use generator::{Gn, LocalGenerator, Scope, done};
use std::hint::black_box;

type Items = LocalGenerator<'static, (), u64>;

/// Words of stack where its default, 32 KiB, is too little.
const LARGE: usize = 32 << 10;

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    if let Some(frames) = depth(workload, "roundtrip-") {
        return Some(if frames == 0 { in_body(n) } else { frames_down(frames as u32, n) });
    }
    if let Some(depth) = depth(workload, "delegate-") {
        return Some(chain(depth, n));
    }
    Some(match workload {
        "send" => send(n),
        "value-64B" => value::<8>(n),
        "value-4KiB" => value::<512>(n),
        "create-fresh" => create_fresh(n),
        "create-pooled" => create_pooled(n),
        "drop-suspended" => drop_suspended(n),
        "walk" => {
            let mut walk = Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
                walk_frames(&mut s, 0, n);
                done!()
            });
            timed(|| walk.by_ref().sum())
        }
        "for" => {
            let count = counter(n);
            timed(|| {
                let mut total = 0;
                for x in count {
                    total += x;
                }
                total
            })
        }
        "for-dyn" => through_dyn(n, Box::new(counter(n))),
        _ => return None,
    })
}

#[inline(always)]
fn items(mut generator: Items, n: u64) -> Outcome {
    generator.resume().expect("it has items");
    timed(|| {
        let mut total = 0;
        for _ in 0..n {
            total += generator.resume().expect("it has more items");
        }
        total
    })
}

fn in_body(n: u64) -> Outcome {
    let body = move |mut s: Scope<'_, '_, (), u64>| {
        s.yield_with(0);
        for i in 0..=n {
            s.yield_with(i);
        }
        done!()
    };
    items(Gn::new_scoped_local(body), n)
}

fn frames_down(frames: u32, n: u64) -> Outcome {
    let body = move |mut s: Scope<'_, '_, (), u64>| {
        s.yield_with(0);
        for i in 0..=n {
            down_by(&mut s, frames, i, &|s: &mut Scope<'_, '_, (), u64>, x| s.yield_with(x));
        }
        done!()
    };
    items(Gn::new_scoped_local(body), n)
}

fn send(n: u64) -> Outcome {
    let mut echo = Gn::<u64>::new_scoped(|mut s: Scope<'_, 'static, u64, u64>| {
        let mut x = 0;
        loop {
            x = s.yield_(x).expect("it is sent a number");
        }
    });
    echo.raw_send(None);
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            total += echo.send(black_box(i));
        }
        total
    })
}

fn value<const WORDS: usize>(n: u64) -> Outcome {
    let mut echo =
        Gn::<[u64; WORDS]>::new_scoped_opt(LARGE, |mut s: Scope<'_, 'static, [u64; WORDS], [u64; WORDS]>| {
            let mut x = wide(0);
            loop {
                x = s.yield_(x).expect("it is sent a value");
            }
        });
    echo.raw_send(None);
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            total += narrow(&echo.send(wide(black_box(i))));
        }
        total
    })
}

fn create_fresh(n: u64) -> Outcome {
    let mut kept = Vec::with_capacity(n as usize);
    let outcome = timed(|| {
        let mut total = 0;
        for i in 0..n {
            let mut co = Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
                s.yield_with(i);
                done!()
            });
            total += co.resume().unwrap_or(0);
            kept.push(co);
        }
        total
    });
    // They go with the process: what it takes to end them is not what is timed.
    std::mem::forget(kept);
    outcome
}

/// One generator is made anew again and again: it has no other way to use a stack twice.
fn create_pooled(n: u64) -> Outcome {
    let mut co = Gn::<()>::new_scoped_local(|_: Scope<'_, '_, (), u64>| 0);
    co.resume();
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            co.scoped_init(move |_| black_box(i));
            total += co.resume().unwrap_or(0);
        }
        total
    })
}

fn drop_suspended(n: u64) -> Outcome {
    timed(|| {
        for i in 0..n {
            let mut co = Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
                let _adds = Adds(i);
                s.yield_with(i);
                done!()
            });
            assert_eq!(co.resume(), Some(i), "it yields first");
            drop(co);
        }
        dropped()
    })
}

#[inline(never)]
fn walk_frames(s: &mut Scope<'_, '_, (), u64>, low: u64, high: u64) {
    if low < high {
        let middle = (low + high) / 2;
        walk_frames(s, low, middle);
        s.yield_with(middle);
        walk_frames(s, middle + 1, high);
    }
}

fn counter(n: u64) -> Items {
    Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
        for i in 0..n {
            s.yield_with(i);
        }
        done!()
    })
}

fn chain(depth: u64, n: u64) -> Outcome {
    let mut chain: Items = Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
        s.yield_with(0);
        for i in 0..=n {
            s.yield_with(i);
        }
        done!()
    });
    for _ in 1..depth {
        let mut inner = chain;
        chain = Gn::new_scoped_local(move |mut s: Scope<'_, '_, (), u64>| {
            while let Some(x) = inner.resume() {
                s.yield_with(x);
            }
            done!()
        });
    }
    items(chain, n)
}
