//! Asynchronous generators (PEP 525) are ordinary ones: made inside a task, they suspend the task by its yielder and
//! their consumer by their own.

use crate::common::Log;
use std::cell::RefCell;
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Misuse, Scoped, SendError, State, Thrown, Yielder, scoped};

/// What a task tells its loop that it waits for.
type Event = &'static str;
/// A task is sent a number when its event comes; what is thrown at it, or at its generators, is a word.
type Task<R = ()> = Coroutine<Event, i32, R, &'static str>;
type Waiter = Yielder<Event, i32, &'static str>;
type Result<T = ()> = std::result::Result<T, Thrown<&'static str>>;

/// A generator inside a task: yields numbers, is sent numbers.
type Items<'a> = Scoped<'a, i32, i32, i32, &'static str>;
type Producer = Yielder<i32, i32, &'static str>;

/// Yields what it reads, plus what it is sent, until it reads 0; then flushes, and returns how many there were. Asked to
/// leave, it flushes as well. "reset" makes it read again.
fn reader(task: &Waiter, items: &Producer) -> Result<i32> {
    let (mut count, mut sent) = (0, 0);
    loop {
        let read = task.yield_("read")?;
        if read == 0 {
            break;
        }
        count += 1;
        match items.yield_(read + sent) {
            Ok(next) => sent = next,
            Err(Thrown::Error("reset")) => sent = 0,
            Err(thrown) => {
                task.yield_("flush")?;
                return Err(thrown);
            }
        }
    }
    task.yield_("flush")?;
    Ok(count)
}

