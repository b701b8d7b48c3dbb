//! Bodies that do not leave by themselves: forced unwinds, `yield_or_unwind`, reports. [n]: row n of docs/PYTHON.md.
#![cfg(panic = "unwind")]

use crate::common::Log;
use crate::reports::reported;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{
    Builder, CloseError, Coroutine, Event, Generator, Misuse, Scoped, SendError, State, Thrown, Yielder, scoped,
};

fn named<R: 'static>(name: &str, body: impl FnOnce(&Yielder<i32>) -> Result<R, Thrown> + 'static) -> Generator<i32, R> {
    reported(name);
    Builder::new().name(name).generator(body).expect("a stack")
}

#[test]
fn a_body_that_ignores_the_exit_of_a_drop_is_unwound_with_all_its_destructors() {
    // [40]
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("ignores", move |y| {
        let _outer = inside.dropper("outer");
        let _ = y.yield_(1);
        let _inner = inside.dropper("inner");
        let _ = y.yield_(2); // the exit's answer
        inside.push("not reached");
        Ok(())
    });
    assert_eq!(co.next(), Some(1));
    drop(co);
    assert_eq!(log.take(), "inner outer");
    assert_eq!(reported("ignores"), [Event::ExitIgnored]);
    assert!(!std::thread::panicking());
}

#[test]
fn a_body_that_catches_the_unwind_and_returns_has_ended() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("returns", move |y| {
        let _ = y.yield_(1);
        let unwound = catch_unwind(AssertUnwindSafe(|| y.yield_(2))).is_err();
        inside.push(if unwound { "unwound" } else { "not unwound" });
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "unwound");
    assert_eq!(reported("returns"), [Event::ExitIgnored]);
}

#[test]
fn a_body_that_catches_the_unwind_and_yields_again_is_leaked_and_reported() {
    // [40]
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("for ever", move |y| {
        let _local = inside.dropper("never");
        loop {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
        }
        #[allow(unreachable_code)]
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "");
    assert_eq!(reported("for ever"), [Event::ExitIgnored, Event::Leaked]);
    // Its stack is not given to anybody else: what runs next does not disturb it, nor it them.
    assert_eq!(Generator::<i32>::new(|y| y.yield_all(0..100)).sum::<i32>(), 4950);
}

#[test]
fn a_lost_error_is_reported() {
    // [39]
    reported("");
    let mut co = Builder::new()
        .name("fails late")
        .create_throwing(|y: &Yielder<i32, (), &str>| y.yield_(1).map_err(|_| Thrown::Error("late")))
        .expect("a stack");
    co.start().expect("starts");
    drop(co);
    assert_eq!(reported("fails late"), [Event::ErrorLost]);
}

#[test]
fn a_delegate_is_not_unwound_with_its_delegator_but_asked_to_exit_when_its_handle_goes() {
    let log = Log::new();
    let (a, b) = (log.clone(), log.clone());
    let mut polite = named("polite", move |y| {
        let _local = a.dropper("ended");
        let end = y.yield_(2);
        a.push(format!("asked {}", end == Err(Thrown::Exit)));
        end
    });
    let mut co = named("outermost", move |y| {
        let _local = b.dropper("unwound");
        let _ = y.yield_(1);
        // The exit is ignored by delegating.
        let _ = y.yield_from(&mut polite);
        b.push("not reached");
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "unwound asked true ended");
    assert_eq!((reported("outermost"), reported("polite")), (vec![Event::ExitIgnored], vec![]));
}

#[test]
fn a_forced_unwind_crosses_a_coroutine_that_was_plainly_resumed() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("crossed", move |y| {
        let _outer = inside.dropper("outer");
        scoped(
            |_: &Yielder<()>| {
                let _inner = inside.dropper("inner");
                let _ = y.yield_(1);
                let _ = y.yield_(2);
                inside.push("not reached");
                Ok(())
            },
            |nested: &mut Scoped<'_, ()>| {
                let _ = nested.resume();
                inside.push("not reached either");
            },
        );
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "inner outer");
    assert_eq!(reported("crossed"), [Event::ExitIgnored]);
}

#[test]
fn a_payload_that_was_kept_is_an_ordinary_panic_elsewhere() {
    let kept = Rc::new(RefCell::new(None));
    let keep = kept.clone();
    let mut co = Generator::<i32>::new(move |y| {
        let caught = catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1)));
        *keep.borrow_mut() = caught.err();
        Ok(())
    });
    co.next();
    drop(co);
    let payload = kept.borrow_mut().take().expect("it was unwound");
    let mut other = Generator::<i32>::new(move |_| resume_unwind(payload));
    assert!(catch_unwind(AssertUnwindSafe(|| other.resume())).is_err(), "it panics like any other");
    assert_eq!(other.state(), State::Finished);
}

