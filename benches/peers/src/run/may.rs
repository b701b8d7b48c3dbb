//! may: coroutines on one worker of its own.

use super::{Outcome, timed};
use may::coroutine::{self, JoinHandle};
use may::sync::{Mutex, mpsc};
use std::sync::Arc;

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    may::config().set_workers(1);
    Some(match workload {
        "yield" => main(move || {
            let half = move || {
                let mut total = 0;
                for i in 0..n / 2 {
                    total += i;
                    coroutine::yield_now();
                }
                total
            };
            let tasks = [spawn(half), spawn(half)];
            tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
        }),
        "spawn-join" => main(move || (0..n).map(|i| spawn(move || i).join().expect("it ends well")).sum()),
        "channel" => main(move || channel(n)),
        "mutex" => main(move || mutex(n)),
        _ => return None,
    })
}

fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: `f` uses no thread-local and little stack.
    unsafe { coroutine::spawn(f) }
}

fn main(work: impl FnOnce() -> u64 + Send + 'static) -> Outcome {
    spawn(move || timed(work)).join().expect("it ends well")
}

fn channel(n: u64) -> u64 {
    let ((there, to), (fro, back)) = (mpsc::channel(), mpsc::channel());
    let echo = spawn(move || {
        for _ in 0..n / 2 {
            fro.send(to.recv().expect("a number")).expect("somebody listens");
        }
    });
    let call = |i| {
        there.send(i).expect("somebody listens");
        back.recv().expect("a number")
    };
    let total = (0..n / 2).map(call).sum();
    echo.join().expect("it ends well");
    total
}

fn mutex(n: u64) -> u64 {
    let counter = Arc::new(Mutex::new(0));
    let turns = move |counter: Arc<Mutex<u64>>| {
        for _ in 0..n / 100 {
            let mut counter = counter.lock().expect("not poisoned");
            *counter += 1;
            coroutine::yield_now();
        }
    };
    let each = |_| {
        let counter = Arc::clone(&counter);
        spawn(move || turns(counter))
    };
    let tasks: Vec<_> = (0..100).map(each).collect();
    tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
    *counter.lock().expect("not poisoned")
}
