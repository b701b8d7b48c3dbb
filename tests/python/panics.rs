//! Python keeps "the exception that is being handled" for each generator. What Rust has of the kind is whether the thread
//! unwinds from a panic, which is the thread's and not the coroutine's.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;
use std::thread::panicking;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, Generator, Misuse, Thrown, Yielder};

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)()
    }
}

#[track_caller]
fn panics_with<T>(expected: &str, f: impl FnOnce() -> T) {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&expected));
    assert!(!panicking());
}

#[test]
fn both_sides_of_a_switch_are_told_truly_whether_their_thread_panics() {
    // [90] One generator, resumed before a panic, in a destructor during it, and after it.
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut co = Generator::<bool>::new(|y| {
        loop {
            y.yield_(panicking())?;
        }
    });
    assert_eq!((co.next(), panicking()), (Some(false), false));
    let tell = told.clone();
    panics_with("boom", || {
        let _guard = OnDrop(|| tell.borrow_mut().extend([(co.next(), panicking()), (co.next(), panicking())]));
        panic_any("boom")
    });
    assert_eq!(told.take(), [(Some(true), true); 2]);
    assert_eq!((co.next(), panicking()), (Some(false), false));
}

#[test]
fn a_panic_inside_a_generator_that_a_destructor_resumes_ends_there() {
    // [90] Two panics of one thread, neither of which is the other's.
    let seen = Cell::new(None);
    panics_with("outer", || {
        let _guard = OnDrop(|| {
            let mut catches = Generator::<bool, bool>::new(|y| {
                let caught = catch_unwind(|| panic_any("inner")).is_err();
                y.yield_(panicking())?;
                Ok(caught)
            });
            let mut dies = Generator::<i32>::new(|_| panic_any("inner"));
            let died = catch_unwind(AssertUnwindSafe(|| dies.next())).is_err();
            let first = catches.resume() == Ok(Yielded(true));
            seen.set(Some((died, first, catches.resume() == Ok(Complete(true)), panicking())));
        });
        panic_any("outer")
    });
    assert_eq!(seen.get(), Some((true, true, true, true)));
}

#[test]
fn a_yield_in_a_destructor_suspends_unless_it_is_a_panic_that_runs_it() {
    // [9, 90] Suspended in the midst of an unwind, its consumer would see a thread that panics.
    let body = |panics: bool, told: Rc<Cell<Option<Thrown>>>| {
        move |y: &Yielder<i32>| {
            let _guard = OnDrop(|| told.set(y.yield_(1).err()));
            if panics { panic_any("boom") } else { Ok(()) }
        }
    };
    let told = Rc::new(Cell::new(None));
    let mut calm = Generator::new(body(false, told.clone()));
    assert_eq!((calm.next(), panicking()), (Some(1), false));
    assert_eq!((calm.next(), told.take()), (None, None));

    let mut panics = Generator::new(body(true, told.clone()));
    panics_with("boom", || panics.next());
    assert_eq!(told.take(), Some(Thrown::Misuse(Misuse::Panicking)));

    // Nor by way of a delegate, whose yield would suspend both.
    let mut inner = Generator::<i32>::new(|y| y.yield_all(0..3));
    let refused = told.clone();
    let mut delegates = Generator::<i32, ()>::new(move |y| {
        let _guard = OnDrop(|| refused.set(y.yield_from(&mut inner).err()));
        panic_any("boom")
    });
    panics_with("boom", || delegates.resume());
    assert_eq!(told.take(), Some(Thrown::Misuse(Misuse::Panicking)));
}

#[test]
fn each_keeps_the_panic_that_it_has_caught_while_others_have_theirs() {
    // [90] As Python's handlers keep their own exceptions across a yield.
    fn handler(own: &'static str) -> Coroutine<&'static str> {
        Coroutine::new(move |y| {
            let payload = catch_unwind(|| panic_any(own)).expect_err("it panics");
            y.yield_(own)?;
            y.yield_(*payload.downcast_ref::<&str>().expect("its own"))?;
            resume_unwind(payload)
        })
    }
    let (mut a, mut b) = (handler("a's"), handler("b's"));
    assert_eq!((a.next(), b.next(), panicking()), (Some("a's"), Some("b's"), false));
    assert_eq!((b.next(), a.next(), panicking()), (Some("b's"), Some("a's"), false));
    panics_with("a's", || a.next());
    panics_with("b's", || b.next());
}
