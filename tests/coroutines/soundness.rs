//! The traps that safe stackful coroutines have fallen into, each with what happens here.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.

use crate::common::{Dropper, Log};
use std::cell::{Cell, RefCell};
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, Generator, Misuse, Scoped, SendError, State, Thrown, Yielder, scoped};

// ---- an outer yielder, used further in

/// An owned coroutine whose body plainly resumes a nested one, which yields through the outer yielder.
fn through(log: &Log) -> Coroutine<i32, i32, i32> {
    let log = log.clone();
    Coroutine::new(move |y| {
        let _outer = log.dropper("outer");
        let sum = scoped(
            |inner: &Yielder<i32>| {
                let _inner = log.dropper("inner");
                let first = y.yield_(1).map_err(|_| Thrown::Exit)?;
                inner.yield_(first * 10)?;
                let second = y.yield_(2).map_err(|_| Thrown::Exit)?;
                Ok(second)
            },
            |nested: &mut Scoped<'_, i32, (), i32>| {
                let Ok(Yielded(first)) = nested.resume() else { return None };
                let Ok(Complete(second)) = nested.resume() else { return None };
                Some(first + second)
            },
        );
        sum.ok_or(Thrown::Exit)
    })
}

#[test]
fn a_yield_through_the_outer_yielder_suspends_all_between() {
    let log = Log::new();
    let mut co = through(&log);
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.send(5), Ok(Yielded(2)));
    assert_eq!(co.send(7), Ok(Complete(57)));
    assert_eq!(log.take(), "inner outer");
}

#[test]
fn all_between_is_closed_and_dropped_together() {
    let log = Log::new();
    let mut co = through(&log);
    co.start().expect("starts");
    assert_eq!(co.close(), Ok(None));
    assert_eq!(log.take(), "inner outer");
    let mut co = through(&log);
    co.start().expect("starts");
    co.send(1).expect("goes on");
    drop(co);
    assert_eq!(log.take(), "inner outer");
}

// ---- yields through a coroutine that delegates

#[test]
fn a_yield_through_a_yielder_whose_coroutine_delegates_is_refused_and_nothing_is_lost() {
    let log = Log::new();
    let dropped = log.clone();
    let mut co = Coroutine::<Dropper, i32, i32>::new(move |a| {
        scoped(
            |b: &Yielder<Dropper, i32>| {
                // `a` delegates to this coroutine, so its own link would be stale.
                let Err(refused) = a.yield_(dropped.dropper("value")) else { panic!("it must be refused") };
                assert_eq!(refused, Thrown::Misuse(Misuse::Delegating));
                assert_eq!(dropped.take(), "value", "dropped, once");
                let mut other = Coroutine::<Dropper, i32, i32>::new(|_| Ok(0));
                assert_eq!(a.yield_from(&mut other), Err(Thrown::Misuse(Misuse::Delegating)));
                assert_eq!(other.state(), State::Created, "untouched");
                assert_eq!(a.on_parent_stack(|| 5), 5, "runs in place");
                b.yield_(dropped.dropper("b's"))
            },
            |b: &mut Scoped<'_, Dropper, i32, i32>| a.yield_from(b),
        )
    });
    assert!(matches!(co.start(), Ok(Yielded(_))));
    assert_eq!(log.take(), "b's");
    let Ok(Complete(9)) = co.send(9) else { panic!("the delegation goes on as if nothing had been") };
}

#[test]
fn sideways() {
    // B is plainly resumed inside A, makes A delegate to c, and c yields through B: so A's frame runs while A delegates.
    for close_early in [false, true] {
        let mut co = Generator::<i32, i32>::new(move |a| {
            scoped(
                |b: &Yielder<i32>| {
                    scoped(
                        |c: &Yielder<i32>| {
                            c.yield_(1)?; // to A's consumer
                            b.yield_(2)?; // to A's frame, which has resumed B
                            c.yield_(3)?; // to A's consumer again
                            Ok(4)
                        },
                        |c: &mut Scoped<'_, i32, (), i32>| a.yield_from(c),
                    )
                },
                |b: &mut Scoped<'_, i32, (), i32>| {
                    assert_eq!(b.resume(), Ok(Yielded(2)));
                    assert_eq!(a.yield_(-1), Err(Thrown::Misuse(Misuse::Delegating)), "A delegates, though it runs");
                    if close_early {
                        assert_eq!(b.close(), Ok(None));
                        // The delegation has ended, so A can yield again.
                        a.yield_(10)?;
                        return Ok(20);
                    }
                    let Ok(Complete(value)) = b.resume() else { panic!("B ends with c's value") };
                    a.yield_(value)?;
                    Ok(value + 1)
                },
            )
        });
        assert_eq!(co.next(), Some(1));
        if close_early {
            assert_eq!(co.next(), Some(10));
            assert_eq!(co.resume(), Ok(Complete(20)));
        } else {
            assert_eq!((co.next(), co.next()), (Some(3), Some(4)));
            assert_eq!(co.resume(), Ok(Complete(5)));
        }
    }
}

