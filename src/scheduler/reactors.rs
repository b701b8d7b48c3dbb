//! The reactors of a runtime: those of all workers, from the first wait for I/O to the runtime's end.
#![forbid(unsafe_code)]

use super::handle::current_scope;
use super::reactor::Reactor;
use crate::cancelled::{CancelReason, Cancelled};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// See the module. A [`Handle`](super::Handle) outlives its runtime, and keeps this; what a runtime has open it does not keep.
#[derive(Default)]
pub(super) struct Reactors(Mutex<Life>);

#[derive(Default)]
enum Life {
    #[default]
    Unmade,
    Made(Arc<[Arc<Reactor>]>),
    Ended,
}

impl Reactors {
    /// Those of the workers, in their order, if there are any by now.
    pub(super) fn get(&self) -> Option<Arc<[Arc<Reactor>]>> {
        match &*self.0.lock() {
            Life::Made(reactors) => Some(Arc::clone(reactors)),
            Life::Unmade | Life::Ended => None,
        }
    }

    /// [`get`](Self::get), which makes them. All are made at once: where the descriptors do not suffice, the first wait says so, and not
    /// that of a task that happens to be the first on its worker.
    ///
    /// At the end of the runtime it is refused, to what is left of a worker that was given up.
    pub(super) fn get_or_make(&self, workers: usize) -> io::Result<Arc<[Arc<Reactor>]>> {
        let mut life = self.0.lock();
        match &*life {
            Life::Made(reactors) => Ok(Arc::clone(reactors)),
            Life::Unmade => {
                let made = (0..workers).map(|_| Reactor::new().map(Arc::new)).collect::<io::Result<Arc<[_]>>>()?;
                *life = Life::Made(Arc::clone(&made));
                Ok(made)
            }
            Life::Ended => {
                let why = CancelReason::Shutdown;
                Err(current_scope()
                    .map_or_else(|| Cancelled::alone(why.clone()), |scope| Cancelled::new(why.clone(), scope))
                    .into())
            }
        }
    }

    /// The runtime has ended: closes them, but those of workers that have not ended, who close theirs then.
    pub(super) fn end(&self) {
        let ended = core::mem::replace(&mut *self.0.lock(), Life::Ended);
        // Without the lock.
        drop(ended);
    }
}
