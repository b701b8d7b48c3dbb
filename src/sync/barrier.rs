//! [`std::sync::Barrier`] for tasks.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::WaitQueue;
use super::wait;
use crate::cancelled::Cancelled;
use crate::scheduler::{Claimed, Limit, Resumer, Stopped, suspend_until};
use core::fmt;

/// [`std::sync::Barrier`] for tasks: a place where as many wait as it is made for, and then all go on. Threads outside of any
/// runtime may be among them.
///
/// One that is cancelled does not count any more. [`wait`](Self::wait) leaves by an unwind then, as
/// [`Condvar`](super::Condvar) does; [`task::wait_at`](crate::task::wait_at) returns the [`Cancelled`].
///
/// # Examples
///
/// ```
/// use switchback::{sync::Barrier, thread};
///
/// switchback::run(|| {
///     let barrier = Barrier::new(3);
///     let leaders = thread::scope(|s| {
///         let tasks: Vec<_> = (0..3).map(|_| s.spawn(|| barrier.wait().is_leader())).collect();
///         tasks.into_iter().map(|task| task.join().unwrap()).filter(|leads| *leads).count()
///     });
///     assert_eq!(leaders, 1);
/// });
/// ```
pub struct Barrier {
    size: usize,
    /// They are sent whether they go on, or wait again at the place that they have had.
    queue: Latch<WaitQueue<Resumer<bool>>>,
}

impl Barrier {
    /// A barrier for `size`. With 0 and 1 nobody waits.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self { size, queue: Latch::new(WaitQueue::new()) }
    }

    /// Waits until as many have come as the barrier is for. The last one to come leads.
    ///
    /// # Panics
    ///
    /// Where nothing can be suspended: while a panic unwinds, and in the closure of [`suspend`](crate::task::suspend). And see
    /// the type for what happens when the task is cancelled.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        match self.wait_inner(!wait::CAN_UNWIND) {
            Err(Stopped::Cancelled(cancelled)) => wait::unwind(cancelled),
            waited => wait::surely(waited, "a barrier"),
        }
    }

    /// [`wait`](Self::wait) that is cut short when the task is cancelled.
    pub(crate) fn wait_or_cancelled(&self) -> Result<BarrierWaitResult, Cancelled> {
        wait::told(self.wait_inner(false))
    }

    fn wait_inner(&self, shielded: bool) -> Result<BarrierWaitResult, Stopped> {
        if self.completes(&mut self.queue.lock()) {
            return Ok(BarrierWaitResult(true));
        }
        let mut place = None;
        let mut is_leader = false;
        loop {
            let waited = suspend_until(Limit::Never, shielded, |resumer: Resumer<bool>| {
                let mut queue = self.queue.lock();
                if self.completes(&mut queue) {
                    drop(queue);
                    is_leader = true;
                    // If it was cancelled just now it leads all the same: the others have gone on because of it.
                    let _ = resumer.send(true);
                    return;
                }
                match place {
                    None => place = Some(queue.push(resumer)),
                    Some(place) => queue.push_at(place, resumer),
                }
            });
            match waited {
                Ok(true) => return Ok(BarrierWaitResult(is_leader)),
                Err(_) if is_leader => return Ok(BarrierWaitResult(true)),
                // One that was counted has been cancelled.
                Ok(false) => {}
                Err(stopped) => {
                    drop(place.and_then(|place| self.queue.lock().remove(place)));
                    return Err(stopped);
                }
            }
        }
    }

    /// Lets those go on that wait, if they are all with the caller. One that was cancelled, and has not left yet, does not count; one that
    /// is at this very time has to be claimed to know: if then there are too few, those that were claimed come again.
    fn completes(&self, queue: &mut WaitQueue<Resumer<bool>>) -> bool {
        let missing = self.size.saturating_sub(1);
        if queue.len() < missing || queue.iter().filter(|resumer| resumer.is_waiting()).count() < missing {
            return false;
        }
        let mut all = Vec::with_capacity(queue.len());
        while let Some((_, resumer)) = queue.pop() {
            all.extend(resumer.claim());
        }
        let is_complete = all.len() >= missing;
        all.into_iter().for_each(|claimed: Claimed<bool>| claimed.send(is_complete));
        is_complete
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

/// Whether the caller of [`Barrier::wait`] is the one of all that leads.
#[derive(Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether it is.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