/// A task in which `consume` has a [`reader`].
fn task_with_reader<R: 'static>(
    consume: impl for<'a> FnOnce(&Waiter, &mut Items<'a>) -> Result<R> + 'static,
) -> Task<R> {
    Task::throwing(|task| scoped(|items: &Producer| reader(task, items), |items: &mut Items<'_>| consume(task, items)))
}

/// Starts the task and tells it these numbers, one for each time that it waits. What it waited for, and how it ended.
fn drive<R>(task: &mut Task<R>, answers: &[i32]) -> (Vec<Event>, Result<Option<R>>) {
    let mut events = Vec::new();
    let mut answers = answers.iter();
    let mut state = task.start().map_err(Thrown::from);
    loop {
        match state {
            Ok(Yielded(event)) => events.push(event),
            Ok(Complete(value)) => return (events, Ok(Some(value))),
            Err(thrown) => return (events, Err(thrown)),
        }
        let Some(answer) = answers.next() else { return (events, Ok(None)) };
        state = task.send(*answer).map_err(Thrown::from);
    }
}

#[test]
fn a_step_of_the_generator_may_suspend_the_task_and_the_loop_sees_no_items() {
    // [105] `async for`: the items go to the task, what is waited for goes to the loop.
    let log = Log::new();
    let inside = log.clone();
    let mut task = task_with_reader(move |task, items| {
        let mut state = items.start()?;
        while let Yielded(item) = state {
            inside.push(item.to_string());
            if item == 2 {
                task.yield_("rest")?; // the consumer waits, too, and the generator stays as it is
            }
            state = items.send(0)?;
        }
        Ok(state.complete())
    });
    let (events, end) = drive(&mut task, &[1, 2, 100, 3, 0, 100]);
    assert_eq!(events, ["read", "read", "rest", "read", "read", "flush"]);
    assert_eq!(end, Ok(Some(Some(3))));
    assert_eq!(log.take(), "1 2 3");
}

#[test]
fn send_throw_and_close_go_to_the_generator_and_may_each_suspend_the_task() {
    // [105] `asend`, `athrow`, `aclose`.
    let mut task = task_with_reader(|_, items| {
        assert_eq!(items.send(5), Err(SendError::NotStarted(5)));
        assert_eq!(items.start()?, Yielded(1));
        assert_eq!(items.send(50)?, Yielded(52));
        assert_eq!(items.throw("reset")?, Yielded(3));
        assert_eq!(items.close(), Ok(None));
        assert_eq!(items.state(), State::Finished);
        assert_eq!(items.send(6), Err(SendError::Finished(6)));
        Ok(())
    });
    let (events, end) = drive(&mut task, &[1, 2, 3, 100]);
    assert_eq!((events, end), (vec!["read", "read", "read", "flush"], Ok(Some(()))));
}

#[test]
fn an_error_thrown_at_the_task_arises_in_the_generator_that_has_suspended_it() {
    // [105] And passes through both, unless one of them catches it.
    for caught in [false, true] {
        let mut task = task_with_reader(move |task, items| match items.start() {
            Err(SendError::Thrown(Thrown::Error("cancelled"))) if caught => {
                assert_eq!(items.state(), State::Finished);
                task.yield_("after")
            }
            other => other.map(|_| -1).map_err(Thrown::from),
        });
        assert_eq!(task.start(), Ok(Yielded("read")));
        if caught {
            assert_eq!(task.throw("cancelled"), Ok(Yielded("after")));
            assert_eq!(task.send(8), Ok(Complete(8)));
        } else {
            assert_eq!(task.throw("cancelled"), Err(SendError::Thrown(Thrown::Error("cancelled"))));
        }
    }
}

#[test]
fn a_generator_that_answers_its_close_with_an_item_has_ignored_it() {
    // [105] To wait for the task is no answer; to yield is one.
    let mut task = Task::<i32>::throwing(|task| {
        scoped(
            |items: &Producer| {
                let _ = items.yield_(1);
                task.yield_("think")?;
                items.yield_(2)?;
                Ok(3)
            },
            |items: &mut Items<'_>| {
                items.start()?;
                assert_eq!(items.close(), Err(CloseError::Ignored(2)));
                Ok(items.send(0)?.complete().unwrap_or(-1))
            },
        )
    });
    assert_eq!(drive(&mut task, &[0]), (vec!["think"], Ok(Some(3))));
}

/// What an owned generator yields: an item to its consumer, or what the consumer's task is to wait for.
#[derive(Debug, PartialEq)]
enum Out {
    Item(i32),
    Wait(Event),
}

/// A generator that several tasks may ask, in turn. It does not know whose task it suspends, so it leaves that to
/// [`ask`]: as CPython's asynchronous generators do.
type Stream = Rc<RefCell<Coroutine<Out, i32>>>;

/// `await stream.__anext__()`
fn ask(task: &Waiter, stream: &Stream) -> Result<Option<i32>> {
    let Ok(mut stream) = stream.try_borrow_mut() else { return Err("already running".into()) };
    let mut sent = 0;
    loop {
        let state = if stream.state() == State::Created { stream.start().ok() } else { stream.send(sent).ok() };
        match state {
            Some(Yielded(Out::Item(item))) => return Ok(Some(item)),
            Some(Yielded(Out::Wait(event))) => sent = task.yield_(event)?,
            _ => return Ok(None),
        }
    }
}

#[test]
fn a_generator_is_asked_by_one_task_at_a_time() {
    // [105] The other is refused, "asynchronous generator is already running", and nobody is disturbed.
    let stream: Stream = Rc::new(RefCell::new(Coroutine::new(|y| {
        for _ in 0..2 {
            let read = y.yield_(Out::Wait("read"))?;
            y.yield_(Out::Item(read))?;
        }
        Ok(())
    })));
    let asker = || {
        let stream = stream.clone();
        Task::throwing(move |task| ask(task, &stream))
    };
    let (mut first, mut second, mut third) = (asker(), asker(), asker());
    assert_eq!(first.start(), Ok(Yielded("read")));
    assert_eq!(second.start(), Err(SendError::Thrown(Thrown::Error("already running"))));
    assert_eq!(first.send(5), Ok(Complete(Some(5))));
    assert_eq!(third.start(), Ok(Yielded("read")), "it is free again");
    drop(third);
    // The step of the one that was dropped is not done: the generator still waits for what it asked for.
    let mut fourth = asker();
    assert_eq!(fourth.start(), Ok(Complete(Some(0))));
}

#[test]
fn adaptors_over_a_generator_suspend_the_task_at_every_step() {
    // [107] Asynchronous comprehensions are iterator adaptors, with nothing asynchronous to be seen.
    let mut task = Coroutine::<Event, i32, Vec<i32>>::new(|task| {
        let doubled = scoped(
            |items: &Yielder<i32>| {
                for _ in 0..4 {
                    items.yield_(task.yield_("read")?)?;
                }
                Ok(())
            },
            |items: &mut Scoped<'_, i32>| items.filter(|item| item % 2 == 1).map(|item| item * 2).collect(),
        );
        Ok(doubled)
    });
    assert_eq!(task.start(), Ok(Yielded("read")));
    for item in 1..4 {
        assert_eq!(task.send(item), Ok(Yielded("read")));
    }
    assert_eq!(task.send(4), Ok(Complete(vec![2, 6])));
}

#[test]
fn a_loop_that_shuts_down_lets_generators_wait_on_their_way_out() {
    // [47, 105] Asked by a throw, as asyncio cancels: each task goes on until it has ended.
    let mut in_the_generator = task_with_reader(|_, items| items.start().map(drop).map_err(Thrown::from));
    assert_eq!(drive(&mut in_the_generator, &[]), (vec!["read"], Ok(None)));
    let mut elsewhere = task_with_reader(|task, items| {
        items.start()?;
        let end = task.yield_("elsewhere").map(drop);
        assert_eq!(items.close(), Ok(None), "it leaves, and waits before");
        end
    });
    assert_eq!(drive(&mut elsewhere, &[1]), (vec!["read", "elsewhere"], Ok(None)));
    for (mut task, waits_for) in [(in_the_generator, vec![]), (elsewhere, vec!["flush"])] {
        let mut waited = Vec::new();
        let mut state = task.throw("shutdown").map_err(Thrown::from);
        while let Ok(Yielded(event)) = state {
            waited.push(event);
            state = task.send(0).map_err(Thrown::from);
        }
        assert_eq!((state, waited), (Err(Thrown::Error("shutdown")), waits_for));
    }
}

#[test]
fn tasks_that_are_dropped_end_their_generators_from_the_inside_out() {
    // [47, 105] A loop that goes without asking. Whoever is suspended further in leaves first.
    let log = Log::new();
    for in_the_generator in [true, false] {
        let (outside, inside) = (log.clone(), log.clone());
        let mut task = Task::throwing(move |task| {
            let _task = outside.dropper("task");
            scoped(
                |items: &Producer| {
                    let _generator = inside.dropper("generator");
                    if in_the_generator {
                        task.yield_("read")?;
                    }
                    items.yield_(1)
                },
                |items: &mut Items<'_>| {
                    items.start()?;
                    let _consumer = outside.dropper("consumer");
                    task.yield_("elsewhere")
                },
            )
        });
        let waits_for = if in_the_generator { "read" } else { "elsewhere" };
        assert_eq!(task.start(), Ok(Yielded(waits_for)));
        drop(task);
        let order = if in_the_generator { "generator task" } else { "consumer generator task" };
        assert_eq!(log.take(), order);
    }
}

