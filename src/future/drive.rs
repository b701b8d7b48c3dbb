//! One await: polling until the future is ready.

use super::awaiter::Awaiter;
use super::waker::Borrowed;
use crate::cancelled::{CancelReason, Cancelled};
use core::future::Future;
use core::mem;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

/// Where an await is to find its awaiter.
pub(super) trait Place {
    /// The awaiter, if there is one. (No closure gets it, as all of an await is to be inlined.)
    ///
    /// # Safety
    ///
    /// Whoever calls this asks anew after whatever may take it elsewhere: a poll.
    unsafe fn find(&self) -> Option<&Awaiter>;
}

impl Place for &Awaiter {
    #[inline(always)]
    unsafe fn find(&self) -> Option<&Awaiter> {
        Some(self)
    }
}

/// Polls until the future is ready, with the body's own waker, in place. All of it borrows the awaiter, so wherever this code is
/// taken in the midst of a poll, it goes on in the same body.
#[inline(always)]
pub(super) fn drive_here<F: Future>(awaiter: &Awaiter, future: F) -> Result<F::Output, Cancelled> {
    let Some(mut borrowed) = Borrowed::new(awaiter)? else { return nested(awaiter, future) };
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(borrowed.context()) {
            Poll::Ready(output) => {
                // Before the future, whose destructor may await.
                drop(borrowed);
                return Ok(output);
            }
            Poll::Pending if borrowed.is_old() => {
                core::hint::cold_path();
                borrowed.catch_up()?;
            }
            Poll::Pending => borrowed.suspend()?,
        }
    }
}

/// An await in the midst of a poll of another.
#[cold]
#[inline(never)]
fn nested<F: Future>(awaiter: &Awaiter, future: F) -> Result<F::Output, Cancelled> {
    // The awaiter is always found.
    drive(awaiter, pin!(future)).unwrap_or_else(|| Err(Cancelled::alone(CancelReason::Outside)))
}

/// Polls until the future is ready, with a waker that it owns meanwhile. Between polls the awaiter is asked for anew: a poll may
/// take this code elsewhere, if a plain coroutine is suspended in the middle of it and resumed inside of another body, or of
/// none. None if there is no body here, or none any more and the future is not ready.
#[inline(always)]
pub(super) fn drive<F: Future>(place: impl Place, mut future: Pin<&mut F>) -> Option<Result<F::Output, Cancelled>> {
    // SAFETY: here and below, what is found is used before the next poll only.
    let awaiter = unsafe { place.find() }?;
    // Two locals: the waker's address is given away, and the rest stays in registers.
    let (mut waker, mut lease) = match awaiter.lease() {
        Ok(leased) => leased,
        Err(cancelled) => return Some(Err(cancelled)),
    };
    loop {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        // SAFETY: as above.
        let awaiter = unsafe { place.find() };
        match (polled, awaiter) {
            (Poll::Ready(output), awaiter) => {
                if awaiter.is_some_and(|awaiter| awaiter.keep(&waker, lease)) {
                    mem::forget(waker);
                }
                return Some(Ok(output));
            }
            (Poll::Pending, Some(awaiter)) => {
                if let Err(cancelled) = awaiter.suspend(&mut waker, &mut lease) {
                    return Some(Err(cancelled));
                }
            }
            (Poll::Pending, None) => return None,
        }
    }
}
