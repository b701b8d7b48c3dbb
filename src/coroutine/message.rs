//! What a switch carries: the kinds of message, and how a value fits in its words.

use crate::arch::Words;
use core::mem;

// To a body that is parked in a yield.

/// The words are the S that was sent.
pub(super) const VALUE: usize = 0;
/// The words are the S that stands for "go on": nobody chose it.
pub(super) const NEXT: usize = 1;
/// The words are the E that was thrown.
pub(super) const THROW: usize = 2;
/// The first word is the address of a [`Closer`](super::control::Closer).
pub(super) const EXIT: usize = 3;
/// Likewise; the closer has the id of the unwind.
pub(super) const UNWIND: usize = 4;
/// The first word is the address of a [`ParentCall`](super::yielder::ParentCall): run it, and answer by `INSPECTED`.
pub(super) const INSPECT: usize = 7;
// A fresh body is started by NEXT, or by:
/// Drop the closure and end.
pub(super) const DISCARD: usize = 5;
// To a body that is parked in `on_parent_stack`:
/// The function has been run.
pub(super) const RAN: usize = 6;

// To a consumer. A delegator gets the two ends, too, or IGNORED or LEAVE.

/// The words are the Y that was yielded.
pub(super) const YIELDED: usize = 0;
/// The end: the words are the R that was returned, a large one in place on a stack that nothing runs on any more.
pub(super) const RETURNED: usize = 1;
/// The other end: the first word is the address of a [`Failure`](super::entry::Failure), likewise.
pub(super) const FAILED: usize = 2;
/// The first word is the address of a [`ParentCall`](super::yielder::ParentCall), to be answered by `RAN`.
pub(super) const CALL: usize = 3;
/// The body can neither return nor unwind, and waits for ever. Only in answer to `EXIT`, and only with `panic=abort`.
pub(super) const STUCK: usize = 4;
/// The first word is the address of a [`Notice`](super::control::Notice): the delegate ignored an exit.
pub(super) const IGNORED: usize = 5;
/// Likewise: the delegator is to unwind, and leaves the delegate as it is.
pub(super) const LEAVE: usize = 6;
/// An inspection is over, and the body is parked where it was. No value.
pub(super) const INSPECTED: usize = 7;

/// Whether a `T` travels in the words themselves.
const fn fits_in_words<T>() -> bool {
    size_of::<T>() <= size_of::<Words>()
}

/// The words for `value`: a copy of it, or its address.
///
/// The value is the receiver's once the message has been delivered: the sender forgets it, and keeps it in place until
/// it is woken.
#[inline(always)]
pub(super) fn encode<T>(value: &T) -> Words {
    if fits_in_words::<T>() {
        let mut words = Words::NONE;
        // SAFETY: the words are at least as large as T, and bytes that T leaves uninitialised may be so in the words.
        unsafe { (&raw const *value).cast::<u8>().copy_to_nonoverlapping((&raw mut words).cast(), size_of::<T>()) };
        words
    } else {
        address_of(value)
    }
}

/// The words for the address of `value`.
#[inline(always)]
pub(super) fn address_of<T>(value: &T) -> Words {
    Words::of((&raw const *value).cast_mut().cast())
}

/// The value that [`encode`] made `words` of.
///
/// # Safety
///
/// It was made of a `T` that is still in place, and this is called once.
#[inline(always)]
pub(super) unsafe fn decode<T>(words: Words) -> T {
    if fits_in_words::<T>() {
        // SAFETY: their first bytes are those of a T.
        unsafe { mem::transmute_copy(&words) }
    } else {
        // SAFETY: the first is the address of a T, which becomes ours.
        unsafe { words.first().assume_init().cast::<T>().read() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Clone + PartialEq + core::fmt::Debug>(value: T) {
        let sent = value.clone();
        let words = encode(&sent);
        // SAFETY: `sent` is in place and forgotten below.
        let got: T = unsafe { decode(words) };
        mem::forget(sent);
        assert_eq!(got, value);
    }

    #[test]
    fn values_of_every_shape_survive() {
        #[derive(Clone, PartialEq, Debug)]
        #[repr(align(64))]
        struct Aligned;
        #[derive(Clone, PartialEq, Debug)]
        #[repr(align(64))]
        struct Large([u8; 100]);
        there_and_back(());
        there_and_back(Aligned);
        there_and_back(7_u8);
        there_and_back((1_u8, 2_u32)); // padding
        there_and_back([1_u8, 2, 3]);
        there_and_back(Box::new(5)); // provenance
        there_and_back(Some("a wide pointer"));
        there_and_back(String::from("three words"));
        there_and_back(("four", "words"));
        there_and_back([7_u8; 25]);
        there_and_back([u64::MAX, 1, 2, 3, 4]); // one too many
        there_and_back(Large([9; 100]));
    }
}
