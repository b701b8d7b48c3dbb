//! The same with corosensei.

use super::down::down_by;
use super::sides::theirs::{self, Items, take};
use super::sides::through_dyn;
use super::{Outcome, depth, timed};
use corosensei::{Coroutine, Yielder};

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    if let Some(frames) = depth(workload, "roundtrip-") {
        return Some(if frames == 0 { in_body(n) } else { frames_down(frames as u32, n) });
    }
    if let Some(depth) = depth(workload, "delegate-") {
        return Some(theirs::chain(depth, n));
    }
    Some(match workload {
        "send" => theirs::send(n),
        "value-64B" => theirs::value::<8>(n),
        "value-4KiB" => theirs::value::<512>(n),
        "throw" => theirs::throw(n),
        "close" | "drop-suspended" => theirs::drop_suspended(n),
        "create-fresh" => create_fresh(n),
        "create-pooled" => theirs::create_pooled(n),
        "walk" => theirs::walk(n),
        "walk-nodes" => theirs::walk_nodes(n),
        "for" => theirs::for_loop(n),
        "for-dyn" => through_dyn(n, Box::new(Items(theirs::counter(n)))),
        _ => return None,
    })
}

fn in_body(n: u64) -> Outcome {
    let body = move |y: &Yielder<(), u64>, ()| {
        y.suspend(0);
        for i in 0..=n {
            y.suspend(i);
        }
    };
    theirs::items(Coroutine::with_stack(take(), body), n)
}

fn frames_down(frames: u32, n: u64) -> Outcome {
    let body = move |y: &Yielder<(), u64>, ()| {
        y.suspend(0);
        for i in 0..=n {
            down_by(y, frames, i, &|y: &Yielder<(), u64>, x| y.suspend(x));
        }
    };
    theirs::items(Coroutine::with_stack(take(), body), n)
}

fn create_fresh(n: u64) -> Outcome {
    let mut kept = Vec::with_capacity(n as usize);
    let outcome = timed(|| {
        let mut total = 0;
        for i in 0..n {
            let mut co = Coroutine::new(move |y: &Yielder<(), u64>, ()| {
                y.suspend(i);
            });
            total += co.resume(()).as_yield().unwrap_or(0);
            kept.push(co);
        }
        total
    });
    // They go with the process: what it takes to end them is not what is timed.
    std::mem::forget(kept);
    outcome
}
