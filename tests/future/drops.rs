//! Futures that are dropped, forgotten or unwound in their midst.

use crate::common::Log;
use crate::reports::reported;
#[cfg(panic = "unwind")]
use crate::support::apart;
use crate::support::{Gate, block_on, poll, soon};
use std::future::{pending, ready};
use std::io;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use switchback::CancelReason;
use switchback::future::{AwaitError, Stackful, await_or_unwind, try_await};
use switchback::stack::{GuardedStack, Stack};
use switchback::{Builder, Cancelled, Event, Generator, await_, set_report_hook, stackful};

fn reason<T>(result: Result<T, Cancelled>) -> Option<CancelReason> {
    result.err().map(|cancelled| cancelled.reason().clone())
}

#[test]
fn dropped_at_each_await_it_leaves_by_the_question_mark() {
    for free in [false, true] {
        for at in 0..4 {
            let log = Log::new();
            let inside = log.clone();
            let mut task = stackful(move |cx| {
                for step in 0..4 {
                    let _local = inside.dropper(format!("local{step}"));
                    let waited = if free { await_(soon()) } else { cx.await_(soon()) };
                    if let Err(cancelled) = &waited {
                        inside.push(format!("{:?}", cancelled.reason()));
                    }
                    waited?;
                }
                Ok::<(), Cancelled>(())
            });
            for _ in 0..=at {
                assert!(poll(&mut task).0.is_pending());
            }
            log.take();
            drop(task);
            assert_eq!(log.take(), format!("Dropped local{at}"));
        }
    }
}

#[test]
fn the_awaited_future_is_dropped_with_it() {
    let log = Log::new();
    let dropper = log.dropper("future");
    let inside = log.clone();
    let mut task = stackful(move |cx| {
        let waited = cx.await_(async move {
            let _inside = dropper;
            pending::<()>().await;
        });
        inside.push("then");
        waited
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "future then");
}

#[test]
fn forgotten_it_leaks_its_stack_and_harms_nobody() {
    let log = Log::new();
    let dropper = log.dropper("never");
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        let _local = dropper;
        cx.await_(inside)
    });
    let (_, flag) = poll(&mut task);
    std::mem::forget(task);
    for _ in 0..100 {
        assert_eq!(block_on(stackful(|_| await_(soon()).map(|()| std::hint::black_box([1_u8; 2000])[7]))), Ok(1));
    }
    gate.open();
    assert_eq!(flag.wakes(), 1, "its future is still there, and so is its waker");
    assert_eq!(log.take(), "");
}

