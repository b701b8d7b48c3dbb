//! Awaits that are left in the midst of a poll: a plain coroutine awaits, the future that it polls suspends the coroutine, and
//! whoever resumes that is somebody else, or nobody's body.

use crate::support::{Flag, Gate, block_on, poll, soon};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use switchback::CancelReason;
use switchback::future::{AwaitError, try_await};
use switchback::{Generator, Scoped, Thrown, Yielder, await_, scoped, stackful};

/// A generator that awaits a future whose poll yields: 0 first, then 1 when the await has come to its end, -1 when it was
/// cancelled, -2 when it was refused.
fn awaits_and_yields(gate: Gate) -> Generator<i32> {
    Generator::new(move |y| {
        let mut is_first = true;
        let future = poll_fn(|context| {
            if std::mem::take(&mut is_first) && y.yield_(0).is_err() {
                return Poll::Ready(());
            }
            Pin::new(&mut gate.clone()).poll(context)
        });
        let answer = match try_await(future) {
            Ok(()) => 1,
            Err(AwaitError::Cancelled(cancelled)) if *cancelled.reason() == CancelReason::Dropped => -1,
            Err(_) => -2,
        };
        y.yield_(answer)
    })
}

type Shared = Rc<Cell<Option<Generator<i32>>>>;

fn next(shared: &Shared) -> Option<i32> {
    let mut co = shared.take().expect("it is here");
    let item = co.next();
    shared.set(Some(co));
    item
}

/// One that is in the midst of a poll, begun in a task that is gone by now, with its stack.
fn begun(gate: &Gate) -> Shared {
    let shared: Shared = Rc::new(Cell::new(Some(awaits_and_yields(gate.clone()))));
    let there = shared.clone();
    let mut first = stackful(move |_| next(&there));
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    assert_eq!(Pin::new(&mut first).poll(&mut Context::from_waker(&waker)), Poll::Ready(Some(0)));
    drop((first, waker));
    assert_eq!(Arc::strong_count(&flag), 2, "the poll in the generator has its waker all the same");
    // Others use the stack, so that what is left there of the first is gone.
    block_on(stackful(|_| std::hint::black_box([1_u8; 2000]).len()));
    shared
}

#[test]
fn it_waits_where_it_is_resumed() {
    let gate = Gate::new();
    let shared = begun(&gate);
    let there = shared.clone();
    let mut second = stackful(move |cx| {
        let one = next(&there);
        (one, cx.await_(soon()))
    });
    let (polled, flag) = poll(&mut second);
    assert!(polled.is_pending(), "the second waits for the future that the first has begun to poll");
    gate.open();
    assert_eq!(flag.wakes(), 1, "which was polled again with the second one's waker");
    assert_eq!(block_on(second), (Some(1), Ok(())));
}

#[test]
fn outside_of_any_body_the_await_is_refused() {
    let gate = Gate::new();
    let shared = begun(&gate);
    assert_eq!(next(&shared), Some(-2));
    // And what is ready by then is not.
    let shared = begun(&gate);
    gate.open();
    assert_eq!(next(&shared), Some(1));
}

#[test]
fn inside_of_the_same_body_it_goes_on_though_that_has_waited() {
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        let mut co = awaits_and_yields(inside);
        let zero = co.next();
        // The body waits while a poll of its own is left in the midst.
        cx.await_(soon()).expect("nobody drops it");
        await_(soon()).expect("nobody drops it");
        let one = co.next();
        await_(soon()).expect("nobody drops it");
        (zero, one)
    });
    while poll(&mut task).0.is_pending() {
        gate.open();
    }
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        let mut co = awaits_and_yields(inside);
        assert_eq!(co.next(), Some(0));
        cx.await_(soon()).expect("nobody drops it");
        co.next()
    });
    assert!(poll(&mut task).0.is_pending());
    let (polled, flag) = poll(&mut task);
    assert!(polled.is_pending());
    gate.open();
    assert_eq!(flag.wakes(), 1, "the newest");
    assert_eq!(poll(&mut task).0, Poll::Ready(Some(1)));
}

