//! Bodies that are pinned to the thread of a host.

use crate::support::{Flag, Gate, block_on, poll, soon};
use std::cell::RefCell;
use std::future::{Future, pending};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
#[cfg(panic = "unwind")]
use std::task::Wake;
use std::task::{Context, Waker};
use std::thread;
use switchback::CancelReason;
use switchback::future::{Host, OnHost};
use switchback::{Awaiter, Cancelled, await_, stackful_on};

fn new() -> Host {
    Host::new().expect("a thread")
}

#[test]
fn a_body_stays_on_its_thread_and_its_future_moves() {
    let host = new();
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful_on(&host, move |cx| {
        let local = Rc::new(RefCell::new(vec![thread::current().id()]));
        cx.await_(inside)?;
        local.borrow_mut().push(thread::current().id());
        await_(soon())?;
        local.borrow_mut().push(thread::current().id());
        Ok::<_, Cancelled>(Rc::try_unwrap(local).expect("the only one").into_inner())
    });
    assert!(poll(&mut task).0.is_pending());
    // It goes to another thread in its midst.
    let there = thread::spawn(move || {
        gate.open();
        (thread::current().id(), block_on(task))
    });
    let (poller, ids) = there.join().expect("no panic");
    let ids = ids.expect("the host is there").expect("nobody drops it");
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0] && *id != poller && *id != thread::current().id()));
}

#[test]
fn nothing_happens_until_it_is_polled() {
    let host = new();
    let ran = Arc::new(AtomicUsize::new(0));
    let inside = ran.clone();
    drop(stackful_on(&host, move |_| inside.fetch_add(1, Ordering::Relaxed)));
    drop(host);
    assert_eq!((ran.load(Ordering::Relaxed), Arc::strong_count(&ran)), (0, 1));
}

