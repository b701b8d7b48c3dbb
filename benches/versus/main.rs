//! switchback beside corosensei, in one run: `cargo bench --bench versus [FILTER]`.
//!
//! Each row does the same work on both sides in 15 interleaved batches and prints the median of the *ratios* of the
//! batches: absolute figures drift from machine to machine and from minute to minute, a ratio within one batch does not.
//! Every side asserts that it has computed the right answer. A missed target is told and is no failure: what is to be
//! done about it is for people to judge. Without `--bench` (under `cargo test`) every row runs once, in small, for its
//! answer only.
//!
//! | row | what is timed |
//! |---|---|
//! | body | `send(u64)`, `yield_(u64)` in the body itself: one round trip |
//! | 1 call down, 4 calls down | the same with the yield in functions that are not inlined |
//! | recursive walk | an in-order walk of 2^20 nodes by nested frames: one item |
//! | for loop | `for x in generator`: one item |
//! | create + run + drop | an empty coroutine on a pooled stack |
//! | drop while suspended | create, start, drop: the body leaves by `?` there and by a forced unwind here |
//! | a coroutine a node | the walk with a coroutine of its own for each node, `yield from` its children: one item |
//! | chain | an item through D coroutines that delegate to each other |
//! | throw and catch | `throw(u64)`, caught and answered; corosensei has no throw, so a `Result` is sent there |
//! | 1,000 in turn | one round trip, with 1,000 coroutines alive |
//! | floor | a call through a function pointer, beside corosensei's round trip |

mod harness;
mod ours;
mod theirs;

use harness::{Harness, Side};

/// For rows that are there to be looked at.
const NO_TARGET: f64 = f64::INFINITY;

/// Nodes of the trees.
const TREE: u64 = 1 << 20;

fn main() {
    let harness = Harness::from_args();
    harness.header();
    let n = harness.size(300_000);

    harness.row("body", 1.15, n, Side(|| ours::body(n)), Side(|| theirs::body(n)));
    harness.row("1 call down", 0.30, n, Side(|| ours::one_down(n)), Side(|| theirs::one_down(n)));
    harness.row("4 calls down", 0.35, n, Side(|| ours::four_down(n)), Side(|| theirs::four_down(n)));
    let nodes = harness.size(TREE);
    harness.row("recursive walk", 0.50, nodes, Side(|| ours::walk(nodes)), Side(|| theirs::walk(nodes)));
    harness.row("for loop", 1.25, n, Side(|| ours::for_loop(n)), Side(|| theirs::for_loop(n)));
    let n = harness.size(100_000);
    harness.row("create + run + drop", 1.00, n, Side(|| ours::create(n)), Side(|| theirs::create(n)));
    let n = harness.size(20_000);
    harness.row("drop while suspended", 0.02, n, Side(|| ours::drop_suspended(n)), Side(|| theirs::drop_suspended(n)));
    harness.row("a coroutine a node", 0.10, nodes, Side(|| ours::nodes(nodes)), Side(|| theirs::nodes(nodes)));

    for depth in [10, 100, 1_000, 10_000] {
        let n = harness.size(100_000);
        let (shallow, deep) = (Side(move || ours::chain(depth, n)), Side(move || ours::chain(1, n)));
        harness.own(&format!("chain of {depth} / of 1"), 1.3, n, shallow, deep);
    }
    let (n, few) = (harness.size(100_000), harness.size(50));
    let theirs = Side(move || theirs::chain(1_000, few));
    harness.chain("chain of 1,000", 1.0 / 15_000.0, n, Side(move || ours::chain(1_000, n)), few, theirs);

    let n = harness.size(300_000);
    harness.row("throw and catch", NO_TARGET, n, Side(|| ours::throw(n)), Side(|| theirs::result_sent(n)));
    harness.row("1,000 in turn", NO_TARGET, n, Side(|| ours::in_turn(1_000, n)), Side(|| theirs::in_turn(1_000, n)));
    harness.row("floor: indirect call", NO_TARGET, n, Side(|| harness::indirect_call(n)), Side(|| theirs::body(n)));
}