#[test]
fn after_the_exit_all_awaits_are_refused_without_a_poll() {
    let log = Log::new();
    let inside = log.clone();
    let mut task = stackful(move |cx| {
        assert_eq!(reason(cx.await_(pending::<()>())), Some(CancelReason::Dropped));
        for _ in 0..10 {
            assert_eq!(reason(cx.await_(ready(()))), Some(CancelReason::Dropped));
            assert_eq!(reason(await_(async { panic!("it is not polled") })), Some(CancelReason::Dropped));
            assert!(matches!(try_await(ready(())), Err(AwaitError::Cancelled(_))));
        }
        // In a plain coroutine too.
        let mut co = Generator::new(|y| y.yield_(reason(await_(soon()))));
        assert_eq!(co.next(), Some(Some(CancelReason::Dropped)));
        inside.push("left by itself");
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "left by itself");
}

#[test]
fn in_an_io_error_it_is_the_source_and_never_interrupted() {
    let log = Log::new();
    let inside = log.clone();
    let mut task = stackful(move |_| {
        struct Slow;
        impl io::Read for Slow {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Ok(await_(pending::<usize>())?)
            }
        }
        // Were it Interrupted, this would never end.
        let error = io::read_to_string(Slow).expect_err("it is cancelled");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(error.get_ref().is_some_and(|source| source.is::<Cancelled>()));
        inside.push(error.to_string());
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "cancelled: what waits is being dropped");
}

#[test]
fn a_generator_in_its_midst_is_asked_to_leave_with_it() {
    let log = Log::new();
    let inside = log.clone();
    let mut task = stackful(move |_| {
        let log = inside.clone();
        let mut co = Generator::<i32>::new(move |y| {
            let _generator = log.dropper("generator");
            y.yield_(1)?;
            await_(pending::<()>())?;
            Ok(())
        });
        let _body = inside.dropper("body");
        assert_eq!(co.next(), Some(1));
        inside.push(format!("{:?}", co.resume().expect_err("the exit")));
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "generator Thrown(Exit) body");
}

#[test]
fn what_the_body_returns_when_it_is_dropped_may_await_in_its_destructor() {
    // By then the body has ended, and its stack is another's: what is awaited there is the business of whoever drops it.
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Awaits;
    impl Drop for Awaits {
        fn drop(&mut self) {
            match try_await(soon()) {
                Ok(()) => SEEN.fetch_add(1, Ordering::Relaxed),
                Err(AwaitError::Outside(_)) => SEEN.fetch_add(10, Ordering::Relaxed),
                Err(_) => SEEN.fetch_add(100, Ordering::Relaxed),
            };
        }
    }
    let suspended = || {
        let mut task = stackful(|cx| {
            let _ = cx.await_(pending::<()>());
            Awaits
        });
        assert!(poll(&mut task).0.is_pending());
        task
    };
    drop(suspended());
    assert_eq!(SEEN.load(Ordering::Relaxed), 10);
    let task = suspended();
    let mut outer = stackful(move |_| drop(task));
    let mut polls = 1;
    while poll(&mut outer).0.is_pending() {
        polls += 1;
    }
    assert_eq!((SEEN.load(Ordering::Relaxed), polls), (11, 2));
}

#[test]
fn a_stack_may_await_in_its_destructor() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Awaits(GuardedStack);
    // SAFETY: it is the other's memory, which it owns.
    unsafe impl Stack for Awaits {
        fn top(&self) -> NonNull<u8> {
            self.0.top()
        }
        fn limit(&self) -> NonNull<u8> {
            self.0.limit()
        }
    }
    impl Drop for Awaits {
        fn drop(&mut self) {
            SEEN.fetch_add(1 + usize::from(try_await(ready(())).is_ok()), Ordering::Relaxed);
        }
    }
    let on_it = || {
        let stack = Awaits(GuardedStack::new(256 * 1024).expect("a stack"));
        Builder::new().stack(stack).stackful(|cx| cx.await_(soon())).expect("a large one")
    };
    assert_eq!(block_on(on_it()), Ok(()));
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "outside");
    let mut task = on_it();
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(SEEN.load(Ordering::Relaxed), 2, "outside");
    assert_eq!(block_on(stackful(move |cx| cx.await_(on_it()))), Ok(Ok(())));
    assert_eq!(SEEN.load(Ordering::Relaxed), 4, "inside of the outer one");
}

