//! [`std::sync::Barrier`] for tasks.
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::WaitQueue;
use super::wait;
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped, suspend_until};
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
    queue: Latch<WaitQueue<Resumer<()>>>,
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
        if let Some(all) = self.complete(&mut self.queue.lock()) {
            wait::wake_all(all);
            return Ok(BarrierWaitResult(true));
        }
        let mut place = None;
        let mut is_leader = false;
        let waited = suspend_until(Limit::Never, shielded, |resumer: Resumer<()>| {
            let mut queue = self.queue.lock();
            let Some(all) = self.complete(&mut queue) else {
                place = Some(queue.push(resumer));
                return;
            };
            drop(queue);
            is_leader = true;
            wait::wake_all(all);
            // If it was cancelled just now it leads all the same: the others have gone on because of it.
            let _ = resumer.send(());
        });
        match waited {
            Ok(()) => Ok(BarrierWaitResult(is_leader)),
            Err(_) if is_leader => Ok(BarrierWaitResult(true)),
            Err(stopped) => {
                drop(place.and_then(|place| self.queue.lock().remove(place)));
                Err(stopped)
            }
        }
    }

    /// Those that wait, if they are all with the caller. One that was cancelled, and has not left yet, does not count.
    fn complete(&self, queue: &mut WaitQueue<Resumer<()>>) -> Option<WaitQueue<Resumer<()>>> {
        let missing = self.size.saturating_sub(1);
        let is_complete =
            queue.len() >= missing && queue.iter().filter(|resumer| resumer.is_waiting()).count() >= missing;
        is_complete.then(|| queue.take_all())
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
