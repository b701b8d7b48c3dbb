//! Workloads that `benches/versus` and `benches/peers` both time, written once. Whoever includes this has beside it what times one:
//! `timed_sum`, which takes the sum that is to come out, the type of what that returns, `Timed`, and the `sum` of the numbers below one.

pub(crate) mod ours;
pub(crate) mod theirs;

use super::{Timed, sum, timed_sum};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// A local with a destructor, which adds its number: to see that bodies that are left are left by their destructors.
pub(crate) struct Adds(pub(crate) u64);

impl Drop for Adds {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + self.0);
    }
}

/// The sum of what has been dropped since the last look.
pub(crate) fn dropped() -> u64 {
    DROPPED.take()
}

/// A value of `WORDS` times eight bytes that names a number.
#[inline(always)]
pub(crate) fn wide<const WORDS: usize>(i: u64) -> [u64; WORDS] {
    [i; WORDS]
}

/// The number that it names: its first and its last word, halved.
#[inline(always)]
pub(crate) fn narrow<const WORDS: usize>(value: &[u64; WORDS]) -> u64 {
    let value = black_box(value);
    (value[0] + value[WORDS - 1]) / 2
}

/// The sum of the `n` items of an iterator that the compiler cannot see through.
pub(crate) fn through_dyn(n: u64, items: Box<dyn Iterator<Item = u64> + '_>) -> Timed {
    let items = black_box(items);
    timed_sum(sum(n), || {
        let mut total = 0;
        for x in items {
            total += x;
        }
        total
    })
}
