//! Coroutines inside of stackful futures, and stackful futures inside of each other.

use crate::common::Log;
use crate::support::{Gate, block_on, poll, soon};
use std::cell::Cell;
use std::future::ready;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::future::{AwaitError, Awaiter, await_or_unwind, try_await};
use switchback::{Coroutine, Generator, Scoped, Thrown, Yielder, await_, scoped, stackful};

/// Whether this code is inside of a body that could wait.
fn is_inside() -> bool {
    try_await(ready(())).is_ok()
}

#[test]
fn a_stackful_future_is_awaited_like_any_other() {
    let task = stackful(|outer| {
        let inner = stackful(|inner| {
            inner.await_(soon())?;
            await_(soon())?; // suspends the inner one only
            let innermost = stackful(|_| await_(soon()).map(|()| 1));
            Ok::<i32, switchback::Cancelled>(await_(innermost)?? + 1)
        });
        let two = outer.await_(inner)??;
        assert!(is_inside());
        await_(soon())?;
        Ok::<i32, switchback::Cancelled>(two + 1)
    });
    assert_eq!(block_on(task), Ok(3));
    assert!(!is_inside());
}

#[test]
fn stackful_futures_side_by_side_inside_of_one_wait_by_themselves() {
    let log = Log::new();
    let inside = log.clone();
    let task = stackful(move |cx| {
        let part = |name: &'static str| {
            let log = inside.clone();
            stackful(move |_| {
                for step in 0..2 {
                    log.push(format!("{name}{step}"));
                    await_(soon()).expect("nobody drops it");
                }
            })
        };
        cx.await_(futures_lite::future::zip(part("a"), part("b")))
    });
    assert_eq!(block_on(task), Ok(((), ())));
    assert_eq!(log.take(), "a0 b0 a1 b1");
}

#[test]
fn a_nested_executor_runs_its_own() {
    let task = stackful(|cx| {
        let inner = block_on(stackful(|_| {
            await_(soon())?;
            Ok::<bool, switchback::Cancelled>(is_inside())
        }));
        assert_eq!(inner, Ok(true));
        cx.await_(soon())?;
        await_(soon())
    });
    assert_eq!(block_on(task), Ok(()));
}

#[test]
fn an_await_in_a_generators_body_suspends_the_generator_and_the_task() {
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |_| {
        let mut items = Generator::<i32, &str>::new(move |y| {
            y.yield_(1)?;
            await_(inside)?; // by `?`: an exit
            y.yield_(2)?;
            await_or_unwind(soon());
            Ok("done")
        });
        let mut values = items.values();
        let sum: i32 = values.by_ref().sum();
        (sum, values.take_return())
    });
    let (polled, flag) = poll(&mut task);
    assert!(polled.is_pending());
    gate.open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(block_on(task), (3, Some("done")));
}

#[test]
fn so_it_does_through_delegation() {
    let task = stackful(|_| {
        let mut innermost = Generator::<u32, u32>::new(|y| {
            await_(soon()).expect("nobody drops it");
            y.yield_(1)?;
            await_(soon()).expect("nobody drops it");
            Ok(10)
        });
        let mut middle = Generator::new(move |y| {
            await_(soon()).expect("nobody drops it");
            let ten = y.yield_from(&mut innermost)?;
            await_(soon()).expect("nobody drops it");
            y.yield_(2)?;
            Ok(ten)
        });
        let mut outer = Generator::new(move |y| y.yield_from(&mut middle));
        let mut items = Vec::new();
        loop {
            match outer.resume().expect("it goes on") {
                Yielded(item) => items.push(item),
                Complete(end) => return (items, end),
            }
        }
    });
    assert_eq!(block_on(task), (vec![1, 2], 10));
}

#[test]
fn what_is_sent_and_thrown_arrives_around_awaits() {
    let task = stackful(|cx| {
        let mut co = Coroutine::<String, u32, String, &str>::throwing(|y| {
            let mut log = String::new();
            loop {
                await_(soon()).expect("nobody drops it");
                match y.yield_(log.clone()) {
                    Ok(n) => log += &n.to_string(),
                    Err(Thrown::Error(word)) if word != "end" => log += word,
                    _ => return Ok(log),
                }
                await_(soon()).expect("nobody drops it");
            }
        });
        co.start().expect("it starts");
        cx.await_(soon()).expect("nobody drops it");
        assert_eq!(co.send(7), Ok(Yielded("7".into())));
        assert_eq!(co.throw("-"), Ok(Yielded("7-".into())));
        co.throw("end")
    });
    assert_eq!(block_on(task), Ok(Complete("7-".into())));
}

#[test]
fn a_scoped_coroutine_may_have_the_awaiter() {
    let task = stackful(|cx| {
        let words = ["a", "b", "c"];
        scoped(
            |y: &Yielder<String>| {
                for word in &words {
                    cx.await_(soon()).map_err(|_| Thrown::Exit)?;
                    y.yield_((*word).to_owned())?;
                }
                Ok(())
            },
            |co: &mut Scoped<'_, String>| {
                let mut all = String::new();
                while let Ok(Yielded(word)) = co.resume() {
                    cx.await_(soon()).expect("nobody drops it");
                    all += &word;
                }
                all
            },
        )
    });
    assert_eq!(block_on(task), "abc");
}

