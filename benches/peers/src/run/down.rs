//! Calls between a body and its yield, the same for all systems of Rust; and loops that cannot see what they loop over.

use super::{Outcome, timed};
use std::hint::black_box;
use switchback::{Thrown, Yielder};

// The work after each call keeps it from being the caller's last act, which would make it a jump.

/// Yields so many calls down.
#[inline(never)]
pub(super) fn down(y: &Yielder<u64>, frames: u32, x: u64) -> Result<(), Thrown> {
    if frames > 1 {
        down(y, frames - 1, x)?
    } else {
        y.yield_(x)?
    };
    black_box(x);
    Ok(())
}

/// The same where a yield cannot fail.
#[inline(never)]
pub(super) fn down_by<Y: ?Sized>(y: &mut Y, frames: u32, x: u64, yields: &impl Fn(&mut Y, u64)) {
    if frames > 1 {
        down_by(y, frames - 1, x, yields)
    } else {
        yields(y, x)
    }
    black_box(x);
}

/// The sum of the items of an iterator that the compiler cannot see through.
pub(super) fn through_dyn(items: Box<dyn Iterator<Item = u64> + '_>) -> Outcome {
    let items = black_box(items);
    timed(|| {
        let mut total = 0;
        for x in items {
            total += x;
        }
        total
    })
}
