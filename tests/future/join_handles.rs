//! Handles of tasks as futures.

use crate::support::{Gate, block_on, poll};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use switchback::task::{self, JoinError, JoinHandle};
use switchback::{CancelReason, Handle, Runtime, await_, stackful};

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).build().expect("a runtime")
}

#[test]
fn asynchronous_code_outside_awaits_tasks() {
    for count in [1, 3] {
        workers(count).run(|| {
            let runtime = Handle::current().expect("a runtime");
            let outside = thread::spawn(move || {
                block_on(async {
                    let tasks: Vec<_> = (0..20).map(|n| runtime.spawn(move || task::yield_now().map(|()| n))).collect();
                    let mut sum = 0;
                    for task in tasks {
                        sum += task.await.expect("it ends well").expect("not cancelled");
                    }
                    sum
                })
            });
            while !outside.is_finished() {
                task::yield_now().expect("not cancelled");
            }
            assert_eq!(outside.join().expect("it ends well"), 190);
        });
    }
}

#[test]
fn tasks_and_bodies_await_tasks() {
    workers(1).run(|| {
        assert_eq!(await_(task::spawn(|| 1)).expect("not cancelled").expect("it ends well"), 1);
        let body = stackful(|cx| cx.await_(task::spawn_local(|| task::yield_now().is_ok())));
        assert!(await_(body).expect("not cancelled").expect("not cancelled").expect("it ends well"));
        let (two, three) =
            await_(futures_lite::future::zip(task::spawn(|| 2), task::spawn(|| 3))).expect("not cancelled");
        assert_eq!((two.expect("it ends well"), three.expect("it ends well")), (2, 3));
    });
}

#[test]
fn the_outcome_is_that_of_join() {
    workers(1).run(|| {
        let cancelled = task::spawn(|| 1);
        cancelled.cancel();
        let Err(JoinError::Cancelled(why)) = await_(cancelled).expect("not cancelled") else { panic!("it never ran") };
        assert_eq!(why.reason(), &CancelReason::Requested);
        if cfg!(panic = "unwind") {
            let panicked = task::spawn(|| std::panic::panic_any(5_u64));
            let Err(JoinError::Panicked(panic)) = await_(panicked).expect("not cancelled") else {
                panic!("it has panicked")
            };
            assert_eq!(panic.into_payload().downcast_ref(), Some(&5_u64));
        }
        // The waiting task's own cancellation drops the handle: the other goes on.
        let gate = Gate::new();
        let inside = gate.clone();
        let (ended, end) = std::sync::mpsc::channel();
        let waits = task::spawn(move || {
            let other = task::spawn(move || {
                await_(inside).expect("not cancelled");
                ended.send(()).expect("main waits");
            });
            await_(other).is_err()
        });
        task::yield_now().expect("not cancelled");
        task::yield_now().expect("not cancelled");
        waits.cancel();
        assert!(waits.join().expect("it ends well"));
        gate.open();
        while end.try_recv().is_err() {
            task::yield_now().expect("not cancelled");
        }
    });
}

#[test]
fn a_task_cannot_await_itself() {
    workers(1).run(|| {
        let gate = Gate::new();
        let place = std::rc::Rc::new(std::cell::RefCell::new(None::<JoinHandle<bool>>));
        let (inside, there) = (place.clone(), gate.clone());
        let handle = task::spawn_local(move || {
            await_(there).expect("not cancelled");
            let own = inside.take().expect("it is here");
            matches!(await_(own), Ok(Err(JoinError::Itself)))
        });
        let task = handle.task();
        *place.borrow_mut() = Some(handle);
        gate.open();
        while !task.is_finished() {
            task::yield_now().expect("not cancelled");
        }
    });
}

