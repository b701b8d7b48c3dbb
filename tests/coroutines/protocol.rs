//! Python's protocol on one coroutine (PEP 255 and 342): start, next, send, throw, close, drop.
//!
//! The numbers in brackets are rows of docs/PYTHON.md: CPython's behaviour, as its own tests pin it.

use crate::common::{Dropper, Log};
use std::cell::{Cell, RefCell};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Generator, Misuse, SendError, State, Thrown};

type Echo<E = std::convert::Infallible> = Coroutine<i32, i32, i32, E>;

/// Yields what it is sent, starting with 0; returns the last on 99.
fn echo() -> Echo {
    Coroutine::new(|y| {
        let mut x = 0;
        while x != 99 {
            x = y.yield_(x)?;
        }
        Ok(x)
    })
}

#[test]
fn creating_runs_nothing() {
    // [1]
    let ran = Rc::new(Cell::new(false));
    let inside = ran.clone();
    let mut co = Generator::<()>::new(move |_| {
        inside.set(true);
        Ok(())
    });
    assert_eq!(co.state(), State::Created);
    assert!(!ran.get());
    assert_eq!(co.resume(), Ok(Complete(())));
    assert!(ran.get());
}

#[test]
fn a_value_sent_too_early_comes_back_and_the_coroutine_is_still_usable() {
    // [14, 102]
    let mut co = echo();
    assert_eq!(co.send(7), Err(SendError::NotStarted(7)));
    assert_eq!(co.state(), State::Created);
    assert_eq!(co.start(), Ok(Yielded(0)));
    assert_eq!(co.start(), Err(SendError::Started(())));
    assert_eq!(co.send(7), Ok(Yielded(7)));
    assert_eq!(co.state(), State::Suspended);
}

#[test]
fn next_starts_and_then_sends_the_default() {
    // [2, 3, 12]
    let mut co = echo();
    assert_eq!(co.resume(), Ok(Yielded(0)));
    assert_eq!(co.send(5), Ok(Yielded(5)));
    assert_eq!(co.resume(), Ok(Yielded(0)));
}

#[test]
fn a_return_value_is_delivered_once_and_finished_is_for_ever() {
    // [5, 6, 15, 22, 34]
    let mut co = echo();
    co.start().expect("starts");
    assert_eq!(co.send(99), Ok(Complete(99)));
    for _ in 0..3 {
        assert_eq!(co.state(), State::Finished);
        assert_eq!(co.resume(), Err(SendError::Finished(())));
        assert_eq!(co.start(), Err(SendError::Finished(())));
        assert_eq!(co.send(1), Err(SendError::Finished(1)));
        assert_eq!(co.throw_exit(), Err(SendError::Finished(())));
        assert_eq!(co.close(), Ok(None));
    }
}

#[test]
fn an_error_of_the_body_goes_to_whoever_resumed_it() {
    // [7, 22]
    let mut co = Echo::<&str>::throwing(|y| {
        y.yield_(1)?;
        Err("own")?;
        Ok(0)
    });
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.send(0), Err(SendError::Thrown(Thrown::Error("own"))));
    assert_eq!(co.state(), State::Finished);
    assert_eq!(co.throw("late"), Err(SendError::Finished("late")));
}

#[test]
fn control_returns_to_the_latest_resumer() {
    // [8]
    let mut shared = Generator::<i32>::new(|y| y.yield_all(0..));
    assert_eq!(shared.next(), Some(0));
    let mut outer = Generator::new(move |y| {
        y.yield_(shared.next().unwrap_or(-1) * 10)?;
        y.yield_(shared.next().unwrap_or(-1) * 10)?;
        Ok(shared)
    });
    assert_eq!(outer.next(), Some(10));
    assert_eq!(outer.next(), Some(20));
    let Ok(Complete(mut shared)) = outer.resume() else { panic!("it returns its generator") };
    assert_eq!(shared.next(), Some(3));
}

