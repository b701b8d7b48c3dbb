//! What comes out of a coroutine is what was put in, and an end is never taken for another's.

use std::error::Error;
use std::fmt;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, CoroutineState, Generator, Misuse, SendError, State, Thrown};

#[test]
fn the_end_of_an_inner_coroutine_is_not_taken_for_the_end_of_the_outer() {
    // [48, 49] Python's `next(sub)` in a body raises StopIteration, which PEP 479 had to keep from ending the body.
    let finished = || {
        let mut inner = Generator::<i32>::new(|_| Ok(()));
        assert_eq!(inner.resume(), Ok(Complete(())));
        inner
    };
    let mut inner = finished();
    let mut careless = Generator::<i32>::new(move |_| {
        inner.resume()?;
        Ok(())
    });
    assert_eq!(careless.resume(), Err(SendError::Thrown(Thrown::Misuse(Misuse::Finished))));

    let mut inner = finished();
    let mut careful = Generator::<i32>::new(move |y| match inner.resume() {
        Err(SendError::Finished(())) => y.yield_(42),
        other => panic!("{other:?}"),
    });
    assert_eq!((careful.next(), careful.next()), (Some(42), None));
}

#[test]
fn a_misuse_inside_a_delegate_can_be_caught_by_its_delegator() {
    // [50]
    let mut inner = Generator::<i32>::new(|_| {
        let mut finished = Generator::<i32>::new(|_| Ok(()));
        finished.close().map_err(|_| Thrown::Exit)?;
        finished.resume()?;
        Ok(())
    });
    let mut outer = Generator::<i32>::new(move |y| {
        assert_eq!(y.yield_from(&mut inner), Err(Thrown::Misuse(Misuse::Finished)));
        y.yield_(1)
    });
    assert_eq!(outer.next(), Some(1));
}

#[test]
fn what_is_returned_is_delivered_as_it_is() {
    // [5, 82] Also what looks like a pair, an end, a failure or an exit.
    fn through<R: Clone + PartialEq + fmt::Debug + 'static>(value: R) {
        let returned = value.clone();
        let mut inner = Generator::<(), R>::new(|_| Ok(returned));
        let mut outer = Generator::new(move |y| y.yield_from(&mut inner));
        assert_eq!(outer.resume(), Ok(Complete(value)));
    }
    through((1, 2));
    through(None::<i32>);
    through(SendError::<i32>::Finished(1));
    through(Err::<i32, _>(Thrown::<&str>::Exit));
    through(CoroutineState::<i32, i32>::Complete(2));
}

/// An error with another for its reason.
#[derive(Debug)]
struct While(&'static str, Option<Box<Self>>);

impl fmt::Display for While {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for While {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn an_error_keeps_what_it_says_it_was_caused_by() {
    // [21, 89]
    let mut co = Coroutine::<i32, (), (), While>::throwing(|y| match y.yield_(1) {
        Err(Thrown::Error(first)) => Err(While("second", Some(first.into())).into()),
        other => other,
    });
    assert!(matches!(co.start(), Ok(Yielded(1))));
    let error = co.throw(While("first", None)).expect_err("it is replaced");
    assert_eq!(error.to_string(), "second");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("first"));
}

#[test]
fn there_are_four_states_and_each_is_told() {
    // [84]
    use std::cell::Cell;
    use std::rc::Rc;
    let place: Rc<Cell<*const Generator<i32>>> = Rc::new(Cell::new(std::ptr::null()));
    let inside = place.clone();
    let mut co = Generator::<i32>::new(move |y| {
        // SAFETY: the handle is alive while its body runs, and is only looked at. It takes unsafe code to look at it now.
        assert_eq!(unsafe { &*inside.get() }.state(), State::Running);
        y.yield_(1)
    });
    place.set(&raw const co);
    assert_eq!(co.state(), State::Created);
    assert_eq!(co.next(), Some(1));
    assert_eq!(co.state(), State::Suspended);
    assert_eq!(co.next(), None);
    assert_eq!(co.state(), State::Finished);
}

#[test]
fn a_finished_coroutine_refuses_everything_but_to_be_closed() {
    // [96, 97] What it refuses comes back, where Python loses it.
    let mut co = Coroutine::<i32, String, i32, String>::throwing(|_| Ok(5));
    assert_eq!(co.start(), Ok(Complete(5)));
    assert_eq!(co.send("sent".into()).expect_err("it has finished").into_value().as_deref(), Some("sent"));
    assert_eq!(co.throw("thrown".into()).expect_err("it has finished").into_value().as_deref(), Some("thrown"));
    assert_eq!(co.resume(), Err(SendError::Finished(())));
    let mut awaiting = Coroutine::<i32, String, i32, String>::throwing(move |y| {
        assert_eq!(y.yield_from(&mut co), Err(Thrown::Misuse(Misuse::Finished)));
        assert_eq!((co.close(), co.close()), (Ok(None), Ok::<_, CloseError<i32, String>>(None)));
        Ok(6)
    });
    assert_eq!(awaiting.start(), Ok(Complete(6)));
}
