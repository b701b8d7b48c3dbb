//! What a switch carries: the kinds of message, and how a value fits in its words.

use crate::arch::{Word, Words};
use core::mem::{self, MaybeUninit};

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

/// Whether a `T` travels in the words themselves. To be asked in a `const` block: what is not for the type is then not compiled, which
/// matters without optimisation, where each place for a large value is one more in the frame.
pub(super) const fn fits_in_words<T>() -> bool {
    size_of::<T>() <= size_of::<Words>()
}

/// How many words of a value that goes by its address are read one by one, at most. What is larger is copied.
const ONE_BY_ONE: usize = 16;

/// Whether a `T` that does not travel in the words is read one word at a time: see [`read_by_words`].
const fn is_read_by_words<T>() -> bool {
    align_of::<T>() >= align_of::<Word>() && size_of::<T>() <= ONE_BY_ONE * size_of::<Word>()
}

/// The value at `place`, as `ptr::read` reads it, but by loads of one word each.
///
/// What the sender has just written is still in the CPU's store buffer. A load gets it from there if it lies within one
/// store; one that wants parts of two, as a wide one may, waits until both have left it, which takes longer than a switch.
///
/// # Safety
///
/// As for `ptr::read`; and it is [`is_read_by_words`].
#[inline(always)]
unsafe fn read_by_words<T>(place: *const T) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    let (from, to) = (place.cast::<Word>(), value.as_mut_ptr().cast::<Word>());
    for word in 0..size_of::<T>() / size_of::<Word>() {
        // Volatile, so that the compiler does not make wide ones of them.
        // SAFETY: both have so many words, aligned by the T, whose size is a multiple of its alignment. A word may be
        // uninitialised and keeps its provenance.
        unsafe { to.add(word).write(from.add(word).read_volatile()) };
    }
    // SAFETY: it has all bytes of a T.
    unsafe { value.assume_init() }
}

/// The words for `value`: a copy of it, or its address.
///
/// The value is the receiver's once the message has been delivered: the sender forgets it, and keeps it in place until
/// it is woken.
#[inline(always)]
pub(super) fn encode<T>(value: &T) -> Words {
    if const { fits_in_words::<T>() } {
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
    if const { fits_in_words::<T>() } {
        // SAFETY: their first bytes are those of a T.
        unsafe { mem::transmute_copy(&words) }
    } else if const { is_read_by_words::<T>() } {
        // SAFETY: the first is the address of a T, which becomes ours.
        unsafe { read_by_words(words.first().assume_init().cast()) }
    } else {
        // SAFETY: the first is the address of a T, which becomes ours.
        unsafe { words.first().assume_init().cast::<T>().read() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coroutine, CoroutineState::Yielded, Thrown};
    use core::array::from_fn;

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
        there_and_back((Box::new(7), 1_u8, String::from("by words, some with padding"), 2_u16));
        there_and_back(Large([9; 100])); // padding of whole words
        there_and_back([7_u8; 40]); // not aligned
        there_and_back([u128::MAX; 100]);
    }

    /// A value that comes after an inspection, or after a call of the consumer, takes another way to the same place.
    fn there_and_back_the_long_way<const WORDS: usize>() {
        let number = |n: usize| from_fn::<_, WORDS, _>(|word| 1_000 * n + word);
        let mut echo = Coroutine::<[usize; WORDS], [usize; WORDS], (), [usize; WORDS]>::throwing(|y| {
            let mut sent = [0; WORDS];
            loop {
                let calls = sent.first().is_some_and(|first| first / 1_000 % 2 == 1);
                if calls {
                    y.on_parent_stack(|| ());
                }
                sent = match y.yield_(sent) {
                    Err(Thrown::Error(error)) => error.map(|word| word + 1),
                    sent => sent?,
                }
            }
        });
        assert_eq!(echo.start(), Ok(Yielded([0; WORDS])));
        for n in 1..=8 {
            if n % 4 > 1 {
                assert!(echo.inspect(&mut || ()) && echo.inspect(&mut || ()));
            }
            assert_eq!(echo.send(number(n)), Ok(Yielded(number(n))));
            assert!(n % 4 > 1 || echo.inspect(&mut || ()));
            assert_eq!(echo.throw(number(n)), Ok(Yielded(number(n).map(|word| word + 1))));
        }
        assert!(echo.inspect(&mut || ()));
        assert_eq!(echo.close(), Ok(None));
    }

    #[test]
    fn values_of_every_size_come_whole_after_inspections_and_calls() {
        there_and_back_the_long_way::<0>();
        there_and_back_the_long_way::<1>();
        there_and_back_the_long_way::<4>();
        there_and_back_the_long_way::<5>();
        there_and_back_the_long_way::<ONE_BY_ONE>();
        there_and_back_the_long_way::<{ ONE_BY_ONE + 1 }>();
        there_and_back_the_long_way::<100>();
    }
}
