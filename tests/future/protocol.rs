//! What a stackful future is, where nothing goes wrong; and what is refused.

use crate::common::Log;
use crate::support::{Gate, block_on, poll, soon};
use std::cell::RefCell;
use std::future::{IntoFuture, Ready, ready};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::Poll;
use switchback::future::{AwaitError, Awaiter, Stackful, try_await, try_stackful};
use switchback::stack::ProvidedStack;
use switchback::{Builder, Cancelled, await_, stackful};

#[test]
fn what_is_ready_at_once_suspends_nothing() {
    let mut sum = stackful(|cx| cx.await_(ready(1)).and_then(|a| Ok(a + await_(ready(2))?)));
    assert_eq!(poll(&mut sum).0, Poll::Ready(Ok(3)));
}

#[test]
fn what_is_pending_suspends_and_is_woken() {
    let gate = Gate::new();
    let inside = gate.clone();
    let mut task = stackful(move |cx| cx.await_(inside).map(|()| "through"));
    let (polled, flag) = poll(&mut task);
    assert_eq!((polled, flag.wakes()), (Poll::Pending, 0));
    gate.open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(poll(&mut task).0, Poll::Ready(Ok("through")));
}

#[inline(never)]
fn bottom(cx: Option<&Awaiter>) -> Result<(), Cancelled> {
    match cx {
        Some(cx) => cx.await_(soon()),
        None => await_(soon()),
    }
}

#[inline(never)]
fn deep(cx: Option<&Awaiter>, depth: u32) -> Result<u32, Cancelled> {
    if depth == 0 {
        return bottom(cx).map(|()| 0);
    }
    Ok(std::hint::black_box(deep(cx, depth - 1)?) + 1)
}

#[test]
fn awaits_are_possible_at_any_depth_by_either_way() {
    assert_eq!(block_on(stackful(|cx| deep(Some(cx), 100))), Ok(100));
    assert_eq!(block_on(stackful(|_| deep(None, 100))), Ok(100));
}

#[test]
fn whatever_becomes_a_future_can_be_awaited() {
    struct Later(&'static str);
    impl IntoFuture for Later {
        type Output = &'static str;
        type IntoFuture = Ready<&'static str>;
        fn into_future(self) -> Self::IntoFuture {
            ready(self.0)
        }
    }
    let both =
        stackful(|cx| [cx.await_(Later("by cx")), await_(Later("freely")), try_await(Later("try")).map_err(drop_it)]);
    assert_eq!(block_on(both), [Ok("by cx"), Ok("freely"), Ok("try")]);

    fn drop_it<F>(error: AwaitError<F>) -> Cancelled {
        match error {
            AwaitError::Cancelled(cancelled) => cancelled,
            _ => panic!("it is inside"),
        }
    }
}

#[test]
fn futures_borrow_from_the_body_and_are_pinned_there() {
    let words = stackful(|cx| {
        let mut words = vec!["a".to_owned()];
        // Not Unpin, and holds a borrow across its own await.
        cx.await_(async {
            let first = words[0].clone();
            soon().await;
            words.push(first + "b");
        })?;
        Ok::<_, Cancelled>(words.join(" "))
    });
    assert_eq!(block_on(words), Ok("a ab".to_owned()));
}

#[test]
fn outputs_of_every_shape_come_through() {
    let large = stackful(|cx| {
        cx.await_(async {
            soon().await;
            [7_u8; 3000]
        })
    });
    assert_eq!(block_on(large), Ok([7; 3000]));
    let zero = stackful(|cx| cx.await_(soon()));
    assert_eq!(block_on(zero), Ok(()));
    let boxed = stackful(|cx| {
        cx.await_(async {
            soon().await;
            Box::new(5)
        })
    });
    assert_eq!(block_on(boxed), Ok(Box::new(5)));
    let pad = [3_u8; 5000];
    assert_eq!(block_on(stackful(move |_| pad.len())), 5000, "a large body is boxed");
}

#[test]
fn it_may_be_moved_between_polls() {
    let gates = [Gate::new(), Gate::new()];
    let inside = gates.clone();
    let mut first = stackful(move |cx| {
        let local = RefCell::new(1);
        for gate in inside {
            cx.await_(gate)?;
            *local.borrow_mut() *= 10;
        }
        Ok::<i32, Cancelled>(local.into_inner())
    });
    assert!(poll(&mut first).0.is_pending());
    let mut second = Box::new(first);
    gates[0].open();
    assert!(poll(&mut second).0.is_pending());
    let mut third = [*second];
    gates[1].open();
    assert_eq!(poll(&mut third[0]).0, Poll::Ready(Ok(100)));
}

#[test]
fn many_wait_at_once_on_one_thread() {
    const MANY: usize = if cfg!(target_pointer_width = "64") { 2_000 } else { 500 };
    let mut tasks: Vec<Pin<Box<dyn Future<Output = usize>>>> = Vec::new();
    for i in 0..MANY {
        tasks.push(Box::pin(stackful(move |cx| {
            (0..3).for_each(|_| cx.await_(soon()).expect("nobody drops it"));
            i
        })));
    }
    let mut sum = 0;
    while !tasks.is_empty() {
        tasks.retain_mut(|task| match poll(task).0 {
            Poll::Ready(i) => {
                sum += i;
                false
            }
            Poll::Pending => true,
        });
    }
    assert_eq!(sum, MANY * (MANY - 1) / 2);
}

#[test]
fn one_that_was_never_polled_drops_its_body_and_ran_nothing() {
    let log = Log::new();
    let (dropper, inside) = (log.dropper("body"), log.clone());
    let task = stackful(move |_| {
        let _dropper = dropper;
        inside.push("ran");
    });
    drop(task);
    assert_eq!(log.take(), "body");
    // The same where it has its stack already.
    let (dropper, inside) = (log.dropper("body"), log.clone());
    let task = try_stackful(move |_| {
        let _dropper = dropper;
        inside.push("ran");
    });
    drop(task.expect("a stack"));
    assert_eq!(log.take(), "body");
}

#[test]
fn builders_name_it_and_size_its_stack() {
    let mut task: Stackful<Result<(), Cancelled>> =
        Builder::new().name("worker").stack_size(1 << 20).stackful(|cx| cx.await_(Gate::new())).expect("a stack");
    assert!(poll(&mut task).0.is_pending());
    let debug = format!("{task:?}");
    assert!(debug.contains("\"worker\"") && debug.contains("protocol.rs"), "{debug}");
    let fresh = format!("{:?}", stackful(|_| ()));
    assert!(fresh.contains("protocol.rs"), "{fresh}");
}

#[test]
fn without_a_stack_the_body_comes_back() {
    let mut memory = [0_u8; 64];
    // SAFETY: it is refused as too small, so nothing runs on it.
    let tiny = unsafe { ProvidedStack::new(NonNull::from(&mut memory).cast(), 64) };
    let refused = Builder::new().stack(tiny).stackful(|_| "the body").expect_err("it is too small");
    assert!(refused.to_string().contains("64 usable bytes"), "{refused}");
    assert_eq!(block_on(stackful(refused.into_body())), "the body");
    let too_large = Builder::new().stack_size(usize::MAX).stackful(|_| ()).expect_err("nobody has that");
    assert!(too_large.to_string().contains("largest"), "{too_large}");
}

#[test]
fn bodies_borrow_nothing_but_share() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let tasks = [1, 2].map(|name| {
        let log = log.clone();
        stackful(move |cx| {
            for step in 0..2 {
                log.borrow_mut().push((name, step));
                cx.await_(soon()).expect("nobody drops it");
            }
        })
    });
    let [a, b] = tasks;
    block_on(futures_lite::future::zip(a, b));
    assert_eq!(*log.borrow(), [(1, 0), (2, 0), (1, 1), (2, 1)]);
}

