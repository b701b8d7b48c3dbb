//! What a sanitizer is told of each switch: a layer in front of `cpu`, compiled only where a sanitizer is.
//!
//! AddressSanitizer must know which stack a thread is on, or else it clears, and reports, the wrong one when a panic
//! unwinds. ThreadSanitizer keeps a call stack of its own for each *fiber*, which every entry and return of a function
//! moves: without notices it soon runs over its end. Both want the notice before the jump; `asan.rs` and `tsan.rs`
//! are the same few functions for each.
//!
//! Nothing here is fast, and none of it is compiled without the feature *and* the sanitizer (see `build.rs`).
//!
//! # Who is parked where
//!
//! A side that is about to jump knows the stack pointer of the other and not yet its own. So the notes of a thread are
//! a table by stack pointer: who leaves takes out the notes of its target, and leaves its own in [`Thread::left`]; who
//! wakes up learns from the message where the other is parked, and files them there.
//!
//! A coroutine that is leaked leaves its notes in the table. They do no harm: a side that is parked at the same place
//! later overwrites them.

use super::{Arrival, Entry, Root, StackPointer, Words, cpu};
use core::cell::RefCell;
use core::mem::ManuallyDrop;
use std::collections::BTreeMap;

#[cfg_attr(switchback_asan, path = "asan.rs")]
#[cfg_attr(switchback_tsan, path = "tsan.rs")]
mod tool;

/// What is known of a parked side.
struct Notes {
    side: tool::Side,
    /// What a fresh side is to run.
    entry: Option<Entry>,
}

/// How a side has been left, so: where the one that wakes up finds it.
enum Left {
    /// It is where the message says that it comes from.
    Parked,
    /// It is parked in [`delegate`], which has written its stack pointer here.
    Delegating(*mut StackPointer),
    /// Nowhere any more.
    Ended,
}

/// What is known of one thread's sides.
struct Thread {
    /// Parked sides, by stack pointer.
    parked: BTreeMap<usize, Notes>,
    /// The side that has just been left, until the one that wakes up has filed it.
    left: Option<(Left, tool::Side)>,
    /// What the side that wakes up is to run, if it is fresh.
    starting: Option<Entry>,
}

thread_local! {
    // Never dropped: other thread-locals run coroutines in their destructors.
    static THREAD: RefCell<ManuallyDrop<Thread>> = const {
        RefCell::new(ManuallyDrop::new(Thread { parked: BTreeMap::new(), left: None, starting: None }))
    };
}

fn with<T>(f: impl FnOnce(&mut Thread) -> T) -> T {
    tool::forgetting(|| THREAD.with_borrow_mut(|thread| f(thread)))
}

/// Takes note of a fresh side on the stack from `limit` up to `top`, and returns what it is to run instead of `entry`.
pub(super) fn fresh(limit: *mut u8, top: *mut u8, parked: StackPointer, entry: Entry) -> Entry {
    let notes = Notes { side: tool::Side::fresh(limit, top), entry: Some(entry) };
    with(|thread| thread.parked.insert(parked.0.addr(), notes));
    begin
}

/// The first function of every coroutine: wakes up as any side does, then goes on to the real one.
unsafe extern "C" fn begin(root: *const Root, kind: usize) -> ! {
    // SAFETY: this is the other end of a switch, and this side has never been left.
    let other = unsafe { tool::arrive(tool::Kept::NOTHING) };
    // SAFETY: whoever has prepared this stack keeps the record at `root`, and `start` has written the link.
    unsafe {
        file((*root).link.get(), other);
        let entry = with(|thread| thread.starting.take()).expect("a fresh side has something to run");
        entry(root, kind)
    }
}

/// Takes the notes of `target` out of the table and leaves those of this side for it to file.
#[inline(never)]
fn leave(target: StackPointer, left: Left) -> tool::Side {
    let here = tool::Side::here();
    with(|thread| {
        let notes = thread.parked.remove(&target.0.addr()).expect("only a parked side is woken");
        thread.left = Some((left, here));
        thread.starting = notes.entry;
        notes.side
    })
}

/// Files the side that has been left. The message that has come is from `from`, and `other` is what the sanitizer itself
/// has told of that side, if it tells.
///
/// # Safety
///
/// The message came by the switch that has just been made.
#[inline(never)]
unsafe fn file(from: StackPointer, other: Option<tool::Side>) {
    with(|thread| {
        let (left, side) = thread.left.take().expect("somebody has left");
        let side = other.unwrap_or(side);
        let parked = match left {
            Left::Parked => from,
            // SAFETY: the slot is in the control block of this side, which outlives it.
            Left::Delegating(slot) => unsafe { *slot },
            Left::Ended => return side.ended(),
        };
        thread.parked.insert(parked.0.addr(), Notes { side, entry: None });
    });
}

/// [`cpu::resume`], with notices.
///
/// # Safety
///
/// As there.
// These three are inlined, because ThreadSanitizer counts the entry of a function on one fiber and its return on another
// if the switch is between the two.
#[inline(always)]
pub(crate) unsafe fn resume(target: StackPointer, kind: usize, words: Words) -> Arrival {
    let next = leave(target, Left::Parked);
    let mut kept = tool::Kept::NOTHING;
    // SAFETY: by this function's contract; the notices are those of the switch between them.
    unsafe {
        tool::depart(next, &mut kept);
        let arrival = cpu::resume(target, kind, words);
        let other = tool::arrive(kept);
        file(arrival.from, other);
        arrival
    }
}

/// [`cpu::delegate`], with notices.
///
/// # Safety
///
/// As there.
#[inline(always)]
pub(crate) unsafe fn delegate(
    target: StackPointer,
    kind: usize,
    words: Words,
    link: StackPointer,
    slot: *mut StackPointer,
) -> Arrival {
    let next = leave(target, Left::Delegating(slot));
    let mut kept = tool::Kept::NOTHING;
    // SAFETY: as in `resume`.
    unsafe {
        tool::depart(next, &mut kept);
        let arrival = cpu::delegate(target, kind, words, link, slot);
        let other = tool::arrive(kept);
        file(arrival.from, other);
        arrival
    }
}

/// [`cpu::finish`], with notices.
///
/// # Safety
///
/// As there.
#[inline(always)]
pub(crate) unsafe fn finish(target: StackPointer, kind: usize, words: Words, link: StackPointer) -> ! {
    let next = leave(target, Left::Ended);
    // SAFETY: as in `resume`.
    unsafe {
        tool::depart_for_good(next);
        cpu::finish(target, kind, words, link)
    }
}
