//! Short safe programs that look for a way to break something with handles, yielders and values: what each comes to is
//! defined. (tests/coroutines/soundness.rs and tests/coroutines/escapes.rs have more.)

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::mem;
use std::ptr;
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Builder, CloseError, Coroutine, Generator, Misuse, SendError, State, Thrown, Yielder};

type Place<T> = Rc<RefCell<Option<T>>>;

#[test]
fn a_body_swaps_its_delegates() {
    let make = |first: i32| Generator::<i32>::new(move |y| y.yield_(first).or_else(|_| y.yield_(first + 1)));
    let (mut a, mut b) = (make(10), make(20));
    let mut co = Generator::<i32>::new(move |y| {
        let ignored = Err(Thrown::Misuse(Misuse::Ignored));
        assert_eq!(y.yield_from(&mut a), ignored);
        mem::swap(&mut a, &mut b);
        assert_eq!((a.state(), b.state()), (State::Created, State::Suspended));
        assert_eq!(y.yield_from(&mut b), Ok(()), "the one that has ignored the exit");
        y.yield_from(&mut a)?;
        mem::swap(&mut a, &mut b);
        assert_eq!((a.state(), b.state()), (State::Finished, State::Finished));
        Err(Thrown::Misuse(Misuse::Started))
    });
    assert_eq!(co.resume(), Ok(Yielded(10)));
    assert_eq!(co.close(), Err(CloseError::Ignored(20)), "whose delegate is the other one by now");
    assert_eq!(co.resume(), Err(SendError::Thrown(Thrown::Misuse(Misuse::Started))));
}

#[test]
fn two_that_resume_each_other() {
    let places: [Place<Generator<i32>>; 2] = [Rc::default(), Rc::default()];
    let make = |me: usize| {
        let other = places[1 - me].clone();
        Generator::<i32>::new(move |y| {
            loop {
                // The other one is out on loan while it runs, to whoever resumes it.
                let resumed = other.try_borrow_mut().map(|mut other| other.as_mut().and_then(Iterator::next));
                y.yield_(resumed.map_or(-1, |item| item.map_or(-2, |item| 10 * item + 1)))?;
            }
        })
    };
    for (me, place) in places.iter().enumerate() {
        *place.borrow_mut() = Some(make(me));
    }
    let next = |of: usize| places[of].borrow_mut().as_mut().and_then(Iterator::next);
    assert_eq!([next(0), next(1), next(0)], [Some(-9); 3], "each finds the other resumed, and the other finds it busy");
    // Each closure owns the other's place, and each place a closure: a circle, which ends by emptying one.
    let first = places[0].take();
    drop(first);
    assert_eq!(next(1), Some(-2));
    drop(places[1].take());
    assert_eq!(places.map(|place| Rc::strong_count(&place)), [1, 1]);
}

#[test]
fn a_delegate_is_dropped_from_a_third_place_and_from_within() {
    let place: Place<Generator<i32>> = Rc::default();
    let (lent, own) = (place.clone(), place.clone());
    *place.borrow_mut() = Some(Generator::new(move |y| {
        assert!(own.try_borrow_mut().is_err(), "its delegator has it");
        y.yield_(1)?;
        drop(own);
        y.yield_(2)
    }));
    let mut co = Generator::<i32>::new(move |y| y.yield_from(lent.borrow_mut().as_mut().expect("it is there")));
    assert_eq!(co.next(), Some(1));
    assert!(place.try_borrow_mut().is_err(), "no third place gets it while it is delegated to");
    drop(place);
    assert_eq!((co.next(), co.next()), (Some(2), None), "the delegator's own reference is enough");
}

