//! `await_` in tasks of the scheduler.

use crate::support::{Flag, Gate, block_on, poll, soon};
use futures_lite::future::zip;
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use switchback::future::{AwaitError, try_await};
use switchback::task::{self, Elapsed};
use switchback::{CancelReason, Cancelled, Coroutine, Generator, Runtime, Thrown, await_, stackful};

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).build().expect("a runtime")
}

/// Drops its number into a cell when it goes.
struct Told(Rc<Cell<u32>>, u32);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

#[test]
fn an_await_suspends_the_task_and_no_other() {
    workers(1).run(|| {
        let gate = Gate::new();
        let inside = gate.clone();
        let log = Rc::new(RefCell::new(Vec::new()));
        let there = log.clone();
        let waits = task::spawn_local(move || {
            there.borrow_mut().push("waits");
            await_(inside).expect("not cancelled");
            there.borrow_mut().push("goes on");
            await_(async { 5 })
        });
        task::yield_now().expect("not cancelled");
        log.borrow_mut().push("main runs");
        gate.open();
        assert_eq!(waits.join().expect("it ends well"), Ok(5));
        assert_eq!(*log.borrow(), ["waits", "main runs", "goes on"]);
    });
}

#[test]
fn any_thread_may_wake_a_task_that_awaits() {
    const ROUNDS: usize = if cfg!(debug_assertions) { 40 } else { 400 };
    for count in [1, 3] {
        workers(count).run(|| {
            let tasks = (0..4).map(|_| {
                task::spawn(|| {
                    for round in 0..ROUNDS / 4 {
                        let gate = Gate::new();
                        let there = gate.clone();
                        let other = thread::spawn(move || {
                            if round % 3 == 0 {
                                thread::yield_now();
                            }
                            there.shake();
                            there.open();
                        });
                        await_(gate).expect("not cancelled");
                        other.join().expect("it ends well");
                    }
                })
            });
            let tasks: Vec<_> = tasks.collect();
            tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        });
    }
}

#[test]
fn a_cancelled_task_drops_the_future_and_is_told() {
    workers(1).run(|| {
        let dropped = Rc::new(Cell::new(0));
        let told = Told(dropped.clone(), 1);
        let waits = task::spawn_local(move || {
            let waited = await_(async move {
                let _told = told;
                pending::<()>().await
            });
            assert_eq!(dropped.get(), 1, "gone by now");
            // Cancellation is a state. What is there wins all the same.
            assert_eq!(await_(pending::<()>()), waited);
            assert_eq!(await_(ready(3)), Ok(3));
            waited
        });
        task::yield_now().expect("not cancelled");
        waits.cancel_with("enough");
        let id = waits.id();
        let cancelled = waits.join().expect("it ends well").expect_err("cancelled");
        assert_eq!(cancelled.reason(), &CancelReason::Message("enough".into()));
        assert!(cancelled.scope().is_some());
        assert_ne!(id, task::current().expect("main").id());
    });
}

#[test]
fn what_has_come_with_the_cancellation_wins() {
    workers(1).run(|| {
        let gate = Gate::new();
        let inside = gate.clone();
        let waits = task::spawn_local(move || (await_(inside), await_(pending::<()>()).is_err()));
        task::yield_now().expect("not cancelled");
        waits.cancel();
        gate.open();
        assert_eq!(waits.join().expect("it ends well"), (Ok(()), true));
    });
}

#[test]
fn a_timeout_ends_an_await_and_a_shield_keeps_it() {
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let waited = task::timeout(Duration::from_secs(1), || await_(pending::<()>()));
        assert!(matches!(waited, Err(Elapsed { .. })), "{waited:?}");
        // One that has cut nothing short has not elapsed.
        let waited = task::timeout(Duration::ZERO, || await_(ready(1)));
        assert_eq!(waited.expect("nothing was cut short"), Ok(1));
        let waits = task::spawn_local(|| {
            let kept = task::shield(|| await_(soon()));
            (kept, await_(pending::<()>()).is_err())
        });
        waits.cancel();
        assert!(waits.join().is_err(), "it has not begun");
        let waits = task::spawn_local(|| {
            let first = await_(pending::<()>()).is_err();
            (first, task::shield(|| await_(soon())))
        });
        task::yield_now().expect("not cancelled");
        waits.cancel();
        assert_eq!(waits.join().expect("it ends well"), (true, Ok(())));
    });
}

#[test]
fn futures_that_wake_themselves_let_others_run() {
    workers(1).run(|| {
        let turns = Rc::new(Cell::new(0));
        let counted = turns.clone();
        let other = task::spawn_local(move || {
            while counted.get() < 10 {
                counted.set(counted.get() + 1);
                task::yield_now().expect("not cancelled");
            }
        });
        let mut polls = 0;
        let all = await_(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if turns.get() < 10 { Poll::Pending } else { Poll::Ready(polls) }
        }));
        assert!(all.expect("not cancelled") >= 5);
        other.join().expect("it ends well");
        // A cancelled one does not keep others from running either.
        let waits = task::spawn_local(|| {
            await_(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }))
        });
        task::yield_now().expect("not cancelled");
        waits.cancel();
        assert!(waits.join().expect("it ends well").is_err());
    });
}

