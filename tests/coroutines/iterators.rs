//! Coroutines as iterators, and iterators that coroutines delegate to.
//!
//! The numbers in brackets are rows of docs/PYTHON.md: CPython's behaviour, as its own tests pin it.

use crate::common::{Dropper, Log};
use std::cell::RefCell;
use std::iter::FusedIterator;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Generator, Misuse, SendError, State, Thrown};

fn three() -> Generator<i32, &'static str> {
    Generator::new(|y| {
        y.yield_all(1..=3)?;
        Ok("end")
    })
}

#[test]
fn a_for_loop_sees_every_item() {
    let mut seen = Vec::new();
    for x in three() {
        seen.push(x);
    }
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn an_iteration_that_has_ended_stays_ended() {
    // [6]
    let mut items = three();
    assert_eq!(items.by_ref().count(), 3);
    assert_eq!((items.next(), items.next()), (None, None));
    assert_eq!(items.state(), State::Finished);
}

#[test]
fn the_return_value_is_kept_by_values() {
    let mut items = three();
    let mut values = items.values();
    assert_eq!(values.take_return(), None);
    assert_eq!(values.by_ref().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(values.next(), None);
    assert_eq!(values.take_return(), Some("end"));
    assert_eq!(values.take_return(), None);
}

#[test]
fn leaving_a_loop_early_leaves_the_rest() {
    let mut items = three();
    for x in &mut items {
        if x == 1 {
            break;
        }
    }
    assert_eq!(items.collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn adaptors_compose() {
    // [107]
    let sum: i32 = three().zip(three().skip(1)).map(|(a, b)| a * b).sum();
    assert_eq!(sum, 2 + 2 * 3);
    let naturals = Generator::<u64>::new(|y| y.yield_all(0..));
    assert_eq!(naturals.take_while(|n| *n < 5).last(), Some(4));
}

#[test]
#[cfg(panic = "unwind")]
fn an_iteration_that_fails_panics_instead_of_ending() {
    let mut items = Generator::<i32>::new(|_| Err(Thrown::Exit));
    let payload = catch_unwind(AssertUnwindSafe(|| items.next())).expect_err("it must not look like an end");
    let text = payload.downcast_ref::<String>().expect("a formatted message");
    assert!(text.contains("asked to exit"), "{text}");
    assert_eq!(items.next(), None, "afterwards it has finished");
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_the_body_comes_out_of_next() {
    let mut items = Generator::<i32>::new(|y| {
        y.yield_(1)?;
        panic!("boom")
    });
    assert_eq!(items.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| items.next())).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(items.next(), None);
}

#[test]
fn yielding_nothing_is_not_ending() {
    // [4]
    let items = Generator::<Option<i32>>::new(|y| y.yield_all([None, Some(1), None]));
    assert_eq!(items.collect::<Vec<_>>(), [None, Some(1), None]);
}

#[test]
fn each_item_goes_to_whoever_has_asked_last_at_any_depth() {
    // [8] One generator is driven in turns from here, from a coroutine, and from a coroutine inside that one.
    let shared = Rc::new(RefCell::new(Generator::<i32>::new(|y| y.yield_all(0..))));
    let step = |shared: &Rc<RefCell<Generator<i32>>>| shared.borrow_mut().next().expect("it is endless");
    let (outer_has, inner_has) = (shared.clone(), shared.clone());
    let mut inner = Generator::<i32>::new(move |y| {
        loop {
            y.yield_(100 * step(&inner_has))?;
        }
    });
    let mut outer = Generator::<i32>::new(move |y| {
        loop {
            y.yield_(10 * step(&outer_has))?;
            y.yield_(inner.next().expect("it is endless"))?;
        }
    });
    let turns: Vec<_> = (0..3).map(|_| (step(&shared), outer.next(), outer.next())).collect();
    assert_eq!(turns, [(0, Some(10), Some(200)), (3, Some(40), Some(500)), (6, Some(70), Some(800))]);
}

#[test]
fn nothing_is_promised_about_the_length() {
    let mut items = three();
    for _ in 0..5 {
        assert_eq!(items.size_hint(), (0, None));
        items.next();
    }
    assert_eq!(three().values().size_hint(), (0, None));
}

#[test]
fn iterators_and_values_are_fused() {
    fn drained(mut items: impl FusedIterator<Item = i32>) -> (usize, Option<i32>, Option<i32>) {
        (items.by_ref().count(), items.next(), items.next())
    }
    assert_eq!(drained(three()), (3, None, None));
    assert_eq!(drained(three().values()), (3, None, None));
}

#[test]
fn an_iteration_goes_on_from_where_the_coroutine_is() {
    let mut echo = Coroutine::<i32, i32>::new(|y| {
        let mut x = 1;
        for _ in 0..4 {
            x = y.yield_(x)? + 1;
        }
        Ok(())
    });
    assert_eq!(echo.start(), Ok(Yielded(1)));
    assert_eq!(echo.send(40), Ok(Yielded(41)));
    assert_eq!(echo.next(), Some(1), "next sends the default");
    assert_eq!(echo.by_ref().collect::<Vec<_>>(), [1]);
    assert_eq!(echo.send(7), Err(SendError::Finished(7)));
}

#[test]
fn by_ref_take_while_and_zip_take_no_more_than_they_need() {
    let mut naturals = Generator::<u64>::new(|y| y.yield_all(0..));
    assert_eq!(naturals.by_ref().take(3).sum::<u64>(), 3);
    assert_eq!(naturals.by_ref().take_while(|n| *n < 5).count(), 2, "3 and 4; 5 is lost to the test");
    let mut few = three();
    assert_eq!(naturals.by_ref().zip(few.by_ref()).collect::<Vec<_>>(), [(6, 1), (7, 2), (8, 3)]);
    assert_eq!(naturals.next(), Some(10), "9 found no partner");
    let mut peeked = three().peekable();
    assert_eq!(peeked.peek(), Some(&1));
    assert_eq!(peeked.next(), Some(1));
    assert_eq!(three().chain(three()).step_by(2).collect::<Vec<_>>(), [1, 3, 2]);
}

#[test]
fn leaving_a_loop_that_owns_the_coroutine_closes_it() {
    let log = Log::new();
    let inside = log.clone();
    let items = Generator::<i32>::new(move |y| {
        let _local = inside.dropper("closed");
        y.yield_all(1..)
    });
    for x in items {
        log.push(x.to_string());
        if x == 2 {
            break;
        }
    }
    log.push("after");
    assert_eq!(log.take(), "1 2 closed after");
}

#[test]
fn what_is_returned_is_dropped_once_by_the_loop_and_kept_once_by_values() {
    let log = Log::new();
    let make = || {
        let returned = log.dropper("returned");
        Generator::<i32, Dropper>::new(move |y| y.yield_(1).map(|()| returned))
    };
    assert_eq!(make().count(), 1);
    assert_eq!(log.take(), "returned");
    let mut co = make();
    let mut values = co.values();
    assert_eq!(values.by_ref().count(), 1);
    assert!(values.next().is_none());
    assert_eq!(log.take(), "", "it is kept");
    drop(values.take_return());
    assert_eq!(log.take(), "returned");
    assert!(values.take_return().is_none());
    let mut co = make();
    assert_eq!(co.values().count(), 1);
    assert_eq!(log.take(), "returned", "nobody has asked for it");
}

#[test]
fn values_left_early_leave_the_rest_and_the_return_value() {
    let mut items = three();
    assert_eq!(items.values().next(), Some(1));
    let mut rest = items.values();
    assert_eq!(rest.by_ref().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rest.take_return(), Some("end"));
    assert_eq!(items.values().take_return(), None, "delivered once");
}

#[test]
#[cfg(panic = "unwind")]
fn values_that_fail_panic_instead_of_ending() {
    let failures: [(Thrown, &str); 2] =
        [(Thrown::Exit, "asked to exit"), (Thrown::Misuse(Misuse::Sent), "items of an iterator")];
    for (thrown, words) in failures {
        let mut items = Generator::<i32>::new(move |y| y.yield_(1).and(Err(thrown)));
        let mut values = items.values();
        assert_eq!(values.next(), Some(1));
        let payload = catch_unwind(AssertUnwindSafe(|| values.next())).expect_err("it must not look like an end");
        let text = payload.downcast_ref::<String>().expect("a formatted message");
        assert!(text.contains(words), "{text}");
        assert_eq!((values.next(), values.take_return()), (None, None));
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_default_that_panics_leaves_the_coroutine_as_it_was() {
    #[derive(Debug, PartialEq)]
    struct Picky(i32);
    impl Default for Picky {
        fn default() -> Self {
            panic_any("no default")
        }
    }
    let mut co = Coroutine::<i32, Picky>::new(|y| {
        let Picky(sent) = y.yield_(1)?;
        y.yield_(sent)?;
        Ok(())
    });
    assert_eq!(co.next(), Some(1), "to start takes no default");
    assert!(catch_unwind(AssertUnwindSafe(|| co.next())).is_err());
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.send(Picky(5)), Ok(Yielded(5)));
}

#[test]
fn an_iterator_is_dropped_when_its_delegation_ends_early() {
    // [54 to 56] The value that was sent where none is wanted is dropped, too, and the delegator may go on.
    for how in ["send", "throw", "close"] {
        let log = Log::new();
        let (held, inside) = (log.dropper("iterator"), log.clone());
        let mut co = Coroutine::<i32, Option<Dropper>, (), &str>::throwing(move |y| {
            let end = y.yield_all((1..).filter(move |_| !std::ptr::addr_eq(&held, y)));
            inside.push(format!("{:?}", end.expect_err("it is endless")));
            y.yield_(-1).map(drop)
        });
        assert!(matches!((co.start(), co.resume()), (Ok(Yielded(1)), Ok(Yielded(2)))));
        match how {
            "send" => assert!(matches!(co.send(Some(log.dropper("sent"))), Ok(Yielded(-1)))),
            "throw" => assert!(matches!(co.throw("x"), Ok(Yielded(-1)))),
            _ => assert_eq!(co.close(), Err(CloseError::Ignored(-1))),
        }
        let ends =
            [("send", "sent iterator Misuse(Sent)"), ("throw", "iterator Error(\"x\")"), ("close", "iterator Exit")];
        assert!(ends.contains(&(how, &log.take())), "{how}");
    }
}

#[test]
fn a_delegation_begins_with_next_which_an_iteration_takes_and_not_with_a_send() {
    // [52, 54]
    fn started() -> Coroutine<i32, i32> {
        let mut inner = Coroutine::new(|y| y.yield_all(1..=3));
        assert_eq!(inner.start(), Ok(Yielded(1)));
        inner
    }
    let mut next = Coroutine::<i32, i32>::new(|y| y.yield_from(&mut started()));
    assert_eq!(next.start(), Ok(Yielded(2)));
    let mut send = Coroutine::<i32, i32>::new(|y| y.yield_from_with(0, &mut started()));
    assert_eq!(send.start(), Err(SendError::Thrown(Thrown::Misuse(Misuse::Sent))));
}

#[test]
fn a_first_value_that_the_delegate_has_no_use_for_is_dropped_once() {
    type One = Coroutine<i32, Dropper>;
    for finished in [false, true] {
        let log = Log::new();
        let first = log.dropper("first");
        let mut co = One::new(move |y| {
            let mut inner = One::new(move |y| if finished { Ok(()) } else { y.yield_(1).map(drop) });
            if finished {
                assert_eq!(inner.start().ok(), Some(Complete(())));
            }
            y.yield_from_with(first, &mut inner)
        });
        assert_eq!(co.start().ok(), if finished { None } else { Some(Yielded(1)) });
        assert_eq!(log.take(), "first");
    }
}
