//! `yield from` (PEP 380), between nested frames, iterators, and coroutines that have stacks of their own.
//!
//! The numbers in brackets are rows of docs/PYTHON.md: CPython's behaviour, as its own tests pin it.

use crate::common::Log;
use std::cell::{Cell, RefCell};
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

/// ThreadSanitizer has no more than some 8,000 fibers, and takes several mappings for each. Valgrind looks for the stack
/// in a list of all.
const DEPTH: usize = if cfg!(any(switchback_tsan, switchback_valgrind)) { 1_000 } else { 10_000 };

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
    // [80]
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
    // [80]
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

#[test]
fn what_has_resumed_the_delegator_is_not_sent_to_the_delegate() {
    // [52] The first step is next, also when the delegator itself was sent a value.
    let mut inner = sub(|_, t| Err(t));
    inner.start().expect("starts");
    let mut co = Co::throwing(move |y| {
        assert_eq!(y.yield_(-1), Ok(7));
        y.yield_from(&mut inner)
    });
    assert_eq!(co.start(), Ok(Yielded(-1)));
    assert_eq!(co.send(7), Ok(Yielded(0)));
}

#[test]
fn an_error_of_the_delegates_own_during_a_send_is_raised_at_the_delegation() {
    // [62]
    let mut inner = Co::throwing(|y| if y.yield_(1)? == 5 { Err("own".into()) } else { Ok(0) });
    let mut co = Co::throwing(move |y| {
        assert_eq!(y.yield_from(&mut inner), Err(Thrown::Error("own")));
        assert_eq!(y.yield_from(&mut inner), Err(Thrown::Misuse(Misuse::Finished)));
        y.yield_(2)
    });
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.send(5), Ok(Yielded(2)));
}

#[test]
fn what_throw_exit_brings_out_of_a_chain() {
    // [66, 67, 69, 70] As close does, but as an answer to a throw.
    let through = |inner| outer(outer(inner, Err), Err);
    let ends = [
        (sub(|_, t| Err(t)), Thrown::Exit),
        (sub(|_, _| Ok(1)), Thrown::Exit),
        (sub(|_, _| Err("instead".into())), Thrown::Error("instead")),
        (sub(|y, _| y.yield_(77)), Thrown::Misuse(Misuse::Ignored)),
    ];
    for (inner, end) in ends {
        let mut co = through(inner);
        co.start().expect("starts");
        assert_eq!(co.throw_exit(), Err(SendError::Thrown(end)));
        assert_eq!((co.state(), co.delegate()), (State::Finished, None));
    }
}

#[test]
fn an_error_raised_on_the_exit_can_be_caught_at_the_delegation() {
    // [73] With a yield, too, which ignores the exit.
    let mut yields =
        outer(sub(|_, _| Err("instead".into())), |t| if t == Thrown::Error("instead") { Ok(3) } else { Err(t) });
    yields.start().expect("starts");
    assert_eq!(yields.close(), Err(CloseError::Ignored(1003)));
    assert_eq!(yields.send(4), Ok(Complete(4)));
}

#[test]
fn a_misuse_in_the_middle_leaves_all_further_in_as_they_were() {
    // [70, 74] The innermost ignores the exit; its delegator passes the misuse on; the one outside that catches it.
    let log = Log::new();
    let inside = log.clone();
    let mut innermost = sub(|y, _| y.yield_(77));
    let mut middle = Co::throwing(move |y| {
        let ignored = y.yield_from(&mut innermost);
        inside.push(format!("{:?} {:?}", ignored, innermost.state()));
        ignored
    });
    let mut co = Co::throwing(move |y| match y.yield_from(&mut middle) {
        Err(Thrown::Misuse(Misuse::Ignored)) => y.yield_(middle.state() as i32),
        other => panic!("{other:?}"),
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Ignored(State::Finished as i32)));
    assert_eq!(log.take(), "Err(Misuse(Ignored)) Suspended");
    assert_eq!(co.close(), Ok(None));
}

#[test]
fn one_that_delegates_again_during_its_exit_is_given_back_to_its_delegator_whole() {
    let mut late = sub(|_, _| Ok(40));
    let mut inner = Co::throwing(move |y| match y.yield_(1) {
        Err(Thrown::Exit) => Ok(y.yield_from(&mut late).unwrap_or(-1) + 1),
        other => other,
    });
    let mut co = Co::throwing(move |y| {
        assert_eq!(y.yield_from(&mut inner), Err(Thrown::Misuse(Misuse::Ignored)));
        assert!(inner.delegate().is_some(), "it is in the late delegate");
        assert_eq!(inner.send(5), Ok(Yielded(5)));
        y.yield_from(&mut inner)
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Ignored(0)), "next to the late delegate, by the second delegation");
    assert_eq!(co.send(6), Ok(Yielded(6)));
    assert_eq!(co.throw("x"), Ok(Complete(41)));
}

