//! What several tests need: values that tell when they are dropped.

use std::cell::RefCell;
use std::rc::Rc;

/// A list of what has happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// A value that adds `name` when it is dropped.
    pub(crate) fn dropper(&self, name: impl Into<String>) -> Dropper {
        Dropper { log: self.clone(), name: name.into() }
    }

    /// What has happened since the last call, joined by blanks.
    pub(crate) fn take(&self) -> String {
        self.0.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
    }
}

/// Adds its name to its log when it is dropped.
pub(crate) struct Dropper {
    log: Log,
    name: String,
}

impl Drop for Dropper {
    fn drop(&mut self) {
        self.log.push(self.name.clone());
    }
}
