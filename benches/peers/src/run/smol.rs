//! smol: its executor for tasks that need not be `Send`, with the channels and locks of its family.

use super::{Outcome, timed_async};
use async_executor::LocalExecutor;
use async_lock::Mutex;
use futures_lite::future::{block_on, yield_now};
use std::pin::Pin;
use std::rc::Rc;

type Executor = Rc<LocalExecutor<'static>>;

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    let executor = Executor::default();
    let e = Rc::clone(&executor);
    let main = |work: Pin<Box<dyn Future<Output = u64>>>| block_on(executor.run(timed_async(work)));
    Some(match workload {
        "yield" => main(Box::pin(async move {
            let mut total = 0;
            for task in [e.spawn(half(n)), e.spawn(half(n))] {
                total += task.await;
            }
            total
        })),
        "spawn-join" => main(Box::pin(async move {
            let mut total = 0;
            for i in 0..n {
                total += e.spawn(async move { i }).await;
            }
            total
        })),
        "million" => main(Box::pin(async move {
            let tasks: Vec<_> = (0..n).map(|i| e.spawn(async move { i })).collect();
            let mut total = 0;
            for task in tasks {
                total += task.await;
            }
            total
        })),
        "channel" => main(Box::pin(channel(e, n))),
        "skynet" => main(tree(e, 0, n)),
        "mutex" => main(Box::pin(mutex(e, n))),
        _ => return None,
    })
}

async fn half(n: u64) -> u64 {
    let mut total = 0;
    for i in 0..n / 2 {
        total += i;
        yield_now().await;
    }
    total
}

async fn channel(executor: Executor, n: u64) -> u64 {
    let ((there, to), (fro, back)) = (async_channel::bounded(1), async_channel::bounded(1));
    let echo = executor.spawn(async move {
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
    echo.await;
    total
}

fn tree(executor: Executor, first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let part = leaves / 10;
        let parts: [_; 10] =
            std::array::from_fn(|i| executor.spawn(tree(Rc::clone(&executor), first + i as u64 * part, part)));
        let mut total = 0;
        for part in parts {
            total += part.await;
        }
        total
    })
}

async fn mutex(executor: Executor, n: u64) -> u64 {
    let counter = Rc::new(Mutex::new(0));
    let turns = |counter: Rc<Mutex<u64>>| async move {
        for _ in 0..n / 100 {
            let mut counter = counter.lock().await;
            *counter += 1;
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..100).map(|_| executor.spawn(turns(Rc::clone(&counter)))).collect();
    for task in tasks {
        task.await;
    }
    *counter.lock().await
}
