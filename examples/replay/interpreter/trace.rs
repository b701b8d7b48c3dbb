//! The trace: one JSON array a line, without spaces, in ASCII.

use serde::Serialize;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, Serializer};
use std::cell::{Cell, RefCell};
use std::io;

#[derive(Default)]
pub(super) struct Trace {
    lines: RefCell<Vec<u8>>,
    count: Cell<usize>,
    /// The run is over, whatever still happens while things are put away.
    closed: Cell<bool>,
}

impl Trace {
    pub(super) fn push(&self, event: &Json) {
        if self.closed.get() {
            return;
        }
        let mut lines = self.lines.borrow_mut();
        let written = event.serialize(&mut Serializer::with_formatter(&mut *lines, Ascii));
        written.expect("JSON can be written to memory");
        lines.push(b'\n');
        self.count.set(self.count.get() + 1);
    }

    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    pub(super) fn take(&self) -> Vec<u8> {
        self.lines.take()
    }
}

/// Writes what is not printable ASCII as `\u....`, in UTF-16, as Python does.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}
