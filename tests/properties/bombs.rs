//! Short safe programs whose destructors and defaults panic, where the library is in the middle of something.

#[cfg(unix)]
use crate::process;
use crate::reports::on_report;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Event, Generator, Misuse, Scoped, State, Thrown, Yielder, scoped};

/// Panics with the word when it is dropped, whatever else goes on.
#[derive(Debug)]
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new(self.0));
    }
}

/// The word that `f` panics with, or the destructor of what it returns.
#[track_caller]
fn goes_off<T>(f: impl FnOnce() -> T) -> &'static str {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(f()))) else { panic!("nothing goes off") };
    assert!(!std::thread::panicking());
    payload.downcast_ref::<&str>().expect("a word")
}

/// The reports of this thread from now on.
fn reports() -> Rc<RefCell<Vec<Event>>> {
    let seen: Rc<RefCell<Vec<Event>>> = Rc::default();
    let all = seen.clone();
    on_report(move |report| all.borrow_mut().push(report.event()));
    seen
}

// ---- what a coroutine's root drops

/// Catches the unwind of an error, and ends.
fn catches<R: 'static>(end: impl FnOnce() -> Result<R, Thrown<Bomb>> + 'static) -> Coroutine<i32, (), R, Bomb> {
    let mut co = Coroutine::throwing(|y: &Yielder<i32, (), Bomb>| {
        assert!(catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1))).is_err());
        end()
    });
    assert!(matches!(co.start(), Ok(Yielded(1))));
    co
}

#[test]
fn an_error_that_an_unwind_has_left_behind_may_go_off_whatever_the_body_ends_with() {
    let mut co = catches(|| Ok(Bomb("result")));
    assert_eq!(goes_off(|| co.throw(Bomb("left behind"))), "left behind");
    let mut co = catches::<()>(|| Err(Bomb("error").into()));
    assert_eq!(goes_off(|| co.throw(Bomb("left behind"))), "left behind");
    let mut co = catches::<()>(|| Err(Thrown::Exit));
    assert_eq!(goes_off(|| co.throw(Bomb("left behind"))), "left behind");
    let mut co = catches::<()>(|| resume_unwind(Box::new("body")));
    assert_eq!(goes_off(|| co.throw(Bomb("left behind"))), "body");
    assert_eq!(co.state(), State::Finished);
    // And what it panics with may as well.
    struct Nested;
    impl Drop for Nested {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb("payload")));
        }
    }
    let mut co = Coroutine::<i32, (), (), Nested>::throwing(|y| {
        assert!(catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(1))).is_err());
        resume_unwind(Box::new("body"))
    });
    assert!(co.start().is_ok());
    assert_eq!(goes_off(|| co.throw(Nested)), "body");
}

#[test]
fn all_that_a_stubborn_body_leaves_behind_may_go_off_when_it_is_dropped() {
    for ends_with in ["nothing", "result", "error", "panic"] {
        let reports = reports();
        let unwound = Rc::new(());
        let held = unwound.clone();
        let mut co = Coroutine::<Option<Bomb>, (), Bomb, Bomb>::throwing(move |y| {
            let _held = held;
            assert!(catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(None))).is_err());
            let _ = y.yield_(None);
            let forced = catch_unwind(AssertUnwindSafe(|| drop(y.yield_(Some(Bomb("value"))))));
            match ends_with {
                "result" => Ok(Bomb("result")),
                "error" => Err(Bomb("error").into()),
                "panic" => resume_unwind(Box::new("body")),
                _ => resume_unwind(forced.expect_err("it is unwound")),
            }
        });
        assert!(co.start().is_ok() && co.throw(Bomb("left behind")).is_ok());
        assert_eq!(goes_off(|| drop(co)), "value", "the first of them");
        assert_eq!(Rc::strong_count(&unwound), 1, "{ends_with}");
        let lost: &[Event] = match ends_with {
            "nothing" => &[Event::ExitIgnored, Event::PanicLost],
            "error" => &[Event::ExitIgnored, Event::PanicLost, Event::ErrorLost, Event::PanicLost],
            _ => &[Event::ExitIgnored, Event::PanicLost, Event::PanicLost],
        };
        assert_eq!(*reports.borrow(), lost, "{ends_with}");
    }
}

