//! What Python writes with `finally`: destructors, and code after the yield. And the end of the process.

use crate::common::Log;
#[cfg(unix)]
use crate::process::{Outside, inside};
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Generator, SendError, State, Thrown, Yielder};

#[test]
fn a_cleanup_that_yields_suspends_the_return_which_is_completed_later() {
    // [9] As code after the inner part, which is what a `finally` is:
    let mut co = Generator::<i32, i32>::new(|y| {
        let inner = || Ok(5);
        let result = inner();
        y.yield_(1)?;
        result
    });
    assert_eq!(co.resume(), Ok(Yielded(1)));
    assert_eq!(co.resume(), Ok(Complete(5)));

    // And in a destructor, when no panic is the reason for it.
    struct YieldsOnDrop<'a>(&'a Yielder<i32>);
    impl Drop for YieldsOnDrop<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.yield_(2), Ok(()));
        }
    }
    let mut co = Generator::<i32, i32>::new(|y| {
        let _guard = YieldsOnDrop(y);
        Ok(6)
    });
    assert_eq!(co.resume(), Ok(Yielded(2)));
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.resume(), Ok(Complete(6)));
}

#[test]
fn what_is_on_its_way_out_may_be_replaced_by_a_value_or_another_error() {
    // [10]
    type Words = Coroutine<i32, (), i32, &'static str>;
    let attempt = |y: &Yielder<i32, (), &'static str>| y.yield_(1);
    let mut returns = Words::throwing(move |y| {
        assert_eq!(attempt(y), Err(Thrown::Error("lost")));
        Ok(7)
    });
    returns.start().expect("starts");
    assert_eq!(returns.throw("lost"), Ok(Complete(7)));

    let mut raises = Words::throwing(move |y| {
        assert_eq!(attempt(y), Err(Thrown::Error("lost")));
        Err("another".into())
    });
    raises.start().expect("starts");
    assert_eq!(raises.throw("lost"), Err(SendError::Thrown(Thrown::Error("another"))));
}

#[test]
fn a_throw_runs_destructors_from_the_inside_out() {
    // [24]
    let log = Log::new();
    let (outside, inside) = (log.clone(), log.clone());
    let mut inner = Coroutine::<i32, (), (), &str>::throwing(move |y| {
        let _first = inside.dropper("inner's first");
        let _second = inside.dropper("inner's second");
        y.yield_(1)
    });
    let mut outer = Coroutine::<i32, (), (), &str>::throwing(move |y| {
        let _local = outside.dropper("outer's");
        y.yield_from(&mut inner)
    });
    outer.start().expect("starts");
    assert_eq!(outer.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
    assert_eq!(log.take(), "inner's second inner's first outer's");
}

#[test]
fn a_coroutine_that_has_ended_keeps_nothing_while_its_handle_lives() {
    // [36, 44, 86]
    for how in ["end", "close"] {
        let log = Log::new();
        let (captured, inside) = (log.dropper("captured"), log.clone());
        let mut co = Generator::<i32>::new(move |y| {
            let _captured = captured;
            let _local = inside.dropper("local");
            y.yield_(1)
        });
        assert_eq!(co.next(), Some(1));
        assert!((co.state(), co.stack_size().is_some()) == (State::Suspended, true));
        match how {
            "end" => assert_eq!(co.next(), None),
            _ => assert_eq!(co.close(), Ok(None)),
        }
        assert_eq!(log.take(), "local captured", "{how}");
        assert_eq!((co.state(), co.stack_size(), co.delegate()), (State::Finished, None, None), "{how}");
    }
}

#[test]
fn what_answers_an_exit_with_a_yield_is_asked_again() {
    // [32, 101] What asyncio would call a coroutine that ignores GeneratorExit.
    let mut co = Generator::<&str>::new(|y| match y.yield_("working") {
        Err(Thrown::Exit) => y.yield_("not yet"),
        other => other,
    });
    co.start().expect("starts");
    assert_eq!(co.close(), Err(CloseError::Ignored("not yet")));
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.close(), Ok(None));
}

#[test]
#[cfg(unix)]
fn a_process_may_end_while_coroutines_are_suspended() {
    // [47]
    use std::cell::RefCell;
    thread_local!(static KEPT: RefCell<Option<Generator<i32>>> = const { RefCell::new(None) });
    fn suspended(name: &'static str) -> Generator<i32> {
        struct Tells(&'static str);
        impl Drop for Tells {
            fn drop(&mut self) {
                println!("{} was closed", self.0);
            }
        }
        let mut co = Generator::<i32>::new(move |y| {
            let _tells = Tells(name);
            y.yield_(1)
        });
        assert_eq!(co.next(), Some(1));
        co
    }
    if inside().is_some() {
        KEPT.set(Some(suspended("the kept one")));
        std::mem::forget(suspended("the forgotten one"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _co = suspended("the other thread's");
            ready.send(()).expect("somebody waits");
            std::thread::park();
        });
        is_ready.recv().expect("it is there");
        let _local = suspended("the local one");
        let mut outer = Generator::<i32>::new(|_| {
            println!("all are suspended");
            std::process::exit(7)
        });
        outer.next();
    }
    // What waits in a process that exits is a leak to LeakSanitizer.
    let leaks = Outside { env: &[("ASAN_OPTIONS", "detect_leaks=0")], ..Outside::default() };
    let ended = leaks.run("cleanup::a_process_may_end_while_coroutines_are_suspended", "exit");
    ended.assert_code(7);
    let text = ended.text();
    assert!(text.contains("all are suspended") && !text.contains("switchback:"), "{text}");
    // Nobody closes what a frame, or another thread, still has. What a thread-local has is closed where those of the thread
    // that exits are destroyed.
    let closed: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(" was closed")).collect();
    assert!(closed == ["the kept one"] || (closed.is_empty() && cfg!(not(target_os = "linux"))), "{text}");
}
