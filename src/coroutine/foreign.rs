//! Coroutines whose bodies another compiler has made, so that nothing may unwind their frames: what is done instead.

use super::Coroutine;
use super::control::{Control, FINISHED, Standing};
use super::raw::Raw;
use crate::stack::pool;
use core::ops::Range;

impl<Y, S, R, E> Coroutine<Y, S, R, E> {
    /// Between which addresses the frames of the body are. Of no meaning when it has ended.
    pub(crate) fn bounds(&self) -> Range<usize> {
        pool::limit(Control::header(self.raw.control)).addr()..self.raw.control.addr().get()
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
