//! What is timed of the peers.

pub(crate) mod tokio {
    //! tokio: `current_thread`, as `#[tokio::main(flavor = "current_thread")]` sets it up, and `tokio::spawn`.

    use crate::power_of_ten;
    use crate::{sum, timed_async};
    use std::future::Future;
    use std::pin::Pin;
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::task::{JoinHandle, LocalSet, spawn, spawn_local, yield_now};

    pub(crate) fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    /// Runs `main` as a task: what `block_on` is given is polled by other rules.
    pub(crate) fn run<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
        runtime().block_on(async { spawn(main).await.expect("it ends well") })
    }

    async fn half(n: u64) -> u64 {
        let mut total = 0;
        for i in 0..n / 2 {
            total += i;
            yield_now().await;
        }
        total
    }

    async fn both(tasks: [JoinHandle<u64>; 2]) -> u64 {
        let mut total = 0;
        for task in tasks {
            total += task.await.expect("it ends well");
        }
        total
    }

    pub(crate) fn yields(n: u64) -> Duration {
        run(timed_async(2 * sum(n / 2), async move { both([spawn(half(n)), spawn(half(n))]).await }))
    }

    /// Tasks that need not be `Send`.
    pub(crate) fn local_yields(n: u64) -> Duration {
        LocalSet::new().block_on(&runtime(), async move {
            let tasks = [spawn_local(half(n)), spawn_local(half(n))];
            timed_async(2 * sum(n / 2), both(tasks)).await
        })
    }

    pub(crate) fn spawn_join(n: u64) -> Duration {
        run(timed_async(sum(n), async move {
            let mut total = 0;
            for i in 0..n {
                total += spawn(async move { i }).await.expect("it ends well");
            }
            total
        }))
    }

    pub(crate) fn many(n: u64) -> Duration {
        run(timed_async(sum(n), async move {
            let tasks: Vec<_> = (0..n).map(|i| spawn(async move { i })).collect();
            let mut total = 0;
            for task in tasks {
                total += task.await.expect("it ends well");
            }
            total
        }))
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

    pub(crate) fn skynet(n: u64) -> Duration {
        let leaves = power_of_ten(n);
        run(timed_async(sum(leaves), tree(0, leaves)))
    }

    pub(crate) fn messages(n: u64) -> Duration {
        run(async move {
            let ((there, mut to), (fro, mut back)) = (mpsc::channel(1), mpsc::channel(1));
            let echo = spawn(async move {
                for _ in 0..n / 2 {
                    let number: u64 = to.recv().await.expect("a number");
                    fro.send(number).await.expect("somebody listens");
                }
            });
            let time = timed_async(sum(n / 2), async move {
                let mut total = 0;
                for i in 0..n / 2 {
                    there.send(i).await.expect("somebody listens");
                    total += back.recv().await.expect("a number");
                }
                total
            })
            .await;
            echo.await.expect("it ends well");
            time
        })
    }
}

pub(crate) mod smol {
    //! smol: its executor for tasks that need not be `Send`.

    use crate::power_of_ten;
    use crate::{sum, timed_async};
    use async_executor::LocalExecutor;
    use futures_lite::future::{block_on, yield_now};
    use std::future::Future;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::time::Duration;

    type Executor = Rc<LocalExecutor<'static>>;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Executor) -> F) -> T {
        let executor = Executor::default();
        block_on(executor.run(main(Rc::clone(&executor))))
    }

    pub(crate) fn yields(n: u64) -> Duration {
        let half = move || async move {
            let mut total = 0;
            for i in 0..n / 2 {
                total += i;
                yield_now().await;
            }
            total
        };
        run(|executor| {
            timed_async(2 * sum(n / 2), async move {
                let tasks = [executor.spawn(half()), executor.spawn(half())];
                let mut total = 0;
                for task in tasks {
                    total += task.await;
                }
                total
            })
        })
    }

    pub(crate) fn spawn_join(n: u64) -> Duration {
        run(|executor| {
            timed_async(sum(n), async move {
                let mut total = 0;
                for i in 0..n {
                    total += executor.spawn(async move { i }).await;
                }
                total
            })
        })
    }

    pub(crate) fn many(n: u64) -> Duration {
        run(|executor| {
            timed_async(sum(n), async move {
                let tasks: Vec<_> = (0..n).map(|i| executor.spawn(async move { i })).collect();
                let mut total = 0;
                for task in tasks {
                    total += task.await;
                }
                total
            })
        })
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

    pub(crate) fn skynet(n: u64) -> Duration {
        let leaves = power_of_ten(n);
        run(|executor| timed_async(sum(leaves), tree(executor, 0, leaves)))
    }

    pub(crate) fn messages(n: u64) -> Duration {
        run(|executor| async move {
            let ((there, to), (fro, back)) = (async_channel::bounded(1), async_channel::bounded(1));
            let echo = executor.spawn(async move {
                for _ in 0..n / 2 {
                    let number: u64 = to.recv().await.expect("a number");
                    fro.send(number).await.expect("somebody listens");
                }
            });
            let time = timed_async(sum(n / 2), async {
                let mut total = 0;
                for i in 0..n / 2 {
                    there.send(i).await.expect("somebody listens");
                    total += back.recv().await.expect("a number");
                }
                total
            })
            .await;
            echo.await;
            time
        })
    }
}

pub(crate) mod may {
    //! may: coroutines on one worker of its own.

    use crate::harness::{sum, timed};
    use may::coroutine::{self, JoinHandle};
    use may::sync::mpsc;
    use std::time::Duration;

    fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        // SAFETY: `f` uses no thread-local and little stack.
        unsafe { coroutine::spawn(f) }
    }

    fn run<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> T {
        spawn(main).join().expect("it ends well")
    }

    pub(crate) fn yields(n: u64) -> Duration {
        let half = move || {
            let mut total = 0;
            for i in 0..n / 2 {
                total += i;
                coroutine::yield_now();
            }
            total
        };
        run(move || {
            timed(2 * sum(n / 2), || {
                let tasks = [spawn(half), spawn(half)];
                tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
            })
        })
    }

    pub(crate) fn spawn_join(n: u64) -> Duration {
        run(move || timed(sum(n), || (0..n).map(|i| spawn(move || i).join().expect("it ends well")).sum()))
    }

    pub(crate) fn messages(n: u64) -> Duration {
        run(move || {
            let ((there, to), (fro, back)) = (mpsc::channel(), mpsc::channel());
            let echo = spawn(move || {
                for _ in 0..n / 2 {
                    fro.send(to.recv().expect("a number")).expect("somebody listens");
                }
            });
            let time = timed(sum(n / 2), || {
                (0..n / 2)
                    .map(|i| {
                        there.send(i).expect("somebody listens");
                        back.recv().expect("a number")
                    })
                    .sum()
            });
            echo.join().expect("it ends well");
            time
        })
    }
}
