//! `yield from` between coroutines that have stacks of their own.
//!
//! # How it costs nothing by depth
//!
//! A delegator writes its stack pointer into its delegate's control block, hands its own link on, and parks. From then
//! on the innermost coroutine is the only one that is resumed and the only one that yields: its link is the consumer,
//! and the consumer's handle holds *its* stack pointer.
//!
//! ```text
//!    handle.parked ────────────────────────────────────┐
//!      A              B              C                 v
//!      outward:   -   outward:   A   outward:   B      C's frames, parked in a yield
//!      inward:    B   inward:    C   inward:    -
//!      link:      -   link:      -   link: the consumer, renewed at each resume
//! ```
//!
//! When C ends, it wakes B and hands it its link. While A delegates its own link is null, so that a yield through A's
//! yielder by somebody further in (who may have it, being further in) is refused instead of going to a stale place.

use super::control::{DELEGATED, Notice, Standing};
use super::entry::{Failure, Outcome};
use super::error::{Misuse, Thrown};
use super::message::{IGNORED, LEAVE, NEXT, VALUE, decode, encode};
use super::raw::Raw;
use super::unwind;
use super::yielder::Yielder;
use super::{Coroutine, Scoped};
use crate::arch::{self, Word, Words};
use core::mem::ManuallyDrop;
use core::ptr;
use std::panic;
use std::thread;

/// A coroutine that another can delegate to: [`Coroutine`] and [`Scoped`], and references to them.
///
/// It cannot be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a coroutine that can be delegated to here",
    note = "a delegate yields, is sent and is thrown the same types as its delegator",
    note = "the items of an iterator are yielded by `yield_all`"
)]
pub trait Delegate<Y, S, R, E>: sealed::Sealed<Y, S, R, E> {}

mod sealed {
    /// Only this crate has one. Generic code can call the methods of a bound's supertraits, and whoever had two handles'
    /// insides could swap them across their scopes.
    pub struct Key(pub(super) ());

    pub trait Sealed<Y, S, R, E> {
        fn raw(&mut self, key: Key) -> &mut super::Raw<Y, S, R, E>;
    }
}

impl<Y, S, R, E> Delegate<Y, S, R, E> for Coroutine<Y, S, R, E> {}
impl<Y, S, R, E> sealed::Sealed<Y, S, R, E> for Coroutine<Y, S, R, E> {
    #[inline(always)]
    fn raw(&mut self, _: sealed::Key) -> &mut Raw<Y, S, R, E> {
        &mut self.raw
    }
}

impl<Y, S, R, E> Delegate<Y, S, R, E> for Scoped<'_, Y, S, R, E> {}
impl<Y, S, R, E> sealed::Sealed<Y, S, R, E> for Scoped<'_, Y, S, R, E> {
    #[inline(always)]
    fn raw(&mut self, _: sealed::Key) -> &mut Raw<Y, S, R, E> {
        &mut self.raw
    }
}

impl<Y, S, E> Yielder<Y, S, E> {
    /// Delegates to another coroutine until it ends, and returns what it returns. Python's `yield from` (PEP 380).
    ///
    /// What the consumer sends and throws goes straight to the innermost coroutine, and what that yields comes straight
    /// back, at the same cost whatever the depth. `inner` may be new or suspended, and is first resumed as by `resume`.
    ///
    /// A helper function that takes the yielder needs none of this: just call it.
    ///
    /// # Errors
    ///
    /// - what `inner` fails with: an error thrown in that it does not catch, or one of its own. It can be caught here;
    /// - [`Thrown::Exit`] when the coroutine is closed or dropped: `inner` was closed first;
    /// - [`Thrown::Misuse`]: `inner` has finished ([`Misuse::Finished`]) or is running; it was asked to exit and yielded
    ///   instead ([`Misuse::Ignored`]; it is suspended there); or this coroutine cannot suspend ([`Misuse::Delegating`],
    ///   [`Misuse::Panicking`]), and `inner` is as it was.
    ///
    /// # Panics
    ///
    /// When `inner` does, with its payload. And as [`yield_`](Self::yield_): when the coroutine was dropped and its body went
    /// on. Then `inner` is suspended as it was, and is asked to exit when its own handle is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Coroutine, CoroutineState::{Complete, Yielded}, Generator};
    ///
    /// let mut inner = Generator::new(|y| { y.yield_(2)?; y.yield_(3)?; Ok("inner's result") });
    /// assert_eq!(inner.start()?, Yielded(2)); // already on its way
    /// let mut outer = Generator::new(move |y| { y.yield_(1)?; y.yield_from(&mut inner) });
    /// assert_eq!(outer.resume()?, Yielded(1));
    /// assert_eq!(outer.resume()?, Yielded(3));
    /// assert_eq!(outer.resume()?, Complete("inner's result"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn yield_from<R>(&self, inner: &mut impl Delegate<Y, S, R, E>) -> Result<R, Thrown<E>>
    where
        S: Default,
    {
        self.delegate(NEXT, S::default(), inner.raw(sealed::Key(())))
    }

