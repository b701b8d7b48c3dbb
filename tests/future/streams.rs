//! Coroutines as streams, and streams in coroutines.

use crate::common::Log;
use crate::reports::reported;
use crate::support::{Flag, Gate, block_on, soon};
use futures_lite::StreamExt;
use std::future::{pending, poll_fn};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use switchback::future::{Awaiter, Emitter, StackfulStream, stackful_stream, try_stackful_stream};
use switchback::{Builder, Cancelled, Generator, await_, stackful};

/// Polls once, with a waker that is new and gone when this returns.
fn poll<Y: 'static, F>(stream: &mut StackfulStream<Y, F>) -> (Poll<Option<Y>>, Arc<Flag>)
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
{
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    (stream.poll_next(&mut Context::from_waker(&waker)), flag)
}

/// All that is to come.
fn collect<Y: 'static, F>(mut stream: StackfulStream<Y, F>) -> Vec<Y>
where
    F: FnOnce(&Awaiter, &Emitter<Y>) -> Result<(), Cancelled> + 'static,
{
    block_on(async {
        let mut all = Vec::new();
        while let Some(item) = stream.next().await {
            all.push(item);
        }
        assert!(stream.next().await.is_none(), "it stays at its end");
        all
    })
}

#[test]
fn awaited_values_come_out_one_by_one() {
    let stream = stackful_stream(|cx, y| {
        for i in 0..3 {
            cx.await_(soon())?;
            y.yield_(i)?;
            y.yield_(i * 10)?;
            await_(soon())?;
        }
        Ok(())
    });
    assert_eq!(collect(stream), [0, 0, 1, 10, 2, 20]);
}

#[test]
fn items_of_every_shape_come_through() {
    let large = stackful_stream(|_, y| (0..3).try_for_each(|i| y.yield_([i; 500])));
    assert_eq!(collect(large).iter().map(|item| item[499]).collect::<Vec<_>>(), [0, 1, 2]);
    let zero = stackful_stream(|_, y| (0..3).try_for_each(|_| y.yield_(())));
    assert_eq!(collect(zero).len(), 3);
    let aligned = stackful_stream(|_, y| {
        #[repr(align(64))]
        struct Aligned(u8);
        y.yield_(Aligned(7).0)?;
        y.yield_(8)
    });
    assert_eq!(collect(aligned), [7, 8]);
    let boxed = stackful_stream(|_, y| y.yield_(Box::new("a box")));
    assert_eq!(*collect(boxed)[0], "a box");
}

#[test]
fn items_are_handed_out_by_functions_and_recursion_and_generators_inside() {
    fn walk(y: &Emitter<u32>, low: u32, high: u32) -> Result<(), Cancelled> {
        if low < high {
            let middle = (low + high) / 2;
            walk(y, low, middle)?;
            await_(soon())?;
            y.yield_(middle)?;
            walk(y, middle + 1, high)?;
        }
        Ok(())
    }
    assert_eq!(collect(stackful_stream(|_, y| walk(y, 0, 50))), (0..50).collect::<Vec<_>>());
    // Two levels: a plain generator that awaits, inside of a stream.
    let pairs = stackful_stream(|_, y| {
        let words = Generator::new(|inner| {
            for word in ["one", "two"] {
                await_(soon()).expect("nobody drops it");
                inner.yield_(word)?;
            }
            Ok(())
        });
        words.into_iter().try_for_each(|word| y.yield_(word))
    });
    assert_eq!(collect(pairs), ["one", "two"]);
}

#[test]
fn after_an_item_the_next_await_has_the_newest_waker() {
    let gates = [Gate::new(), Gate::new()];
    let [first, second] = gates.clone();
    let mut stream = stackful_stream(move |cx, y| {
        cx.await_(first)?;
        y.yield_(1)?;
        cx.await_(second)?;
        y.yield_(2)
    });
    let (polled, flag) = poll(&mut stream);
    assert!(polled.is_pending());
    gates[0].open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some(1)));
    let (polled, flag) = poll(&mut stream);
    assert!(polled.is_pending());
    gates[1].open();
    assert_eq!(flag.wakes(), 1, "not the one of the poll that got the item");
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some(2)));
    assert_eq!(poll(&mut stream).0, Poll::Ready(None));
    assert_eq!(poll(&mut stream).0, Poll::Ready(None));
}

