//! Coroutines whose bodies another compiler has made, so that nothing may unwind their frames: what is done instead.

use super::control::{self, Control, FINISHED, RUNNING, Standing};
use super::message::{NEXT, VALUE, YIELDED, encode};
use super::raw::Raw;
use super::{Coroutine, CoroutineState, Thrown, Yielder};
use crate::arch::{self, Arrival, StackPointer, Words};
use crate::stack::{Header, pool};
use core::ops::Range;
use core::ptr::NonNull;

/// The control block of a coroutine that yields, is sent and returns words: what is resumed without its handle. The functions
/// of `include/switchback_inline.h` know where its parts are, and which kinds of message are which.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<Control>);

// What `struct swb_inline_control` says there. Who changes this reads on at `Slot` in src/ffi/slot.rs.
#[cfg(not(switchback_fallback))]
#[cfg(target_pointer_width = "64")]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Control, root) + offset_of!(arch::Root, link) == 32);
    assert!(offset_of!(Control, parked) == 48);
    assert!(VALUE == 0 && NEXT == 1 && YIELDED == 0);
};

/// Resumes as [`Coroutine::resume`] does one that is suspended.
pub(crate) const RESUME: usize = NEXT;
/// As [`Coroutine::send`].
pub(crate) const SEND: usize = VALUE;

impl Block {
    /// One that is never suspended, and has no consumer.
    pub(crate) fn none() -> Self {
        Self(control::finished())
    }

    /// Where the coroutine is parked, if it is suspended.
    ///
    /// # Safety
    ///
    /// The block is [`none`](Self::none), or of a coroutine of the calling thread that has not ended.
    #[inline(always)]
    pub(crate) unsafe fn parked(self) -> Option<StackPointer> {
        // SAFETY: by this function's contract the block is valid, and nobody else touches it.
        let parked = unsafe { self.0.as_ref() }.parked.get();
        (!parked.is_marked()).then_some(parked)
    }

    /// Wakes the coroutine: what [`Coroutine::send`] does, without the handle. `Ok` is what it has yielded. For what is
    /// not a yield there is [`Coroutine::receive`]; until then it counts as running.
    ///
    /// # Safety
    ///
    /// `parked` is what [`parked`](Self::parked) has just said of a coroutine with words for Y and S.
    #[inline(always)]
    pub(crate) unsafe fn wake(self, parked: StackPointer, kind: usize, value: usize) -> Result<usize, Arrival> {
        // SAFETY: it is not marked, so it is parked, and nobody else wakes it (invariant 1); both kinds go with a word. What
        // has yielded has not ended, so its block is there.
        unsafe {
            self.0.as_ref().parked.set(RUNNING);
            let arrival = arch::resume(parked, kind, encode(&value));
            if arrival.kind != YIELDED {
                core::hint::cold_path();
                return Err(arrival);
            }
            self.0.as_ref().parked.set(arrival.from);
            Ok(super::message::decode(arrival.words))
        }
    }
}

impl<S, E> Yielder<usize, S, E> {
    /// What a message says that has come to a yield.
    ///
    /// # Safety
    ///
    /// It has woken this coroutine, and its sender is its link by now.
    pub(crate) unsafe fn told(&self, kind: usize, words: Words) -> Result<S, Thrown<E>> {
        let arrival = Arrival { kind, words, from: self.control.root.link.get() };
        // SAFETY: by this function's contract.
        unsafe { self.received(arrival) }
    }
}

/// The tag of the coroutine whose stack the caller is on, or the last that was set on that stack. Null where none was, and on
/// stacks that are not the pool's.
pub(crate) fn tag_here() -> *const () {
    // SAFETY: this runs on the stack that the stack pointer is in.
    let header = unsafe { Header::around(arch::stack_pointer()) };
    // SAFETY: who runs on a stack of the pool is a coroutine, and its control block is below the header.
    header.map_or(core::ptr::null(), |header| unsafe { Control::below(header).as_ref() }.tag.get())
}

impl<Y, S, R, E> Coroutine<Y, S, R, E> {
    /// Sets what [`tag_here`] says in the body. False, if it does not, as the stack is not the pool's.
    pub(crate) fn set_tag(&self, tag: *const ()) -> bool {
        if !pool::is_pooled(Control::header(self.raw.control)) {
            return false;
        }
        self.raw.control().tag.set(tag);
        true
    }

    /// What it may be resumed by without this handle, until it has ended.
    ///
    /// None where a sanitizer or corosensei must know of each switch. None either where the thread is ending and would not
    /// mark the coroutine any more when it is gone.
    pub(crate) fn block(&self) -> Block {
        let is_plain = cfg!(not(any(switchback_fallback, switchback_asan, switchback_tsan)));
        let will_be_marked = !self.raw.has_ended() && pool::is_registered(Control::header(self.raw.control));
        if is_plain && will_be_marked { Block(self.raw.control) } else { Block::none() }
    }

    /// Takes what has come instead of a yield.
    ///
    /// # Errors
    ///
    /// When the coroutine has ended by one.
    ///
    /// # Safety
    ///
    /// [`Block::wake`] has just returned it, or what is in it came to a switch of the C side's own.
    #[cold]
    pub(crate) unsafe fn receive(&mut self, arrival: Arrival) -> Result<CoroutineState<Y, R>, Thrown<E>> {
        // SAFETY: by this function's contract.
        unsafe { self.raw.receive(arrival) }
    }

    /// Between which addresses the frames of the body are. Of no meaning when it has ended.
    pub(crate) fn bounds(&self) -> Range<usize> {
        pool::limit(Control::header(self.raw.control)).addr()..self.raw.control.addr().get()
    }

    /// Whether its thread is ending, and its body will never run again, nor clean up.
    #[cold]
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self.raw.control().standing(), Standing::Abandoned)
    }

    /// Leaves a coroutine that has ignored its exit as it is, for ever, and reports it: what a drop does where it must not unwind
    /// the body.
    #[cold]
    pub(crate) fn leak(mut self) {
        self.raw.give_up();
    }

    /// Ends the coroutine without asking its body, and gives its stack to others.
    ///
    /// # Safety
    ///
    /// Nobody uses anything that is on the coroutine's stack any more, in any frame: no pointer leads there, no destructor is
    /// waited for. The coroutine does not run.
    #[cold]
    pub(crate) unsafe fn discard_frames(mut self) {
        match self.raw.control().standing() {
            Standing::Created(_) => self.raw.discard(),
            // SAFETY: by this function's contract.
            Standing::Suspended(_) if cfg!(not(switchback_fallback)) => unsafe { forget_frames(&mut self.raw) },
            // What corosensei knows of a stack goes with a coroutine that ends, or not at all.
            Standing::Suspended(_) | Standing::Running | Standing::Abandoned => self.raw.leak(),
            Standing::Finished => {}
        }
    }
}

/// Makes a suspended coroutine a finished one. What it delegates to is suspended where it is.
///
/// # Safety
///
/// As for [`Coroutine::discard_frames`].
unsafe fn forget_frames<Y, S, R, E>(raw: &mut Raw<Y, S, R, E>) {
    let control = raw.control();
    // SAFETY: the block of a delegate is valid while its delegator is parked, whose frames borrow the handle.
    if let Some(delegate) = unsafe { control.root.delegate().cast::<Control>().as_ref() } {
        delegate.parked.set(control.parked.get());
        control.root.part_from(&delegate.root);
    }
    control.forget_special();
    control.parked.set(FINISHED);
    raw.release();
}
