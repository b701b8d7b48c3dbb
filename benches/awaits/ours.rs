//! What is measured, written with switchback.

use crate::harness::{sum, timed};
use crate::{Ready, Woken, adds_up, run};
use std::hint::black_box;
use std::time::Duration;
use switchback::{Awaiter, Cancelled, await_, stackful};

/// A body that adds up what `f` makes of 0 to n - 1.
#[inline(always)]
fn total(n: u64, mut f: impl FnMut(u64) -> Result<u64, Cancelled>) -> u64 {
    let mut total = 0;
    for i in 0..n {
        total += f(black_box(i)).expect("nobody drops it");
    }
    total
}

pub(crate) fn ready(n: u64) -> Duration {
    adds_up(n, stackful(move |cx| total(n, |i| cx.await_(Ready(i)))))
}

pub(crate) fn free_ready(n: u64) -> Duration {
    adds_up(n, stackful(move |_| total(n, |i| await_(Ready(i)))))
}

pub(crate) fn woken(n: u64) -> Duration {
    adds_up(n, stackful(move |cx| total(n, |i| cx.await_(Woken::new(i)))))
}

pub(crate) fn free_woken(n: u64) -> Duration {
    adds_up(n, stackful(move |_| total(n, |i| await_(Woken::new(i)))))
}

#[inline(never)]
fn descend(cx: &Awaiter, depth: u32, x: u64) -> Result<u64, Cancelled> {
    if depth == 0 {
        return cx.await_(Woken::new(x));
    }
    Ok(black_box(descend(cx, depth - 1, x)?))
}

pub(crate) fn down(depth: u32, n: u64) -> Duration {
    adds_up(n, stackful(move |cx| total(n, |i| descend(cx, depth, i))))
}

pub(crate) fn start(n: u64) -> Duration {
    timed(sum(n), || {
        (0..n).map(|i| run(stackful(move |cx| cx.await_(Woken::new(black_box(i))).expect("nobody drops it")))).sum()
    })
}