#[test]
fn captures_of_nested_coroutines_that_never_start_go_off() {
    let counted = Rc::new(());
    let nest = || {
        let (bomb, held) = (Bomb("innermost"), counted.clone());
        let mut nest = Coroutine::<i32, (), (), &str>::throwing(move |_| {
            let _ = (bomb, held);
            Ok(())
        });
        for _ in 0..10 {
            let (mut inner, held) = (nest, counted.clone());
            nest = Coroutine::throwing(move |y| {
                let _held = held;
                y.yield_from(&mut inner)
            });
        }
        nest
    };
    assert_eq!(goes_off(|| drop(nest())), "innermost");
    assert_eq!(goes_off(|| nest().close()), "innermost");
    assert_eq!(goes_off(|| nest().throw("x")), "innermost");
    assert_eq!(goes_off(|| nest().throw_exit()), "innermost");
    assert_eq!(Rc::strong_count(&counted), 1);
}

// ---- what is sent

#[derive(Debug)]
struct Sent(#[allow(dead_code)] Option<Bomb>);

fn quiet() -> Sent {
    Sent(None)
}

fn loud() -> Sent {
    Sent(Some(Bomb("sent")))
}

type Sender = Coroutine<i32, Sent, i32>;

#[test]
fn a_refused_value_goes_off_and_the_coroutine_is_as_it_was() {
    let mut co = Sender::new(|y| y.yield_(1).map(|_| 2));
    assert_eq!(goes_off(|| co.send(loud())), "sent");
    assert_eq!(co.state(), State::Created);
    assert!(matches!(co.start(), Ok(Yielded(1))));
    assert!(matches!(co.send(quiet()), Ok(Complete(2))));
    assert_eq!(goes_off(|| co.send(loud())), "sent");
    assert_eq!(co.state(), State::Finished);
}

#[test]
fn a_first_value_goes_off_and_both_coroutines_are_as_they_were() {
    let mut inner = Sender::new(|y| y.yield_(1).map(|_| 2));
    let mut finished = Sender::new(|_| Ok(0));
    assert!(finished.start().is_ok());
    let mut co = Sender::new(move |y| {
        assert_eq!(goes_off(|| y.yield_from_with(loud(), &mut finished)), "sent");
        assert_eq!(goes_off(|| y.yield_from_with(loud(), &mut inner)), "sent");
        assert_eq!(inner.state(), State::Created);
        let two = y.yield_from_with(quiet(), &mut inner)?;
        drop(y.yield_(two)?);
        Ok(3)
    });
    assert!(matches!(co.start(), Ok(Yielded(1))));
    assert!(matches!(co.send(quiet()), Ok(Yielded(2))));
    assert!(matches!(co.send(quiet()), Ok(Complete(3))));
}

#[test]
fn a_value_that_an_iterator_has_no_use_for_goes_off() {
    let mut co = Coroutine::<i32, Sent, i32>::new(|y| {
        assert_eq!(goes_off(|| y.yield_all([1, 2])), "sent");
        drop(y.yield_(3)?);
        Ok(4)
    });
    assert!(matches!(co.start(), Ok(Yielded(1))));
    assert!(matches!(co.send(loud()), Ok(Yielded(3))));
    assert!(matches!(co.send(quiet()), Ok(Complete(4))));
}

#[test]
fn a_default_that_panics_leaves_everything_as_it_was() {
    thread_local!(static PANICS: Cell<bool> = const { Cell::new(false) });
    struct Default_;
    impl Default for Default_ {
        fn default() -> Self {
            if PANICS.get() {
                resume_unwind(Box::new("default"));
            }
            Self
        }
    }
    type Co = Coroutine<i32, Default_, i32>;
    let mut inner = Co::new(|y| y.yield_(2).map(|_| 3));
    let mut co = Co::new(move |y| {
        y.yield_(1)?;
        PANICS.set(true);
        assert_eq!(goes_off(|| y.yield_from(&mut inner)), "default");
        PANICS.set(false);
        assert_eq!(inner.state(), State::Created);
        let three = y.yield_from(&mut inner)?;
        y.yield_(three)?;
        Ok(4)
    });
    PANICS.set(true);
    assert_eq!(co.resume().ok(), Some(Yielded(1)), "no value is sent to start it");
    assert_eq!(goes_off(|| co.resume().map(drop)), "default");
    assert_eq!(goes_off(|| co.next()), "default");
    assert_eq!(co.state(), State::Suspended);
    PANICS.set(false);
    assert_eq!((co.next(), co.next()), (Some(2), Some(3)));
    PANICS.set(true);
    assert_eq!(goes_off(|| co.values().next()), "default");
    assert_eq!(co.send(Default_).ok(), Some(Complete(4)));
}

// ---- what is yielded

#[test]
fn a_value_yielded_in_answer_to_an_exit_goes_off_at_the_delegation() {
    let reports = reports();
    let counted = Rc::new(());
    let held = counted.clone();
    let mut inner = Generator::<Option<Bomb>>::new(move |y| {
        let _held = held;
        let _ = y.yield_(None);
        let _ = y.yield_(Some(Bomb("ignored")));
        y.yield_(None)
    });
    let mut co = Generator::<Option<Bomb>>::new(move |y| {
        assert_eq!(goes_off(|| y.yield_from(&mut inner)), "ignored");
        assert_eq!(inner.state(), State::Suspended, "it is whole");
        y.yield_from(&mut inner)
    });
    assert!(matches!(co.next(), Some(None)));
    assert!(matches!(co.close(), Err(CloseError::Ignored(None))), "the second delegation goes on after the bomb");
    assert_eq!(Rc::strong_count(&counted), 2);
    assert!(matches!(co.close(), Ok(None)));
    assert_eq!((Rc::strong_count(&counted), reports.borrow().len()), (1, 0));
}

#[test]
fn a_refused_value_goes_off_in_the_body() {
    let mut co = Generator::<Option<Bomb>>::new(|a| {
        scoped(
            |b: &Yielder<Option<Bomb>>| {
                assert_eq!(goes_off(|| a.yield_(Some(Bomb("refused")))), "refused", "while `a` delegates to this one");
                b.yield_(None)
            },
            |b: &mut Scoped<'_, Option<Bomb>>| a.yield_from(b),
        )
    });
    assert!(matches!(co.next(), Some(None)));
    assert!(co.next().is_none());
}

// ---- what is on its way out when something else goes off

#[test]
fn what_a_scope_returns_is_dropped_when_its_body_goes_off_at_its_end() {
    let returned = Rc::new(());
    let held = returned.clone();
    let body = |y: &Yielder<i32>| {
        let _bomb = Bomb("local");
        y.yield_(1)
    };
    let f = |co: &mut Scoped<'_, i32>| {
        assert_eq!(co.next(), Some(1));
        held
    };
    assert_eq!(goes_off(|| scoped(body, f)), "local");
    assert_eq!(Rc::strong_count(&returned), 1);
}

