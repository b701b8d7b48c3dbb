//! Delegation sideways: B, plainly resumed inside A, makes A delegate to c, and c yields through B. So A's frame runs while A
//! delegates, and what c is sent comes from two consumers. tests/coroutines/soundness.rs has it where all goes well; here c is thrown
//! at, and is asked to leave and does not.

use std::cell::RefCell;
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Misuse, Scoped, SendError, Thrown, Yielder, scoped};

type Y = Yielder<i32, i32, &'static str>;
type B<'a> = Scoped<'a, i32, i32, i32, &'static str>;
type Result<T> = std::result::Result<T, Thrown<&'static str>>;
type Log = Rc<RefCell<Vec<&'static str>>>;

/// Notes that a frame has gone.
struct Frame(Log, &'static str);

impl Drop for Frame {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

/// `c` is the body of c, which also gets B's yielder; `a` is what A's frame does with B.
fn sideways(
    log: &Log,
    c: impl Fn(&Y, &Y) -> Result<i32> + 'static,
    a: impl Fn(&Y, &mut B<'_>) -> Result<i32> + 'static,
) -> Coroutine<i32, i32, i32, &'static str> {
    let log = log.clone();
    Coroutine::throwing(move |y| {
        let _frame = Frame(log.clone(), "A");
        scoped(
            |b: &Y| {
                let _frame = Frame(log.clone(), "B");
                scoped(
                    |in_c: &Y| {
                        let _frame = Frame(log.clone(), "c");
                        c(in_c, b)
                    },
                    |c: &mut Scoped<'_, i32, i32, i32, &'static str>| y.yield_from(c),
                )
            },
            |b: &mut B<'_>| a(y, b),
        )
    })
}

#[test]
fn errors_come_from_both_sides() {
    let log = Log::default();
    let mut co = sideways(
        &log,
        |c, b| {
            assert_eq!(c.yield_(1), Err(Thrown::Error("from outside")));
            assert_eq!(b.yield_(2), Err(Thrown::Error("from A's frame")));
            c.yield_(3)
        },
        |a, b| {
            assert_eq!(b.start(), Ok(Yielded(2)));
            assert_eq!(a.yield_(-1), Err(Thrown::Misuse(Misuse::Delegating)), "A delegates, though it runs");
            let end = b.throw("from A's frame");
            assert_eq!(end, Err(SendError::Thrown(Thrown::Error("uncaught"))), "by way of c, A's delegation, and B");
            a.yield_(4)
        },
    );
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.throw("from outside"), Ok(Yielded(3)));
    assert_eq!(co.throw("uncaught"), Ok(Yielded(4)));
    assert_eq!(log.take(), ["c", "B"]);
    assert_eq!(co.send(5), Ok(Complete(5)));
}

#[test]
fn an_error_goes_through_all_of_them() {
    let log = Log::default();
    let mut co = sideways(&log, |c, _| c.yield_(1), |_, b| Ok(b.start()?.complete().unwrap_or(-1)));
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
    assert_eq!(log.take(), ["c", "B", "A"]);
}

#[test]
fn an_exit_that_c_ignores_is_a_misuse_in_b() {
    let log = Log::default();
    let mut co = sideways(
        &log,
        |c, _| {
            assert_eq!(c.yield_(1), Err(Thrown::Exit));
            c.yield_(2)
        },
        |_, b| Ok(b.start()?.complete().unwrap_or(-1)),
    );
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.close(), Err(CloseError::Misuse(Misuse::Ignored)));
    assert_eq!(log.take(), ["c", "B", "A"]);
}

#[test]
fn an_exit_that_c_answers_sideways_is_answered_when_it_comes_back() {
    let log = Log::default();
    let make = |ignores: bool| {
        sideways(
            &log,
            move |c, b| {
                assert_eq!(c.yield_(1), Err(Thrown::Exit));
                assert_eq!(b.yield_(2), Err(Thrown::Exit), "the second exit is B's");
                if ignores { c.yield_(3) } else { Err(Thrown::Exit) }
            },
            move |a, b| {
                assert_eq!(b.start(), Ok(Yielded(2)), "in the middle of A's exit");
                assert_eq!(a.yield_(-1), Err(Thrown::Misuse(Misuse::Delegating)));
                let end = b.close();
                assert_eq!(end, if ignores { Err(CloseError::Misuse(Misuse::Ignored)) } else { Ok(None) });
                a.yield_(4)
            },
        )
    };
    for ignores in [true, false] {
        let mut co = make(ignores);
        assert_eq!(co.start(), Ok(Yielded(1)));
        assert_eq!(co.close(), Err(CloseError::Ignored(4)), "by A itself, in the end");
        assert_eq!(log.take(), ["c", "B"]);
        assert_eq!(co.close(), Ok(None));
        assert_eq!(log.take(), ["A"]);
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_stubborn_c_is_unwound_whoever_drops_it() {
    use switchback::Event;
    let log = Log::default();
    for through_b in [true, false] {
        let reports: Rc<RefCell<Vec<Event>>> = Rc::default();
        let all = reports.clone();
        crate::reports::on_report(move |report| all.borrow_mut().push(report.event()));
        let mut co = sideways(
            &log,
            move |c, b| {
                let _ = c.yield_(1);
                loop {
                    let _ = if through_b { b.yield_(2) } else { c.yield_(3) };
                }
            },
            // If it gets a value, it leaves B as it is; the end of the scope drops it.
            |_, b| b.start().map(|state| state.complete().unwrap_or(4)).map_err(Into::into),
        );
        assert_eq!(co.start(), Ok(Yielded(1)));
        drop(co);
        assert_eq!(log.take(), ["c", "B", "A"]);
        // Through B, it is B that is dropped and unwound, and A returns. Otherwise c is, by B, and A passes on the misuse.
        let expected: &[Event] =
            if through_b { &[Event::ExitIgnored] } else { &[Event::ExitIgnored, Event::ErrorLost] };
        assert_eq!(*reports.borrow(), expected);
    }
}