#[test]
fn yield_or_unwind_leaves_where_the_question_mark_cannot() {
    fn sorter() -> Coroutine<(i32, i32), bool, Vec<i32>, Rc<str>> {
        Coroutine::throwing(|y| {
            let mut items = vec![3, 1, 2];
            items.sort_by(|a, b| if y.yield_or_unwind((*a, *b)) { b.cmp(a) } else { a.cmp(b) });
            Ok(items)
        })
    }
    let mut co = sorter();
    let mut state = co.start().expect("starts");
    while let Yielded(_) = state {
        state = co.send(true).expect("goes on");
    }
    assert_eq!(state, Complete(vec![3, 2, 1]));

    let mut co = sorter();
    co.start().expect("starts");
    let error: Rc<str> = "not Send".into();
    assert_eq!(co.throw(error.clone()), Err(SendError::Thrown(Thrown::Error(error.clone()))));
    assert_eq!(Rc::strong_count(&error), 1, "moved through, and dropped with the answer");

    let mut co = sorter();
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
    let mut co = sorter();
    co.start().expect("starts");
    drop(co);
}

#[test]
fn a_body_may_catch_the_unwind_of_a_throw_and_go_on() {
    let error: Rc<str> = "x".into();
    let mut co = Coroutine::<i32, (), (), Rc<str>>::throwing(|y| {
        assert!(catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1))).is_err());
        y.yield_(2)?;
        assert!(catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(3))).is_err());
        Ok(())
    });
    co.start().expect("starts");
    assert_eq!(co.throw(error.clone()), Ok(Yielded(2)));
    assert_eq!(co.resume(), Ok(Yielded(3)));
    assert_eq!(co.throw(error.clone()), Ok(Complete(())));
    assert_eq!(Rc::strong_count(&error), 1, "what the caught unwinds carried has been dropped");
}

#[test]
fn an_unwinding_yield_of_a_delegate_becomes_an_error_at_its_delegator() {
    let mut inner = Coroutine::<i32, (), (), &str>::throwing(|y| {
        y.yield_or_unwind(1);
        Ok(())
    });
    let mut co = Coroutine::<i32, (), &str, &str>::throwing(move |y| match y.yield_from(&mut inner) {
        Err(Thrown::Error(error)) => Ok(error),
        other => panic!("{other:?}"),
    });
    co.start().expect("starts");
    assert_eq!(co.throw("caught here"), Ok(Complete("caught here")));
}

#[test]
fn a_panic_during_a_drop_during_a_panic_is_reported_and_does_not_abort() {
    // [39]
    let mut co: Generator<i32> = named("second panic", |y| {
        let _ = y.yield_(1);
        panic_any("second")
    });
    co.next();
    let payload = catch_unwind(AssertUnwindSafe(move || {
        let _dropped_during_the_unwind = co;
        panic_any("first")
    }));
    assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&"first"));
    assert_eq!(reported("second panic"), [Event::PanicLost]);
}

#[test]
fn a_panic_on_the_exit_comes_out_of_the_drop_or_the_close() {
    for close in [true, false] {
        let mut co = Generator::<i32>::new(|y| {
            let _ = y.yield_(1);
            panic_any("on the way out")
        });
        co.next();
        let payload = catch_unwind(AssertUnwindSafe(move || {
            if close {
                let _ = co.close();
            }
        }));
        assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&"on the way out"));
    }
}