    /// [`yield_from`](Self::yield_from) that first sends `first` to `inner`, for an S that has no default.
    ///
    /// An `inner` that has not been started is started, and `first` is dropped.
    ///
    /// # Errors
    ///
    /// As [`yield_from`](Self::yield_from).
    ///
    /// # Panics
    ///
    /// As [`yield_from`](Self::yield_from).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{Coroutine, CoroutineState::{Complete, Yielded}};
    ///
    /// let mut inner = Coroutine::<u32, String, String>::new(|y| { let a = y.yield_(1)?; Ok(a + &y.yield_(2)?) });
    /// inner.start()?;
    /// let mut outer = Coroutine::new(move |y| y.yield_from_with("a".into(), &mut inner));
    /// assert_eq!(outer.start()?, Yielded(2));
    /// assert_eq!(outer.send("b".into())?, Complete("ab".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn yield_from_with<R>(&self, first: S, inner: &mut impl Delegate<Y, S, R, E>) -> Result<R, Thrown<E>> {
        self.delegate(VALUE, first, inner.raw(sealed::Key(())))
    }

    #[inline(always)]
    fn delegate<R>(&self, kind: usize, first: S, inner: &mut Raw<Y, S, R, E>) -> Result<R, Thrown<E>> {
        let standing = inner.control().standing();
        // What is not sent is dropped here, as its destructor may suspend this coroutine, and the link is another one then.
        let first = match standing {
            Standing::Suspended(_) => Some(ManuallyDrop::new(first)),
            _ => {
                drop(first);
                None
            }
        };
        let link = self.control.root.link.get();
        if link.is_null() || (thread::panicking() && !self.control.take_woken_panicking()) {
            core::hint::cold_path();
            drop(first.map(ManuallyDrop::into_inner));
            return Err(Thrown::Misuse(self.why_refused()));
        }
        let (parked, kind, words) = match (standing, &first) {
            (Standing::Suspended(parked), Some(first)) => (parked, kind, encode::<S>(first)),
            (Standing::Created(fresh), _) => (fresh, NEXT, Words::NONE),
            _ => {
                core::hint::cold_path();
                if thread::panicking() {
                    // Nothing is suspended, so what allows that is not used up.
                    self.control.set_woken_panicking();
                }
                return Err(Thrown::Misuse(match standing {
                    Standing::Running => Misuse::Running,
                    Standing::Abandoned => Misuse::Abandoned,
                    _ => Misuse::Finished,
                }));
            }
        };
        let (mine, theirs) = (&self.control.root, inner.control());
        theirs.parked.set(DELEGATED);
        mine.lead_to((&raw const *theirs).cast());
        // SAFETY: `parked` is parked, or fresh, and nobody else wakes it: the mark is gone (invariant 1). It takes the
        // kind with an S, as this yielder has the types of `inner` (invariant 3). The link is a consumer that waits for
        // this coroutine (invariant 2), and from now on for the innermost one.
        let arrival = unsafe { arch::delegate(parked, kind, words, link, theirs.root.outward.as_ptr()) };
        mine.part_from(&theirs.root);
        self.woken(arrival.from);
        if arrival.kind >= IGNORED {
            core::hint::cold_path();
            // SAFETY: it is IGNORED or LEAVE.
            return Err(unsafe { self.given_back(arrival.kind, arrival.words.first(), inner) });
        }
        let closer = theirs.closer.get();
        if !closer.is_null() {
            core::hint::cold_path();
            theirs.closer.set(ptr::null());
            // Before `inner` goes: the closer must not name its block when that is gone, whatever `collect` does.
            self.control.answer(closer);
        }
        // SAFETY: what is neither IGNORED nor LEAVE is the end of `inner`.
        match unsafe { inner.collect(arrival.kind, arrival.words) } {
            Ok(value) if closer.is_null() => Ok(value),
            outcome => {
                core::hint::cold_path();
                Err(self.failed(outcome))
            }
        }
    }

    /// The delegate has ended, but not with a value for the delegator.
    #[cold]
    #[inline(never)]
    fn failed<R>(&self, outcome: Outcome<R, E>) -> Thrown<E> {
        match outcome {
            Err(Failure::Panicked(payload)) => panic::resume_unwind(payload),
            Err(Failure::Thrown(thrown)) => thrown,
            // The delegate has answered the exit by returning. The exit is meant for this coroutine all the same.
            Ok(value) => {
                drop(value);
                Thrown::Exit
            }
        }
    }

    /// The delegate stays suspended where it is: it has answered the exit by yielding, or this coroutine is to unwind.
    ///
    /// # Safety
    ///
    /// `kind` and `word` are those of an IGNORED or a LEAVE.
    #[cold]
    #[inline(never)]
    unsafe fn given_back<R>(&self, kind: usize, word: Word, inner: &mut Raw<Y, S, R, E>) -> Thrown<E> {
        // SAFETY: both come with the address of a notice, in the frame of whoever waits for this coroutine now.
        let notice = unsafe { &*word.assume_init().cast::<Notice>() };
        inner.control().parked.set(notice.parked);
        self.control.answer(notice.closer);
        if kind == LEAVE {
            // SAFETY: the closer lives until it is answered (invariant 6).
            unwind::raise(unsafe { (*notice.closer).unwind });
        }
        // SAFETY: the words are those of a YIELDED of the same types, whose sender is still parked.
        drop(unsafe { decode::<Y>(notice.yielded) });
        Thrown::Misuse(Misuse::Ignored)
    }
}
