//! Workloads that `benches/versus` and `benches/peers` both time, written once. Whoever includes this has beside it what times one:
//! `timed_sum`, which takes the sum that is to come out, the type of what that returns, `Timed`, and the `sum` of the numbers below one.

pub(crate) mod ours;
pub(crate) mod theirs;

use super::{Timed, sum, timed_sum};
use std::cell::Cell;

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
