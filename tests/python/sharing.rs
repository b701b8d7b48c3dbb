//! Handles have one owner. Shared ones are in an `Rc` and a `RefCell`, whose refusals are Python's "already executing".

use crate::common::Log;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::thread;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Generator, SendError, State, Yielder};

type Shared = Rc<RefCell<Generator<i32>>>;

fn shared(body: impl FnOnce(&Yielder<i32>) -> Result<(), switchback::Thrown> + 'static) -> Shared {
    Rc::new(RefCell::new(Generator::new(body)))
}

#[test]
fn a_weak_reference_keeps_nothing_alive_and_is_dead_while_its_coroutine_is_closed() {
    // [112] CPython, too, clears weak references before it finalises.
    let log = Log::new();
    let own: Rc<Cell<Weak<RefCell<Generator<i32>>>>> = Rc::default();
    let (held, inside) = (own.clone(), log.clone());
    let strong = shared(move |y| {
        let own = held.take();
        assert!(own.upgrade().is_some(), "it lives while it runs");
        let end = y.yield_(1);
        inside.push(format!("{end:?} {}", own.upgrade().is_some()));
        end
    });
    let weak = Rc::downgrade(&strong);
    own.set(weak.clone());
    assert_eq!(strong.borrow_mut().next(), Some(1));
    assert_eq!(Rc::strong_count(&strong), 1, "a body that refers to itself weakly is no cycle");
    drop(strong);
    assert_eq!(log.take(), "Err(Exit) false");
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_coroutine_that_owns_itself_lives_until_it_is_closed() {
    // [46] There is no collector of cycles.
    let log = Log::new();
    let own: Rc<RefCell<Option<Shared>>> = Rc::default();
    let (held, inside) = (own.clone(), log.clone());
    let strong = shared(move |y| {
        let _own = held.take();
        let _local = inside.dropper("closed");
        y.yield_(1)
    });
    *own.borrow_mut() = Some(strong.clone());
    assert_eq!(strong.borrow_mut().next(), Some(1));
    let weak = Rc::downgrade(&strong);
    drop(strong);
    assert_eq!(log.take(), "");
    let found = weak.upgrade().expect("its own frame has it");
    assert_eq!(found.borrow_mut().close(), Ok(None));
    assert_eq!(log.take(), "closed");
    drop(found);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_delegate_is_lent_for_as_long_as_it_is_delegated_to() {
    // [78, 98] So it cannot end behind its delegator's back, and nobody else can await it meanwhile.
    let inner = shared(|y| y.yield_all(1..=2));
    let lent = inner.clone();
    let mut outer = Generator::<i32>::new(move |y| {
        y.yield_from(&mut *lent.borrow_mut())?;
        y.yield_(10)
    });
    let second = inner.clone();
    let mut late = Generator::<i32>::new(move |y| match second.try_borrow_mut() {
        Ok(mut inner) => y.yield_from(&mut *inner),
        Err(_) => y.yield_(-1),
    });
    assert_eq!(outer.next(), Some(1));
    assert!(inner.try_borrow_mut().is_err(), "its delegator has it");
    assert_eq!(late.next(), Some(-1));
    assert_eq!((outer.next(), outer.next()), (Some(2), Some(10)), "nobody was disturbed");
    assert_eq!(inner.borrow_mut().next(), None, "and it is free again, if at its end");
}

#[test]
fn a_second_handle_to_a_delegate_or_its_delegator_is_refused_as_running() {
    // [78, 79] A second handle takes unsafe code; this is what it gets.
    type Co = Coroutine<i32, i32, i32>;
    let places: Rc<[Cell<*mut Co>; 2]> = Rc::new([const { Cell::new(std::ptr::null_mut()) }; 2]);
    let inside = places.clone();
    let refused = |co: *mut Co| {
        // SAFETY: the handle is alive, and is only looked at and refused.
        let co = unsafe { &mut *co };
        assert_eq!(co.state(), State::Running);
        assert_eq!(co.send(1), Err(SendError::Running(1)));
        assert_eq!(co.close(), Err(CloseError::Running));
    };
    let mut inner = Co::new(move |y| {
        refused(inside[0].get()); // its delegator
        refused(inside[1].get()); // itself
        let sent = y.yield_(1)?;
        refused(inside[0].get());
        Ok(sent)
    });
    let delegate = places.clone();
    let mut outer = Co::new(move |y| {
        delegate[1].set(&raw mut inner);
        // SAFETY: alive, and nobody uses the other handle but to be refused.
        y.yield_from(unsafe { &mut *delegate[1].get() })
    });
    places[0].set(&raw mut outer);
    // SAFETY: as above.
    let handle = unsafe { &mut *places[0].get() };
    assert_eq!(handle.start(), Ok(Yielded(1)));
    refused(places[1].get()); // the delegate, while its delegator is suspended
    assert_eq!(handle.send(5), Ok(Complete(5)));
}

#[test]
fn a_body_may_be_made_on_one_thread_and_run_on_another() {
    // [113] The body, and what comes out, are sent; the coroutine never is.
    let (items, received) = std::sync::mpsc::channel();
    let body = |y: &Yielder<thread::ThreadId>| {
        y.yield_(thread::current().id())?;
        y.yield_(thread::current().id())
    };
    let worker = thread::spawn(move || {
        for item in Generator::new(body) {
            items.send(item).expect("somebody receives");
        }
    });
    let there = worker.thread().id();
    worker.join().expect("it ends well");
    assert_eq!(received.iter().collect::<Vec<_>>(), [there, there]);
    assert_ne!(there, thread::current().id());
}
