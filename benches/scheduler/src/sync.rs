//! What tasks say to each other: channels, locks and select, on both sides.

pub(crate) mod ours {
    use crate::harness::{sum, timed};
    use std::time::Duration;
    use switchback::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use switchback::sync::{Arc, Mutex};
    use switchback::{Runtime, select, task};

    fn runtime(workers: usize) -> Runtime {
        Runtime::builder().workers(workers).build().expect("a runtime")
    }

    fn echo(to: &Receiver<u64>, fro: &SyncSender<u64>, n: u64) {
        (0..n).for_each(|_| fro.send(to.recv().expect("a number")).expect("somebody listens"));
    }

    /// A number goes to the last worker's task and comes back: one way is counted.
    pub(crate) fn ping_pong(workers: usize, n: u64) -> Duration {
        runtime(workers).run(move || {
            let ((there, to), (fro, back)) = (sync_channel(1), sync_channel(1));
            let here = move || {
                let call = |i| {
                    there.send(i).expect("somebody listens");
                    back.recv().expect("a number")
                };
                timed(sum(n / 2), || (0..n / 2).map(call).sum())
            };
            let echo = task::spawn_on(workers - 1, move || echo(&to, &fro, n / 2));
            let time = task::spawn_on(0, here).join().expect("it ends well");
            echo.join().expect("it ends well");
            time
        })
    }

    pub(crate) fn stream(n: u64) -> Duration {
        runtime(2).run(move || {
            let (sender, receiver) = sync_channel(64);
            let sending = task::spawn_on(1, move || (0..n).for_each(|i| sender.send(i).expect("somebody listens")));
            let receiving = task::spawn_on(0, move || timed(sum(n), || receiver.iter().sum()));
            let time = receiving.join().expect("it ends well");
            sending.join().expect("it ends well");
            time
        })
    }

    /// Each task yields while it has the lock, so that all others come to wait for it.
    pub(crate) fn hand_off(n: u64) -> Duration {
        runtime(1).run(move || {
            let (tasks, turns) = (n.min(100), n / n.min(100));
            let counter = Arc::new(Mutex::new(0));
            timed(tasks * turns, || {
                let turn = move |counter: Arc<Mutex<u64>>| {
                    (0..turns).for_each(|_| {
                        let mut counter = counter.lock().expect("not poisoned");
                        *counter += 1;
                        task::yield_now().expect("not cancelled");
                    });
                };
                let each = |_| {
                    task::spawn_local({
                        let counter = Arc::clone(&counter);
                        move || turn(counter)
                    })
                };
                let tasks: Vec<_> = (0..tasks).map(each).collect();
                tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
                *counter.lock().expect("not poisoned")
            })
        })
    }

    pub(crate) fn lock(n: u64) -> Duration {
        runtime(1).run(move || {
            let counter = Mutex::new(0);
            timed(sum(n), || {
                (0..n).for_each(|i| *std::hint::black_box(&counter).lock().expect("not poisoned") += i);
                *counter.lock().expect("not poisoned")
            })
        })
    }

    /// A task sends to each of the channels in turn.
    pub(crate) fn select(n: u64) -> Duration {
        runtime(1).run(move || {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..8).map(|_| sync_channel(1)).unzip();
            let sending = task::spawn_local(move || {
                (0..n)
                    .zip((0..8).cycle())
                    .for_each(|(i, to): (u64, usize)| senders[to].send(i).expect("somebody listens"));
                // The ends are ready arms, of which the sum must not be made.
                senders
            });
            let [a, b, c, d, e, f, g, h] = receivers.try_into().expect("eight of them");
            let one = |_| {
                select! {
                    recv(a) -> number => number,
                    recv(b) -> number => number,
                    recv(c) -> number => number,
                    recv(d) -> number => number,
                    recv(e) -> number => number,
                    recv(f) -> number => number,
                    recv(g) -> number => number,
                    recv(h) -> number => number,
                }
                .expect("not cancelled")
                .expect("a number")
            };
            let time = timed(sum(n), || (0..n).map(one).sum());
            drop(sending.join().expect("it ends well"));
            time
        })
    }
}

pub(crate) mod tokio {
    //! Tasks of `current_thread` runtimes.

    use crate::peers::tokio::{run, runtime};
    use crate::{sum, timed_async};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;
    use tokio::sync::Mutex;
    use tokio::sync::mpsc::{Receiver, Sender, channel};
    use tokio::task::{spawn, yield_now};

    async fn echo(mut to: Receiver<u64>, fro: Sender<u64>, n: u64) {
        for _ in 0..n {
            fro.send(to.recv().await.expect("a number")).await.expect("somebody listens");
        }
    }

