//! switchback beside corosensei, in one run: `cargo bench --bench versus [FILTER]`.
//!
//! Each row does the same work on both sides in 15 interleaved batches (`SWITCHBACK_BENCH_BATCHES` says otherwise) on one
//! thread, and prints the least and the median time of each side, then the median of the *ratios* of the batches and
//! their quartiles. Absolute figures drift from machine to machine and from minute to minute; a ratio within one batch
//! does so much less. Still, ratios depend on the CPU too, most of all those of the rows in which corosensei pays for
//! mispredicted returns.
//!
//! Every side asserts that it has computed the right answer. A missed target is told and is no failure: what is to be
//! done about it is for people to judge. Times are of the wall's clock, in the nanoseconds of an item.
//!
//! A FILTER is a part of a row's name; several choose the rows that match any of them. `--list` prints the names. With
//! `--test`, and without `--bench` (as under `cargo test`), each row runs once, in small, for its answer only.
//!
//! | row | what is timed |
//! |---|---|
//! | body | `send(u64)`, `yield_(u64)` in the body itself: one round trip |
//! | 1, 4, 16 calls down | the same with the yield in functions that are not inlined |
//! | 64 bytes, 4 KiB | as much is sent, and yielded back |
//! | recursive walk | an in-order walk of 2^20 nodes by nested frames: one item |
//! | for loop | `for x in generator`: one item. "dyn": through `Box<dyn Iterator>`; "by hand": beside a loop without a coroutine |
//! | create + run + drop | an empty coroutine on a pooled stack |
//! | create on a new stack | create and start, all of them kept: the default stack of each side, 256 KiB and 1 MiB |
//! | drop, close while suspended | create, start, drop or close: the body leaves by `?` here and by a forced unwind there |
//! | a coroutine a node | the walk with a coroutine of its own for each node, `yield from` its children: one item |
//! | chain of D / of 1 | an item through D coroutines that delegate to each other, beside an item of one alone |
//! | chain of D | the same beside corosensei, which hands each item on from coroutine to coroutine |
//! | throw and catch | an error goes in, a value comes back; corosensei, which cannot throw, is sent a `Result` |
//! | two in turn, 1,000 in turn | round robin: one resumption |
//! | floor: indirect call | the body row of ours beside the least that a resumption can cost, a call through a pointer |

mod harness;
mod ours;
#[path = "../sides/mod.rs"]
mod sides;
mod theirs;

use harness::{Harness, sum, timed as timed_sum};
use sides::{ours as our, theirs as their, through_dyn};
use std::time::Duration as Timed;

/// Nodes of the trees.
const TREE: u64 = 1 << 20;

fn main() {
    let harness = Harness::from_args();
    harness.header(include_str!("../../Cargo.lock"), &["corosensei"]);

    // Round trips. What a predictor of returns makes of a switch shows as soon as the yield is inside a call.
    harness.row("body", Some(1.15), 1_000_000, our::send, their::send);
    harness.row("1 call down", Some(0.30), 300_000, ours::one_down, theirs::one_down);
    harness.row("4 calls down", Some(0.35), 300_000, ours::four_down, theirs::four_down);
    harness.row("16 calls down", Some(0.60), 300_000, ours::sixteen_down, theirs::sixteen_down);
    harness.row("64 bytes", Some(1.15), 300_000, our::value::<8>, their::value::<8>);
    harness.row("4 KiB", Some(1.15), 30_000, our::value::<512>, their::value::<512>);
    harness.row("recursive walk", Some(0.50), TREE, our::walk, their::walk);
    harness.row("for loop", Some(1.25), 1_000_000, our::for_loop, their::for_loop);
    let ours_by_dyn = |n| through_dyn(n, Box::new(our::counter(n)));
    let theirs_by_dyn = |n| through_dyn(n, Box::new(their::Items(their::counter(n))));
    harness.row("for loop, dyn", Some(1.25), 1_000_000, ours_by_dyn, theirs_by_dyn);
    harness.note("(right: by hand)").row("for loop / by hand", None, 1_000_000, our::for_loop, ours::by_hand);

    // Short lives.
    harness.row("create + run + drop", Some(1.00), 300_000, our::create_pooled, their::create_pooled);
    harness.row("drop while suspended", Some(0.02), 20_000, our::drop_suspended, their::drop_suspended);
    harness.row("close while suspended", Some(0.02), 20_000, our::close, their::drop_suspended);

    // Delegation between separate stacks.
    harness.row("a coroutine a node", Some(0.10), TREE, our::walk_nodes, their::walk_nodes);
    for (depth, target) in [(10, None), (100, None), (1_000, Some(1.3)), (10_000, Some(1.3))] {
        let name = format!("chain of {depth} / of 1");
        harness.note("(right: ours, of 1)").row(&name, target, 500_000, |n| our::chain(depth, n), |n| our::chain(1, n));
    }
    // corosensei's chain gets far fewer items, because each takes up to ten thousand times longer there.
    for (depth, target, few) in
        [(1, None, 500_000), (10, None, 20_000), (100, None, 1_000), (1_000, Some(15_000.0), 100)]
    {
        let name = format!("chain of {depth}");
        let target = target.map(|times: f64| 1.0 / times);
        harness.uneven(&name, target, (500_000, |n| our::chain(depth, n)), (few, |n| their::chain(depth, n)));
    }

    // For information.
    harness.row("throw and catch", None, 300_000, our::throw, their::throw);
    harness.row("two in turn", None, 300_000, |n| ours::in_turn(2, n), |n| theirs::in_turn(2, n));
    harness.row("1,000 in turn", None, 300_000, |n| ours::in_turn(1_000, n), |n| theirs::in_turn(1_000, n));
    harness.note("(body; right: the call)").row(
        "floor: indirect call",
        None,
        1_000_000,
        our::send,
        harness::indirect_call,
    );

    // Last, because of what it leaves behind. Few enough that corosensei's do not come to the limit of mappings.
    harness.row("create on a new stack", Some(0.60), 1_500, ours::create_kept, theirs::create_kept);
    ours::forget_kept();
    theirs::forget_kept();

    harness.footer();
}