#[test]
fn an_ignored_close_can_be_followed_by_a_drop() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("twice", move |y| {
        let _local = inside.dropper("unwound");
        loop {
            let _ = y.yield_(1);
        }
        #[allow(unreachable_code)]
        Ok(())
    });
    co.next();
    assert_eq!(co.close(), Err(CloseError::Ignored(1)));
    assert_eq!(co.next(), Some(1));
    drop(co);
    assert_eq!(log.take(), "unwound");
}

#[test]
fn a_value_with_a_panicking_destructor_does_not_keep_the_body_from_being_unwound() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("bomb");
        }
    }
    let log = Log::new();
    let inside = log.clone();
    let mut co = Generator::<Option<Bomb>>::new(move |y| {
        let _local = inside.dropper("unwound");
        let _ = y.yield_(None);
        let _ = y.yield_(Some(Bomb));
        Ok(())
    });
    co.start().map(drop).expect("starts");
    let payload = catch_unwind(AssertUnwindSafe(move || drop(co))).expect_err("the bomb goes off");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"bomb"));
    assert_eq!(log.take(), "unwound");
}

#[test]
fn on_parent_stack_passes_panics_and_works_below_a_delegation() {
    let mut inner = Generator::<i32>::new(|y| {
        let caught = catch_unwind(AssertUnwindSafe(|| y.on_parent_stack(|| panic_any(7_u8))));
        assert_eq!(caught.expect_err("it panics").downcast_ref::<u8>(), Some(&7));
        y.yield_(y.on_parent_stack(|| 5))?;
        // In answer to an exit, too.
        let end = y.yield_(6);
        assert_eq!(y.on_parent_stack(|| 8), 8);
        end
    });
    let mut co = Generator::<i32>::new(move |y| y.yield_from(&mut inner));
    assert_eq!((co.next(), co.next()), (Some(5), Some(6)));
    assert_eq!(co.close(), Ok(None));
}

/// Delegates to `inner` until that ends, however often an exit is ignored.
fn insist(y: &Yielder<i32>, inner: &mut Generator<i32>) -> Result<(), Thrown> {
    loop {
        match y.yield_from(inner) {
            Err(Thrown::Misuse(Misuse::Ignored)) => {}
            other => return other,
        }
    }
}

#[test]
fn those_that_ignore_the_exit_are_unwound_one_by_one_from_the_outermost_in() {
    let log = Log::new();
    let (a, b, c) = (log.clone(), log.clone(), log.clone());
    let mut inner = named("one", move |y| {
        let _local = a.dropper("inner");
        loop {
            let _ = y.yield_(1);
        }
    });
    let mut middle = named("two", move |y| {
        let unwound = catch_unwind(AssertUnwindSafe(|| insist(y, &mut inner))).is_err();
        b.push(format!("middle {unwound} {:?}", inner.state()));
        Ok(())
    });
    let mut co = named("three", move |y| {
        let _local = c.dropper("outer");
        let _ = insist(y, &mut middle);
        c.push("not reached");
        Ok(())
    });
    assert_eq!(co.next(), Some(1));
    drop(co);
    assert_eq!(log.take(), "outer middle true Suspended inner");
    assert_eq!(["three", "two", "one"].map(reported), [[Event::ExitIgnored]; 3]);
}

#[test]
fn hundreds_of_levels_are_unwound_each_on_its_own_stack() {
    // Each is asked again by each that is dropped outside it, so this is a matter of squares.
    const DEPTH: usize = 400;
    // 327 bytes for each level would not be enough of a stack for any recursion.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(|| {
        let counted = Rc::new(());
        let held = counted.clone();
        let mut chain = Generator::<i32>::new(move |y| {
            let _held = held;
            loop {
                let _ = y.yield_(1);
            }
        });
        for _ in 1..DEPTH {
            let (mut inner, held) = (chain, counted.clone());
            let outer = Builder::new().stack_size(64 << 10).generator(move |y| {
                let _held = held;
                insist(y, &mut inner)
            });
            chain = outer.expect("a stack");
        }
        assert_eq!((chain.next(), chain.next()), (Some(1), Some(1)));
        assert_eq!(Rc::strong_count(&counted), 1 + DEPTH);
        drop(chain);
        assert_eq!(Rc::strong_count(&counted), 1);
    });
    thread.expect("a thread").join().expect("it ends well");
}