#[test]
fn where_a_task_cannot_wait_an_await_says_why() {
    struct Late(Arc<AtomicUsize>);
    impl Drop for Late {
        fn drop(&mut self) {
            let waited = await_(soon()).expect_err("a panic unwinds");
            assert_eq!(waited.reason(), &CancelReason::Panicking);
            assert_eq!(await_(ready(2)), Ok(2));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    workers(1).run(|| {
        let registered = task::suspend(|resumer: switchback::Resumer<bool>| {
            let refused = await_(soon()).expect_err("it registers");
            resumer.send(refused.reason() == &CancelReason::Outside).expect("it waits");
        });
        assert_eq!(registered, Ok(true));
        if cfg!(panic = "unwind") {
            let count = Arc::new(AtomicUsize::new(0));
            let late = Late(count.clone());
            let panicked = task::spawn(move || {
                let _late = late;
                panic!("on purpose");
            });
            assert!(panicked.join().is_err());
            assert_eq!(count.load(Ordering::Relaxed), 1);
        }
    });
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))), "no task any more");
}

#[cfg(panic = "unwind")]
#[test]
fn await_or_unwind_leaves_a_cancelled_task() {
    use switchback::future::await_or_unwind;
    use switchback::task::JoinError;
    workers(1).run(|| {
        let dropped = Rc::new(Cell::new(0));
        let told = Told(dropped.clone(), 7);
        let waits = task::spawn_local(move || {
            let _told = told;
            await_or_unwind(soon());
            await_or_unwind(pending::<()>());
        });
        task::yield_now().expect("not cancelled");
        task::yield_now().expect("not cancelled");
        waits.cancel();
        let Err(JoinError::Panicked(panic)) = waits.join() else { panic!("it has unwound") };
        let payload = panic.into_payload();
        let cancelled = payload.downcast_ref::<Cancelled>().expect("what it was told");
        assert_eq!(cancelled.reason(), &CancelReason::Requested);
        assert_eq!(dropped.get(), 7);
    });
}

/// The end of a runtime cancels all that is left: that is no reason to end the process.
#[cfg(not(panic = "unwind"))]
#[test]
fn await_or_unwind_waits_on_in_a_cancelled_task() {
    use switchback::future::await_or_unwind;
    workers(1).run(|| {
        let gate = Gate::new();
        let inside = gate.clone();
        let waits = task::spawn_local(move || {
            await_or_unwind(inside);
            await_or_unwind(soon());
            // It has not forgotten.
            await_(pending::<()>()).is_err()
        });
        task::yield_now().expect("not cancelled");
        waits.cancel();
        task::yield_now().expect("not cancelled");
        assert!(!waits.is_finished());
        gate.open();
        assert!(waits.join().expect("it ends well"));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn await_or_unwind_panics_where_a_task_cannot_wait() {
    use std::panic::catch_unwind;
    use switchback::future::await_or_unwind;
    workers(1).run(|| {
        let registered = task::suspend(|resumer: switchback::Resumer<bool>| {
            let payload = catch_unwind(|| await_or_unwind(soon())).expect_err("it registers");
            let words = payload.downcast_ref::<String>();
            resumer.send(words.is_some_and(|words| words.contains("cannot wait here"))).expect("it waits");
        });
        assert_eq!(registered, Ok(true), "nothing is cancelled: it is a panic, with a message");
    });
}

#[test]
fn a_stackful_future_in_a_task_waits_by_itself() {
    workers(1).run(|| {
        let part = |n: u32| {
            stackful(move |cx| {
                cx.await_(soon())?;
                let mut sum = 0;
                for item in Generator::new(move |y| {
                    await_(soon()).expect("not cancelled"); // suspends the body, not the task
                    y.yield_(n)
                }) {
                    sum += item;
                }
                await_(soon())?;
                Ok::<u32, Cancelled>(sum)
            })
        };
        assert_eq!(await_(zip(part(1), part(2))), Ok((Ok(1), Ok(2))));
        // Cancelled, the task drops it.
        let waits = task::spawn_local(|| {
            let reason = Rc::new(RefCell::new(None));
            let inside = reason.clone();
            let body = stackful(move |cx| *inside.borrow_mut() = Some(cx.await_(pending::<()>())));
            assert!(await_(body).is_err());
            let told = reason.borrow_mut().take();
            told.expect("it has waited").expect_err("it was dropped").reason().clone()
        });
        task::yield_now().expect("not cancelled");
        waits.cancel();
        assert_eq!(waits.join().expect("it ends well"), CancelReason::Dropped);
    });
}

#[test]
fn a_body_that_stops_its_task_is_no_place_for_others_awaits() {
    // Two tasks, each in the midst of a body when the other runs: not by an await, but by a call of the scheduler's.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let tasks = ["a", "b"].map(|name| {
            let turns = turns.clone();
            task::spawn_local(move || {
                let inside = turns.clone();
                let body = stackful(move |_| {
                    for _ in 0..3 {
                        inside.borrow_mut().push(name);
                        task::sleep(Duration::from_secs(1)).expect("not cancelled");
                        await_(soon()).expect("nobody drops it");
                    }
                    name
                });
                let mut count = 0;
                let mut body = pin!(body);
                // Each await in the body comes out here, as the body is what it suspends.
                let name = await_(poll_fn(|cx| {
                    count += 1;
                    body.as_mut().poll(cx)
                }));
                assert_eq!(count, 4);
                name
            })
        });
        // And one without a body, while both sleep in theirs.
        let bare = task::spawn_local(|| await_(soon()));
        for (task, name) in tasks.into_iter().zip(["a", "b"]) {
            assert_eq!(task.join().expect("it ends well"), Ok(name));
        }
        assert_eq!(bare.join().expect("it ends well"), Ok(()));
        assert_eq!(*turns.borrow(), ["a", "b", "a", "b", "a", "b"]);
    });
}