    async fn call(there: Sender<u64>, mut back: Receiver<u64>, n: u64) -> u64 {
        let mut total = 0;
        for i in 0..n {
            there.send(i).await.expect("somebody listens");
            total += back.recv().await.expect("a number");
        }
        total
    }

    /// Two runtimes, each on a thread of its own.
    pub(crate) fn ping_pong_across(n: u64) -> Duration {
        let ((there, to), (fro, back)) = (channel(1), channel(1));
        let other = thread::spawn(move || {
            runtime().block_on(async { spawn(echo(to, fro, n / 2)).await.expect("it ends well") });
        });
        let time = run(timed_async(sum(n / 2), call(there, back, n / 2)));
        other.join().expect("it ends well");
        time
    }

    pub(crate) fn hand_off(n: u64) -> Duration {
        run(async move {
            let (tasks, turns) = (n.min(100), n / n.min(100));
            let counter = Arc::new(Mutex::new(0));
            timed_async(tasks * turns, async move {
                let turn = |counter: Arc<Mutex<u64>>| async move {
                    for _ in 0..turns {
                        let mut counter = counter.lock().await;
                        *counter += 1;
                        yield_now().await;
                    }
                };
                let tasks: Vec<_> = (0..tasks).map(|_| spawn(turn(Arc::clone(&counter)))).collect();
                for task in tasks {
                    task.await.expect("it ends well");
                }
                *counter.lock().await
            })
            .await
        })
    }

    pub(crate) fn select(n: u64) -> Duration {
        run(async move {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..8).map(|_| channel(1)).unzip();
            let sending = spawn(async move {
                for (i, to) in (0..n).zip((0..8).cycle()) {
                    let sender: &Sender<u64> = &senders[to];
                    sender.send(i).await.expect("somebody listens");
                }
                senders
            });
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h]: [Receiver<u64>; 8] =
                receivers.try_into().expect("eight of them");
            let time = timed_async(sum(n), async move {
                let mut total = 0;
                for _ in 0..n {
                    total += tokio::select! {
                        number = a.recv() => number,
                        number = b.recv() => number,
                        number = c.recv() => number,
                        number = d.recv() => number,
                        number = e.recv() => number,
                        number = f.recv() => number,
                        number = g.recv() => number,
                        number = h.recv() => number,
                    }
                    .expect("a number");
                }
                total
            })
            .await;
            drop(sending.await.expect("it ends well"));
            time
        })
    }
}

pub(crate) mod threads {
    //! Threads, each pinned to a CPU of its own; and parking_lot's lock.

    use crate::harness::{sum, timed};
    use crossbeam_channel::bounded;
    use std::thread;
    use std::time::Duration;

    /// From now on the calling thread runs on that CPU only, of those that it may run on.
    fn pin(index: usize) {
        let set = rustix::thread::sched_getaffinity(None).expect("a thread has CPUs");
        let mut usable = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu));
        let mut one = rustix::thread::CpuSet::new();
        one.set(usable.nth(index).expect("there are two CPUs"));
        rustix::thread::sched_setaffinity(None, &one).expect("the CPU is ours");
    }

    /// Runs each on a CPU of its own.
    fn both(here: impl FnOnce() -> Duration + Send, there: impl FnOnce() + Send) -> Duration {
        thread::scope(|scope| {
            scope.spawn(move || {
                pin(1);
                there();
            });
            let here = scope.spawn(move || {
                pin(0);
                here()
            });
            here.join().expect("it ends well")
        })
    }

    pub(crate) fn ping_pong(n: u64) -> Duration {
        let ((there, to), (fro, back)) = (bounded(1), bounded(1));
        let call = move |i| {
            there.send(i).expect("somebody listens");
            back.recv().expect("a number")
        };
        let echo = move |_| fro.send(to.recv().expect("a number")).expect("somebody listens");
        both(move || timed(sum(n / 2), || (0..n / 2).map(call).sum()), move || (0..n / 2).for_each(echo))
    }

    pub(crate) fn stream(n: u64) -> Duration {
        let (sender, receiver) = bounded(64);
        let send = move |i| sender.send(i).expect("somebody listens");
        both(move || timed(sum(n), || receiver.iter().sum()), move || (0..n).for_each(send))
    }

    pub(crate) fn lock(n: u64) -> Duration {
        let counter = parking_lot::Mutex::new(0);
        timed(sum(n), || {
            (0..n).for_each(|i| *std::hint::black_box(&counter).lock() += i);
            *counter.lock()
        })
    }
}
