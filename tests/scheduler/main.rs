//! The scheduler: tasks, waits, scopes, cancellation and time.

#[cfg(panic = "unwind")]
#[path = "../common/process.rs"]
mod process;
#[path = "../common/reports.rs"]
mod reports;
#[cfg(panic = "unwind")]
#[path = "../common/unwinding.rs"]
mod unwinding;

mod cancellation;
mod outcomes;
mod scopes;
mod suspend;
mod tasks;
mod time;