#[test]
fn a_runtime_inside_of_a_body_has_tasks_of_its_own() {
    let inner = stackful(|cx| {
        let sum = workers(1).run(|| {
            let gate = Gate::new();
            let inside = gate.clone();
            let waits = task::spawn_local(move || await_(inside).map(|()| 1));
            await_(soon()).expect("not cancelled");
            gate.open();
            waits.join().expect("it ends well")
        });
        cx.await_(soon())?;
        await_(soon())?;
        sum
    });
    let mut inner = inner;
    let mut polls = 1;
    let one = loop {
        match poll(&mut inner).0 {
            Poll::Ready(one) => break one,
            Poll::Pending => polls += 1,
        }
    };
    assert_eq!((one, polls), (Ok(1), 3), "only the body's own awaits come out");
}

#[test]
fn a_generator_that_awaits_goes_from_task_to_task() {
    // In the midst of a poll too, by a yield of its own inside of one: what it finds then is the task that resumes it.
    type Shared = Rc<RefCell<Coroutine<u32>>>;
    fn next(shared: &Shared) -> Option<u32> {
        shared.borrow_mut().next()
    }
    for outside in [false, true] {
        let gate = Gate::new();
        let inside = gate.clone();
        let shared: Shared = Rc::new(RefCell::new(Generator::new(move |y| {
            let mut gate = inside;
            let mut is_first = true;
            let waited = await_(poll_fn(|cx| {
                if std::mem::take(&mut is_first) {
                    // With a waker of the first task, as far as this poll goes.
                    assert!(Pin::new(&mut gate).poll(cx).is_pending());
                    y.yield_(1).expect("nobody drops it");
                }
                Pin::new(&mut gate).poll(cx)
            }));
            match waited {
                Ok(()) => y.yield_(2),
                Err(cancelled) if cancelled.reason() == &CancelReason::Outside => y.yield_(3),
                Err(_) => Err(Thrown::Exit),
            }
        })));
        let kept = shared.clone();
        workers(1).run(move || {
            let there = shared.clone();
            let first = task::spawn_local(move || next(&there));
            assert_eq!(first.join().expect("it ends well"), Some(1));
            if outside {
                return;
            }
            let there = shared.clone();
            let second = task::spawn_local(move || next(&there));
            task::yield_now().expect("not cancelled");
            assert!(!second.is_finished(), "it waits");
            gate.open();
            assert_eq!(second.join().expect("it ends well"), Some(2));
        });
        if outside {
            assert_eq!(next(&kept), Some(3), "in no task");
        }
    }
}

#[test]
fn a_generator_goes_between_tasks_and_bodies_in_the_midst_of_a_poll() {
    let carry = |body_first: bool| {
        let mut generator = Generator::<u32>::new(|y| {
            let mut polls = 0;
            await_(poll_fn(|cx| {
                polls += 1;
                if polls == 1 {
                    y.yield_(1).expect("nobody drops it");
                }
                cx.waker().wake_by_ref();
                // The first is of the place before, the second of the place after.
                if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
            }))
            .expect("not cancelled");
            y.yield_(2)
        });
        let in_body = move |mut generator: Generator<u32>, polls: &mut u32| {
            let mut body = pin!(stackful(move |_| {
                let item = generator.next();
                (generator, item)
            }));
            await_(poll_fn(|cx| {
                *polls += 1;
                body.as_mut().poll(cx)
            }))
            .expect("not cancelled")
        };
        let mut polls = 0;
        if body_first {
            let (mut generator, item) = in_body(generator, &mut polls);
            assert_eq!((item, generator.next(), polls), (Some(1), Some(2), 1), "the second suspends the task");
        } else {
            assert_eq!(generator.next(), Some(1));
            let (_generator, item) = in_body(generator, &mut polls);
            assert_eq!((item, polls), (Some(2), 2), "the second suspends the body");
        }
    };
    workers(1).run(|| [false, true].map(carry));
}

