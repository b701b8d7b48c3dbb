//! The same without coroutines: an iterator that keeps by hand what a coroutine would keep on its stack. A bound, not a peer.

use super::sides::through_dyn;
use super::{Outcome, timed};
use std::hint::black_box;

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    Some(match workload {
        "walk" => {
            let walk = Walk::over(n);
            timed(|| walk.sum())
        }
        // What is added is hidden from the compiler, which would make a formula of the whole loop.
        "for" => timed(|| {
            let mut total = 0;
            for x in (Count { next: 0, end: n }) {
                total += black_box(x);
            }
            total
        }),
        "for-dyn" => through_dyn(n, Box::new(Count { next: 0, end: n })),
        _ => return None,
    })
}

struct Count {
    next: u64,
    end: u64,
}

impl Iterator for Count {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let next = self.next;
        (next < self.end).then(|| {
            self.next += 1;
            next
        })
    }
}

/// In order, with a stack of the nodes whose left subtree is being walked: each with the end of its right one.
struct Walk(Vec<(u64, u64)>);

impl Walk {
    fn over(n: u64) -> Self {
        let mut walk = Self(Vec::with_capacity(64));
        walk.descend(0, n);
        walk
    }

    fn descend(&mut self, low: u64, mut high: u64) {
        while low < high {
            let middle = (low + high) / 2;
            self.0.push((middle, high));
            high = middle;
        }
    }
}

impl Iterator for Walk {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (middle, high) = self.0.pop()?;
        self.descend(middle + 1, high);
        Some(middle)
    }
}
