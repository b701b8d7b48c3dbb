//! How many connections there are, and how all of them come to their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use switchback::Cancelled;
use switchback::sync::{Mutex, OwnedPermit, PoisonError, Semaphore};
use switchback::task::{self, Task, TaskId};

pub(crate) struct Connections {
    most: usize,
    places: Arc<Semaphore>,
    /// Those that wait for a request, and for nothing else. None when the server comes to its end.
    idle: Mutex<Option<HashMap<TaskId, Task>>>,
}

impl Connections {
    /// There may be so many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, places: Arc::new(Semaphore::new(most)), idle: Mutex::new(Some(HashMap::new())) }
    }

    /// Waits until there may be one more. It has its place until that is dropped.
    pub(crate) fn place(&self) -> Result<OwnedPermit, Cancelled> {
        self.places.acquire_owned()
    }

    /// Calls `wait`, which waits for a request. If the server comes to its end meanwhile the calling task is cancelled, and if it has
    /// done so before, there is none to wait for.
    pub(crate) fn wait_for_request<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let me = task::current()?;
        self.with_idle(|idle| Some(idle.as_mut()?.insert(me.id(), me.clone())))?;
        let result = wait();
        self.with_idle(|idle| idle.as_mut().map(|idle| idle.remove(&me.id())));
        Some(result)
    }

    /// Whether the server comes to its end.
    pub(crate) fn are_ending(&self) -> bool {
        self.with_idle(|idle| idle.is_none())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.most - self.places.available()
    }

    /// Ends those that wait for a request, and waits until the others have come to their end: for that long at most.
    pub(crate) fn end(&self, longest: Duration) {
        let idle = self.with_idle(Option::take).unwrap_or_default();
        for task in idle.values() {
            task.cancel();
        }
        // Who has all places has waited for all connections.
        let _ = task::timeout(longest, || self.places.acquire_many(self.most).map(drop));
    }

    fn with_idle<T>(&self, f: impl FnOnce(&mut Option<HashMap<TaskId, Task>>) -> T) -> T {
        f(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