#[test]
fn an_error_thrown_at_a_new_coroutine_finishes_it_unrun() {
    // [17]
    let log = Log::new();
    let captured = log.dropper("captured");
    let mut co = Echo::<&str>::throwing(move |_| {
        let _captured = captured;
        panic!("the body must not run")
    });
    assert_eq!(co.throw("early"), Err(SendError::Thrown(Thrown::Error("early"))));
    assert_eq!(co.state(), State::Finished);
    assert_eq!(log.take(), "captured");
}

#[test]
fn a_throw_is_answered_by_a_yield_a_return_the_same_error_or_another() {
    // [18 to 21]
    fn body() -> Echo<&'static str> {
        Coroutine::throwing(|y| {
            loop {
                match y.yield_(1) {
                    Ok(_) => {}
                    Err(Thrown::Error("yield")) => {
                        y.yield_(2)?;
                    }
                    Err(Thrown::Error("return")) => return Ok(3),
                    Err(Thrown::Error("other")) => return Err(Thrown::Error("another")),
                    Err(thrown) => return Err(thrown),
                }
            }
        })
    }
    let mut co = body();
    co.start().expect("starts");
    assert_eq!(co.throw("yield"), Ok(Yielded(2)));
    assert_eq!(co.send(0), Ok(Yielded(1)));
    assert_eq!(co.throw("return"), Ok(Complete(3)));
    for (thrown, comes) in [("other", "another"), ("same", "same")] {
        let mut co = body();
        co.start().expect("starts");
        assert_eq!(co.throw(thrown), Err(SendError::Thrown(Thrown::Error(comes))));
        assert_eq!(co.state(), State::Finished);
    }
}

#[test]
fn throw_exit_takes_any_answer() {
    // [25, 26]
    let mut co = echo();
    co.start().expect("starts");
    assert_eq!(co.throw_exit(), Err(SendError::Thrown(Thrown::Exit)));

    let mut co = Generator::new(|y| {
        let first = y.yield_(1);
        y.yield_(if first == Err(Thrown::Exit) { 2 } else { -1 })?;
        Ok(())
    });
    co.start().expect("starts");
    assert_eq!(co.throw_exit(), Ok(Yielded(2)));
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.resume(), Ok(Complete(())));

    let mut new = echo();
    assert_eq!(new.throw_exit(), Err(SendError::Thrown(Thrown::Exit)));
    assert_eq!(new.state(), State::Finished);
}

#[test]
fn close_of_a_new_coroutine_runs_nothing() {
    // [29, 37]
    let log = Log::new();
    let captured = log.dropper("captured");
    let mut co = Generator::<()>::new(move |_| {
        let _captured = &captured;
        panic!("the body must not run")
    });
    assert_eq!(co.close(), Ok(None));
    assert_eq!(log.take(), "captured");
    assert_eq!(co.close(), Ok(None));
}

#[test]
fn close_runs_destructors_from_the_inside_out() {
    // [24, 30, 36]
    let log = Log::new();
    let inside = log.clone();
    let mut co = Generator::<()>::new(move |y| {
        let _first = inside.dropper("first");
        let _second = inside.dropper("second");
        y.yield_(())?;
        inside.push("not reached");
        Ok(())
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
    assert_eq!(log.take(), "second first");
    assert_eq!(co.state(), State::Finished);
}

#[test]
fn close_returns_what_the_body_returns_on_the_exit() {
    // [31]
    let mut co = Generator::new(|y| Ok(if y.yield_(1) == Err(Thrown::Exit) { "bye" } else { "what" }));
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(Some("bye")));
    assert_eq!(co.close(), Ok(None));
}

#[test]
fn a_coroutine_that_ignores_close_is_still_suspended_and_whole() {
    // [32]
    let mut co = Generator::new(|y| {
        let mut ignored = 0;
        while ignored < 2 {
            if y.yield_(ignored) == Err(Thrown::Exit) {
                ignored += 1;
            }
        }
        Ok(ignored)
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Ignored(1)));
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.resume(), Ok(Yielded(1)));
    assert_eq!(co.close(), Ok(Some(2)));
}