#[test]
fn destructors_that_await_while_it_is_dropped_are_refused() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Awaits;
    impl Drop for Awaits {
        fn drop(&mut self) {
            if reason(await_(soon())) == Some(CancelReason::Dropped) {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let mut task = stackful(|cx| {
        let _one = Awaits;
        {
            let _two = Awaits;
            cx.await_(pending::<()>())
        }
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(SEEN.load(Ordering::Relaxed), 2);
}

#[test]
fn nested_ones_are_dropped_from_the_outside_in() {
    let log = Log::new();
    let inside = log.clone();
    let mut task = stackful(move |cx| {
        let _outer = inside.dropper("outer");
        let log = inside.clone();
        cx.await_(stackful(move |inner| {
            let _inner = log.dropper("inner");
            let waited = inner.await_(pending::<()>());
            log.push(format!("{:?}", waited.map_err(|cancelled| cancelled.reason().clone())));
        }))
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "Err(Dropped) inner outer");
}

/// One whose body goes on awaiting for ever.
fn stubborn(name: &str, log: &Log) -> Stackful<()> {
    reported(name);
    let inside = log.clone();
    Builder::new()
        .name(name)
        .stackful(move |_| {
            let _local = inside.dropper("local");
            loop {
                let _ = await_(soon());
            }
        })
        .expect("a stack")
}

#[cfg(panic = "unwind")]
#[test]
fn a_body_that_ignores_the_exit_is_unwound_and_reported() {
    let log = Log::new();
    let mut task = stubborn("stubborn", &log);
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "local");
    assert_eq!(reported("stubborn"), [Event::ExitIgnored]);
}

#[cfg(not(panic = "unwind"))]
#[test]
fn a_body_that_ignores_the_exit_is_leaked_and_reported() {
    let log = Log::new();
    let mut task = stubborn("stubborn", &log);
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "");
    assert_eq!(reported("stubborn"), [Event::ExitIgnored, Event::Leaked]);
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
}

#[cfg(not(panic = "unwind"))]
#[test]
fn one_that_can_only_leave_by_unwinding_is_leaked_and_reported() {
    reported("unwinds");
    let body = |_: &switchback::Awaiter| await_or_unwind(pending::<()>());
    let mut task = Builder::new().name("unwinds").stackful(body).expect("a stack");
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(reported("unwinds"), [Event::Leaked]);
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))), "it has given control away for good");
    assert_eq!(block_on(stackful(|_| await_(soon()))), Ok(()));
}

#[cfg(panic = "unwind")]
#[test]
fn one_that_stops_the_unwind_too_is_leaked_and_reported() {
    reported("very stubborn");
    let body = |_: &switchback::Awaiter| -> () {
        loop {
            let _ = catch_unwind(|| {
                loop {
                    let _ = await_(soon());
                }
            });
        }
    };
    let mut task = Builder::new().name("very stubborn").stackful(body).expect("a stack");
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(reported("very stubborn"), [Event::ExitIgnored, Event::Leaked]);
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
}

#[cfg(panic = "unwind")]
#[test]
fn the_report_hook_may_await() {
    // It runs in the midst of the drop, when the body has been asked and is suspended.
    use std::sync::Mutex;
    static SEEN: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    apart("drops::the_report_hook_may_await", || {
        set_report_hook(|_| {
            let waited = matches!(try_await(soon()), Ok(()));
            SEEN.lock().expect("no panic inside").push(waited);
        });
        let suspended = || {
            let mut task = stubborn_quietly();
            assert!(poll(&mut task).0.is_pending());
            task
        };
        drop(suspended());
        let task = suspended();
        block_on(stackful(move |_| drop(task)));
        assert_eq!(*SEEN.lock().expect("no panic inside"), [false, true], "outside, and inside of whoever drops it");
    });
    fn stubborn_quietly() -> Stackful<()> {
        Builder::new()
            .stackful(|_| {
                loop {
                    let _ = await_(soon());
                }
            })
            .expect("a stack")
    }
}

#[cfg(panic = "unwind")]
#[test]
fn await_or_unwind_leaves_by_an_unwind_of_its_own() {
    for free in [false, true] {
        let log = Log::new();
        let inside = log.clone();
        let mut task = stackful(move |cx| {
            let _body = inside.dropper("body");
            let mut items = vec![3, 1, 2];
            items.sort_by(|a, b| {
                let _callback = inside.dropper("callback");
                if free {
                    await_or_unwind(pending::<()>())
                } else {
                    cx.await_or_unwind(pending::<()>())
                };
                a.cmp(b)
            });
            items
        });
        assert!(poll(&mut task).0.is_pending());
        drop(task);
        assert_eq!(log.take(), "callback body");
    }
}