#[test]
fn an_error_is_dropped_when_the_iterator_that_it_has_ended_goes_off() {
    let error = Rc::new(());
    let mut co = Coroutine::<i32, (), (), Rc<()>>::throwing(|y| {
        let bomb = Bomb("iterator");
        y.yield_all((1..).inspect(move |_| _ = &bomb))
    });
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(goes_off(|| co.throw(error.clone())), "iterator");
    assert_eq!(Rc::strong_count(&error), 1);
}

// ---- destructors that are run by a private unwind

#[test]
fn a_destructor_run_by_a_private_unwind_cannot_suspend_and_can_do_all_else() {
    struct Tries<'a>(&'a Yielder<i32>, Rc<RefCell<Vec<String>>>);
    impl Drop for Tries<'_> {
        fn drop(&mut self) {
            let mut inner = Generator::<i32>::new(|y| y.yield_all(1..=3));
            let refused = (self.0.yield_(-1), self.0.yield_from(&mut inner));
            let sum = self.0.on_parent_stack(|| Generator::<i32>::new(|y| y.yield_all(1..=3)).sum::<i32>());
            // One that is suspended, and ignores its own exit during this one.
            let mut stubborn = Generator::<i32>::new(|y| {
                let _ = y.yield_(1);
                y.yield_(2)
            });
            let first = stubborn.next();
            drop(stubborn);
            let log = format!("{refused:?} {} {sum} {first:?}", inner.sum::<i32>());
            self.1.borrow_mut().push(log);
        }
    }
    let expected = "(Err(Misuse(Panicking)), Err(Misuse(Panicking))) 6 6 Some(1)";
    let reports = reports();
    for stubborn in [true, false] {
        let log = Rc::new(RefCell::new(Vec::new()));
        let inside = log.clone();
        let mut co = Generator::<i32>::new(move |y| {
            let _tries = Tries(y, inside);
            if stubborn {
                let _ = y.yield_(0);
                let _ = y.yield_(0);
            }
            y.yield_or_unwind(0);
            Ok(())
        });
        assert_eq!(co.next(), Some(0));
        drop(co);
        assert_eq!(*log.borrow(), [expected]);
    }
    assert_eq!(*reports.borrow(), [Event::ExitIgnored; 3], "of the first body, and of those in the destructors");
}