#[test]
fn an_error_raised_on_the_exit_comes_out_of_close() {
    // [33]
    let mut co = Echo::<&str>::throwing(|y| {
        y.yield_(1).map_err(|_| Thrown::Error("on the way out"))?;
        Ok(0)
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Error("on the way out")));
    assert_eq!(co.state(), State::Finished);
}

#[test]
fn drop_closes() {
    // [38, 41]
    let log = Log::new();
    let inside = log.clone();
    let mut co = Generator::<i32>::new(move |y| {
        let _local = inside.dropper("local");
        let end = y.yield_(1);
        inside.push(format!("{end:?}"));
        end
    });
    co.start().expect("starts");
    drop(co);
    assert_eq!(log.take(), "Err(Exit) local");

    let captured = log.dropper("captured");
    let mut ended = Generator::<i32>::new(move |_| {
        drop(captured);
        Ok(())
    });
    ended.resume().expect("ends");
    assert_eq!(log.take(), "captured");
    drop(ended);
    assert_eq!(log.take(), "");
}

#[test]
fn an_exit_is_not_an_error_of_the_program() {
    // [45]
    let mut co = Echo::<&str>::throwing(|y| match y.yield_(1) {
        Err(Thrown::Error(_)) => Ok(-1),
        Err(other) => Err(other),
        Ok(x) => Ok(x),
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
}

#[test]
fn a_running_coroutine_says_so_and_refuses() {
    // [11, 16, 23, 35, 102] A second handle to a running coroutine takes unsafe code; this is what it gets.
    type Handle = *mut Coroutine<i32, i32, i32, &'static str>;
    let place: Rc<Cell<Handle>> = Rc::new(Cell::new(std::ptr::null_mut()));
    let inside = place.clone();
    let mut co = Coroutine::<i32, i32, i32, &str>::throwing(move |y| {
        // SAFETY: the handle is alive while its body runs. Two `&mut` to it exist, which a handle of one word that is
        // only read and refused survives; a program should not do it.
        let me = unsafe { &mut *inside.get() };
        assert_eq!(me.state(), State::Running);
        assert_eq!(me.send(1), Err(SendError::Running(1)));
        assert_eq!(me.throw("x"), Err(SendError::Running("x")));
        assert_eq!(me.throw_exit(), Err(SendError::Running(())));
        assert_eq!(me.close(), Err(CloseError::Running));
        y.yield_(1)
    });
    place.set(&raw mut co);
    // SAFETY: as above.
    let handle = unsafe { &mut *place.get() };
    assert_eq!(handle.start(), Ok(Yielded(1)));
    assert_eq!(handle.send(5), Ok(Complete(5)));
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_comes_out_of_the_resume_with_its_payload() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = Generator::<i32>::new(move |y| {
        let _local = inside.dropper("local");
        y.yield_(1)?;
        std::panic::panic_any(42_u8);
    });
    co.start().expect("starts");
    let payload = catch_unwind(AssertUnwindSafe(|| co.resume())).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<u8>(), Some(&42));
    assert_eq!(log.take(), "local");
    assert_eq!(co.state(), State::Finished);
    assert_eq!(co.resume(), Err(SendError::Finished(())));
    assert!(!std::thread::panicking());
}

#[test]
fn each_value_is_dropped_exactly_once() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = Coroutine::<Dropper, Dropper, Dropper, Dropper>::throwing(move |y| {
        let sent = y.yield_(inside.dropper("y1"))?;
        drop(sent);
        let Err(Thrown::Error(error)) = y.yield_(inside.dropper("y2")) else { panic!("an error was thrown") };
        drop(error);
        Ok(inside.dropper("r"))
    });
    drop(co.start());
    assert_eq!(log.take(), "y1");
    drop(co.send(log.dropper("s1")));
    assert_eq!(log.take(), "s1 y2");
    drop(co.throw(log.dropper("e1")));
    assert_eq!(log.take(), "e1 r");
    drop(co.send(log.dropper("s2")));
    assert_eq!(log.take(), "s2");
    drop(co.throw(log.dropper("e2")));
    assert_eq!(log.take(), "e2");
}

