//! Wakers that do more than wake: their destructors await and panic, and no clone is like the original.

use crate::support::{Gate, block_on, poll, soon};
use std::future::{Future, poll_fn};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use switchback::CancelReason;
#[cfg(panic = "unwind")]
use switchback::future::{AwaitError, try_await};
use switchback::future::{Host, stackful_stream};
use switchback::{Generator, await_, stackful, stackful_on};

#[test]
fn a_wakers_destructor_may_await() {
    // A waker that is replaced is dropped by the body that it was given to: what its destructor awaits suspends that.
    struct Awaits(AtomicUsize);
    impl Wake for Awaits {
        fn wake(self: Arc<Self>) {}
    }
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    impl Drop for Awaits {
        fn drop(&mut self) {
            if self.0.load(Ordering::Relaxed) == 1 && await_(soon()).is_ok() {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        cx.await_(inside)?;
        cx.await_(soon())
    });
    let special = Arc::new(Awaits(AtomicUsize::new(1)));
    let waker = Waker::from(special.clone());
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    drop((special, waker));
    gate.open(); // uses up the gate's clone, so that the body has the last one
    let mut polls = 0;
    while poll(&mut task).0.is_pending() {
        polls += 1;
    }
    assert_eq!(
        (DROPPED.load(Ordering::Relaxed), polls),
        (1, 2),
        "it waited in the destructor, and then for what it came to"
    );
}

#[test]
fn at_the_end_of_a_body_the_destructor_of_its_waker_may_await_no_more() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    /// The original has no data. Each clone is told from it, and awaits when it is dropped.
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new((&raw const TABLE).cast(), &TABLE),
        |_| {},
        |_| {},
        |data| {
            if !data.is_null() {
                let refused = await_(soon()).is_err_and(|cancelled| *cancelled.reason() == CancelReason::Dropped);
                SEEN.fetch_add(if refused { 1 } else { 100 }, Ordering::Relaxed);
            }
        },
    );
    // SAFETY: its functions touch no data, and may be called anywhere.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    let mut task = stackful(|cx| cx.await_(std::future::ready(())));
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(SEEN.load(Ordering::Relaxed), 1, "the body's, at its end");
    let mut task = stackful(|cx| cx.await_(std::future::pending::<()>()));
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(task);
    assert_eq!(SEEN.load(Ordering::Relaxed), 2, "and when it is dropped");
}

/// Wakers each of which is told from all others, and knows whether it has been dropped.
mod distinct {
    use super::*;

    /// Kept for ever, so that a use after the drop is seen and does no harm.
    static ALL: Mutex<Vec<&AtomicBool>> = Mutex::new(Vec::new());
    static WRONG: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            see(data, true);
            one()
        },
        |data| see(data, false),
        |data| see(data, true),
        |data| see(data, false),
    );

    fn one() -> RawWaker {
        let alive: &AtomicBool = Box::leak(Box::new(AtomicBool::new(true)));
        ALL.lock().expect("no panic inside").push(alive);
        RawWaker::new(std::ptr::from_ref(alive).cast(), &TABLE)
    }

    fn see(data: *const (), stays: bool) {
        // SAFETY: it is one of ALL, which are kept.
        let was_alive = unsafe { &*data.cast::<AtomicBool>() }.swap(stays, Ordering::Relaxed);
        WRONG.fetch_add(usize::from(!was_alive), Ordering::Relaxed);
    }

    pub(super) fn waker() -> Waker {
        // SAFETY: its functions go by the contract, and tell if others do not.
        unsafe { Waker::from_raw(one()) }
    }

    /// How many have been used or dropped after their end, and how many have not been dropped.
    pub(super) fn wrong_and_left() -> (usize, usize) {
        let left = ALL.lock().expect("no panic inside").iter().filter(|alive| alive.load(Ordering::Relaxed)).count();
        (WRONG.load(Ordering::Relaxed), left)
    }
}