#[test]
fn many_from_many_threads_share_a_host() {
    let host = new();
    let sums: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let host = &host;
                scope.spawn(move || {
                    let one = |i| stackful_on(host, move |cx: &Awaiter| cx.await_(soon()).map(|()| i));
                    (0..50).map(|i| block_on(one(n * i)).expect("the host is there").expect("nobody drops it")).sum()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(sums, [0, 1225, 2450, 3675]);
}

#[test]
fn a_host_that_is_dropped_ends_its_tasks_first() {
    let host = new();
    let (left, seen) = mpsc::channel();
    let mut tasks: Vec<_> = (0..5)
        .map(|i| {
            let left = left.clone();
            stackful_on(&host, move |cx| {
                let waited = cx.await_(pending::<()>());
                left.send((i, waited.map_err(|cancelled| cancelled.reason().clone()))).expect("it is received");
            })
        })
        .collect();
    let flags: Vec<_> = tasks.iter_mut().map(|task| poll(task).1).collect();
    // Each has begun: the host has nothing else to do before it answers this one.
    assert_eq!(block_on(stackful_on(&host, |_| 1)), Ok(1));
    drop(host);
    // All of them, in order, before the drop has returned.
    let all: Vec<_> = seen.try_iter().collect();
    assert_eq!(all, (0..5).map(|i| (i, Err(CancelReason::Dropped))).collect::<Vec<_>>());
    for (task, flag) in tasks.into_iter().zip(flags) {
        flag.wait();
        assert_eq!(block_on(task).map_err(|cancelled| cancelled.reason().clone()), Err(CancelReason::Dropped));
    }
}

#[test]
fn without_its_host_a_task_is_cancelled() {
    let host = new();
    let counted = Arc::new(());
    let inside = counted.clone();
    let task = stackful_on(&host, move |_| Arc::strong_count(&inside));
    drop(host);
    assert_eq!(block_on(task).map_err(|cancelled| cancelled.reason().clone()), Err(CancelReason::Dropped));
    assert_eq!(Arc::strong_count(&counted), 1, "the body that never ran is dropped");
}

#[test]
fn a_future_that_is_dropped_ends_its_body_on_its_own_thread() {
    let host = new();
    let (left, seen) = mpsc::channel();
    let mut task = stackful_on(&host, move |cx| {
        let thread = thread::current().id();
        left.send((thread, false)).expect("it is received");
        let waited = cx.await_(pending::<()>());
        left.send((thread::current().id(), waited.is_err())).expect("it is received");
    });
    assert!(poll(&mut task).0.is_pending());
    let (thread, _) = seen.recv().expect("it begins");
    drop(task);
    assert_eq!(seen.recv(), Ok((thread, true)));
    assert!(seen.recv().is_err(), "its channel's end is dropped with it");
    // Others go on.
    assert_eq!(block_on(stackful_on(&host, |_| await_(soon()))), Ok(Ok(())));
}

#[test]
fn a_host_may_be_dropped_by_a_task_of_its_own() {
    let host = Arc::new(Mutex::new(None));
    let inside = host.clone();
    *host.lock().expect("no panic inside") = Some(new());
    let task = {
        let host = host.lock().expect("no panic inside");
        stackful_on(host.as_ref().expect("it is there"), move |cx| {
            drop(inside.lock().expect("no panic inside").take());
            // It runs on to its next await, which comes to nothing.
            cx.await_(pending::<()>()).map_err(|cancelled| cancelled.reason().clone())
        })
    };
    assert_eq!(block_on(task).map_err(|cancelled| cancelled.reason().clone()), Err(CancelReason::Dropped));
}

#[test]
fn tasks_may_wait_for_others_on_the_same_host() {
    let host = Arc::new(new());
    let there = host.clone();
    let task = stackful_on(&host, move |cx| {
        let inner = |i| stackful_on(&there, move |cx| cx.await_(soon()).map(|()| i));
        let (a, b) = cx.await_(futures_lite::future::zip(inner(1), inner(2)))?;
        Ok::<i32, Cancelled>(a?? + b??)
    });
    assert_eq!(block_on(task), Ok(Ok(3)));
}

#[test]
fn the_hook_is_around_each_resume() {
    thread_local! {
        static INSIDE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    let inside = || INSIDE.with_borrow(|inside| !inside.is_empty());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let host = Host::builder().name("hooked").enter(move |resume| {
        counted.fetch_add(1, Ordering::Relaxed);
        INSIDE.with_borrow_mut(|inside| inside.push("hook"));
        resume();
        resume(); // nothing, the second time
        INSIDE.with_borrow_mut(Vec::pop);
    });
    let host = host.build().expect("a thread");
    let (left, seen) = mpsc::channel();
    let report = left.clone();
    let task = stackful_on(&host, move |cx| {
        assert_eq!(thread::current().name(), Some("hooked"));
        report.send(inside()).expect("it is received");
        cx.await_(soon()).expect("nobody drops it");
        report.send(inside()).expect("it is received");
    });
    assert_eq!(block_on(task), Ok(()));
    // And around the end of one that is dropped.
    let mut task = stackful_on(&host, move |cx| {
        let _ = cx.await_(pending::<()>());
        left.send(inside()).expect("it is received");
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    drop(host);
    assert_eq!(seen.iter().collect::<Vec<_>>(), [true; 3]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[test]
fn a_hook_that_forgets_to_resume_does_not_hang_the_task() {
    let host = Host::builder().enter(|_| {}).build().expect("a thread");
    assert_eq!(block_on(stackful_on(&host, |cx| cx.await_(soon()))), Ok(Ok(())));
}

#[test]
fn wakers_are_only_cloned_when_they_change() {
    let host = new();
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task: OnHost<_, _> = stackful_on(&host, move |cx| cx.await_(inside));
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    for _ in 0..3 {
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&flag), 3);
    }
    let (_, other) = poll(&mut task);
    assert_eq!(Arc::strong_count(&flag), 2);
    gate.open();
    other.wait();
    assert_eq!(flag.wakes(), 0);
    assert_eq!(block_on(task), Ok(Ok(())));
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_at_the_future_and_the_host_goes_on() {
    let host = new();
    let task = stackful_on(&host, |cx| {
        cx.await_(soon()).expect("nobody drops it");
        std::panic::panic_any("boom");
    });
    let payload = catch_unwind(AssertUnwindSafe(|| block_on::<OnHost<(), _>>(task))).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(block_on(stackful_on(&host, |_| 1)), Ok(1));
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_at_the_end_of_the_host_comes_out_too() {
    let host = new();
    let body = |cx: &Awaiter| cx.await_(pending::<()>()).expect("nobody drops it");
    let mut waits = stackful_on(&host, body);
    assert!(poll(&mut waits).0.is_pending());
    assert_eq!(block_on(stackful_on(&host, |_| 1)), Ok(1));
    drop(host);
    let payload = catch_unwind(AssertUnwindSafe(|| block_on(waits))).map(drop).expect_err("it panics");
    assert!(payload.downcast_ref::<String>().is_some_and(|words| words.contains("nobody drops it")));
}

/// A host whose hook panics then, once.
#[cfg(panic = "unwind")]
fn panicking_at_the_second_resume() -> Host {
    let mut calls = 0;
    let host = Host::builder().enter(move |resume| {
        calls += 1;
        if calls == 2 {
            std::panic::panic_any("in the hook");
        }
        resume();
    });
    host.build().expect("a thread")
}

#[cfg(panic = "unwind")]
#[test]
fn a_hook_that_panics_ends_the_task_with_that() {
    let host = panicking_at_the_second_resume();
    let left = Arc::new(AtomicUsize::new(0));
    let inside = left.clone();
    let task = stackful_on(&host, move |cx| {
        if cx.await_(soon()).is_err() {
            inside.fetch_add(1, Ordering::Relaxed);
        }
    });
    let payload = catch_unwind(AssertUnwindSafe(|| block_on(task))).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the hook"));
    assert_eq!(left.load(Ordering::Relaxed), 1);
    assert_eq!(block_on(stackful_on(&host, |_| 1)), Ok(1));
}

#[cfg(panic = "unwind")]
#[test]
fn what_panics_as_a_host_ends_keeps_nobody_else_waiting() {
    // Bodies that come when the host is about to end: one whose destructor panics, one whose future's waker does, and one more.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            let _ = Arc::into_inner(self);
        }
    }
    let place = Arc::new(Mutex::new(Some(new())));
    let (stopped, is_stopped) = mpsc::channel();
    let (go_on, may_end) = mpsc::channel::<()>();
    let inside = place.clone();
    let host = place.lock().expect("no panic inside");
    let on_it = host.as_ref().expect("it is there");
    let mut stops = stackful_on(on_it, move |_| {
        drop(inside.lock().expect("no panic inside").take());
        stopped.send(()).expect("it is received");
        let _ = may_end.recv();
    });
    let bomb = Bomb;
    let mut drops = stackful_on(on_it, move |_| drop(bomb));
    let (mut wakes, mut waits) = (stackful_on(on_it, |_| ()), stackful_on(on_it, |_| ()));
    drop(host);
    assert!(poll(&mut stops).0.is_pending());
    is_stopped.recv().expect("it is on its way");
    assert!(poll(&mut drops).0.is_pending());
    assert!(Pin::new(&mut wakes).poll(&mut Context::from_waker(&Waker::from(Arc::new(Bomb)))).is_pending());
    assert!(poll(&mut waits).0.is_pending());
    drop(go_on);
    for task in [block_on(waits), block_on(drops), block_on(wakes)] {
        assert_eq!(task.map_err(|cancelled| cancelled.reason().clone()), Err(CancelReason::Dropped));
    }
}

#[cfg(panic = "unwind")]
#[test]
fn the_hooks_panic_wins_over_what_its_task_leaves_with() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let host = panicking_at_the_second_resume();
    let task = stackful_on(&host, move |cx| {
        if cx.await_(soon()).is_err() {
            std::panic::panic_any(Bomb);
        }
    });
    let payload = catch_unwind(AssertUnwindSafe(|| block_on(task))).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the hook"));
    assert_eq!(block_on(stackful_on(&host, |_| 1)), Ok(1));
}

#[cfg(panic = "unwind")]
#[test]
fn polled_after_completion_it_panics_and_says_so() {
    let host = new();
    let mut task = stackful_on(&host, |_| 1);
    assert_eq!(block_on(&mut task), Ok(1));
    let payload = catch_unwind(AssertUnwindSafe(|| poll(&mut task))).map(drop).expect_err("it panics");
    assert!(payload.downcast_ref::<&str>().is_some_and(|words| words.contains("polled after it had completed")));
}