#[test]
#[cfg(panic = "unwind")]
fn a_panicking_destructor_of_a_value_does_not_disturb_the_coroutine() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("bomb");
            }
        }
    }
    let mut co = Coroutine::<Bomb, i32, i32>::new(|y| {
        let x = y.yield_(Bomb)?;
        Ok(x)
    });
    assert!(catch_unwind(AssertUnwindSafe(|| drop(co.start()))).is_err());
    assert_eq!(co.state(), State::Suspended);
    let Ok(Complete(8)) = co.send(8) else { panic!("it goes on") };
}

#[test]
fn a_refusal_in_a_body_passes_through_the_question_mark() {
    let mut inner = echo();
    let mut outer = Generator::<i32>::new(move |_| {
        inner.send(1)?;
        Ok(())
    });
    assert_eq!(outer.resume(), Err(SendError::Thrown(Thrown::Misuse(Misuse::NotStarted))));

    let mut failing = Echo::<&str>::throwing(|_| Err(Thrown::Error("inner's")));
    let mut outer = Echo::<&str>::throwing(move |_| {
        failing.start()?;
        Ok(0)
    });
    assert_eq!(outer.start(), Err(SendError::Thrown(Thrown::Error("inner's"))));
}

#[test]
fn errors_say_what_happened() {
    let mut co = echo();
    let error = co.send(1).expect_err("too early");
    assert_eq!(error.to_string(), "a value was sent to a coroutine that has not started");
    assert_eq!(format!("{error:?}"), "NotStarted(..)");
    assert_eq!(error.into_value(), Some(1));
    assert_eq!(Thrown::<std::fmt::Error>::Exit.to_string(), "the coroutine was asked to exit");
    let debug = format!("{co:?}");
    assert!(debug.contains("Created") && debug.contains("protocol.rs"), "{debug}");
}

#[test]
fn even_nothing_cannot_be_sent_too_early() {
    // [13, 14]
    let mut co = Coroutine::<i32, Option<i32>, Option<i32>>::new(|y| y.yield_(1));
    assert_eq!(co.send(None), Err(SendError::NotStarted(None)));
    assert_eq!(co.state(), State::Created);
    assert_eq!(co.resume(), Ok(Yielded(1)), "next starts it");
    assert_eq!(co.send(Some(2)), Ok(Complete(Some(2))));
    assert_eq!(Generator::<i32>::new(|y| y.yield_(1)).send(()), Err(SendError::NotStarted(())));
}

#[test]
fn the_last_of_several_references_closes() {
    // [42, 43] The body drops one itself while it runs: whoever resumes it has another.
    let log = Log::new();
    let inside = log.clone();
    let own = Rc::new(Cell::new(None));
    let held = own.clone();
    let shared = Rc::new(RefCell::new(Generator::<i32>::new(move |y| {
        let _local = inside.dropper("closed");
        drop(held.take());
        y.yield_(1)
    })));
    own.set(Some(shared.clone()));
    let second = shared.clone();
    drop(shared);
    assert_eq!(second.borrow_mut().next(), Some(1));
    assert_eq!(Rc::strong_count(&second), 1);
    assert_eq!(log.take(), "");
    drop(second);
    assert_eq!(log.take(), "closed");
}

