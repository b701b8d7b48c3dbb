//! `async def` and `await`: a coroutine that a loop drives, and plain calls inside it.

use crate::reports::reported;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Builder, CloseError, Coroutine, Generator, SendError, State, Thrown, Yielder};

/// What a task tells its loop that it waits for.
type Event = &'static str;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cancelled;

/// A task is sent a number when its event comes, and may be cancelled.
type Task<R> = Coroutine<Event, i32, R, Cancelled>;
type Waiter = Yielder<Event, i32, Cancelled>;
type Result<T> = std::result::Result<T, Thrown<Cancelled>>;

#[test]
fn await_is_a_call() {
    // [91] However deep, and with nothing in the signatures of what is between but the yielder.
    fn twice(task: &Waiter, event: Event) -> Result<i32> {
        Ok(task.yield_(event)? + task.yield_(event)?)
    }
    let mut task = Task::throwing(|task| ["a", "b"].iter().map(|event| twice(task, event)).sum::<Result<i32>>());
    assert_eq!(task.start(), Ok(Yielded("a")));
    for (answer, next) in [(1, Yielded("a")), (2, Yielded("b")), (30, Yielded("b")), (40, Complete(73))] {
        assert_eq!(task.send(answer), Ok(next));
    }
}

/// What can be awaited: Python's objects with `__await__`.
trait Await {
    type Output;
    fn wait(self, task: &Waiter) -> Result<Self::Output>;
}

/// Asks again when it is cancelled, so many times.
struct Stubborn(Event, u32);

impl Await for Stubborn {
    type Output = i32;

    fn wait(self, task: &Waiter) -> Result<i32> {
        match task.yield_(self.0) {
            Err(Thrown::Error(Cancelled)) if self.1 > 0 => Stubborn(self.0, self.1 - 1).wait(task),
            other => other,
        }
    }
}

/// One after the other.
impl<A: Await, B: Await> Await for (A, B) {
    type Output = (A::Output, B::Output);

    fn wait(self, task: &Waiter) -> Result<Self::Output> {
        Ok((self.0.wait(task)?, self.1.wait(task)?))
    }
}

#[test]
fn whatever_is_given_the_yielder_can_be_awaited() {
    // [95] Its yields go to the loop, and what the loop sends and throws comes to it.
    let make = || Task::throwing(|task| (Stubborn("first", 1), Stubborn("second", 0)).wait(task));
    let mut task = make();
    assert_eq!(task.start(), Ok(Yielded("first")));
    assert_eq!(task.throw(Cancelled), Ok(Yielded("first")), "it insists");
    assert_eq!(task.send(1), Ok(Yielded("second")));
    assert_eq!(task.send(2), Ok(Complete((1, 2))));
    let mut task = make();
    task.start().expect("starts");
    task.send(1).expect("goes on");
    assert_eq!(task.throw(Cancelled), Err(SendError::Thrown(Thrown::Error(Cancelled))));
}

#[test]
fn what_is_never_started_is_dropped_or_closed_without_a_word() {
    // [99, 100] The compiler warns of coroutines that are made and not used; nobody warns later.
    const NAME: &str = "never awaited";
    assert_eq!(reported(NAME), []);
    let make = || -> Generator<i32> {
        Builder::new().name(NAME).generator(|_| panic!("the body must not run")).expect("a stack")
    };
    drop(make());
    let mut closed = make();
    assert_eq!((closed.close(), closed.state()), (Ok(None), State::Finished));
    drop(closed);
    assert_eq!(reported(NAME), []);
}

/// `async with transaction()`: entered and left by waiting. Left in any case, and told how.
fn transaction<R>(task: &Waiter, body: impl FnOnce(i32) -> Result<R>) -> Result<R> {
    let connection = task.yield_("connect")?;
    let result = body(connection);
    let answer = task.yield_(if result.is_ok() { "commit" } else { "roll back" })?;
    assert_eq!(answer, 0, "the loop has done it");
    result
}

#[test]
fn a_resource_may_be_entered_and_left_by_waiting() {
    // [104] A destructor could not wait for its task without its yielder, so `async with` is a function with a closure.
    let make = || Task::throwing(|task| transaction(task, |connection| Ok(task.yield_("query")? + connection)));
    let entered = || {
        let mut task = make();
        assert_eq!(task.start(), Ok(Yielded("connect")));
        assert_eq!(task.send(7), Ok(Yielded("query")));
        task
    };
    let mut well = entered();
    assert_eq!(well.send(10), Ok(Yielded("commit")));
    assert_eq!(well.send(0), Ok(Complete(17)));

    let mut cancelled = entered();
    assert_eq!(cancelled.throw(Cancelled), Ok(Yielded("roll back")), "it waits on its way out");
    assert_eq!(cancelled.send(0), Err(SendError::Thrown(Thrown::Error(Cancelled))));

    // Closed, it may not wait any more: Python's "coroutine ignored GeneratorExit". What goes on is still the exit.
    let mut closed = entered();
    assert_eq!(closed.close(), Err(CloseError::Ignored("roll back")));
    assert_eq!(closed.send(0), Err(SendError::Thrown(Thrown::Exit)));

    let mut not_entered = make();
    not_entered.start().expect("starts");
    assert_eq!(not_entered.throw(Cancelled), Err(SendError::Thrown(Thrown::Error(Cancelled))), "nothing to leave");
}

#[test]
fn a_resource_may_swallow_the_error_that_it_is_left_by() {
    // [104] As `__aexit__` does when it returns true.
    let mut task = Task::throwing(|task| {
        let result = transaction(task, |_| task.yield_("query"));
        let kept = if result == Err(Thrown::Error(Cancelled)) { -1 } else { result? };
        task.yield_("after").map(|answer| answer + kept)
    });
    task.start().expect("starts");
    task.send(7).expect("connected");
    assert_eq!(task.throw(Cancelled), Ok(Yielded("roll back")));
    assert_eq!(task.send(0), Ok(Yielded("after")));
    assert_eq!(task.send(1), Ok(Complete(0)));
}
