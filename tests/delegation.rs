//! `yield from` (PEP 380), between nested frames, iterators, and coroutines that have stacks of their own.
//!
//! The numbers in brackets are rows of CPython's behaviour as its own tests pin it.

mod common;

use common::Log;
use std::cell::RefCell;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Builder, CloseError, Coroutine, Generator, Misuse, SendError, State, Thrown, Yielder};

/// A coroutine that can be thrown words.
type Co<R = i32> = Coroutine<i32, i32, R, &'static str>;

type Result<T, E = Thrown<&'static str>> = std::result::Result<T, E>;

type Y = Yielder<i32, i32, &'static str>;

/// Yields 1, then what it is sent; on an error or an exit does what `on` says.
fn sub(on: fn(&Y, Thrown<&'static str>) -> Result<i32>) -> Co {
    Coroutine::throwing(move |y| {
        let mut x = 1;
        loop {
            match y.yield_(x) {
                Ok(99) => return Ok(42),
                Ok(sent) => x = sent,
                Err(thrown) => return on(y, thrown),
            }
        }
    })
}

/// One that delegates to `inner`, yields the outcome's value plus 1,000, or what `caught` makes of its error.
fn outer(mut inner: Co, caught: fn(Thrown<&'static str>) -> Result<i32>) -> Co {
    Coroutine::throwing(move |y| {
        let value = y.yield_from(&mut inner).or_else(caught)?;
        y.yield_(1000 + value)
    })
}

#[test]
fn the_value_of_the_expression_is_what_the_delegate_returns() {
    // [51, 52, 61]
    let mut co = outer(sub(|_, t| Err(t)), Err);
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.send(7), Ok(Yielded(7)), "sent to the innermost");
    assert_eq!(co.resume(), Ok(Yielded(0)), "next is next to the innermost");
    assert_eq!(co.send(99), Ok(Yielded(1042)));
    assert_eq!(co.send(5), Ok(Complete(5)));
}

#[test]
fn a_delegate_may_be_new_started_or_finished() {
    // [58, 59]
    let mut started = sub(|_, t| Err(t));
    assert_eq!(started.start(), Ok(Yielded(1)));
    let mut co = outer(started, Err);
    assert_eq!(co.start(), Ok(Yielded(0)), "it goes on where it was");
    assert_eq!(co.send(3), Ok(Yielded(3)));

    let mut finished = sub(|_, t| Err(t));
    finished.close().expect("it has not started");
    let mut co =
        outer(finished, |thrown| if thrown == Thrown::Misuse(Misuse::Finished) { Ok(-1) } else { Err(thrown) });
    assert_eq!(co.start(), Ok(Yielded(999)));
}

#[test]
fn the_first_value_of_yield_from_with_goes_to_the_delegate() {
    let mut inner = sub(|_, t| Err(t));
    inner.start().expect("starts");
    let mut co = Co::throwing(move |y| y.yield_from_with(99, &mut inner));
    assert_eq!(co.start(), Ok(Complete(42)));
}

#[test]
fn a_failure_of_the_delegate_is_raised_at_the_delegation() {
    // [60, 62, 65]
    let failing = Co::throwing(|_| Err(Thrown::Error("at once")));
    let mut co = outer(failing, |thrown| if thrown == Thrown::Error("at once") { Ok(1) } else { Err(thrown) });
    assert_eq!(co.start(), Ok(Yielded(1001)));
    let mut uncaught = outer(Co::throwing(|_| Err(Thrown::Error("at once"))), Err);
    assert_eq!(uncaught.start(), Err(SendError::Thrown(Thrown::Error("at once"))));
}

#[test]
fn a_thrown_error_goes_to_the_innermost_which_may_yield() {
    // [63]
    let mut co = outer(
        sub(|y, _| {
            y.yield_(5)?;
            Ok(6)
        }),
        Err,
    );
    co.start().expect("starts");
    assert_eq!(co.throw("x"), Ok(Yielded(5)));
    assert!(co.delegate().is_some(), "it still delegates");
    assert_eq!(co.send(0), Ok(Yielded(1006)));
}

#[test]
fn a_thrown_error_goes_to_the_innermost_which_may_return() {
    // [64]
    let mut co = outer(sub(|_, _| Ok(6)), Err);
    co.start().expect("starts");
    assert_eq!(co.throw("x"), Ok(Yielded(1006)));
}

#[test]
fn a_thrown_error_that_the_innermost_does_not_catch_is_raised_at_each_delegation() {
    // [65, 66]
    let mut caught = outer(sub(|_, t| Err(t)), |thrown| if thrown == Thrown::Error("x") { Ok(7) } else { Err(thrown) });
    caught.start().expect("starts");
    assert_eq!(caught.throw("x"), Ok(Yielded(1007)));
    let mut uncaught = outer(outer(sub(|_, t| Err(t)), Err), Err);
    uncaught.start().expect("starts");
    assert_eq!(uncaught.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
    assert_eq!(uncaught.state(), State::Finished);
}

#[test]
fn an_exit_closes_the_delegate_first_and_is_then_raised_in_the_delegator() {
    // [67, 71]
    let log = Log::new();
    let (a, b) = (log.clone(), log.clone());
    let mut inner = Generator::<i32>::new(move |y| {
        let _local = a.dropper("inner");
        y.yield_(1)?;
        Ok(())
    });
    let mut co = Generator::<i32>::new(move |y| {
        let _local = b.dropper("outer");
        let end = y.yield_from(&mut inner);
        b.push(format!("{end:?}"));
        end
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
    assert_eq!(log.take(), "inner Err(Exit) outer");
}

#[test]
fn a_delegate_that_swallows_the_exit_and_returns_does_not_keep_it_from_the_delegator() {
    // [68, 72]
    for close in [true, false] {
        let mut co = outer(sub(|_, _| Ok(6)), |thrown| if thrown == Thrown::Exit { Ok(8) } else { Err(thrown) });
        co.start().expect("starts");
        if close {
            assert_eq!(co.close(), Err(CloseError::Ignored(1008)));
        } else {
            assert_eq!(co.throw_exit(), Ok(Yielded(1008)));
        }
        assert_eq!(co.send(3), Ok(Complete(3)));
    }
}

#[test]
fn an_error_that_the_delegate_raises_on_the_exit_takes_its_place() {
    // [69, 73]
    let mut co = outer(sub(|_, _| Err(Thrown::Error("instead"))), Err);
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Error("instead")));
}

#[test]
fn a_delegate_that_ignores_the_exit_is_a_misuse_told_to_its_delegator_and_stays_whole() {
    // [70, 74]
    for close in [true, false] {
        let mut inner = sub(|y, _| {
            let sent = y.yield_(77)?;
            y.yield_(sent * 2)?;
            Ok(6)
        });
        let mut co = Co::throwing(move |y| {
            let ignored = y.yield_from(&mut inner);
            assert_eq!(ignored, Err(Thrown::Misuse(Misuse::Ignored)));
            assert_eq!(inner.state(), State::Suspended);
            // It is where it was, and can be resumed and delegated to again.
            assert_eq!(inner.send(4), Ok(Yielded(8)));
            y.yield_from(&mut inner)
        });
        co.start().expect("starts");
        // The delegator goes on yielding, so it ignores the exit as well; its second delegation ends with 6.
        if close {
            assert_eq!(co.close(), Ok(Some(6)));
        } else {
            assert_eq!(co.throw_exit(), Ok(Complete(6)));
        }
    }
    let mut uncaught = outer(sub(|y, _| y.yield_(77)), Err);
    uncaught.start().expect("starts");
    assert_eq!(uncaught.close(), Err(CloseError::Misuse(Misuse::Ignored)));
    assert_eq!(uncaught.state(), State::Finished);
}

#[test]
fn a_coroutine_that_delegates_again_during_its_exit_has_ignored_it() {
    let mut late = sub(|_, t| Err(t));
    let mut inner = Co::throwing(move |y| match y.yield_(1) {
        Err(Thrown::Exit) => y.yield_from(&mut late),
        other => other,
    });
    // At the outermost.
    inner.start().expect("starts");
    assert_eq!(inner.close(), Err(CloseError::Ignored(1)));
    assert_eq!(inner.send(5), Ok(Yielded(5)), "it goes on in the late delegate");
    // And further in: its delegator gets it back, still delegating.
    let mut outer = Co::<i32>::throwing(move |y| {
        let first = y.yield_from(&mut inner);
        assert_eq!(first, Err(Thrown::Exit), "the second exit is answered");
        assert_eq!(inner.state(), State::Finished);
        Err(Thrown::Exit)
    });
    assert_eq!(outer.start(), Ok(Yielded(0)));
    assert_eq!(outer.close(), Ok(None));
}

#[test]
fn iterators_are_delegated_to_by_yield_all() {
    // [53 to 57]
    let make = || Co::<()>::throwing(|y| y.yield_all(1..=2));
    let mut co = make();
    assert_eq!((co.start(), co.resume(), co.resume()), (Ok(Yielded(1)), Ok(Yielded(2)), Ok(Complete(()))));
    let mut sent = make();
    sent.start().expect("starts");
    assert_eq!(sent.send(5), Err(SendError::Thrown(Thrown::Misuse(Misuse::Sent))));
    let mut thrown = make();
    thrown.start().expect("starts");
    assert_eq!(thrown.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
    let mut empty = Co::<()>::throwing(|y| y.yield_all([]));
    assert_eq!(empty.start(), Ok(Complete(())));
    let mut unit = Generator::new(|y| y.yield_all([1, 2]));
    unit.start().expect("starts");
    assert_eq!(unit.send(()), Ok(Yielded(2)), "nothing is lost by sending nothing");
}

#[test]
fn helpers_that_take_the_yielder_delegate_by_plain_calls() {
    fn level(y: &Y, depth: i32) -> Result<i32> {
        if depth == 0 {
            return y.yield_(depth);
        }
        match level(y, depth - 1) {
            Err(Thrown::Error("half way")) if depth == 5 => Ok(500),
            other => other.map(|x| x + 1),
        }
    }
    let make = || Co::throwing(|y| level(y, 10));
    let mut co = make();
    assert_eq!(co.start(), Ok(Yielded(0)));
    assert_eq!(co.send(7), Ok(Complete(17)));
    let mut co = make();
    co.start().expect("starts");
    assert_eq!(co.throw("half way"), Ok(Complete(505)));
    let mut co = make();
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
}

#[test]
fn a_delegate_survives_its_delegator() {
    // It is owned by both, and lent to whoever delegates to it.
    let shared = Rc::new(RefCell::new(sub(|y, _| {
        y.yield_(50)?;
        Ok(60)
    })));
    let lent = shared.clone();
    let mut co = Co::throwing(move |y| y.yield_from(&mut *lent.borrow_mut()));
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Misuse(Misuse::Ignored)));
    assert_eq!(shared.borrow().state(), State::Suspended);
    assert_eq!(shared.borrow_mut().send(0), Ok(Complete(60)));
}

#[test]
fn a_delegator_tells_whom_it_delegates_to() {
    // [85]
    let mut inner = Builder::new().name("inner").generator(|y| y.yield_all([1])).expect("a stack");
    let mut co = Generator::<i32>::new(move |y| {
        y.yield_from(&mut inner)?;
        y.yield_(2)?;
        Ok(())
    });
    assert!(co.delegate().is_none());
    assert_eq!(co.next(), Some(1));
    assert_eq!(co.delegate().and_then(|inner| inner.name()), Some("inner"));
    assert_eq!(co.next(), Some(2));
    assert!(co.delegate().is_none());
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_resumes_unwinding_at_each_level() {
    let log = Log::new();
    let (a, b, c) = (log.clone(), log.clone(), log.clone());
    let mut inner = Generator::<i32>::new(move |y| {
        let _local = a.dropper("inner");
        y.yield_(1)?;
        panic_any("boom")
    });
    let mut middle = Generator::<i32>::new(move |y| {
        let _local = b.dropper("middle");
        y.yield_from(&mut inner)
    });
    let mut outer = Generator::<i32>::new(move |y| {
        let _local = c.dropper("outer");
        let caught = catch_unwind(AssertUnwindSafe(|| y.yield_from(&mut middle)));
        assert_eq!(caught.expect_err("it panics").downcast_ref::<&str>(), Some(&"boom"));
        assert!(!std::thread::panicking());
        y.yield_(2)?;
        Ok(())
    });
    assert_eq!(outer.next(), Some(1));
    assert_eq!(outer.next(), Some(2));
    assert_eq!(log.take(), "inner middle");
    drop(outer);
    assert_eq!(log.take(), "outer");
}

// ---- chains of ten thousand, on a consumer with a small stack

const DEPTH: usize = 10_000;

/// Runs `f` on a thread whose stack would not hold a hundred bytes for each level. One at a time: each has ten thousand
/// stacks, of two mappings each, and a process has 65,530 mappings by default.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(f).expect("a thread");
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}

/// `DEPTH` levels around `innermost`; `wrap` makes the body of each from its depth, counted from the inside.
fn chain(innermost: Co, on_error: fn(usize, Thrown<&'static str>) -> Result<i32>) -> Co {
    let mut chain = innermost;
    for depth in 1..DEPTH {
        let mut inner = chain;
        chain = Builder::new()
            .stack_size(64 * 1024)
            .create_throwing(move |y: &Y| {
                y.yield_from(&mut inner).or_else(|thrown| on_error(depth, thrown)).map(|x| x + 1)
            })
            .expect("a stack");
    }
    chain
}

#[test]
fn ten_thousand_levels_pass_values_errors_and_the_result() {
    on_a_small_stack(|| {
        let mut co = chain(sub(|_, t| Err(t)), |depth, thrown| match thrown {
            Thrown::Error("half way") if depth == DEPTH / 2 => Ok(0),
            thrown => Err(thrown),
        });
        assert_eq!(co.start(), Ok(Yielded(1)));
        assert_eq!(co.send(5), Ok(Yielded(5)));
        assert_eq!(co.throw("half way"), Ok(Complete((DEPTH - DEPTH / 2) as i32)));
    });
    on_a_small_stack(|| {
        let mut co = chain(sub(|_, t| Err(t)), |_, thrown| Err(thrown));
        co.start().expect("starts");
        assert_eq!(co.send(99), Ok(Complete(42 + DEPTH as i32 - 1)));
    });
}

#[test]
fn ten_thousand_levels_are_closed_dropped_and_never_started() {
    on_a_small_stack(|| {
        let mut co = chain(sub(|_, t| Err(t)), |_, thrown| Err(thrown));
        co.start().expect("starts");
        assert_eq!(co.close(), Ok(None));
    });
    on_a_small_stack(|| {
        let mut co = chain(sub(|_, t| Err(t)), |_, thrown| Err(thrown));
        co.start().expect("starts");
        drop(co);
    });
    on_a_small_stack(|| drop(chain(sub(|_, t| Err(t)), |_, thrown| Err(thrown))));
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_below_ten_thousand_levels_comes_out_once() {
    on_a_small_stack(|| {
        let mut co = chain(
            Co::throwing(|y| {
                y.yield_(1)?;
                panic_any("deep")
            }),
            |_, thrown| Err(thrown),
        );
        co.start().expect("starts");
        let payload = catch_unwind(AssertUnwindSafe(|| co.resume())).expect_err("it panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"deep"));
        assert_eq!(co.state(), State::Finished);
    });
}

#[test]
fn a_chain_already_started_is_adopted_whole() {
    on_a_small_stack(|| {
        let mut inner = chain(sub(|_, t| Err(t)), |_, thrown| Err(thrown));
        assert_eq!(inner.start(), Ok(Yielded(1)));
        let mut co = outer(inner, Err);
        assert_eq!(co.start(), Ok(Yielded(0)));
        assert_eq!(co.send(6), Ok(Yielded(6)));
        assert_eq!(co.send(99), Ok(Yielded(1000 + 42 + DEPTH as i32 - 1)));
    });
}