#[test]
fn a_value_drops_the_coroutine_that_has_yielded_it() {
    struct DropsIt(Place<Coroutine<DropsIt, Rc<()>>>, #[allow(dead_code)] Rc<()>);
    impl Drop for DropsIt {
        fn drop(&mut self) {
            drop(self.0.take());
        }
    }
    let (place, counted) = (Place::default(), Rc::new(()));
    let (inside, held) = (place.clone(), counted.clone());
    *place.borrow_mut() = Some(Coroutine::new(move |y| {
        let local = held;
        y.yield_(DropsIt(inside.clone(), local.clone()))?;
        // Refused or not, each of them may do it: while it runs it is out of its place.
        y.yield_(DropsIt(inside.clone(), local.clone())).map(drop)
    }));
    let mut co: Coroutine<DropsIt, Rc<()>> = place.take().expect("it is there");
    let first = co.start();
    *place.borrow_mut() = Some(co);
    assert_eq!(Rc::strong_count(&counted), 3, "its local, and the value's");
    drop(first);
    assert_eq!((Rc::strong_count(&counted), place.borrow().is_none()), (1, true));
}

#[test]
fn a_coroutine_returns_the_place_that_it_is_in() {
    struct Own(Place<Coroutine<(), (), Own>>);
    let place = Place::default();
    let inside = place.clone();
    *place.borrow_mut() = Some(Coroutine::new(move |y| {
        y.yield_(())?;
        Ok(Own(inside))
    }));
    let end = {
        let mut co = place.borrow_mut();
        let co = co.as_mut().expect("it is there");
        assert!(matches!(co.start(), Ok(Yielded(()))));
        co.resume()
    };
    let Ok(Complete(own)) = end else { panic!("it ends") };
    assert!(Rc::ptr_eq(&own.0, &place));
    assert_eq!(own.0.take().map(|co| co.state()), Some(State::Finished));
}

#[test]
fn each_closes_the_next_in_answer_to_an_exit() {
    const DEPTH: usize = 100;
    let order = Rc::new(RefCell::new(Vec::new()));
    let mut next: Option<Generator<usize>> = None;
    for depth in 0..DEPTH {
        let (mut inner, order) = (next, order.clone());
        let mut co = Generator::<usize>::new(move |y| {
            let end = y.yield_(depth);
            order.borrow_mut().push(depth);
            // Not by delegation: each of them waits in the `close` of the one before.
            let closed = inner.as_mut().map_or(Ok(None), Coroutine::close);
            assert_eq!(closed, if depth == 0 { Ok(None) } else { Ok(Some(())) });
            order.borrow_mut().push(depth);
            assert_eq!(end, Err(Thrown::Exit));
            Ok(())
        });
        assert_eq!(co.next(), Some(depth));
        next = Some(co);
    }
    assert_eq!(next.as_mut().map(Coroutine::close), Some(Ok(Some(()))));
    let expected: Vec<usize> = (0..DEPTH).rev().chain(0..DEPTH).collect();
    assert_eq!(*order.borrow(), expected);
}

#[test]
fn iterators_that_have_the_yielder_too() {
    struct Items<'a>(&'a Yielder<i32>, i32);
    impl Iterator for Items<'_> {
        type Item = i32;
        fn next(&mut self) -> Option<i32> {
            self.1 += 1;
            let _ = self.0.yield_(10 * self.1);
            (self.1 < 3).then_some(self.1)
        }
    }
    impl Drop for Items<'_> {
        fn drop(&mut self) {
            let _ = self.0.yield_(-1);
        }
    }
    let make = || Generator::<i32>::new(|y| y.yield_all(Items(y, 0)));
    assert_eq!(make().collect::<Vec<_>>(), [10, 1, 20, 2, 30, -1]);
    let mut closed = make();
    assert_eq!((closed.next(), closed.next()), (Some(10), Some(1)));
    assert_eq!(closed.close(), Err(CloseError::Ignored(-1)), "the iterator is dropped, which is no answer to an exit");
    assert_eq!(closed.close(), Ok(None), "the first exit is what the body passes on");
}