#[test]
fn a_wake_that_a_nested_await_has_used_up_is_not_lost() {
    // As in bodies. A task has one word for all of its wakers, so what a nested await takes for its own may be the outer one's.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (early, nested) = (Gate::new(), Gate::new());
        let (there, inside) = (early.clone(), nested.clone());
        let waits =
            task::spawn_local(move || await_(zip(there, async move { await_(inside).expect("not cancelled") })));
        task::yield_now().expect("not cancelled");
        early.open(); // while the nested one waits
        task::yield_now().expect("not cancelled");
        nested.open();
        let waited = task::timeout(Duration::from_secs(1), || waits.join());
        assert_eq!(waited.expect("in time").expect("it ends well"), Ok(((), ())));
        // In the midst of the poll, before a nested one that is ready, and before two of them.
        for count in [1, 2] {
            let mut is_first = true;
            let woken = poll_fn(|cx| {
                if !std::mem::take(&mut is_first) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                (0..count).for_each(|_| await_(ready(())).expect("it is ready"));
                Poll::Pending
            });
            let waited = task::timeout(Duration::from_secs(1), || await_(woken));
            assert_eq!(waited.expect("in time"), Ok(()));
        }
    });
}

#[test]
fn a_nested_await_that_uses_up_no_wake_does_not_make_the_outer_one_poll_again() {
    workers(1).run(|| {
        let gate = Gate::new();
        let polls = Rc::new(Cell::new(0));
        let (mut inside, counted) = (gate.clone(), polls.clone());
        let waits = task::spawn_local(move || {
            await_(poll_fn(|cx| {
                counted.set(counted.get() + 1);
                await_(ready(())).expect("it is ready");
                Pin::new(&mut inside).poll(cx)
            }))
        });
        for _ in 0..3 {
            task::yield_now().expect("not cancelled");
        }
        assert_eq!(polls.get(), 1);
        gate.open();
        assert_eq!(waits.join().expect("it ends well"), Ok(()));
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_task_may_leave_wakers_behind() {
    let kept = Arc::new(std::sync::Mutex::new(Vec::<Waker>::new()));
    let inside = kept.clone();
    workers(1).run(move || {
        for _ in 0..3 {
            let there = inside.clone();
            let ended = task::spawn(move || {
                let mut nap = soon();
                await_(poll_fn(|cx| {
                    let waker = cx.waker().clone();
                    assert!(waker.will_wake(cx.waker()));
                    there.lock().expect("no panic inside").push(waker);
                    Pin::new(&mut nap).poll(cx)
                }))
            });
            assert_eq!(ended.join().expect("it ends well"), Ok(()));
            // Those of tasks that have ended wake nobody.
            inside.lock().expect("no panic inside").iter().for_each(Waker::wake_by_ref);
        }
        // One that comes at a wrong time ends no other kind of wait than those that may end for no reason.
        let waker = Arc::new(std::sync::Mutex::new(None::<Waker>));
        let there = waker.clone();
        let sleeps = task::spawn_local(move || {
            await_(poll_fn(|cx| {
                *there.lock().expect("no panic inside") = Some(cx.waker().clone());
                Poll::Ready(())
            }))
            .expect("it is ready");
            task::suspend(|resumer: switchback::Resumer<u32>| {
                there.lock().expect("no panic inside").take().into_iter().for_each(Waker::wake);
                task::spawn_local(move || resumer.send(9));
            })
        });
        assert_eq!(sleeps.join().expect("it ends well"), Ok(9));
        drop(waker);
    });
    let wakers = std::mem::take(&mut *kept.lock().expect("no panic inside"));
    thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().expect("no runtime, no harm");
}

#[test]
fn polls_outside_of_tasks_stay_what_they_were() {
    let runtime = workers(1);
    runtime.run(|| {
        // Another executor in a task blocks it, as it says.
        assert_eq!(block_on(stackful(|_| await_(soon()))), Ok(()));
        let there = thread::spawn(|| matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
        assert!(there.join().expect("it ends well"));
    });
    // A waker that belongs to nobody is none of a task's.
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let waker = Waker::from(Arc::new(Nobody));
    let mut future = pin!(ready(1));
    assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(1));
    drop(Flag::new());
}
