//! Relays: coroutines of one consumer that switch straight from one to the next, and not to the consumer in between.
//!
//! The first is resumed by the consumer. Each may hand over to another that is parked: it parks itself, and hands its own
//! link on. So the consumer stays where it was, and hears in the end from another coroutine than the one that it has
//! resumed; it has to know from which. A scheduler does.
//!
//! ```text
//!    consumer --resume--> A --hand over--> B --hand over--> C
//!        ^----------------------- yield ---------------------'
//! ```
//!
//! It is the act of [`delegate`](super::delegate), but for the end: nobody waits for B but the consumer.

use super::Coroutine;
use super::control::RUNNING;
use super::message::{CALL, NEXT, YIELDED, encode};
use super::raw::serve_calls;
use super::report;
use super::yielder::Yielder;
use crate::arch;
use core::convert::Infallible;

/// One that can be in a relay.
type Runner = Coroutine<(), (), (), Infallible>;

impl Runner {
    /// Drops all that the handle of one that has ended still owns: it may be forgotten.
    #[inline(always)]
    pub(crate) fn empty(&mut self) {
        debug_assert!(self.raw.has_ended());
        self.raw.drop_name();
    }

    /// Where its control block is.
    #[cfg(unix)]
    #[inline(always)]
    pub(crate) fn control_block(&self) -> *const () {
        core::ptr::from_ref(self.raw.control()).cast()
    }

    /// About where it is parked, if it is.
    #[cfg(unix)]
    #[inline(always)]
    pub(crate) fn parked_at(&self) -> *const () {
        self.raw.control().parked.get().as_ptr()
    }

    /// Resumes `first`, and returns the one that has answered in the end, and whether it has yielded. Otherwise it has ended,
    /// and its stack has been given back. Panics of bodies go on here.
    ///
    /// # Safety
    ///
    /// `first` is suspended. `answers` is called once, when somebody has answered, and says who: one that was resumed or
    /// handed over to since. While this runs, nobody else uses the handles of these. A stuck one is never among them, as
    /// nobody closes them.
    #[inline(always)]
    pub(crate) unsafe fn relay<T>(first: *mut Self, answers: impl FnOnce() -> (*mut Self, T)) -> (T, bool) {
        // SAFETY: by this function's contract it is parked, and nobody else wakes it once the mark is set (invariant 1).
        // NEXT goes with a ().
        let mut arrival = unsafe {
            let control = (*first).raw.control();
            let parked = control.parked.get();
            debug_assert!(!parked.is_marked());
            control.parked.set(RUNNING);
            arch::resume(parked, NEXT, encode(&()))
        };
        if arrival.kind == CALL {
            core::hint::cold_path();
            // SAFETY: it is a CALL, of one of them.
            arrival = unsafe { serve_calls(arrival.words.first(), arrival.from) };
        }
        let (last, told) = answers();
        // SAFETY: by this function's contract it is the handle of the one that the arrival comes from.
        unsafe {
            if arrival.kind == YIELDED {
                (*last).raw.control().parked.set(arrival.from);
                return (told, true);
            }
            // Nothing is thrown, and what is returned is a ().
            let _ = (*last).raw.receive(arrival);
        }
        (told, false)
    }
}

impl Yielder<(), ()> {
    /// Parks this coroutine, as by a yield, and wakes `next` with the same consumer.
    ///
    /// # Safety
    ///
    /// This coroutine can yield (see [`can_yield`](Self::can_yield)), and was resumed or handed over to in a
    /// [`relay`](Runner::relay), whose `answers` will not name it but the last one. `next` is another, suspended, of the same
    /// consumer; nobody else uses its handle now.
    #[inline(always)]
    pub(crate) unsafe fn hand_over(&self, next: *mut Runner) {
        let link = self.control.root.link.get();
        // SAFETY: `next` is parked, and nobody else wakes it once the mark is set (invariant 1). NEXT goes with a (). The link
        // is the consumer, which waits for whoever answers. Where this coroutine is parked is written to where it is looked
        // for when it is resumed.
        let arrival = unsafe {
            let control = (*next).raw.control();
            let parked = control.parked.replace(RUNNING);
            debug_assert!(!parked.is_marked());
            arch::delegate(parked, NEXT, encode(&()), link, self.control.parked.as_ptr())
        };
        self.woken(arrival.from);
        if arrival.kind > NEXT {
            core::hint::cold_path();
            // SAFETY: the word is what goes with the kind.
            if unsafe { self.not_a_value(arrival.kind, arrival.words.first()) }.is_err() {
                report::abort("a coroutine in a relay was closed");
            }
        }
    }
}