#[test]
fn every_waker_is_dropped_once_and_used_before() {
    let task = |panics: bool| {
        stackful(move |cx| {
            let mut rounds = 0;
            cx.await_(soon())?;
            cx.await_(poll_fn(|context| {
                rounds += 1;
                await_(std::future::ready(()))?;
                cx.await_(std::future::ready(()))?;
                nested_panic(panics);
                if rounds == 2 {
                    await_(soon())?;
                }
                if rounds > 3 {
                    return Poll::Ready(Ok(()));
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }))??;
            // One that is left in the midst, and ended when others have taken their turn.
            let mut is_first = true;
            let mut co = Generator::<u8>::new(move |y| {
                let future = poll_fn(|_| {
                    if std::mem::take(&mut is_first) {
                        let _ = y.yield_(0);
                    }
                    Poll::Ready(())
                });
                await_(future).map_err(|_| switchback::Thrown::Exit)?;
                y.yield_(1)
            });
            co.next();
            await_(soon())?;
            cx.await_(soon())?;
            co.next();
            await_(soon())?;
            cx.await_(soon())
        })
    };
    for panics in [false, cfg!(panic = "unwind")] {
        for is_new in [false, true] {
            for polls in [3, usize::MAX] {
                let mut task = task(panics);
                let mut waker = distinct::waker();
                for _ in 0..polls {
                    if Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_ready() {
                        break;
                    }
                    if is_new {
                        waker = distinct::waker();
                    }
                }
                drop((task, waker));
                assert_eq!(distinct::wrong_and_left(), (0, 0), "{panics} {is_new} {polls}");
            }
        }
    }
}

#[cfg(panic = "unwind")]
fn nested_panic(panics: bool) {
    let caught = catch_unwind(|| await_(poll_fn(|_| if panics { std::panic::panic_any(1) } else { Poll::Ready(()) })));
    assert_eq!(caught.is_err(), panics);
}

#[cfg(not(panic = "unwind"))]
fn nested_panic(_: bool) {}

#[cfg(panic = "unwind")]
#[test]
fn a_wakers_destructor_may_panic() {
    /// The original has no data. Clones are told from it, and panic when they are dropped.
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new((&raw const TABLE).cast(), &TABLE),
        |_| {},
        |_| {},
        |data| {
            if !data.is_null() {
                std::panic::panic_any("in a waker");
            }
        },
    );
    // SAFETY: its functions touch no data, and may be called anywhere.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    let mut context = Context::from_waker(&waker);
    // At the body's end, and where another replaces it.
    let mut ends = stackful(|cx| cx.await_(std::future::ready(())));
    let mut waits = stackful(|_| await_(std::future::pending::<()>()));
    assert!(Pin::new(&mut waits).poll(&mut context).is_pending());
    let at_end = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut ends).poll(&mut context).is_ready()));
    let replaced = catch_unwind(AssertUnwindSafe(|| poll(&mut waits).0.is_ready()));
    for result in [at_end, replaced] {
        assert_eq!(result.expect_err("it panics").downcast_ref::<&str>(), Some(&"in a waker"));
    }
    drop((ends, waits));
    assert!(matches!(try_await(soon()), Err(AwaitError::Outside(_))), "and no body runs any more");
}

#[cfg(panic = "unwind")]
#[test]
fn after_a_wakers_clone_has_panicked_the_old_one_is_not_used() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    static WAKES: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            if PANICS.swap(false, Ordering::Relaxed) {
                std::panic::panic_any("in a clone");
            }
            RawWaker::new(data, &TABLE)
        },
        |_| _ = WAKES.fetch_add(1, Ordering::Relaxed),
        |_| _ = WAKES.fetch_add(1, Ordering::Relaxed),
        |_| {},
    );
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        let panicked = catch_unwind(AssertUnwindSafe(|| cx.await_(std::future::pending::<()>())));
        assert!(panicked.is_err());
        cx.await_(inside)
    });
    let (polled, old) = poll(&mut task);
    assert!(polled.is_pending());
    // SAFETY: its functions touch no data, and may be called anywhere.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    gate.open();
    assert_eq!((old.wakes(), WAKES.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok(())));
}

#[test]
fn a_wakers_clone_may_wait_for_a_host() {
    static HOST: LazyLock<Host> = LazyLock::new(|| Host::new().expect("a thread"));
    static CLONED: AtomicBool = AtomicBool::new(false);
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            CLONED.store(true, Ordering::Relaxed);
            // The host ends the first task before it begins this one, and must not find locked what it keeps its promise with.
            assert_eq!(block_on(stackful_on(&HOST, |_| 1)), Ok(1));
            RawWaker::new(data, &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    // SAFETY: its functions touch no data, and may be called anywhere.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) };
    let mut task = stackful_on(&HOST, |_| {
        while !CLONED.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        2
    });
    assert_eq!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(2)));
}

#[test]
fn a_future_that_replaces_the_context_does_harm_until_the_next_poll_and_no_more() {
    // As under `.await`, where all futures of one poll share the context.
    let poison = || {
        poll_fn(|context| {
            *context = Context::from_waker(Waker::noop());
            Poll::Ready(())
        })
    };
    let pause = || {
        let mut is_first = true;
        poll_fn(move |_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) })
    };
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| {
        cx.await_(poison())?;
        cx.await_(pause())?;
        cx.await_(inside)
    });
    // With the same waker each time: an own one that is still right is kept.
    let flag = crate::support::Flag::new();
    let waker = Waker::from(flag.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    gate.open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(Pin::new(&mut task).poll(&mut cx), Poll::Ready(Ok(())));

    let gate = Gate::new();
    let inside = gate.clone();
    let mut items = stackful_stream(move |cx, y| {
        cx.await_(poison())?;
        y.yield_(1)?;
        cx.await_(inside)?;
        y.yield_(2)
    });
    assert_eq!(items.poll_next(&mut cx), Poll::Ready(Some(1)));
    assert!(items.poll_next(&mut cx).is_pending());
    gate.open();
    assert_eq!(flag.wakes(), 2);
    assert_eq!(items.poll_next(&mut cx), Poll::Ready(Some(2)));
}
