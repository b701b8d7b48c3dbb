//! tokio: `current_thread`, as `#[tokio::main(flavor = "current_thread")]` sets it up, and `tokio::spawn`. When all tasks have yielded, that
//! asks its drivers, which takes a call of the kernel (epoll_wait); `tokio-bare` is the same runtime with none to be asked.

use super::{Outcome, timed_async};
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{spawn, yield_now};

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    on(runtime(), workload, n)
}

/// Without drivers.
pub(super) fn run_bare(workload: &str, n: u64) -> Option<Outcome> {
    on(Builder::new_current_thread().build().expect("a runtime"), workload, n)
}

fn on(runtime: Runtime, workload: &str, n: u64) -> Option<Outcome> {
    Some(match workload {
        "yield" => main(runtime, async move {
            let mut total = 0;
            for task in [spawn(half(n)), spawn(half(n))] {
                total += task.await.expect("it ends well");
            }
            total
        }),
        "spawn-join" => main(runtime, async move {
            let mut total = 0;
            for i in 0..n {
                total += spawn(async move { i }).await.expect("it ends well");
            }
            total
        }),
        "million" => main(runtime, async move {
            let tasks: Vec<_> = (0..n).map(|i| spawn(async move { i })).collect();
            let mut total = 0;
            for task in tasks {
                total += task.await.expect("it ends well");
            }
            total
        }),
        "channel" => main(runtime, channel(n)),
        "skynet" => main(runtime, tree(0, n)),
        "mutex" => main(runtime, mutex(n)),
        _ => return None,
    })
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs `work` as a task: what `block_on` is given is polled by other rules.
fn main(runtime: Runtime, work: impl Future<Output = u64> + Send + 'static) -> Outcome {
    runtime.block_on(async { spawn(timed_async(work)).await.expect("it ends well") })
}

async fn half(n: u64) -> u64 {
    let mut total = 0;
    for i in 0..n / 2 {
        total += i;
        yield_now().await;
    }
    total
}

async fn channel(n: u64) -> u64 {
    let ((there, mut to), (fro, mut back)) = (mpsc::channel(1), mpsc::channel(1));
    let echo = spawn(async move {
        for _ in 0..n / 2 {
            let number: u64 = to.recv().await.expect("a number");
            fro.send(number).await.expect("somebody listens");
        }
    });
    let mut total = 0;
    for i in 0..n / 2 {
        there.send(i).await.expect("somebody listens");
        total += back.recv().await.expect("a number");
    }
    echo.await.expect("it ends well");
    total
}

fn tree(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let part = leaves / 10;
        let parts: [_; 10] = std::array::from_fn(|i| spawn(tree(first + i as u64 * part, part)));
        let mut total = 0;
        for part in parts {
            total += part.await.expect("it ends well");
        }
        total
    })
}

async fn mutex(n: u64) -> u64 {
    let counter = Arc::new(Mutex::new(0));
    let turns = |counter: Arc<Mutex<u64>>| async move {
        for _ in 0..n / 100 {
            let mut counter = counter.lock().await;
            *counter += 1;
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..100).map(|_| spawn(turns(Arc::clone(&counter)))).collect();
    for task in tasks {
        task.await.expect("it ends well");
    }
    *counter.lock().await
}
