//! Merging sorted slices that belong to the caller.
//!
//! A plain `Coroutine` owns all that it touches, for it may be leaked, and its frames with it. One made by
//! `scoped` is closed before `scoped` returns, so its body may borrow: here the slices that it merges, and a
//! counter. Nothing is copied but the references that are yielded.
//!
//! Run it with `cargo run --example scoped_merge`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io::{self, Write};

use switchback::{Thrown, Yielder, scoped};

/// Yields the elements of all runs in order; equal ones in the order of their runs.
///
/// One coroutine merges half of the runs and another the other half, and they do so in the same way.
fn merge<'a, T: Ord>(y: &Yielder<&'a T>, runs: &[&'a [T]], comparisons: &Cell<u64>) -> Result<(), Thrown> {
    let (left, right) = match runs {
        [] => return Ok(()),
        [run] => return y.yield_all(*run),
        _ => runs.split_at(runs.len() / 2),
    };
    scoped(
        |y| merge(y, left, comparisons),
        |left| {
            scoped(
                |y| merge(y, right, comparisons),
                |right| {
                    let (mut left, mut right) = (left.peekable(), right.peekable());
                    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
                        comparisons.set(comparisons.get() + 1);
                        let first = if one <= other { left.next() } else { right.next() };
                        y.yield_all(first)?; // an `Option` is an iterator, too
                    }
                    y.yield_all(left)?;
                    y.yield_all(right)
                },
            )
        },
    )
}

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    // Response times in microseconds, as five servers recorded them, each sorted.
    let mut servers: Vec<Vec<u64>> = (1..=5)
        .map(|server| {
            let mut times: Vec<u64> = (0..2_000).map(|n| n * n * server % 7_919).collect();
            times.sort_unstable();
            times
        })
        .collect();
    let mut sorted: Vec<u64> = servers.concat();
    sorted.sort_unstable();

    let comparisons = Cell::new(0);
    let runs: Vec<&[u64]> = servers.iter().map(Vec::as_slice).collect();
    let all: Vec<u64> = scoped(|y| merge(y, &runs, &comparisons), |merged| merged.copied().collect());
    writeln!(out, "{} times of {} servers merged with {} comparisons", all.len(), runs.len(), comparisons.get())?;
    assert_eq!(all, sorted);
    // Five runs are merged in three rounds, and an element is compared at most once in each.
    assert!(comparisons.get() <= 3 * all.len() as u64);

    // Who wants only the fastest hundredth pays for no more.
    comparisons.set(0);
    let wanted = sorted.len() / 100;
    let fastest = scoped(|y| merge(y, &runs, &comparisons), |merged| merged.nth(wanted));
    writeln!(out, "99 of 100 take at least {fastest:?} µs: {} comparisons", comparisons.get())?;
    assert_eq!(fastest, Some(&sorted[wanted]));
    assert!(comparisons.get() <= 3 * (wanted as u64 + 5));

    // The scopes are over, and so are their loans.
    servers[0].clear();
    assert_eq!(servers.iter().map(Vec::len).sum::<usize>(), 8_000);
    Ok(())
}
