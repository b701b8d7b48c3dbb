//! What other threads know of a worker. It is never freed, so whoever has put a task into a worker's inbox may still wake
//! the worker, although the task, and the whole runtime with it, may be gone by then (invariant 18).

use super::driver::Parker;
use super::header::Header;
use super::inbox::{Inbox, Put, Taken};
use core::ptr::NonNull;
use parking_lot::Mutex;

/// What other threads know of a worker.
pub(crate) struct Remote {
    inbox: Inbox<Header>,
    driver: Parker,
}

// SAFETY: what is in the inbox is given from thread to thread as its contract says; a parker is Send and Sync.
unsafe impl Sync for Remote {}
// SAFETY: as above.
unsafe impl Send for Remote {}

/// Those that no worker has.
static FREE: Mutex<Vec<&'static Remote>> = Mutex::new(Vec::new());
/// Those that are not given to another worker, because tasks of the last one were leaked, and may still be woken. Only so that
/// tools see that they are meant to be there.
static LEFT: Mutex<Vec<&'static Remote>> = Mutex::new(Vec::new());

impl Remote {
    /// One with an empty inbox, for a worker. Its driver may have been unparked.
    pub(super) fn take() -> &'static Self {
        if let Some(remote) = FREE.lock().pop() {
            remote.inbox.open();
            return remote;
        }
        Box::leak(Box::new(Self { inbox: Inbox::new(), driver: Parker::default() }))
    }

    /// Gives it back for the next worker. Nobody has a task that belongs to it.
    pub(super) fn give_back(&'static self) {
        FREE.lock().push(self);
    }

    /// Leaves it as it is, for ever.
    pub(super) fn leave(&'static self) {
        LEFT.lock().push(self);
    }

    /// Puts a task in, and wakes the worker if it sleeps. False if the worker is gone.
    ///
    /// # Safety
    ///
    /// The task is for this worker, in no queue, and the caller is the one who may queue it.
    pub(super) unsafe fn put(&'static self, task: NonNull<Header>) -> bool {
        // SAFETY: the task is valid until it is taken, because it has not ended; the caller has its link.
        match unsafe { self.inbox.put(task) } {
            Put::Awake => true,
            Put::Asleep => {
                self.driver.unpark();
                true
            }
            Put::Closed => false,
        }
    }

    pub(super) fn inbox(&self) -> &Inbox<Header> {
        &self.inbox
    }

    pub(super) fn driver(&self) -> &Parker {
        &self.driver
    }

    pub(super) fn close(&self) -> Taken<Header> {
        self.inbox.close()
    }
}
