//! What docs/PYTHON.md tells of: its slides, in both languages; the page itself, row by row; and the behaviours of CPython
//! that no other test program of this crate shows.
//!
//! The numbers in brackets are the page's rows.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/process.rs"]
#[cfg(unix)]
mod process;
#[path = "../common/reports.rs"]
mod reports;
#[path = "../common/require.rs"]
mod require;

mod async_generators;
mod awaiting;
mod cleanup;
mod naming;
mod outcomes;
mod page;
#[cfg(panic = "unwind")]
mod panics;
mod recursion;
mod sharing;
mod slides;