#[test]
fn all_of_a_chain_are_running_while_its_innermost_runs_and_refuse_to_be_delegated_to() {
    // [75 to 77] A second handle to a running coroutine takes unsafe code; this is what it gets.
    let place: Rc<Cell<*mut Co>> = Rc::new(Cell::new(std::ptr::null_mut()));
    let (outside, inside) = (place.clone(), place.clone());
    let mut inner = Co::throwing(move |y| {
        // SAFETY: the handle is alive while its body runs, and is only looked at and refused.
        let outermost = unsafe { &mut *inside.get() };
        assert_eq!(outermost.state(), State::Running);
        assert_eq!(outermost.send(1), Err(SendError::Running(1)));
        assert_eq!(y.yield_from(outermost), Err(Thrown::Misuse(Misuse::Running)));
        y.yield_(1)
    });
    let mut co = Co::throwing(move |y| {
        // SAFETY: as above.
        assert_eq!(y.yield_from(unsafe { &mut *outside.get() }), Err(Thrown::Misuse(Misuse::Running)), "to itself");
        y.yield_from(&mut inner)
    });
    place.set(&raw mut co);
    // SAFETY: as above.
    let handle = unsafe { &mut *place.get() };
    assert_eq!(handle.start(), Ok(Yielded(1)));
    assert_eq!(handle.send(5), Ok(Complete(5)));
}

#[test]
fn dropping_a_chain_ends_it_from_the_inside_out() {
    // [81]
    let log = Log::new();
    let level = |name: &'static str, mut inner: Option<Generator<i32>>| {
        let (local, captured, log) = (log.dropper(name), log.dropper(format!("{name}'s")), log.clone());
        Generator::<i32>::new(move |y| {
            let (_captured, _local) = (captured, local);
            let end = inner.as_mut().map_or_else(|| y.yield_(1), |inner| y.yield_from(inner));
            log.push(format!("{end:?}"));
            end
        })
    };
    let mut co = level("a", Some(level("b", Some(level("c", None)))));
    assert_eq!(co.next(), Some(1));
    drop(co);
    assert_eq!(log.take(), "Err(Exit) c c's Err(Exit) b b's Err(Exit) a a's");
}

#[test]
fn an_exit_that_is_ignored_below_ten_thousand_levels_is_a_misuse_at_each() {
    on_a_small_stack(|| {
        thread_local!(static SEEN: Cell<usize> = const { Cell::new(0) });
        let mut co = chain(sub(|y, _| y.yield_(77)), |_, thrown| {
            assert_eq!(thrown, Thrown::Misuse(Misuse::Ignored));
            SEEN.set(SEEN.get() + 1);
            Err(thrown)
        });
        co.start().expect("starts");
        assert_eq!(co.close(), Err(CloseError::Misuse(Misuse::Ignored)));
        assert_eq!(SEEN.get(), DEPTH - 1);
    });
}

#[test]
fn ten_thousand_new_ones_are_closed_or_thrown_at_without_running() {
    for close in [true, false] {
        on_a_small_stack(move || {
            let mut co = chain(Co::throwing(|_| panic!("the body must not run")), |_, _| panic!("nor this one"));
            let x = Err(SendError::Thrown(Thrown::Error("x")));
            assert!(if close { co.close() == Ok(None) } else { co.throw("x") == x });
            assert_eq!(co.state(), State::Finished);
        });
    }
}

#[test]
fn an_exit_is_ignored_at_the_delegator_of_whoever_yields_last() {
    // [70, 74] The innermost ends, or ignores the exit; the middle one then ignores it in any case.
    for ignores in [true, false] {
        let mut inner = sub(if ignores { |y, _| y.yield_(77) } else { |_, t| Err(t) });
        let mut middle = Co::throwing(move |y| y.yield_from(&mut inner).or_else(|_| y.yield_(78)));
        let mut co = Co::throwing(move |y| {
            assert_eq!(y.yield_from(&mut middle), Err(Thrown::Misuse(Misuse::Ignored)));
            assert_eq!(middle.send(79), Ok(Complete(79)), "it was whole");
            y.yield_(80)
        });
        co.start().expect("starts");
        assert_eq!(co.close(), Err(CloseError::Ignored(80)));
    }
}