#[cfg(panic = "unwind")]
#[test]
fn it_passes_through_generators_and_for_loops() {
    let log = Log::new();
    let inside = log.clone();
    let mut task = stackful(move |_| {
        let _body = inside.dropper("body");
        let log = inside.clone();
        let items = Generator::new(move |y| {
            let _generator = log.dropper("generator");
            y.yield_(1)?;
            await_or_unwind(pending::<()>());
            y.yield_(2)
        });
        for item in items {
            inside.push(format!("item{item}"));
        }
        inside.push("not reached");
    });
    assert!(poll(&mut task).0.is_pending());
    drop(task);
    assert_eq!(log.take(), "item1 generator body");
}

#[cfg(panic = "unwind")]
#[test]
fn a_body_that_panics_when_it_is_dropped_panics_out_of_the_drop() {
    let mut task = stackful(|cx| cx.await_(pending::<()>()).expect("nobody drops it"));
    assert!(poll(&mut task).0.is_pending());
    let payload = catch_unwind(AssertUnwindSafe(|| drop(task))).expect_err("it panics");
    let words = payload.downcast_ref::<String>().expect("a message");
    assert!(words.contains("nobody drops it"), "{words}");
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_drops_suspended_ones_on_its_way() {
    let log = Log::new();
    let inside = log.clone();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut task = stackful(move |cx| {
            let _local = inside.dropper("local");
            let first = reason(cx.await_(pending::<()>()));
            inside.push(format!("{first:?}"));
            // The thread is panicking, and the body may be suspended no more.
            assert_eq!(reason(await_(soon())), Some(CancelReason::Dropped));
        });
        assert!(poll(&mut task).0.is_pending());
        std::panic::panic_any("boom");
    }));
    assert_eq!(result.expect_err("it panics").downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(log.take(), "Some(Dropped) local");
}

#[cfg(panic = "unwind")]
#[test]
fn a_destructor_that_awaits_while_its_body_panics_is_refused() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Awaits;
    impl Drop for Awaits {
        fn drop(&mut self) {
            if reason(await_(pending::<()>())) == Some(CancelReason::Panicking) {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
            // What is ready at once needs no suspension.
            if await_(ready(1)) == Ok(1) {
                SEEN.fetch_add(10, Ordering::Relaxed);
            }
        }
    }
    let task = stackful(|_| {
        let _local = Awaits;
        std::panic::panic_any("boom");
    });
    let result = catch_unwind(AssertUnwindSafe(|| block_on::<Stackful<(), _>>(task)));
    assert_eq!(result.expect_err("it panics").downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(SEEN.load(Ordering::Relaxed), 11);
}

#[cfg(panic = "unwind")]
#[test]
fn a_destructor_that_runs_because_of_a_panic_may_run_whole_tasks() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Runs;
    impl Drop for Runs {
        fn drop(&mut self) {
            if block_on(stackful(|cx| cx.await_(soon()).and_then(|()| await_(soon())))) == Ok(()) {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let inside = stackful(|_| {
        let _local = Runs;
        std::panic::panic_any("boom");
    });
    assert!(catch_unwind(AssertUnwindSafe(|| block_on::<Stackful<(), _>>(inside))).is_err());
    assert_eq!(SEEN.load(Ordering::Relaxed), 1);
}

#[cfg(panic = "unwind")]
#[test]
fn outside_of_a_body_a_destructor_that_awaits_during_a_panic_does_not_end_the_process() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    struct Awaits;
    impl Drop for Awaits {
        fn drop(&mut self) {
            if reason(await_(ready(()))) == Some(CancelReason::Outside) {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let result = catch_unwind(|| {
        let _local = Awaits;
        std::panic::panic_any("boom");
    });
    assert!(result.is_err());
    assert_eq!(SEEN.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_has_ended_is_dropped_without_ado() {
    let mut task = stackful(|_| 1);
    assert_eq!(poll(&mut task).0, Poll::Ready(1));
    drop(task);
}
