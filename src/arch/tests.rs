//! The switch alone, with no coroutine around it: what it carries, and that each side finds its registers as it left them.

#[cfg(all(unix, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers;

use super::{Arrival, Root, StackPointer, Word, Words, delegate, finish, prepare, resume, suspend};
use crate::stack::{GuardedStack, Stack};
use core::cell::Cell;

/// A stack with a side on it, as a coroutine would have it: a `Root` at the top, the fresh frame below.
struct Side {
    _stack: GuardedStack,
    root: *const Root,
    fresh: StackPointer,
}

impl Side {
    fn new(entry: super::Entry) -> Self {
        let stack = GuardedStack::new(64 * 1024).expect("a stack");
        // SAFETY: there is room for a Root and a frame at the top of 64 KiB, and both places are aligned.
        let (root, fresh) = unsafe {
            let root = stack.top().as_ptr().cast::<Root>().sub(2);
            root.write(Root::at(root));
            (root, prepare(stack.limit().as_ptr(), root.cast(), entry, root))
        };
        Self { _stack: stack, root, fresh }
    }
}

/// Words of which each is another, by the first.
fn word(value: usize) -> Words {
    Words([0, 1, 2, 3].map(|index| Word::new(core::ptr::without_provenance_mut(value + index))))
}

fn value(arrival: &Arrival) -> usize {
    // SAFETY: every message of these tests carries words made by `word`.
    let words = arrival.words.0.map(|word| unsafe { word.assume_init() }.addr());
    assert_eq!(words, [0, 1, 2, 3].map(|index| words[0] + index), "all have come, each in its place");
    words[0]
}

/// Echoes each message with its word doubled, until the kind is 0.
unsafe extern "C" fn doubler(root: *const Root, kind: usize) -> ! {
    // SAFETY: `Side::new` has written it, and `start` its link.
    let root = unsafe { &*root };
    let mut answer = word(kind);
    loop {
        // SAFETY: the link is parked in a resume of the test.
        let arrival = unsafe { suspend(root.link.get(), 1, answer) };
        root.link.set(arrival.from);
        if arrival.kind == 0 {
            // SAFETY: as above, and nothing here needs to be dropped.
            unsafe { finish(arrival.from, 2, word(99), StackPointer::NULL) };
        }
        answer = word(2 * value(&arrival));
    }
}

#[test]
fn messages_arrive_with_kind_words_and_sender() {
    let side = Side::new(doubler);
    // SAFETY: the side is fresh, then parked where the last arrival says.
    unsafe {
        let started = resume(side.fresh, 77, word(0));
        assert_eq!((started.kind, value(&started)), (1, 77));
        let mut parked = started.from;
        for n in 0..1_000 {
            let answer = resume(parked, 5, word(n));
            assert_eq!((answer.kind, value(&answer)), (1, 2 * n));
            parked = answer.from;
        }
        let last = resume(parked, 0, word(0));
        assert_eq!((last.kind, value(&last)), (2, 99));
        assert_eq!(last.from, StackPointer::NULL);
    }
}

thread_local! {
    static INNER: Cell<Option<(StackPointer, *const Root)>> = const { Cell::new(None) };
}

/// Delegates to the side in `INNER`, and tells what it ended with.
unsafe extern "C" fn delegator(root: *const Root, _kind: usize) -> ! {
    let (target, inner) = INNER.take().expect("set by the test");
    // SAFETY: the inner side is fresh, its root is valid, and this side's link waits for it.
    unsafe {
        let arrival = delegate(target, 41, word(0), (*root).link.get(), (*inner).outward.as_ptr());
        finish(arrival.from, arrival.kind, word(value(&arrival) + 1), StackPointer::NULL)
    }
}

/// Yields its kind, and finishes into its delegator with the word that it is sent.
unsafe extern "C" fn leaf(root: *const Root, kind: usize) -> ! {
    // SAFETY: as in `doubler`; the delegator is parked in its `delegate`.
    unsafe {
        let arrival = suspend((*root).link.get(), 1, word(kind));
        finish((*root).delegator_or(StackPointer::NULL), 7, word(value(&arrival)), arrival.from)
    }
}

#[test]
fn a_delegate_answers_the_consumer_and_ends_at_its_delegator() {
    let (outer, inner) = (Side::new(delegator), Side::new(leaf));
    INNER.set(Some((inner.fresh, inner.root)));
    // SAFETY: the outer side is fresh; then the inner one is parked where the arrival says.
    unsafe {
        let yielded = resume(outer.fresh, 1, word(0));
        assert_eq!((yielded.kind, value(&yielded)), (1, 41), "the delegate's yield comes straight here");
        let last = resume(yielded.from, 5, word(1_000));
        assert_eq!((last.kind, value(&last)), (7, 1_001), "its end went to the delegator, whose end came here");
    }
}

#[test]
fn this_thread_has_no_shadow_stack() {
    // It would have been refused a stack; here it is only told that the probe itself does no harm.
    assert!(!super::shadow_stack_is_active());
}
