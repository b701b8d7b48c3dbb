//! A scheduler of sixty lines on corosensei: what the switches cost, and little else.

use crate::harness::{sum, timed};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

type Body = Coroutine<(), (), (), DefaultStack>;
/// What a task has on the way: its outcome, and who waits for it.
struct Join(Cell<Option<u64>>, Cell<Option<Body>>);

#[derive(Default)]
struct Scheduler {
    ready: RefCell<VecDeque<Body>>,
    pool: RefCell<Vec<DefaultStack>>,
    yielder: Cell<*const Yielder<(), ()>>,
    /// Where the task that stops is to be put; the queue, if null.
    place: Cell<*const Join>,
}

thread_local!(static SCHEDULER: &'static Scheduler = Box::leak(Box::default()));

fn scheduler() -> &'static Scheduler {
    SCHEDULER.with(|scheduler| *scheduler)
}

fn stop(place: *const Join) {
    let scheduler = scheduler();
    let yielder = scheduler.yielder.get();
    scheduler.place.set(place);
    // SAFETY: it is that of the task that runs, which is the one that calls.
    unsafe { (*yielder).suspend(()) };
    scheduler.yielder.set(yielder);
}

fn spawn(f: impl FnOnce() -> u64 + 'static) -> Rc<Join> {
    let scheduler = scheduler();
    let join = Rc::new(Join(Cell::new(None), Cell::new(None)));
    let outcome = Rc::clone(&join);
    let stack = scheduler.pool.borrow_mut().pop().unwrap_or_default();
    scheduler.ready.borrow_mut().push_back(Coroutine::with_stack(stack, move |yielder, ()| {
        scheduler.yielder.set(yielder);
        outcome.0.set(Some(f()));
        scheduler.ready.borrow_mut().extend(outcome.1.take());
    }));
    join
}

fn join(task: &Join) -> u64 {
    while task.0.get().is_none() {
        stop(task);
    }
    task.0.get().unwrap_or(0)
}

fn run(f: impl FnOnce() + 'static) {
    spawn(|| {
        f();
        0
    });
    let scheduler = scheduler();
    loop {
        let next = scheduler.ready.borrow_mut().pop_front();
        let Some(mut task) = next else { return };
        match task.resume(()) {
            CoroutineResult::Return(()) => scheduler.pool.borrow_mut().push(task.into_stack()),
            CoroutineResult::Yield(()) => {
                // SAFETY: whoever waits has the place in its frame or behind a reference there.
                match unsafe { scheduler.place.replace(ptr::null()).as_ref() } {
                    Some(place) => place.1.set(Some(task)),
                    None => scheduler.ready.borrow_mut().push_back(task),
                }
            }
        }
    }
}

/// Times `work` in a task of its own.
fn timed_in(expected: u64, work: impl FnOnce() -> u64 + 'static) -> Duration {
    let time = Rc::new(Cell::new(Duration::ZERO));
    let place = Rc::clone(&time);
    run(move || place.set(timed(expected, work)));
    time.get()
}

pub(crate) fn yields(n: u64) -> Duration {
    let half = move || {
        let mut total = 0;
        for i in 0..n / 2 {
            total += i;
            stop(ptr::null());
        }
        total
    };
    timed_in(2 * sum(n / 2), move || {
        let tasks = [spawn(half), spawn(half)];
        tasks.iter().map(|task| join(task)).sum()
    })
}

pub(crate) fn spawn_join(n: u64) -> Duration {
    timed_in(sum(n), move || (0..n).map(|i| join(&spawn(move || i))).sum())
}

/// Its stacks would take two mappings each: this many are run in parts.
pub(crate) fn many(n: u64) -> Duration {
    const PART: u64 = 10_000;
    timed_in(sum(n), move || {
        let parts = (0..n).step_by(PART as usize);
        parts
            .map(|first| {
                let tasks: Vec<_> = (first..n.min(first + PART)).map(|i| spawn(move || i)).collect();
                tasks.iter().map(|task| join(task)).sum::<u64>()
            })
            .sum()
    })
}
