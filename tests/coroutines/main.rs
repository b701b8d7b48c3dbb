//! Coroutines: Python's protocol, delegation, scopes, unwinding, stacks, threads; and how a process ends that goes too far.
//!
//! What is the process's is tested in a process of its own: this program is run again, for one test (`common/process.rs`).

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/reports.rs"]
mod reports;
#[cfg(not(switchback_fallback))]
#[path = "../common/require.rs"]
mod require;
#[path = "../common/slow.rs"]
mod slow;

mod abort;
mod backtrace;
mod builder;
mod delegation;
mod escapes;
mod guard;
mod iterators;
mod limits;
mod overflow;
mod protocol;
mod scoped;
mod soundness;
mod threads;
mod unwind;
mod usage;
