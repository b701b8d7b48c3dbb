//! The inbox of a worker: where other threads put tasks for it, and how they see that it sleeps. One word.
//!
//! | value | meaning | who sets it |
//! |---|---|---|
//! | null | empty, and the worker is awake | the worker: `take`, `wake_up` |
//! | SLEEPING (1) | empty, and the worker sleeps, or is about to: whoever puts something in is to wake it | the worker, if it was null |
//! | CLOSED (3) | the worker is gone: nothing is put in | the worker, for ever |
//! | a node | the newest of a list that is linked by `next` | whoever puts it in, by a swap of null, SLEEPING or a node |
//!
//! So a sleeper is woken once for each time that it has slept: the first to put something in takes SLEEPING away. A node is
//! in one inbox or queue at most, and nobody but the worker takes nodes out, all at once, so there is no ABA.

use super::atomic::{AtomicPtr, Ordering};
use core::ptr::{self, NonNull};

/// What can be in an inbox.
///
/// # Safety
///
/// `set_next` and `next` write and read a link of the node that nobody else uses while it is in an inbox.
pub(crate) unsafe trait Linked {
    /// # Safety
    ///
    /// The node is valid, and its link the caller's.
    unsafe fn set_next(this: NonNull<Self>, next: *mut Self);

    /// # Safety
    ///
    /// As for `set_next`.
    unsafe fn next(this: NonNull<Self>) -> *mut Self;
}

/// See the module's table.
pub(crate) struct Inbox<N>(AtomicPtr<N>);

/// What [`Inbox::put`] has found.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Put {
    /// The worker is awake.
    Awake,
    /// The worker sleeps, and nobody else will wake it for this.
    Asleep,
    /// The worker is gone: the node is still the caller's.
    Closed,
}

/// Sets a link, if it is another one: a task that is woken from afar again and again, alone, keeps its link, and the other CPU
/// its copy of what is beside it.
///
/// # Safety
///
/// As for [`Linked::set_next`].
#[inline(always)]
pub(crate) unsafe fn set_next<N: Linked>(node: NonNull<N>, next: *mut N) {
    // SAFETY: by this function's contract.
    unsafe {
        if N::next(node) != next {
            N::set_next(node, next);
        }
    }
}

/// The nodes of an inbox, oldest first.
pub(crate) struct Taken<N>(*mut N);

fn sleeping<N>() -> *mut N {
    ptr::without_provenance_mut(1)
}

fn closed<N>() -> *mut N {
    ptr::without_provenance_mut(3)
}

impl<N: Linked> Inbox<N> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Puts a node in. What was written before is seen by the worker when it takes it.
    ///
    /// # Safety
    ///
    /// The node is valid until it is taken, and its link the caller's, who gives it away with this.
    pub(crate) unsafe fn put(&self, node: NonNull<N>) -> Put {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                return Put::Closed;
            }
            let below = if head == sleeping() { ptr::null_mut() } else { head };
            // SAFETY: by this function's contract; nobody else has seen the node yet.
            unsafe { set_next(node, below) };
            match self.0.compare_exchange_weak(head, node.as_ptr(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if head == sleeping() => return Put::Asleep,
                Ok(_) => return Put::Awake,
                Err(found) => head = found,
            }
        }
    }

    /// Whether there may be something to take.
    #[inline(always)]
    pub(crate) fn has_some(&self) -> bool {
        self.0.load(Ordering::Relaxed).addr() > 3
    }

    /// Takes all. The worker calls it, when it does not sleep.
    pub(crate) fn take(&self) -> Taken<N> {
        if !self.has_some() {
            return Taken(ptr::null_mut());
        }
        let mut next = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        let mut turned = ptr::null_mut();
        while let Some(node) = NonNull::new(next) {
            // SAFETY: what is in the inbox is valid, and whoever has taken it has its links.
            unsafe {
                next = N::next(node);
                set_next(node, turned);
            }
            turned = node.as_ptr();
        }
        Taken(turned)
    }

    /// The worker is about to sleep: false if something is in.
    pub(crate) fn go_to_sleep(&self) -> bool {
        self.0.compare_exchange(ptr::null_mut(), sleeping(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the worker sleeps, and nothing is in that would wake it.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Relaxed) == sleeping()
    }

    /// The worker does not sleep any more.
    pub(crate) fn wake_up(&self) {
        let _ = self.0.compare_exchange(sleeping(), ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The worker is gone: what is in, and nothing more.
    pub(crate) fn close(&self) -> Taken<N> {
        let mut all: Taken<N> = Taken(ptr::null_mut());
        while self.0.compare_exchange(ptr::null_mut(), closed(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            let more = self.take();
            if all.0.is_null() {
                all = more;
                continue;
            }
            let mut last = all.0;
            // SAFETY: all of these are taken, so their links are ours.
            unsafe {
                while let Some(node) = NonNull::new(N::next(NonNull::new_unchecked(last))) {
                    last = node.as_ptr();
                }
                N::set_next(NonNull::new_unchecked(last), more.0);
            }
        }
        all
    }

    /// A closed one is opened for the next worker.
    pub(crate) fn open(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }
}

impl<N: Linked> Iterator for Taken<N> {
    type Item = NonNull<N>;

    fn next(&mut self) -> Option<NonNull<N>> {
        let node = NonNull::new(self.0)?;
        // SAFETY: it was taken, so its link is ours until it is given away.
        self.0 = unsafe { N::next(node) };
        Some(node)
    }
}
