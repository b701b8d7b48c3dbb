//! What is timed of switchback, besides what `benches/sides` has.

use super::down::down;
use super::sides::{ours, through_dyn};
use super::{Outcome, depth, timed};
use switchback::sync::{Arc, Mutex, mpsc::sync_channel};
use switchback::{Generator, Runtime, Yielder, task};

pub(super) fn run(workload: &str, n: u64) -> Option<Outcome> {
    if let Some(frames) = depth(workload, "roundtrip-") {
        return Some(if frames == 0 { in_body(n) } else { frames_down(frames as u32, n) });
    }
    if let Some(depth) = depth(workload, "delegate-") {
        return Some(ours::chain(depth, n));
    }
    Some(match workload {
        "send" => ours::send(n),
        "value-64B" => ours::value::<8>(n),
        "value-4KiB" => ours::value::<512>(n),
        "throw" => ours::throw(n),
        "close" => ours::close(n),
        "create-fresh" => create_fresh(n),
        "create-pooled" => ours::create_pooled(n),
        "drop-suspended" => ours::drop_suspended(n),
        "walk" => ours::walk(n),
        "walk-nodes" => ours::walk_nodes(n),
        "for" => ours::for_loop(n),
        "for-dyn" => through_dyn(n, Box::new(ours::counter(n))),
        "yield" => yields(n),
        "spawn-join" => on_worker(move || (0..n).map(|i| task::spawn(move || i).join().expect("it ends well")).sum()),
        "million" => on_worker(move || {
            let tasks: Vec<_> = (0..n).map(|i| task::spawn(move || i)).collect();
            tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
        }),
        "channel" => channel(n),
        "skynet" => on_worker(move || tree(0, n)),
        "mutex" => mutex(n),
        _ => return None,
    })
}

fn in_body(n: u64) -> Outcome {
    let body = move |y: &Yielder<u64>| {
        y.yield_(0)?;
        for i in 0..=n {
            y.yield_(i)?;
        }
        Ok(())
    };
    ours::items(Generator::new(body), n)
}

fn frames_down(frames: u32, n: u64) -> Outcome {
    let body = move |y: &Yielder<u64>| {
        y.yield_(0)?;
        for i in 0..=n {
            down(y, frames, i)?;
        }
        Ok(())
    };
    ours::items(Generator::new(body), n)
}

fn create_fresh(n: u64) -> Outcome {
    let mut kept = Vec::with_capacity(n as usize);
    let outcome = timed(|| {
        let mut total = 0;
        for i in 0..n {
            let mut co = Generator::new(move |y| y.yield_(i));
            total += co.next().unwrap_or(0);
            kept.push(co);
        }
        total
    });
    // They go with the process: what it takes to end them is not what is timed.
    std::mem::forget(kept);
    outcome
}

// Tasks, on one worker.

fn runtime() -> Runtime {
    Runtime::builder().workers(1).build().expect("a runtime")
}

fn on_worker(work: impl FnOnce() -> u64 + Send) -> Outcome {
    runtime().run(|| timed(work))
}

fn yields(n: u64) -> Outcome {
    let half = move || {
        let mut total = 0;
        for i in 0..n / 2 {
            total += i;
            task::yield_now().expect("not cancelled");
        }
        total
    };
    on_worker(move || {
        let tasks = [task::spawn(half), task::spawn(half)];
        tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
    })
}

fn channel(n: u64) -> Outcome {
    on_worker(move || {
        let ((there, to), (fro, back)) = (sync_channel(1), sync_channel(1));
        let echo = task::spawn(move || {
            (0..n / 2).for_each(|_| fro.send(to.recv().expect("a number")).expect("somebody listens"));
        });
        let call = |i| {
            there.send(i).expect("somebody listens");
            back.recv().expect("a number")
        };
        let total = (0..n / 2).map(call).sum();
        echo.join().expect("it ends well");
        total
    })
}

fn tree(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let part = leaves / 10;
    let parts: [_; 10] = std::array::from_fn(|i| task::spawn(move || tree(first + i as u64 * part, part)));
    parts.into_iter().map(|part| part.join().expect("it ends well")).sum()
}

/// Each task yields while it has the lock, so that all others come to wait for it.
fn mutex(n: u64) -> Outcome {
    on_worker(move || {
        let counter = Arc::new(Mutex::new(0));
        let turns = move |counter: Arc<Mutex<u64>>| {
            for _ in 0..n / 100 {
                let mut counter = counter.lock().expect("not poisoned");
                *counter += 1;
                task::yield_now().expect("not cancelled");
            }
        };
        let each = |_| {
            let counter = Arc::clone(&counter);
            task::spawn(move || turns(counter))
        };
        let tasks: Vec<_> = (0..100).map(each).collect();
        tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        *counter.lock().expect("not poisoned")
    })
}