#[test]
fn dropped_in_the_midst_it_gives_its_waker_back() {
    let gate = Gate::new();
    for leave_midst in [false, true] {
        let shared: Shared = Rc::new(Cell::new(Some(awaits_and_yields(gate.clone()))));
        let there = shared.clone();
        let mut task = stackful(move |cx| {
            let item = next(&there);
            if leave_midst {
                there.take(); // closed inside of the body
            }
            cx.await_(soon()).map(|()| item)
        });
        let flag = Flag::new();
        let waker = Waker::from(flag.clone());
        while Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending() {}
        drop(task);
        drop(shared); // closed outside, if it was not inside
        drop(waker);
        assert_eq!(Arc::strong_count(&flag), 1);
    }
}

#[test]
fn two_of_them_cross_each_other_with_the_awaiter_as_well() {
    // Two scoped coroutines of one body, each left in the midst of an await by the body's own awaiter, ended in either order.
    for first_ends_first in [false, true] {
        let gate = Gate::new();
        let inside = gate.clone();
        let mut task = stackful(move |cx| {
            let body = |y: &Yielder<u32>| {
                let mut is_first = true;
                cx.await_(poll_fn(|context| {
                    if std::mem::take(&mut is_first) && y.yield_(1).is_err() {
                        return Poll::Ready(());
                    }
                    Pin::new(&mut inside.clone()).poll(context)
                }))
                .map_err(|_| Thrown::Exit)?;
                y.yield_(2)
            };
            scoped(body, |a: &mut Scoped<'_, u32>| {
                scoped(body, |b: &mut Scoped<'_, u32>| {
                    let mut items = vec![a.next(), b.next()];
                    cx.await_(soon()).expect("nobody drops it");
                    items.push(if first_ends_first { a.next() } else { b.next() });
                    await_(soon()).expect("nobody drops it");
                    items.push(if first_ends_first { b.next() } else { a.next() });
                    cx.await_(soon()).expect("nobody drops it");
                    items
                })
            })
        });
        assert!(poll(&mut task).0.is_pending());
        let (polled, flag) = poll(&mut task);
        assert!(polled.is_pending());
        gate.open();
        assert_eq!(flag.wakes(), 1);
        assert_eq!(block_on(task), [Some(1), Some(1), Some(2), Some(2)]);
    }
}

#[test]
fn a_poll_may_drop_and_poll_other_tasks() {
    // The awaited future's poll runs whole other tasks, drops some in their midst, and awaits itself.
    let kept = Rc::new(RefCell::new(Vec::new()));
    let there = kept.clone();
    let gate = Gate::new();
    let mut inside = gate.clone();
    let task = stackful(move |cx| {
        cx.await_(poll_fn(|context| {
            let mut waits = Box::pin(stackful(|_| await_(Gate::new())));
            assert!(waits.as_mut().poll(context).is_pending());
            there.borrow_mut().push(waits);
            if there.borrow().len() > 2 {
                drop(there.borrow_mut().remove(0));
            }
            assert_eq!(block_on(stackful(|_| await_(soon()))), Ok(()));
            await_(soon()).expect("nobody drops it");
            Pin::new(&mut inside).poll(context)
        }))
    });
    gate.open();
    assert_eq!(block_on(task), Ok(()));
    assert!(!kept.borrow().is_empty());
}

#[test]
fn another_body_at_the_same_place_is_another_body() {
    // The await has been begun in a body that is gone. Another body, of the same kind, has the same stack and its awaiter at
    // the same address, and has waited as many times: never.
    let body = |shared: Shared, place: Rc<Cell<usize>>| {
        stackful(move |cx| {
            place.set(std::ptr::from_ref(cx).addr());
            next(&shared)
        })
    };
    // Now and then a test on another thread takes the stack that the first has given back.
    for _ in 0..1000 {
        let gate = Gate::new();
        let shared: Shared = Rc::new(Cell::new(Some(awaits_and_yields(gate.clone()))));
        let place = Rc::new(Cell::new(0));
        assert_eq!(block_on(body(shared.clone(), place.clone())), Some(0));
        let before = place.get();
        let mut second = body(shared, place.clone());
        let (polled, flag) = poll(&mut second);
        assert!(polled.is_pending());
        gate.open();
        assert_eq!(flag.wakes(), 1, "its own waker, not that of the first");
        assert_eq!(poll(&mut second).0, Poll::Ready(Some(1)));
        if place.get() == before {
            return;
        }
    }
    panic!("never at the same place");
}