#[test]
fn sideways_dropped_at_every_point() {
    for steps in 0..4 {
        let log = Log::new();
        let inside = log.clone();
        let mut co = Generator::<i32, i32>::new(move |a| {
            let _a = inside.dropper("A");
            scoped(
                |b: &Yielder<i32>| {
                    let _b = inside.dropper("B");
                    scoped(
                        |c: &Yielder<i32>| {
                            let _c = inside.dropper("c");
                            c.yield_(1)?;
                            b.yield_(2)?;
                            c.yield_(3)?;
                            Ok(4)
                        },
                        |c: &mut Scoped<'_, i32, (), i32>| a.yield_from(c),
                    )
                },
                |b: &mut Scoped<'_, i32, (), i32>| {
                    b.resume()?;
                    b.resume()?.complete().ok_or(Thrown::Exit)
                },
            )
        });
        for _ in 0..steps {
            let _ = co.resume();
        }
        drop(co);
        assert_eq!(log.take(), if steps == 0 { "" } else { "c B A" }, "after {steps} steps");
    }
}

// ---- the panic count belongs to the thread

#[test]
#[cfg(panic = "unwind")]
fn suspending_while_unwinding_from_a_panic_is_refused() {
    struct YieldsOnDrop<'a>(&'a Yielder<i32>, Rc<Cell<Option<Misuse>>>);
    impl Drop for YieldsOnDrop<'_> {
        fn drop(&mut self) {
            if let Err(Thrown::Misuse(misuse)) = self.0.yield_(1) {
                self.1.set(Some(misuse));
            }
        }
    }
    let refused = Rc::new(Cell::new(None));
    let inside = refused.clone();
    let mut co = Generator::<i32>::new(move |y| {
        let _guard = YieldsOnDrop(y, inside);
        panic_any("boom")
    });
    assert!(catch_unwind(AssertUnwindSafe(|| co.resume())).is_err());
    assert_eq!(refused.get(), Some(Misuse::Panicking));
    assert!(!std::thread::panicking());
    assert_eq!(co.state(), State::Finished);
}

#[test]
#[cfg(panic = "unwind")]
fn one_that_was_woken_by_a_panic_may_suspend_after_a_delegation_that_was_none() {
    struct ResumesOnDrop(Generator<i32>, Rc<Cell<Option<i32>>>);
    impl Drop for ResumesOnDrop {
        fn drop(&mut self) {
            self.1.set(self.0.next());
        }
    }
    let seen = Rc::new(Cell::new(None));
    let co = Generator::new(|y| {
        let mut finished = Generator::<i32>::new(|_| Ok(()));
        assert_eq!(finished.next(), None);
        assert!(matches!(y.yield_from(&mut finished), Err(Thrown::Misuse(Misuse::Finished))));
        y.yield_(7)
    });
    let resumes = ResumesOnDrop(co, seen.clone());
    assert!(
        catch_unwind(AssertUnwindSafe(|| {
            let _resumes = resumes;
            panic_any("boom")
        }))
        .is_err()
    );
    assert_eq!(seen.get(), Some(7));
}

#[test]
#[cfg(panic = "unwind")]
fn delegating_while_unwinding_from_a_panic_is_refused_and_the_delegate_untouched() {
    struct DelegatesOnDrop<'a>(&'a Yielder<i32>, Rc<RefCell<Generator<i32>>>, Rc<Cell<Option<Misuse>>>);
    impl Drop for DelegatesOnDrop<'_> {
        fn drop(&mut self) {
            if let Err(Thrown::Misuse(misuse)) = self.0.yield_from(&mut *self.1.borrow_mut()) {
                self.2.set(Some(misuse));
            }
        }
    }
    let inner = Rc::new(RefCell::new(Generator::new(|y| y.yield_all(0..3))));
    let refused = Rc::new(Cell::new(None));
    let (lent, told) = (inner.clone(), refused.clone());
    let mut co = Generator::<i32>::new(move |y| {
        let _guard = DelegatesOnDrop(y, lent, told);
        panic_any("boom")
    });
    assert!(catch_unwind(AssertUnwindSafe(|| co.resume())).is_err());
    assert_eq!(refused.get(), Some(Misuse::Panicking));
    assert_eq!(inner.borrow_mut().by_ref().count(), 3);
}

