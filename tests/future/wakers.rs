//! Wakers: whose they are, how long they live, and that none is lost. The executor of these tests has a new one for every
//! poll, drops it when the poll returns, and polls again only when the newest was woken.

use crate::support::{Flag, Gate, block_on, poll, soon};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use switchback::future::Stackful;
use switchback::{Cancelled, await_, stackful};

#[test]
fn each_poll_of_the_awaited_future_gets_the_newest_waker() {
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| cx.await_(inside));
    let (_, first) = poll(&mut task);
    let (_, second) = poll(&mut task); // for no reason
    gate.shake();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    let (_, third) = poll(&mut task);
    gate.open();
    assert_eq!((first.wakes(), second.wakes(), third.wakes()), (0, 1, 1));
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
}

#[test]
fn the_next_await_gets_the_newest_waker_too() {
    // The second gate is polled in the poll in which the first has been found open.
    for free in [false, true] {
        let gates = [Gate::new(), Gate::new()];
        let inside = gates.clone();
        let mut task = stackful(move |cx| {
            let [first, second] = inside;
            if free {
                await_(first).and_then(|()| await_(second))
            } else {
                cx.await_(first).and_then(|()| cx.await_(second))
            }
        });
        let (_, flag) = poll(&mut task);
        gates[0].open();
        assert_eq!(flag.wakes(), 1);
        let (_, flag) = poll(&mut task);
        gates[1].open();
        assert_eq!(flag.wakes(), 1);
        assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
    }
}

#[test]
fn wakers_are_cloned_once_and_all_given_back() {
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    let counts = Rc::new(RefCell::new(Vec::new()));
    let (seen, counted) = (counts.clone(), flag.clone());
    let mut task = stackful(move |cx| {
        for _ in 0..3 {
            cx.await_(soon())?;
            seen.borrow_mut().push(Arc::strong_count(&counted));
            await_(soon())?;
            seen.borrow_mut().push(Arc::strong_count(&counted));
        }
        Ok::<(), Cancelled>(())
    });
    let before = Arc::strong_count(&flag);
    while Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending() {}
    assert_eq!(*counts.borrow(), [before + 1; 6], "one for the body, however often it awaits");
    drop(task);
    assert_eq!(Arc::strong_count(&flag), before - 1, "the body's capture is gone, and so is its waker");
}

#[test]
fn all_wakers_are_given_back_by_those_that_are_dropped_while_they_wait() {
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    let before = Arc::strong_count(&flag);
    for nested in [false, true] {
        let mut task = stackful(move |cx| {
            if nested {
                return cx.await_(poll_fn(|_| await_(std::future::pending::<()>()).map_or(Poll::Pending, Poll::Ready)));
            }
            cx.await_(std::future::pending::<()>())
        });
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(Arc::strong_count(&flag) > before);
        drop(task);
        assert_eq!(Arc::strong_count(&flag), before);
    }
}

#[test]
fn a_poll_keeps_its_waker_while_a_nested_await_waits() {
    // Each waker that the executor has had is gone when its poll has returned. What the outer poll was given must not be.
    for free in [false, true] {
        let gate = Gate::new();
        let inside = gate.clone();
        let mut task = stackful(move |cx| {
            let mut rounds = 0;
            let mut outer = |context: &mut Context<'_>| {
                rounds += 1;
                if rounds > 1 {
                    return Poll::Ready(rounds);
                }
                let waker = context.waker();
                let mut nested = inside.clone();
                let mut nap = soon();
                let both = poll_fn(|cx| Pin::new(&mut nap).poll(cx))
                    .into_future_then(poll_fn(|cx| Pin::new(&mut nested).poll(cx)));
                if free { await_(both) } else { cx.await_(both) }.expect("nobody drops it");
                waker.wake_by_ref();
                let cloned = context.waker().clone();
                cloned.wake_by_ref();
                Poll::Pending
            };
            let outer = poll_fn(move |context| outer(context));
            if free { await_(outer) } else { cx.await_(outer) }
        });
        let (polled, first) = poll(&mut task);
        assert!(polled.is_pending());
        let (polled, second) = poll(&mut task);
        assert!(polled.is_pending());
        assert_eq!((first.wakes(), second.wakes()), (1, 0), "the nap has woken the first");
        gate.open();
        assert_eq!(second.wakes(), 1);
        assert_eq!(poll(&mut task).0, Poll::Ready(Ok(2)));
        assert_eq!(first.wakes(), 3, "the outer poll has had the first all the time");
    }
}

/// One after the other, without an async block.
trait Then: Future<Output = ()> + Sized {
    fn into_future_then(self, next: impl Future<Output = ()>) -> impl Future<Output = ()> {
        async move {
            self.await;
            next.await;
        }
    }
}

impl<F: Future<Output = ()>> Then for F {}

#[test]
fn a_wake_that_a_nested_await_has_used_up_is_not_lost() {
    // The outer future waits for `early` or, in the midst of its poll, for `nested`. `early` opens first, and wakes the task
    // while the nested await still waits: whoever polls then has answered the wake, and nobody will wake it for that again.
    let (early, nested) = (Gate::new(), Gate::new());
    let (mut early_inside, nested_inside) = (early.clone(), nested.clone());
    let mut task = stackful(move |cx| {
        let mut is_first = true;
        cx.await_(poll_fn(move |context| {
            if Pin::new(&mut early_inside).poll(context).is_ready() {
                return Poll::Ready("early");
            }
            if std::mem::take(&mut is_first) {
                await_(nested_inside.clone()).expect("nobody drops it");
            }
            Poll::Pending
        }))
    });
    let (_, flag) = poll(&mut task);
    early.open();
    assert_eq!(flag.wakes(), 1);
    let (polled, flag) = poll(&mut task);
    assert!(polled.is_pending());
    nested.open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok("early")), "it is polled again before it waits");
}