#[test]
fn a_panic_in_answer_to_an_exit_can_be_caught_at_the_delegation() {
    for ends in [true, false] {
        let mut inner = Generator::<i32>::new(|y| y.yield_(1).or_else(|_| panic_any("on the way out")));
        let mut co = Generator::<i32>::new(move |y| {
            let caught = catch_unwind(AssertUnwindSafe(|| y.yield_from(&mut inner)));
            assert_eq!(caught.expect_err("it panics").downcast_ref::<&str>(), Some(&"on the way out"));
            assert_eq!(inner.state(), State::Finished);
            if ends { Ok(()) } else { y.yield_(2) }
        });
        co.next();
        if ends {
            assert_eq!(co.close(), Ok(Some(())));
        } else {
            assert_eq!(co.close(), Err(CloseError::Ignored(2)));
            assert_eq!(co.resume(), Ok(Complete(())));
        }
    }
}

#[test]
fn a_body_is_unwound_during_a_panic_as_at_any_other_time() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("during a panic", move |y| {
        let _local = inside.dropper("unwound");
        loop {
            let _ = y.yield_(1);
        }
    });
    co.next();
    let payload = catch_unwind(AssertUnwindSafe(move || {
        let _dropped: Generator<i32> = co;
        panic_any("first")
    }));
    assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&"first"));
    assert_eq!(log.take(), "unwound");
    assert_eq!(reported("during a panic"), [Event::ExitIgnored]);
}

#[test]
fn throw_exit_at_an_unwinding_yield_is_answered_by_the_exit() {
    // Below a delegation, the exit is raised at the delegation; there it may be caught.
    let mut inner = Generator::<i32, i32>::new(|y| {
        y.yield_or_unwind(1);
        Ok(2)
    });
    let mut co = Generator::<i32, i32>::new(move |y| {
        let end = y.yield_from(&mut inner);
        assert_eq!((end, inner.state()), (Err(Thrown::Exit), State::Finished));
        y.yield_or_unwind(3);
        Ok(4)
    });
    assert_eq!(co.resume(), Ok(Yielded(1)));
    assert_eq!(co.throw_exit(), Ok(Yielded(3)));
    assert_eq!(co.throw_exit(), Err(SendError::Thrown(Thrown::Exit)));
    assert_eq!(co.state(), State::Finished);
}

#[test]
fn an_error_thrown_through_a_nested_coroutine_unwinds_to_the_one_it_was_thrown_at() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = Coroutine::<i32, (), (), Rc<str>>::throwing(move |y| {
        let _outer = inside.dropper("outer");
        scoped(
            |_: &Yielder<()>| {
                let _inner = inside.dropper("inner");
                y.yield_or_unwind(1);
                Ok(())
            },
            |nested: &mut Scoped<'_, ()>| nested.next(),
        );
        inside.push("not reached");
        Ok(())
    });
    let error: Rc<str> = "x".into();
    co.start().expect("starts");
    assert_eq!(co.throw(error.clone()), Err(SendError::Thrown(Thrown::Error(error.clone()))));
    assert_eq!((Rc::strong_count(&error), log.take().as_str()), (1, "inner outer"));
}

#[test]
fn a_refused_unwinding_yield_unwinds_with_the_misuse() {
    let mut co = Generator::<i32>::new(|a| {
        scoped(
            |b: &Yielder<i32>| {
                a.yield_or_unwind(1); // while `a` delegates to this one
                b.yield_(2)
            },
            |b: &mut Scoped<'_, i32>| a.yield_from(b),
        )
    });
    assert_eq!(co.resume(), Err(SendError::Thrown(Thrown::Misuse(Misuse::Delegating))));
}

