//! Futures and coroutines, both ways.

mod alloc;
#[path = "../common/mod.rs"]
mod common;
mod drops;
#[cfg(unix)]
mod executors_smol;
#[cfg(unix)]
mod executors_tokio;
mod host;
mod in_tasks;
mod join_handles;
mod nesting;
#[path = "../common/process.rs"]
mod process;
mod protocol;
#[path = "../common/reports.rs"]
mod reports;
mod sideways;
mod strange_wakers;
mod streams;
mod support;
mod wakers;