#[test]
fn after_a_nested_await_the_outer_future_gets_the_newest_waker() {
    for free in [false, true] {
        let (late, nested) = (Gate::new(), Gate::new());
        let (mut late_inside, nested_inside) = (late.clone(), nested.clone());
        let mut task = stackful(move |cx| {
            let mut is_first = true;
            let outer = poll_fn(move |context| {
                if std::mem::take(&mut is_first) {
                    await_(nested_inside.clone()).expect("nobody drops it");
                }
                // With the waker of the poll in which the nested await began.
                Pin::new(&mut late_inside).poll(context)
            });
            if free { await_(outer) } else { cx.await_(outer) }
        });
        let (_, first) = poll(&mut task);
        nested.open();
        assert_eq!(first.wakes(), 1);
        let (_, second) = poll(&mut task);
        late.open();
        assert_eq!((first.wakes(), second.wakes()), (1, 1), "the newest, not the one that the poll was given");
        assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
    }
}

#[test]
fn awaits_nest_deeper() {
    // Three polls, one inside of the other, and an await of each.
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let [a, b, c] = gates.clone();
    let mut task = stackful(move |cx| {
        let log = RefCell::new(Vec::new());
        cx.await_(poll_fn(|outer| {
            log.borrow_mut().push("outer");
            let middle = poll_fn(|middle| {
                log.borrow_mut().push("middle");
                let inner = poll_fn(|inner| {
                    log.borrow_mut().push("inner");
                    Pin::new(&mut a.clone()).poll(inner)
                });
                await_(inner).expect("nobody drops it");
                Pin::new(&mut b.clone()).poll(middle)
            });
            cx.await_(middle).expect("nobody drops it");
            Pin::new(&mut c.clone()).poll(outer)
        }))
        .expect("nobody drops it");
        log.into_inner().len()
    });
    for gate in &gates {
        let (polled, flag) = poll(&mut task);
        assert!(polled.is_pending());
        gate.open();
        assert_eq!(flag.wakes(), 1);
    }
    let Poll::Ready(polls) = poll(&mut task).0 else { panic!("all gates are open") };
    assert!(polls > 6, "{polls}");
}

#[test]
fn a_nested_await_that_is_ready_does_not_make_the_outer_one_poll_again() {
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let gate = Gate::new();
    let mut inside = gate.clone();
    let mut task = stackful(move |cx| {
        cx.await_(poll_fn(|context| {
            counted.set(counted.get() + 1);
            cx.await_(std::future::ready(())).expect("it is ready");
            await_(std::future::ready(())).expect("it is ready");
            Pin::new(&mut inside).poll(context)
        }))
    });
    let (_, first) = poll(&mut task);
    assert_eq!(polls.get(), 1);
    let (_, second) = poll(&mut task);
    assert_eq!(polls.get(), 2);
    gate.open();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
}

#[test]
fn the_waker_that_a_nested_await_has_put_back_is_not_used_later() {
    // A nested await that is ready puts its waker back for the next one. By the time that the outer one has waited, it is an
    // old one, and the next nested await must not have it.
    let gates = [Gate::new(), Gate::new()];
    let [mut first, second] = gates.clone();
    let mut task = stackful(move |cx| {
        let mut rounds = 0;
        cx.await_(poll_fn(|context| {
            rounds += 1;
            if rounds == 1 {
                await_(std::future::ready(())).expect("it is ready");
            } else {
                await_(second.clone()).expect("nobody drops it");
            }
            Pin::new(&mut first).poll(context)
        }))
    });
    for gate in &gates {
        let (polled, flag) = poll(&mut task);
        assert!(polled.is_pending());
        gate.open();
        assert_eq!(flag.wakes(), 1);
    }
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
}

#[test]
fn wakes_that_come_late_or_twice_do_no_harm() {
    let gate = Gate::new();
    let inside = gate.clone();
    let kept = Arc::new(std::sync::Mutex::new(None::<Waker>));
    let keep = kept.clone();
    let mut task = stackful(move |cx| {
        cx.await_(poll_fn(|context| {
            *keep.lock().expect("no panic inside") = Some(context.waker().clone());
            Pin::new(&mut inside.clone()).poll(context)
        }))
    });
    let (_, flag) = poll(&mut task);
    gate.shake();
    gate.shake();
    assert_eq!(flag.wakes(), 2);
    assert!(poll(&mut task).0.is_pending(), "it was woken for nothing");
    gate.open();
    let (polled, flag) = poll(&mut task);
    assert_eq!(polled, Poll::Ready(Ok(())));
    drop(task);
    let late = kept.lock().expect("no panic inside").take().expect("it was polled");
    late.wake_by_ref();
    late.wake();
    assert_eq!(flag.wakes(), 2);
}

#[test]
fn any_thread_may_wake() {
    const ROUNDS: usize = if cfg!(debug_assertions) { 200 } else { 2_000 };
    let task: Stackful<_, _> = stackful(|cx| {
        let mut rounds = 0;
        for round in 0..ROUNDS {
            let gate = Gate::new();
            let there = gate.clone();
            let other = thread::spawn(move || {
                if round % 3 == 0 {
                    thread::yield_now();
                }
                there.open();
            });
            if round % 2 == 0 {
                cx.await_(gate)?
            } else {
                await_(gate)?
            };
            other.join().expect("it ends well");
            rounds += 1;
        }
        Ok::<usize, Cancelled>(rounds)
    });
    assert_eq!(block_on(task), Ok(ROUNDS));
}