#[test]
fn a_default_that_is_made_by_a_coroutine_which_yields_through_another() {
    // S::default() runs on the consumer's side, here inside a coroutine; what it does has nothing to do with the one that
    // is about to be resumed.
    #[derive(Debug, PartialEq)]
    struct Sum(i32);
    impl Default for Sum {
        fn default() -> Self {
            let mut inner = Generator::new(|y| y.yield_all(1..=4));
            Self(Generator::<i32>::new(move |y| y.yield_from(&mut inner)).sum())
        }
    }
    let mut co = Coroutine::<i32, Sum, Sum>::new(|y| {
        let sum = y.yield_(1)?;
        let mut inner = Coroutine::<i32, Sum, Sum>::new(|y| y.yield_(2));
        inner.start()?;
        assert_eq!(y.yield_from(&mut inner), Ok(Sum(10)));
        Ok(sum)
    });
    assert_eq!((co.resume(), co.resume()), (Ok(Yielded(1)), Ok(Complete(Sum(10)))));
}

/// What `scoped_tls` offers safe programs: a yielder that any function finds, as long as the body is in `with`.
struct Found<Y: 'static, S: 'static>(Cell<*const Yielder<Y, S>>);

impl<Y, S> Found<Y, S> {
    fn within<T>(&self, y: &Yielder<Y, S>, f: impl FnOnce() -> T) -> T {
        self.0.set(y);
        let value = f();
        self.0.set(ptr::null());
        value
    }

    fn with<T>(&self, f: impl FnOnce(&Yielder<Y, S>) -> T) -> Option<T> {
        // SAFETY: `within` has been given it, and has not returned.
        unsafe { self.0.get().as_ref() }.map(f)
    }
}

#[test]
fn a_first_value_that_suspends_the_delegator_while_it_is_dropped() {
    thread_local!(static FOUND: Found<i32, Sent> = const { Found(Cell::new(ptr::null())) });
    struct Sent(bool);
    impl Drop for Sent {
        fn drop(&mut self) {
            if self.0 {
                FOUND.with(|found| found.with(|y| drop(y.yield_(7))));
            }
        }
    }
    /// Resumes from another frame each time, so that what is remembered of an earlier one is wrong.
    #[inline(never)]
    fn deeper(co: &mut Coroutine<i32, Sent>, depth: usize) -> i32 {
        let frame = std::hint::black_box([depth; 64]);
        let item = match depth {
            0 => co.send(Sent(false)).ok().and_then(switchback::CoroutineState::yielded),
            depth => Some(deeper(co, depth - 1)),
        };
        std::hint::black_box(&frame);
        item.unwrap_or(-1)
    }
    for state in [State::Created, State::Suspended, State::Finished] {
        let mut inner = Coroutine::<i32, Sent>::new(|y| {
            y.yield_(1)?;
            y.yield_(2).map(drop)
        });
        match state {
            State::Created => {}
            State::Suspended => drop(inner.start()),
            _ => drop(inner.close()),
        }
        let mut co = Coroutine::<i32, Sent>::new(move |y| {
            let end = FOUND.with(|found| found.within(y, || y.yield_from_with(Sent(true), &mut inner)));
            drop(y.yield_(if end == Err(Thrown::Misuse(Misuse::Finished)) { 4 } else { 3 })?);
            end
        });
        // A new one does not get the value, nor one that has finished. The other drops it when it goes on, and then the
        // delegator delegates.
        let expected = match state {
            State::Created => [7, 1, 2, 3],
            State::Suspended => [2, 3, -1, -1],
            _ => [7, 4, -1, -1],
        };
        let first = co.start().ok().and_then(switchback::CoroutineState::yielded);
        let rest = [10, 3, 5].map(|depth| deeper(&mut co, depth));
        assert_eq!((first, rest), (Some(expected[0]), [expected[1], expected[2], expected[3]]), "{state:?}");
    }
}

// ---- values of every shape, by every way that there is

trait Shape: Clone + Default + PartialEq + Debug + 'static {}
impl<T: Clone + Default + PartialEq + Debug + 'static> Shape for T {}

type Co<T> = Coroutine<T, T, T, T>;

