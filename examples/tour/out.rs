//! Where the tour prints to.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

/// Standard output that remembers its first error.
///
/// The bodies of the coroutines print too, and what may be thrown through them is theirs to choose, not
/// `io::Error`. So printing never fails on the spot: the first error is kept, what follows is dropped, and
/// [`Out::check`] hands the error to the one place that can act on it. Clones share everything.
#[derive(Clone)]
pub(crate) struct Out(Rc<RefCell<Inner>>);

struct Inner {
    to: io::Stdout,
    failed: Option<io::Error>,
}

impl Out {
    pub(crate) fn stdout() -> Self {
        Out(Rc::new(RefCell::new(Inner { to: io::stdout(), failed: None })))
    }

    /// Prints one line.
    pub(crate) fn line(&self, line: impl fmt::Display) {
        let mut inner = self.0.borrow_mut();
        if inner.failed.is_none() {
            inner.failed = writeln!(inner.to, "{line}").err();
        }
    }

    /// Prints the heading of a part or a dialogue, with an empty line before it.
    pub(crate) fn heading(&self, heading: impl fmt::Display) {
        self.line(format_args!("\n== {heading}"));
    }

    /// Writes out what is held back and gives the first error there was, once.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        match inner.failed.take() {
            Some(error) => Err(error),
            None => inner.to.flush(),
        }
    }
}

/// A line on stderr. When not even that can be written, nobody is left to be told.
pub(crate) fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