#[test]
#[cfg(panic = "unwind")]
fn a_generator_works_inside_a_destructor_during_a_panic() {
    struct SumsOnDrop(Generator<i32>, Rc<Cell<i32>>);
    impl Drop for SumsOnDrop {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.1.set(self.0.by_ref().sum());
            // And one that is created, delegates, is suspended and dropped during it.
            let mut inner = Generator::new(|y| y.yield_all(0..10));
            let mut outer = Generator::<i32>::new(move |y| y.yield_from(&mut inner));
            assert_eq!((outer.next(), outer.next()), (Some(0), Some(1)));
        }
    }
    let sum = Rc::new(Cell::new(0));
    let told = sum.clone();
    let mut counter = Generator::new(|y| y.yield_all(1..=4));
    assert_eq!(counter.next(), Some(1), "started outside, goes on inside");
    assert!(
        catch_unwind(AssertUnwindSafe(move || {
            let _guard = SumsOnDrop(counter, told);
            panic_any("boom")
        }))
        .is_err()
    );
    assert_eq!(sum.get(), 2 + 3 + 4);
    assert!(!std::thread::panicking());
}

#[test]
#[cfg(panic = "unwind")]
fn a_generator_left_suspended_by_a_panic_goes_on_afterwards() {
    // [90]
    struct StepsOnDrop(Rc<RefCell<Generator<i32>>>);
    impl Drop for StepsOnDrop {
        fn drop(&mut self) {
            assert_eq!(self.0.borrow_mut().next(), Some(0));
        }
    }
    let shared = Rc::new(RefCell::new(Generator::new(|y| {
        y.yield_(0)?;
        assert!(!std::thread::panicking(), "the panic of its first resumer is over");
        y.yield_(1)?;
        Ok(())
    })));
    let lent = shared.clone();
    assert!(
        catch_unwind(AssertUnwindSafe(move || {
            let _guard = StepsOnDrop(lent);
            panic_any("boom")
        }))
        .is_err()
    );
    assert_eq!(shared.borrow_mut().next(), Some(1));
    assert_eq!(shared.borrow_mut().next(), None);
}

// ---- oneself

#[test]
fn resuming_oneself_through_shared_ownership_is_refused_by_the_owner() {
    // [11]
    let place: Rc<RefCell<Option<Generator<i32>>>> = Rc::default();
    let inside = place.clone();
    *place.borrow_mut() = Some(Generator::new(move |y| {
        assert!(inside.try_borrow_mut().is_err(), "whoever resumes it has it");
        y.yield_(1)?;
        Ok(())
    }));
    let next = place.borrow_mut().as_mut().and_then(Iterator::next);
    assert_eq!(next, Some(1));
    *place.borrow_mut() = None;
}

#[test]
fn a_coroutine_can_drop_what_it_was_moved_out_of() {
    let place: Rc<Cell<Option<Generator<i32>>>> = Rc::default();
    let inside = place.clone();
    let mut co = Generator::<i32>::new(move |y| {
        y.yield_(1)?;
        // The place is empty while the coroutine is out of it; what is put there is another one.
        assert!(inside.take().is_none());
        inside.set(Some(Generator::new(|y| y.yield_all([7]))));
        drop(inside.take());
        Ok(())
    });
    co.next();
    place.set(Some(co));
    let mut out = place.take().expect("it was put there");
    assert_eq!(out.next(), None);
}

#[test]
fn handles_can_be_swapped_between_resumes() {
    let mut a = Generator::new(|y| y.yield_all([1, 2, 3]));
    let mut b = Generator::new(|y| y.yield_all([10, 20, 30]));
    assert_eq!((a.next(), b.next()), (Some(1), Some(10)));
    std::mem::swap(&mut a, &mut b);
    assert_eq!((a.next(), b.next()), (Some(20), Some(2)));
    b = std::mem::replace(&mut a, Generator::new(|_| Ok(())));
    assert_eq!((a.next(), b.next()), (None, Some(30)));
}

#[test]
fn a_forgotten_coroutine_lends_for_ever_what_its_frames_have_lent() {
    // The body lends a local to a thread and is suspended inside std::thread::scope; then the handle is forgotten. The
    // thread goes on writing to the frame. It must still be there, and nobody else's.
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    static STOP: AtomicBool = AtomicBool::new(false);
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let mut co = Generator::<i32>::new(|y| {
        let lent: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1.. {
                    for word in &lent {
                        assert_eq!(word.swap(round, Ordering::Relaxed), round - 1, "somebody else wrote here");
                    }
                    WRITTEN.store(round, Ordering::Release);
                    if STOP.load(Ordering::Acquire) {
                        break;
                    }
                }
            });
            let _ = y.yield_(1);
        });
        Ok(())
    });
    co.next();
    std::mem::forget(co);
    // Everybody else uses stacks from the pool meanwhile.
    for n in 0..2_000_i32 {
        assert_eq!(Generator::new(move |y| y.yield_all([n; 8])).sum::<i32>(), 8 * n);
    }
    while WRITTEN.load(Ordering::Acquire) < 1_000 {
        std::thread::yield_now();
    }
    STOP.store(true, Ordering::Release);
}