fn with_room<T: Shape>(body: impl FnOnce(&Yielder<T, T, T>) -> Result<T, Thrown<T>> + 'static) -> Co<T> {
    Builder::new().stack_size(4 << 20).create_throwing(body).expect("a stack")
}

/// Sends, throws, yields and returns values through `depth` delegations, in all ways that there are.
fn goes_everywhere<T: Shape>(value: &T, depth: usize) {
    let captured = value.clone();
    let mut co = with_room(move |y| {
        let sent = y.yield_(captured.clone())?;
        y.yield_all([sent, captured.clone()])?;
        let sent = y.yield_or_unwind(captured.clone());
        let Err(Thrown::Error(thrown)) = y.yield_(sent) else { panic!("it was thrown at") };
        let end = y.yield_(thrown);
        y.yield_(if end == Err(Thrown::Exit) { T::default() } else { captured })
    });
    for _ in 0..depth {
        let (mut inner, first) = (co, value.clone());
        co = with_room(move |y| y.yield_from_with(first, &mut inner));
    }
    assert_eq!(co.send(value.clone()), Err(SendError::NotStarted(value.clone())));
    assert_eq!(co.start(), Ok(Yielded(value.clone())));
    assert_eq!(co.send(value.clone()), Ok(Yielded(value.clone())));
    assert_eq!(co.resume(), Ok(Yielded(value.clone())));
    assert_eq!(co.resume(), Ok(Yielded(value.clone())));
    assert_eq!(co.send(value.clone()), Ok(Yielded(value.clone())));
    assert_eq!(co.throw(value.clone()), Ok(Yielded(value.clone())));
    if depth == 0 {
        assert_eq!(co.close(), Err(CloseError::Ignored(T::default())));
    } else {
        assert_eq!(co.send(value.clone()), Ok(Yielded(value.clone())));
    }
    assert_eq!(co.send(value.clone()), Ok(Complete(value.clone())));
    assert_eq!(co.send(value.clone()), Err(SendError::Finished(value.clone())));
    assert_eq!(co.throw(value.clone()), Err(SendError::Finished(value.clone())));
    let mut new = with_room(|y| y.yield_(T::default()));
    assert_eq!(new.throw(value.clone()), Err(SendError::Thrown(Thrown::Error(value.clone()))));
}

#[test]
fn zero_sized_huge_and_over_aligned_values_go_everywhere() {
    #[derive(Clone, Default, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Nothing;
    #[derive(Clone, Default, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page(u8);
    #[derive(Clone, PartialEq, Debug)]
    struct Huge([u64; 2048]);
    impl Default for Huge {
        fn default() -> Self {
            Self([0; 2048])
        }
    }
    // All the copies that a debug build makes of them need room outside, too.
    let all = || {
        for depth in 0..3 {
            goes_everywhere(&(), depth);
            goes_everywhere(&Nothing, depth);
            goes_everywhere(&Page(7), depth);
            goes_everywhere(&Huge([7; 2048]), depth);
            goes_everywhere(&(7_u8, u128::MAX), depth);
            goes_everywhere(&Some(Box::new(7)), depth);
            goes_everywhere(&(Rc::<str>::from("wide"), 'c'), depth);
        }
    };
    std::thread::Builder::new().stack_size(32 << 20).spawn(all).expect("a thread").join().expect("it ends well");
}

#[test]
fn values_of_no_size_are_dropped_once_each() {
    thread_local!(static ALIVE: Cell<isize> = const { Cell::new(0) });
    #[derive(Debug, PartialEq)]
    #[repr(align(128))]
    struct Nothing(());
    impl Default for Nothing {
        fn default() -> Self {
            ALIVE.set(ALIVE.get() + 1);
            Self(())
        }
    }
    impl Clone for Nothing {
        fn clone(&self) -> Self {
            Self::default()
        }
    }
    impl Drop for Nothing {
        fn drop(&mut self) {
            ALIVE.set(ALIVE.get() - 1);
        }
    }
    for depth in 0..3 {
        goes_everywhere(&Nothing::default(), depth);
        assert_eq!(ALIVE.get(), 0);
    }
}