#[test]
fn a_coroutine_that_is_a_local_of_another_is_closed_with_its_frame() {
    // [44] Whether the frame ends by itself, or by a close or drop.
    for how in ["end", "close", "drop"] {
        let log = Log::new();
        let (outside, inside) = (log.clone(), log.clone());
        let mut outer = Generator::<i32>::new(move |y| {
            let _first = outside.dropper("first");
            let mut inner = Generator::<i32>::new(move |y| {
                let _local = inside.dropper("inner");
                y.yield_(1)
            });
            let _last = outside.dropper("last");
            y.yield_(inner.next().unwrap_or(0))
        });
        assert_eq!(outer.next(), Some(1));
        match how {
            "end" => assert_eq!(outer.next(), None),
            "close" => assert_eq!(outer.close(), Ok(None)),
            _ => drop(outer),
        }
        assert_eq!(log.take(), "last inner first", "{how}");
    }
}

#[test]
fn a_new_coroutine_that_is_dropped_drops_its_captures_once() {
    // [37]
    let log = Log::new();
    let captured = log.dropper("captured");
    drop(Generator::<()>::new(move |_| {
        drop(captured);
        panic!("the body must not run")
    }));
    assert_eq!(log.take(), "captured");
}

#[test]
fn close_can_be_ignored_many_times_in_a_row() {
    // [32]
    let mut co = Generator::new(|y| {
        let mut exits = 0;
        while exits < 5 {
            exits += i32::from(y.yield_(exits) == Err(Thrown::Exit));
        }
        Ok("at last")
    });
    co.start().expect("starts");
    for exits in 1..5 {
        assert_eq!(co.close(), Err(CloseError::Ignored(exits)));
        assert_eq!(co.state(), State::Suspended);
    }
    assert_eq!(co.close(), Ok(Some("at last")));
}

#[test]
fn what_comes_out_of_a_close_is_dropped_exactly_once() {
    type Co = Coroutine<Dropper, (), Dropper, Dropper>;
    fn ignores(log: Log) -> Co {
        Coroutine::throwing(move |y| {
            drop(y.yield_(log.dropper("y1")));
            drop(y.yield_(log.dropper("y2")));
            Ok(log.dropper("r"))
        })
    }
    let log = Log::new();
    let mut co = ignores(log.clone());
    drop(co.start());
    assert_eq!(log.take(), "y1");
    let ignored = co.close();
    assert!(matches!(ignored, Err(CloseError::Ignored(_))));
    assert_eq!(log.take(), "");
    drop(ignored);
    assert_eq!(log.take(), "y2");
    drop(co.close());
    assert_eq!(log.take(), "r");
    let inside = log.clone();
    let mut co = Co::throwing(move |y| {
        let _ = y.yield_(inside.dropper("y"));
        Err(inside.dropper("e").into())
    });
    drop(co.start());
    drop(co.close());
    assert_eq!(log.take(), "y e");
    // Below a delegation the value is the delegator's to drop; the delegate goes with its frame, by another exit.
    let mut inner = ignores(log.clone());
    let mut co = Co::throwing(move |y| y.yield_from(&mut inner));
    drop(co.start());
    assert!(matches!(co.close(), Err(CloseError::Misuse(Misuse::Ignored))));
    assert_eq!(log.take(), "y1 y2 r");
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_comes_out_of_start_throw_and_close_too() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 {
                std::panic::panic_any("captures")
            }
        }
    }
    for how in ["start", "throw", "exit", "close", "captures"] {
        let log = Log::new();
        let bomb = Bomb(how == "captures");
        let captured = log.dropper("captured");
        let mut co = Echo::<&str>::throwing(move |y| {
            let _captured = (captured, bomb);
            if how != "start" {
                let _ = y.yield_(1);
            }
            std::panic::panic_any(how)
        });
        if !["start", "captures"].contains(&how) {
            co.start().expect("starts");
        }
        let payload = catch_unwind(AssertUnwindSafe(|| match how {
            "start" => co.start().map(drop).expect("it panics"),
            "throw" => co.throw("x").map(drop).expect("it panics"),
            "exit" => co.throw_exit().map(drop).expect("it panics"),
            _ => co.close().map(drop).expect("it panics"),
        }));
        assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&how));
        assert_eq!(log.take(), "captured", "{how}");
        assert_eq!((co.state(), co.close()), (State::Finished, Ok(None)), "{how}");
    }
}