#[test]
fn a_generator_and_its_task_may_each_delegate() {
    // [105] Two chains, one across the other: the items pass through one, what is waited for through the other.
    let mut task = Task::<i32>::throwing(|task| {
        scoped(
            |inner: &Producer| {
                inner.yield_(task.yield_("one")?)?;
                inner.yield_(task.yield_("two")?)?;
                Ok(0)
            },
            |inner: &mut Items<'_>| {
                scoped(
                    |outer: &Producer| outer.yield_from(inner),
                    |outer: &mut Items<'_>| {
                        let mut sum = 0;
                        let mut state = outer.start()?;
                        while let Yielded(item) = state {
                            sum += item;
                            state = outer.send(0)?;
                        }
                        Ok(sum)
                    },
                )
            },
        )
    });
    let mut outer = Task::<i32>::throwing(move |y| y.yield_from(&mut task));
    assert_eq!(drive(&mut outer, &[10, 20]), (vec!["one", "two"], Ok(Some(30))));
}

#[test]
fn the_end_of_a_generator_is_not_taken_for_the_end_of_its_task() {
    // [106] Python's StopAsyncIteration has to be kept from leaving a body, as StopIteration has.
    let mut task = task_with_reader(|_, items| {
        assert_eq!(items.start()?, Complete(0));
        items.resume()?;
        Ok(())
    });
    let (events, end) = drive(&mut task, &[0, 0]);
    assert_eq!((events, end), (vec!["read", "flush"], Err(Thrown::Misuse(Misuse::Finished))));
}