#[test]
fn an_unwind_that_is_caught_may_be_raised_again_until_the_next() {
    fn body(raise_first: bool) -> Coroutine<i32, (), (), &'static str> {
        Coroutine::throwing(move |y| {
            let first = catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1))).expect_err("thrown at");
            let _ = y.yield_(2);
            let second = catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(3))).expect_err("thrown at");
            resume_unwind(if raise_first { first } else { second })
        })
    }
    for raise_first in [true, false] {
        let mut co = body(raise_first);
        co.start().expect("starts");
        assert_eq!(co.throw("first"), Ok(Yielded(2)));
        assert_eq!(co.resume(), Ok(Yielded(3)));
        let end = catch_unwind(AssertUnwindSafe(|| co.throw("second")));
        match end {
            Ok(end) => assert_eq!((raise_first, end), (false, Err(SendError::Thrown(Thrown::Error("second"))))),
            Err(_) => assert!(raise_first, "its time is over: it is a panic like any other"),
        }
        assert_eq!(co.state(), State::Finished);
    }
}

#[test]
fn an_error_that_is_lost_after_an_unwind_is_reported_too() {
    reported("");
    let mut co = Builder::new()
        .name("fails after its unwind")
        .create_throwing(|y: &Yielder<i32, (), &str>| {
            let _ = y.yield_(1);
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(2)));
            Err::<(), _>("late".into())
        })
        .expect("a stack");
    co.start().expect("starts");
    drop(co);
    assert_eq!(reported("fails after its unwind"), [Event::ExitIgnored, Event::ErrorLost]);
}

#[test]
fn an_error_whose_unwind_was_caught_is_not_one_that_is_lost() {
    reported("");
    let error: Rc<str> = "caught".into();
    let mut co = Builder::new()
        .name("caught long ago")
        .create_throwing(|y: &Yielder<i32, (), Rc<str>>| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1)));
            loop {
                let _ = y.yield_(2);
            }
            #[allow(unreachable_code)]
            Ok(())
        })
        .expect("a stack");
    co.start().expect("starts");
    assert_eq!(co.throw(error.clone()), Ok(Yielded(2)));
    drop(co);
    assert_eq!(reported("caught long ago"), [Event::ExitIgnored]);
    assert_eq!(Rc::strong_count(&error), 1);
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any("bomb");
    }
}

#[test]
fn what_a_dropped_coroutine_ends_with_may_panic_in_its_destructor_during_a_panic() {
    // In a process of its own for each, which must not abort.
    const NAME: &str = "unwind::what_a_dropped_coroutine_ends_with_may_panic_in_its_destructor_during_a_panic";
    const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";
    if let Ok(how) = std::env::var(INSIDE) {
        let mut co = Coroutine::<i32, (), Bomb, Bomb>::throwing(move |y| {
            let _ = y.yield_(1);
            match how.as_str() {
                "result" => Ok(Bomb),
                "error" => Err(Bomb.into()),
                "payload" => resume_unwind(Box::new(Bomb)),
                _ => catch_unwind(AssertUnwindSafe(|| y.yield_(2))).map_or(Ok(Bomb), |_| panic_any("not unwound")),
            }
        });
        assert!(matches!(co.start(), Ok(Yielded(1))));
        let payload = catch_unwind(AssertUnwindSafe(move || {
            let _dropped_during_the_unwind = co;
            panic_any("first")
        }));
        assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&"first"));
        return;
    }
    let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
    let mut words: Vec<std::ffi::OsString> = runner.split_whitespace().map(Into::into).collect();
    words.push(std::env::current_exe().expect("a path").into());
    words.extend(["--exact", NAME, "--nocapture"].map(Into::into));
    let survives = |how: &&str| {
        let output = std::process::Command::new(&words[0]).args(&words[1..]).env(INSIDE, how).output();
        let output = output.expect("it runs");
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed")
    };
    let all = ["result", "error", "payload", "result after an unwind"];
    assert_eq!(all.into_iter().filter(survives).collect::<Vec<_>>(), all);
}