#[test]
fn a_generator_that_awaits_may_go_from_task_to_task() {
    // What it finds is whoever resumes it.
    let shared = Rc::new(Cell::new(None::<Generator<bool>>));
    shared.set(Some(Generator::new(|y| {
        loop {
            y.yield_(is_inside())?;
            if is_inside() {
                await_(soon()).expect("nobody drops it");
            }
        }
    })));
    let next = move |shared: &Cell<Option<Generator<bool>>>| {
        let mut co = shared.take().expect("it is here");
        let item = co.next();
        shared.set(Some(co));
        item
    };
    for _ in 0..3 {
        let there = shared.clone();
        assert_eq!(block_on(stackful(move |_| next(&there))), Some(true));
        assert_eq!(next(&shared), Some(false), "and outside of any");
    }
}

#[test]
fn a_generator_that_waits_cannot_be_resumed_by_others() {
    use switchback::SendError;
    let gate = Gate::new();
    let inside = gate.clone();
    // In a cell that both reach: unsafe code alone could get two references to it at once. A RefCell refuses.
    let shared = Rc::new(std::cell::RefCell::new(Generator::<i32>::new(move |y| {
        await_(inside).expect("nobody drops it");
        y.yield_(1)
    })));
    let there = shared.clone();
    let mut task = stackful(move |_| there.borrow_mut().resume());
    assert!(poll(&mut task).0.is_pending());
    assert!(shared.try_borrow_mut().is_err());
    gate.open();
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok(Yielded(1))));
    assert_eq!(shared.borrow_mut().resume(), Ok(Complete(())));
    assert_eq!(shared.borrow_mut().resume(), Err(SendError::Finished(())));
}

#[test]
fn on_the_parents_stack_there_is_nothing_to_suspend() {
    let task = stackful(|cx| {
        let refused = cx.on_parent_stack(|| matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
        assert!(refused, "the executor's stack");
        // A generator's consumer is the body, so its stack is the body's, which can wait.
        let mut co = Generator::<i32>::new(|y| {
            let waited = y.on_parent_stack(|| await_(soon()).map(|()| 5));
            y.yield_(waited.expect("nobody drops it"))
        });
        let five = co.next();
        cx.await_(soon()).expect("nobody drops it");
        five
    });
    assert_eq!(block_on(task), Some(5));
}

#[test]
fn a_body_polled_on_the_parents_stack_waits_by_itself() {
    let task = stackful(|cx| {
        let inner = cx.on_parent_stack(|| block_on(stackful(|_| await_(soon()).map(|()| is_inside()))));
        (inner, cx.await_(soon()))
    });
    assert_eq!(block_on(task), (Ok(true), Ok(())));
}

#[test]
fn other_threads_are_outside() {
    let task = stackful(|cx| {
        let there = thread::spawn(is_inside).join().expect("it ends well");
        cx.await_(soon()).expect("nobody drops it");
        (there, is_inside())
    });
    assert_eq!(block_on(task), (false, true));
}

#[test]
fn polls_that_await_are_inside_of_whoever_polls_them() {
    // A plain async function calls a plain function that awaits: the whole task waits meanwhile.
    fn plain() -> u32 {
        await_(soon()).expect("nobody drops it");
        1
    }
    async fn coloured() -> u32 {
        let one = plain();
        soon().await;
        one + plain()
    }
    assert_eq!(block_on(stackful(|cx| cx.await_(coloured()))), Ok(2));
    assert_eq!(block_on(stackful(|_| await_(coloured()))), Ok(2));
}

#[test]
fn helpers_may_be_handed_either_way() {
    fn with(cx: &Awaiter) -> bool {
        cx.await_(soon()).is_ok()
    }
    fn without() -> bool {
        await_(soon()).is_ok()
    }
    assert!(block_on(stackful(|cx| with(cx) && without() && with(cx))));
}

#[test]
fn at_the_end_of_a_thread_there_is_no_body() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            if !is_inside() {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
            // Bodies can still be run, and be suspended in, and be dropped.
            let mut task = stackful(|cx| cx.await_(Gate::new()));
            if poll(&mut task).0.is_pending() {
                SEEN.fetch_add(10, Ordering::Relaxed);
            }
        }
    }
    thread_local! {
        static BEFORE: AtEnd = const { AtEnd };
        static AFTER: AtEnd = const { AtEnd };
    }
    thread::spawn(|| {
        BEFORE.with(|_| {});
        assert_eq!(block_on(stackful(|_| await_(soon()))), Ok(()));
        AFTER.with(|_| {});
    })
    .join()
    .expect("it ends well");
    assert_eq!(SEEN.load(Ordering::Relaxed), 22);
}