#[test]
fn a_closure_with_unstarted_coroutines_is_dropped_on_their_stacks() {
    let log = Log::new();
    let mut nest = Generator::<i32>::new({
        let innermost = log.dropper("innermost");
        move |_| {
            drop(innermost);
            Ok(())
        }
    });
    for _ in 0..1_000 {
        let inner = nest;
        nest = Generator::new(move |_| {
            drop(inner);
            Ok(())
        });
    }
    drop(nest);
    assert_eq!(log.take(), "innermost");
}

#[test]
fn a_misused_coroutine_is_an_error_and_not_a_hang() {
    // [48]
    let mut co = Coroutine::<i32, i32>::new(|y| {
        let mut finished = Coroutine::<i32, i32>::new(|_| Ok(()));
        finished.start()?;
        y.yield_from(&mut finished)
    });
    assert_eq!(co.start(), Err(SendError::Thrown(Thrown::Misuse(Misuse::Finished))));
}

// ---- errors, which threads may share

/// What `?` makes of it is a `Box<dyn Error + Send + Sync>`. All of the crate's but `CreateError`, which gives back a stack that need
/// not be `Send`.
fn can_be_boxed<E: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn every_error_can_be_sent_and_shared() {
    use switchback::{stack, sync, task};
    can_be_boxed::<switchback::Cancelled>();
    can_be_boxed::<switchback::BuildError>();
    can_be_boxed::<switchback::RunError<fn()>>();
    can_be_boxed::<switchback::CloseError<u8, std::io::Error>>();
    can_be_boxed::<Thrown<std::io::Error>>();
    can_be_boxed::<SendError<u8, std::io::Error>>();
    can_be_boxed::<Misuse>();
    can_be_boxed::<switchback::future::AwaitError<u8>>();
    can_be_boxed::<stack::StackError>();
    can_be_boxed::<task::JoinError>();
    can_be_boxed::<task::SpawnError<fn()>>();
    can_be_boxed::<task::Errors<std::io::Error>>();
    can_be_boxed::<task::Interrupted<std::io::Error>>();
    can_be_boxed::<task::Elapsed<u8>>();
    can_be_boxed::<task::SendError<u8>>();
    can_be_boxed::<task::RecvError>();
    can_be_boxed::<sync::mpsc::SendTimeoutError<u8>>();
    can_be_boxed::<sync::broadcast::RecvError>();
    #[cfg(unix)]
    can_be_boxed::<switchback::net::ConnectError>();
}

/// What a task has panicked with may be something that threads cannot share: then nobody sees it but who has the error.
#[cfg(panic = "unwind")]
#[test]
fn what_a_task_has_panicked_with_is_seen_by_its_owner_alone() {
    use std::thread;
    use switchback::task::{self, JoinError};
    let panics_with = |body: fn()| switchback::run(|| task::spawn(body).join().expect_err("it panics"));
    let error = panics_with(|| panic_any(Cell::new(5)));
    let seen = thread::scope(|s| [0, 1].map(|_| s.spawn(|| format!("{error}: {error:?}"))).map(|it| it.join()));
    assert!(seen.iter().all(|text| text.as_ref().is_ok_and(|text| text.ends_with("panicked: ..: Panicked(\"..\")"))));
    let JoinError::Panicked(panic) = error else { panic!("{error}") };
    assert_eq!(panic.message(), None);
    assert_eq!(panic.into_payload().downcast_ref(), Some(&Cell::new(5)));
    // A message is what it was, literal or not.
    let error = panics_with(|| panic!("no luck"));
    assert_eq!(error.to_string(), "the task has panicked: no luck");
    assert_eq!(error.into_panic().expect("it has panicked").downcast_ref(), Some(&"no luck"));
    let error = panics_with(|| panic!("no luck {}", std::hint::black_box(7)));
    assert_eq!(format!("{error:?}"), "Panicked(\"no luck 7\")");
    let JoinError::Panicked(panic) = error else { panic!("{error}") };
    let again = catch_unwind(AssertUnwindSafe(|| panic.resume())).map(|never: ()| never).expect_err("it goes on");
    assert_eq!(again.downcast_ref(), Some(&"no luck 7".to_owned()));
    assert!(matches!(JoinError::Itself.into_panic(), Err(JoinError::Itself)));
}