#[test]
fn a_body_that_catches_everything_comes_to_an_end_all_the_same() {
    // It catches the exit, the unwind and its own panics, and delegates again each time; when it must, it panics.
    let rounds = Rc::new(Cell::new(0));
    let inside = rounds.clone();
    let mut co = Generator::<i32>::new(move |y| {
        loop {
            let round = inside.replace(inside.get() + 1);
            let mut inner = Generator::<i32>::new(move |y| {
                y.yield_or_unwind(round);
                y.yield_(round)
            });
            let caught = catch_unwind(AssertUnwindSafe(|| y.yield_from(&mut inner)));
            if caught.is_err() {
                return catch_unwind(|| resume_unwind(Box::new("own")))
                    .unwrap_or_else(|payload| resume_unwind(payload));
            }
        }
    });
    assert_eq!(co.next(), Some(0));
    let reports = reports();
    assert_eq!(co.close(), Err(CloseError::Ignored(1)), "in another delegate");
    assert_eq!(goes_off(|| drop(co)), "own");
    assert_eq!((rounds.get(), &**reports.borrow()), (3, &[Event::ExitIgnored][..]));
}

// ---- what ends the process, as it does everywhere in Rust: a panic in a destructor during an unwind

/// Runs `f` when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Drops `value` during a panic.
fn drop_during_a_panic<T>(value: T) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _dropped = value;
        resume_unwind(Box::new("another"))
    }));
    assert!(caught.is_err());
}

#[test]
#[cfg(unix)]
fn panics_in_destructors_during_private_unwinds_end_the_process() {
    const NAME: &str = "bombs::panics_in_destructors_during_private_unwinds_end_the_process";
    const WAYS: [&str; 3] = ["a bomb", "an unwinding yield", "woken by one that panics"];
    let Some(way) = process::inside() else {
        for way in WAYS {
            let ended = process::Outside::default().run(NAME, way);
            ended.assert_signal(6);
            assert!(ended.text().contains("panic in a destructor during cleanup"), "{way}: {}", ended.text());
        }
        return;
    };
    let is = |index: usize| way == WAYS[index];
    let (has_bomb, unwinds, suspends) = (is(0), is(1), is(2));
    let mut co = Generator::<i32>::new(move |y| {
        let _bomb = has_bomb.then(|| Bomb("a local"));
        let _yields = OnDrop(|| {
            if unwinds {
                y.yield_or_unwind(2);
            }
            while suspends && y.yield_(3).is_err() {}
        });
        y.yield_(0)?;
        if suspends {
            resume_unwind(Box::new("its own, while the one that has woken it panics"));
        }
        y.yield_or_unwind(1);
        Ok(())
    });
    assert_eq!((co.next(), (!suspends).then(|| co.next())), (Some(0), (!suspends).then_some(Some(1))));
    if suspends {
        let co = Rc::new(RefCell::new(co));
        let woken = co.clone();
        drop_during_a_panic(OnDrop(move || assert_eq!(woken.borrow_mut().next(), Some(3))));
        // It is suspended in the middle of its own unwind now, and will not leave by itself.
        drop(co);
    } else {
        drop(co);
    }
}

#[test]
fn the_message_of_a_panic_cannot_suspend() {
    struct Yields<'a>(&'a Yielder<i32>, &'a RefCell<Vec<Result<(), Thrown>>>);
    impl std::fmt::Display for Yields<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // As often as it is asked for: by the hook that prints it, and by whoever wants the payload.
            self.1.borrow_mut().push(self.0.yield_(2));
            f.write_str("a message")
        }
    }
    let ends = Rc::new(RefCell::new(Vec::new()));
    let inside = ends.clone();
    let mut co = Generator::<i32>::new(move |y| {
        y.yield_(1)?;
        panic!("{}", Yields(y, &inside))
    });
    assert_eq!(co.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| co.next())).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("a message"));
    let ends = ends.take();
    assert!(!ends.is_empty() && ends.iter().all(|end| *end == Err(Thrown::Misuse(Misuse::Panicking))), "{ends:?}");
}

// ---- reports

#[test]
fn a_hook_may_do_what_reports_and_panic() {
    fn stubborn(number: u32) -> Generator<u32> {
        let mut co = Generator::new(move |y| {
            let _ = y.yield_(number);
            let _ = y.yield_(number);
            Err(Thrown::Misuse(Misuse::Started))
        });
        assert_eq!(co.next(), Some(number));
        co
    }
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    on_report(move |report| {
        let seen = counted.replace(counted.get() + 1);
        assert_eq!(report.event(), Event::ExitIgnored);
        if seen == 10 {
            on_report(|_| resume_unwind(Box::new(Bomb("the hook that takes its place"))));
        }
        drop(stubborn(seen)); // reports, and so on
        resume_unwind(Box::new(Bomb("the hook")));
    });
    drop(stubborn(100));
    assert_eq!(count.get(), 11, "no more after the tenth has set another one");
}
