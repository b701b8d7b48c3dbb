//! Looking on: dumps, hooks, the watchdog, traces, spans.

#[path = "../common/process.rs"]
mod process;
#[path = "../common/reports.rs"]
mod reports;

mod dumps;
mod hooks;
#[cfg(unix)]
mod sigquit;
#[cfg(feature = "tracing")]
mod spans;
mod trace;
mod watchdog;

use switchback::task;
use switchback::{Runtime, RuntimeBuilder};

fn workers(count: usize) -> RuntimeBuilder {
    Runtime::builder().workers(count)
}

/// Lets others run until that is so.
fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        task::yield_now().expect("nobody cancels main");
    }
}