#[test]
fn the_newest_waker_is_woken_and_a_polled_handle_is_like_any_other() {
    workers(1).run(|| {
        let gate = Gate::new();
        let waits = || {
            let gate = gate.clone();
            task::spawn_local(move || await_(gate).map(|()| 4))
        };
        let (mut polled, mut joined, mut waited, mut dropped) = (waits(), waits(), waits(), waits());
        let (pending, first) = poll(&mut polled);
        assert!(pending.is_pending());
        let (pending, second) = poll(&mut polled);
        assert!(pending.is_pending());
        let wakes: Vec<_> = [&mut joined, &mut waited, &mut dropped].map(|handle| poll(handle).1).into();
        assert!(Arc::strong_count(&wakes[2]) > 1, "its waker is kept");
        drop(dropped);
        assert_eq!(Arc::strong_count(&wakes[2]), 1, "and given back");
        gate.open();
        // What is joined waits by itself from here on.
        assert_eq!(joined.join().expect("it ends well"), Ok(4));
        waited.wait().expect("it ends well");
        assert!(waited.is_finished());
        while !polled.is_finished() {
            task::yield_now().expect("not cancelled");
        }
        assert_eq!((first.wakes(), second.wakes(), wakes[0].wakes(), wakes[2].wakes()), (0, 1, 0, 0));
        let Poll::Ready(Ok(four)) = poll(&mut polled).0 else { panic!("it has ended") };
        assert_eq!(four, Ok(4));
        let Poll::Ready(Ok(four)) = poll(&mut waited).0 else { panic!("it has ended") };
        assert_eq!(four, Ok(4));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn after_its_end_a_handle_is_used_up() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    workers(1).run(|| {
        let text = "on the heap".to_owned();
        let mut handle = task::spawn(move || text);
        assert_eq!(await_(&mut handle).expect("not cancelled").expect("it ends well"), "on the heap");
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut handle))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| handle.join())).is_err());
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_waker_that_panics_or_waits_does_the_task_no_harm() {
    use std::future::ready;
    use std::task::{Context, Wake, Waker};
    struct Bad(bool);
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            if self.0 {
                panic!("on purpose");
            }
            // In the task that ends.
            task::yield_now().expect("not cancelled");
        }
    }
    workers(1).run(|| {
        for panics in [true, false] {
            let mut handle = task::spawn(|| await_(ready(6)));
            let waker = Waker::from(Arc::new(Bad(panics)));
            assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            while !handle.is_finished() {
                task::yield_now().expect("not cancelled");
            }
            assert_eq!(handle.join().expect("it ends well"), Ok(6));
        }
    });
}

/// The handle is dropped as if nothing had been, and lets go of the task.
#[cfg(panic = "unwind")]
#[test]
fn a_waker_whose_destructor_panics_keeps_nothing_alive() {
    use std::task::{Context, Wake, Waker};
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("no luck");
        }
    }
    workers(1).run(|| {
        let outcome = Arc::new(());
        let theirs = Arc::clone(&outcome);
        let mut handle = task::spawn_local(move || theirs);
        let waker = Waker::from(Arc::new(Bomb));
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        drop(handle); // and with it the last of the waker
        task::yield_now().expect("not cancelled");
        assert_eq!(Arc::strong_count(&outcome), 1);
    });
}

#[test]
fn handles_are_polled_while_their_tasks_end() {
    // On three workers: polls, with a new waker each time, at the moment at which the tasks end.
    const ROUNDS: usize = if cfg!(debug_assertions) { 200 } else { 2_000 };
    workers(3).run(|| {
        for round in 0..ROUNDS {
            let mut handle = task::spawn(move || round);
            let mut is_dropped = false;
            let value = await_(std::future::poll_fn(|cx| {
                if round % 8 == 7 {
                    let _ = poll(&mut handle); // woken, if at all, in vain
                    is_dropped = true;
                    return Poll::Ready(Ok(round));
                }
                Pin::new(&mut handle).poll(cx)
            }));
            assert_eq!(value.expect("not cancelled").expect("it ends well"), round);
            drop(handle);
        }
    });
}