#[test]
fn an_item_out_of_the_midst_of_a_poll_makes_that_poll_again() {
    let gate = Gate::new();
    let mut inside = gate.clone();
    let mut stream = stackful_stream(move |cx, y| {
        let mut is_first = true;
        cx.await_(poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut inside).poll(context);
            if std::mem::take(&mut is_first) {
                y.yield_("from a poll").expect("nobody drops it");
            }
            polled
        }))?;
        y.yield_("after it")
    });
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some("from a poll")));
    let (polled, flag) = poll(&mut stream);
    assert!(polled.is_pending());
    gate.open();
    assert_eq!(flag.wakes(), 1);
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some("after it")));
}

#[test]
fn dropped_at_an_item_or_an_await_it_leaves_by_the_question_mark() {
    for polls in 1..=4 {
        let log = Log::new();
        let inside = log.clone();
        let mut stream = stackful_stream(move |cx, y| {
            let _local = inside.dropper("local");
            for i in 0..5 {
                cx.await_(soon())?;
                y.yield_(inside.dropper(format!("item{i}")))?;
            }
            Ok(())
        });
        for _ in 0..polls {
            drop(poll(&mut stream));
        }
        log.take();
        drop(stream);
        assert_eq!(log.take(), "local");
    }
}

#[test]
fn what_is_yielded_after_the_exit_is_refused_and_dropped() {
    let log = Log::new();
    let inside = log.clone();
    let mut stream = stackful_stream(move |cx, y| {
        let _ = cx.await_(pending::<()>());
        assert!(y.yield_(inside.dropper("refused")).is_err());
        inside.push("then");
        Ok(())
    });
    assert!(poll(&mut stream).0.is_pending());
    drop(stream);
    assert_eq!(log.take(), "refused then");
}

#[cfg(panic = "unwind")]
#[test]
fn one_that_yields_for_ever_is_unwound_and_reported() {
    reported("endless");
    let log = Log::new();
    let dropper = log.dropper("local");
    let body = move |_: &Awaiter, y: &Emitter<i32>| {
        let _local = dropper;
        loop {
            let _ = y.yield_(1);
        }
    };
    let mut stream = Builder::new().name("endless").stackful_stream(body).expect("a stack");
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some(1)));
    drop(stream);
    assert_eq!(log.take(), "local");
    assert_eq!(reported("endless"), [switchback::Event::ExitIgnored]);
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_of_the_poll_and_ends_the_stream() {
    let mut stream = stackful_stream(|_, y| {
        y.yield_(1)?;
        std::panic::panic_any("boom")
    });
    assert_eq!(poll(&mut stream).0, Poll::Ready(Some(1)));
    let payload = catch_unwind(AssertUnwindSafe(|| poll(&mut stream))).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(poll(&mut stream).0, Poll::Ready(None));
}

#[test]
fn one_that_was_never_polled_drops_its_body_and_its_stack_can_be_had_first() {
    let log = Log::new();
    for first in [false, true] {
        let dropper = log.dropper("body");
        let body = move |_: &Awaiter, y: &Emitter<i32>| {
            let _dropper = dropper;
            y.yield_(1)
        };
        if first {
            drop(try_stackful_stream(body).expect("a stack"))
        } else {
            drop(stackful_stream(body))
        };
        assert_eq!(log.take(), "body");
    }
}

#[test]
fn streams_are_consumed_inside_of_bodies() {
    let sum = stackful(|cx| {
        let mut numbers = stackful_stream(|cx, y| {
            for i in 1..=4 {
                cx.await_(soon())?;
                y.yield_(i)?;
            }
            Ok(())
        });
        let mut sum = 0;
        while let Some(i) = cx.await_(numbers.next())? {
            sum += i;
        }
        Ok::<i32, Cancelled>(sum)
    });
    assert_eq!(block_on(sum), Ok(10));
}

#[test]
fn adapters_of_others_take_it() {
    let mut numbers = stackful_stream(|_, y| (0..10).try_for_each(|i| y.yield_(i)));
    let stream = futures_lite::stream::poll_fn(move |cx| numbers.poll_next(cx));
    assert_eq!(block_on(stream.skip(2).step_by(3).collect::<Vec<_>>()), [2, 5, 8]);
}

#[cfg(feature = "stream")]
#[test]
fn it_is_a_stream_by_trait() {
    let stream = stackful_stream(|cx, y| {
        cx.await_(soon())?;
        (0..4).try_for_each(|i| y.yield_(i))
    });
    assert_eq!(block_on(stream.map(|i| i * i).collect::<Vec<_>>()), [0, 1, 4, 9]);
}
