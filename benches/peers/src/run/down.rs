//! Calls between a body and its yield, the same for all systems of Rust.

use std::hint::black_box;
use switchback::{Thrown, Yielder};

// The work after each call keeps it from being the caller's last act, which would make it a jump. Who yields is a function of its
// own: a switch that is inlined may change all registers, so a function with one saves its caller's, whichever way it takes, and a
// recursion of such ones would be timed for that.

/// Yields so many calls down.
#[inline(always)]
pub(super) fn down(y: &Yielder<u64>, frames: u32, x: u64) -> Result<(), Thrown> {
    if frames > 1 { further(y, frames, x) } else { last(y, x) }
}

#[inline(never)]
fn further(y: &Yielder<u64>, frames: u32, x: u64) -> Result<(), Thrown> {
    if frames > 2 {
        further(y, frames - 1, x)?
    } else {
        last(y, x)?
    };
    black_box(x);
    Ok(())
}

#[inline(never)]
fn last(y: &Yielder<u64>, x: u64) -> Result<(), Thrown> {
    y.yield_(x)?;
    black_box(x);
    Ok(())
}

/// The same where a yield cannot fail. `y` is what one yields by, which is one pointer here as there.
#[inline(always)]
pub(super) fn down_by<Y>(y: Y, frames: u32, x: u64, yields: &impl Fn(Y, u64)) {
    if frames > 1 {
        further_by(y, frames, x, yields);
    } else {
        last_by(y, x, yields);
    }
}

#[inline(never)]
fn further_by<Y>(y: Y, frames: u32, x: u64, yields: &impl Fn(Y, u64)) {
    if frames > 2 {
        further_by(y, frames - 1, x, yields);
    } else {
        last_by(y, x, yields);
    }
    black_box(x);
}

#[inline(never)]
fn last_by<Y>(y: Y, x: u64, yields: &impl Fn(Y, u64)) {
    yields(y, x);
    black_box(x);
}
