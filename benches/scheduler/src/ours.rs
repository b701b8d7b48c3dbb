//! What is timed of switchback.

use crate::harness::{sum, timed};
use crate::power_of_ten;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use switchback::{Resumer, Runtime, task};

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().expect("a runtime")
}

pub(crate) fn yields(n: u64) -> Duration {
    runtime(1).run(|| {
        let half = move || {
            let mut total = 0;
            for i in 0..n / 2 {
                total += i;
                task::yield_now().expect("not cancelled");
            }
            total
        };
        timed(2 * sum(n / 2), || {
            let tasks = [task::spawn(half), task::spawn(half)];
            tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
        })
    })
}

pub(crate) fn spawn_join(n: u64) -> Duration {
    runtime(1).run(|| timed(sum(n), || (0..n).map(|i| task::spawn(move || i).join().expect("it ends well")).sum()))
}

pub(crate) fn many(n: u64) -> Duration {
    runtime(1).run(|| {
        timed(sum(n), || {
            let tasks: Vec<_> = (0..n).map(|i| task::spawn(move || i)).collect();
            tasks.into_iter().map(|task| task.join().expect("it ends well")).sum()
        })
    })
}

pub(crate) fn skynet(workers: usize, n: u64) -> Duration {
    fn tree(first: u64, leaves: u64) -> u64 {
        if leaves == 1 {
            return first;
        }
        let part = leaves / 10;
        let parts: [_; 10] = std::array::from_fn(|i| task::spawn(move || tree(first + i as u64 * part, part)));
        parts.into_iter().map(|part| part.join().expect("it ends well")).sum()
    }
    let leaves = power_of_ten(n);
    runtime(workers).run(|| timed(sum(leaves), || tree(0, leaves)))
}

/// A place for one number, or for who waits for one.
#[derive(Clone, Default)]
struct Place(Rc<Cell<State>>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Full(u64),
    Awaited(Resumer<u64>),
}

impl Place {
    fn put(&self, number: u64) {
        match self.0.take() {
            State::Awaited(resumer) => resumer.send(number).expect("nobody is cancelled"),
            _ => self.0.set(State::Full(number)),
        }
    }

    fn get(&self) -> u64 {
        if let State::Full(number) = self.0.take() {
            return number;
        }
        task::suspend(|resumer| self.0.set(State::Awaited(resumer))).expect("nobody is cancelled")
    }
}

pub(crate) fn messages(n: u64) -> Duration {
    runtime(1).run(|| {
        let (there, back) = (Place::default(), Place::default());
        let (to, fro) = (there.clone(), back.clone());
        let echo = task::spawn_local(move || (0..n / 2).for_each(|_| fro.put(to.get())));
        let time = timed(sum(n / 2), || {
            (0..n / 2)
                .map(|i| {
                    there.put(i);
                    back.get()
                })
                .sum()
        });
        echo.join().expect("it ends well");
        time
    })
}