#[test]
fn outside_of_a_body_the_future_comes_back() {
    let gate = Gate::new();
    let back = match try_await(gate) {
        Err(AwaitError::Outside(gate)) => gate,
        other => panic!("{other:?}"),
    };
    back.open();
    block_on(back);
    let error = try_await(ready(1)).expect_err("also if it is ready");
    assert_eq!(format!("{error:?}"), "Outside(..)");
    assert!(error.to_string().contains("run what calls it inside switchback::stackful"), "{error}");
}

#[cfg(panic = "unwind")]
#[test]
fn outside_of_a_body_await_panics_and_says_what_to_do() {
    let payload = catch_unwind(|| await_(ready(1))).expect_err("it panics");
    let words = payload.downcast_ref::<String>().expect("a message");
    assert!(
        words.contains("outside of any stackful body") && words.contains("switchback::stackful(|cx| ..)"),
        "{words}"
    );
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_of_the_poll_with_its_payload() {
    let log = Log::new();
    let dropper = log.dropper("local");
    let mut task = stackful(move |cx| {
        let _local = dropper;
        cx.await_(soon()).expect("nobody drops it");
        std::panic::panic_any("boom")
    });
    assert!(poll::<Stackful<(), _>>(&mut task).0.is_pending());
    let payload = catch_unwind(AssertUnwindSafe(|| poll(&mut task))).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(log.take(), "local");
    // From then on it is over, and says so.
    let payload = catch_unwind(AssertUnwindSafe(|| poll(&mut task))).map(drop).expect_err("it panics again");
    let words = payload.downcast_ref::<String>().expect("a message");
    assert!(words.contains("polled after it had panicked"), "{words}");
    // And whoever ran it is outside again.
    assert!(matches!(try_await(ready(())), Err(AwaitError::Outside(_))));
}

#[cfg(panic = "unwind")]
#[test]
fn polled_after_completion_it_panics_and_says_so() {
    let mut task = stackful(|_| 1);
    assert_eq!(poll(&mut task).0, Poll::Ready(1));
    let payload = catch_unwind(AssertUnwindSafe(|| poll(&mut task))).map(drop).expect_err("it panics");
    let words = payload.downcast_ref::<&str>().expect("a message");
    assert!(words.contains("polled after it had completed"), "{words}");
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_in_a_poll_can_be_caught_by_the_body() {
    let mut panics = true;
    let task = stackful(move |cx| {
        let mut round = || {
            catch_unwind(AssertUnwindSafe(|| {
                cx.await_(async {
                    soon().await;
                    if std::mem::take(&mut panics) {
                        std::panic::panic_any("in a poll");
                    }
                })
            }))
        };
        let first = round().expect_err("it panics");
        assert_eq!(first.downcast_ref::<&str>(), Some(&"in a poll"));
        assert!(round().is_ok(), "and the next await works");
        await_(soon())
    });
    assert_eq!(block_on(task), Ok(()));
}
