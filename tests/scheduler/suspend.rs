//! The suspension primitive: who resumes, when, with what, and what becomes of values that come too late.

use std::cell::{Cell, RefCell};
#[cfg(panic = "unwind")]
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use switchback::task::{self, JoinError};
use switchback::{CancelReason, Generator, Interrupted, Resumer, Runtime};

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).build().expect("a runtime")
}

/// Where a test keeps a resumer for later.
type Place<T, E> = Rc<RefCell<Option<Resumer<T, E>>>>;
type Waiting<T, E> = task::JoinHandle<Result<T, Interrupted<E>>>;

/// Starts a task on this worker that waits; returns its handle and its resumer.
fn waiting<T: 'static, E: 'static>() -> (Waiting<T, E>, Place<T, E>) {
    let place: Place<T, E> = Rc::default();
    let inner = Rc::clone(&place);
    let task = task::spawn_local(move || task::suspend(|resumer| *inner.borrow_mut() = Some(resumer)));
    while place.borrow().is_none() {
        task::yield_now().expect("not cancelled");
    }
    (task, place)
}

fn taken<T, E>(place: &Place<T, E>) -> Resumer<T, E> {
    place.borrow_mut().take().expect("it waits")
}

#[test]
fn values_errors_and_loss_arrive() {
    workers(1).run(|| {
        let (task, place) = waiting::<String, ()>();
        assert!(place.borrow().as_ref().is_some_and(Resumer::is_waiting));
        taken(&place).send("value".to_owned()).expect("it waits");
        assert_eq!(task.join().expect("a value"), Ok("value".to_owned()));

        let (task, place) = waiting::<(), [u64; 5]>();
        taken(&place).throw([7; 5]).expect("it waits");
        assert_eq!(task.join().expect("a value"), Err(Interrupted::Error([7; 5])));

        let (task, place) = waiting::<Box<u8>, ()>();
        drop(taken(&place));
        assert_eq!(task.join().expect("a value"), Err(Interrupted::Abandoned));
    });
}

#[test]
fn what_is_sent_at_once_does_not_stop_the_task() {
    workers(1).run(|| {
        let ran = Rc::new(Cell::new(false));
        let other = Rc::clone(&ran);
        let other = task::spawn_local(move || other.set(true));
        assert_eq!(task::suspend(|resumer: Resumer<i32>| resumer.send(5).expect("it waits")), Ok(5));
        assert_eq!(
            task::suspend(|resumer: Resumer<i32, u8>| resumer.throw(6).expect("it waits")),
            Err(Interrupted::Error(6))
        );
        assert_eq!(task::suspend(|resumer: Resumer<i32>| drop(resumer)), Err(Interrupted::Abandoned));
        assert!(!ran.get());
        other.join().expect("it ends");
    });
}

#[test]
fn other_threads_resume_tasks_and_tasks_threads() {
    for count in [1, 2] {
        workers(count).run(|| {
            for n in 0..200 {
                let got = task::suspend(|resumer: Resumer<Vec<i32>>| {
                    thread::spawn(move || resumer.send(vec![n]).expect("it waits"));
                });
                assert_eq!(got, Ok(vec![n]));
            }
        });
    }
    // A thread that runs no task is blocked.
    let value = task::suspend(|resumer: Resumer<i32>| {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            resumer.send(5).expect("it waits");
        });
    });
    assert_eq!(value, Ok(5));
    assert_eq!(task::suspend(|resumer: Resumer<i32>| resumer.send(6).expect("it waits")), Ok(6));
    assert_eq!(task::suspend(|resumer: Resumer<i32>| drop(resumer)), Err(Interrupted::Abandoned));
    #[cfg(panic = "unwind")]
    {
        let panicked = panic::catch_unwind(|| task::suspend(|_: Resumer<i32>| panic!("registering fails")));
        assert!(panicked.is_err());
    }
}

#[test]
fn a_value_sent_before_the_cancel_wins_and_one_sent_after_is_handed_back() {
    workers(1).run(|| {
        let (task, place) = waiting::<String, ()>();
        taken(&place).send("first".to_owned()).expect("it waits");
        task.cancel();
        assert_eq!(task.join().expect("a value"), Ok("first".to_owned()));

        let (task, place) = waiting::<String, String>();
        task.cancel_with("why");
        let resumer = taken(&place);
        assert!(!resumer.is_waiting());
        assert_eq!(resumer.send("late".to_owned()), Err("late".to_owned()));
        let Err(Interrupted::Cancelled(cancelled)) = task.join().expect("a value") else { panic!("it was cancelled") };
        assert_eq!(cancelled.reason(), &CancelReason::Message("why".into()));

        let (task, place) = waiting::<String, String>();
        task.cancel();
        task.join().expect("a value").expect_err("it was cancelled");
        // The wait is long over, and its cell has another.
        let (other, wait) = waiting::<String, String>();
        assert_eq!(taken(&place).throw("late".to_owned()), Err("late".to_owned()));
        drop(place);
        taken(&wait).send("mine".to_owned()).expect("it waits");
        assert_eq!(other.join().expect("a value"), Ok("mine".to_owned()));
    });
}

#[test]
fn a_cancel_while_registering_is_seen() {
    workers(1).run(|| {
        let mine = task::spawn_local(|| {
            task::suspend(|resumer: Resumer<()>| {
                task::current().expect("a task").cancel();
                assert!(resumer.send(()).is_err());
            })
        });
        assert!(matches!(mine.join().expect("a value"), Err(Interrupted::Cancelled(_))));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn registering_may_panic_and_the_wait_is_given_up() {
    workers(1).run(|| {
        let kept: Place<i32, ()> = Rc::default();
        for resume_first in [false, true] {
            let place = Rc::clone(&kept);
            let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                task::suspend::<i32, ()>(|resumer| {
                    if resume_first {
                        resumer.send(5).expect("it waits");
                    } else {
                        *place.borrow_mut() = Some(resumer);
                    }
                    panic!("registering fails");
                })
            }));
            assert_eq!(caught.expect_err("it panics").downcast_ref(), Some(&"registering fails"));
        }
        assert_eq!(taken(&kept).send(6), Err(6));
        // Somebody else claims it, and takes its time.
        let caught = panic::catch_unwind(AssertUnwindSafe(|| {
            task::suspend(|resumer: Resumer<Arc<()>>| {
                thread::spawn(move || drop(resumer.send(Arc::new(()))));
                thread::sleep(Duration::from_millis(20));
                panic!("registering fails");
            })
        }));
        assert!(caught.is_err());
        task::yield_now().expect("all goes on");
    });
}

#[test]
fn registering_may_not_wait() {
    workers(1).run(|| {
        let mut inner = None;
        let other = task::spawn(|| 5);
        let outer = task::suspend(|resumer: Resumer<()>| {
            inner = Some(task::suspend(|_: Resumer<()>| unreachable!("it is refused")));
            let cancelled = task::yield_now().expect_err("it is refused");
            assert_eq!(cancelled.reason(), &CancelReason::Outside);
            assert!(matches!(other.join(), Err(JoinError::Refused)));
            resumer.send(()).expect("it waits");
        });
        assert_eq!((outer, inner), (Ok(()), Some(Err(Interrupted::Refused))));
    });
}

/// What is cancelled in there is not the wait that is being registered; what is around that is.
#[test]
fn a_scope_or_timeout_that_is_over_while_registering_cancels_nothing_else() {
    workers(1).run(|| {
        let within = |cancel: &dyn Fn()| {
            task::suspend(|resumer: Resumer<i32>| {
                cancel();
                let _ = resumer.send(5);
            })
        };
        let failing = || assert!(task::scope(|_| Err::<(), _>("no luck")).is_err());
        assert_eq!(within(&failing), Ok(5));
        assert_eq!(within(&|| assert!(task::timeout(Duration::ZERO, || ()).is_ok())), Ok(5));
        assert_eq!(within(&|| assert!(task::timeout(Duration::ZERO, task::check_cancelled).is_err())), Ok(5));
        let around = task::scope(|s| {
            let waited = within(&|| s.cancel());
            assert!(matches!(waited, Err(Interrupted::Cancelled(_))));
            Ok::<_, &str>(())
        });
        assert_eq!(around, Ok(()));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn nothing_waits_while_a_panic_unwinds() {
    struct Waits(Rc<RefCell<Vec<String>>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            let waited = task::suspend(|_: Resumer<()>| unreachable!("it is refused"));
            let joined = task::spawn(|| 5).join().map_err(|error| format!("{error:?}"));
            let calls = [task::yield_now(), task::sleep(Duration::from_secs(1000)), task::park()];
            for cancelled in calls {
                assert_eq!(cancelled.expect_err("it is refused").reason(), &CancelReason::Panicking);
            }
            self.0.borrow_mut().push(format!("{waited:?} {joined:?}"));
        }
    }
    workers(1).run(|| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let waits = Waits(Rc::clone(&seen));
        let other = task::spawn_local(|| assert!(!thread::panicking()));
        let task = task::spawn_local(move || {
            let _waits = waits;
            panic!("its destructors cannot wait");
        });
        assert!(matches!(task.join().map(|never: ()| never), Err(JoinError::Panicked(_))));
        other.join().expect("it has not seen the panic of another");
        assert_eq!(*seen.borrow(), ["Err(Refused) Err(\"Refused\")"]);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_runtime_inside_of_a_destructor_during_a_panic_works() {
    struct Runs(Arc<Mutex<i32>>);
    impl Drop for Runs {
        fn drop(&mut self) {
            assert!(thread::panicking());
            *self.0.lock().expect("no panic inside") = workers(1).run(|| {
                task::yield_now().expect("not cancelled");
                let sum = task::spawn(|| task::yield_now().map(|()| 5)).join();
                sum.expect("a value").expect("not cancelled")
            });
        }
    }
    let seen = Arc::new(Mutex::new(0));
    let runs = Runs(Arc::clone(&seen));
    let caught = panic::catch_unwind(AssertUnwindSafe(move || {
        let _runs = runs;
        panic!("and a runtime is run while it unwinds");
    }));
    assert!(caught.is_err());
    assert_eq!(*seen.lock().expect("no panic inside"), 5);
}

#[test]
fn a_whole_generator_stops_with_its_task() {
    workers(1).run(|| {
        let place: Place<u32, ()> = Rc::default();
        let inner = Rc::clone(&place);
        let task = task::spawn_local(move || {
            let mut numbers = Generator::new(move |y| {
                loop {
                    let Ok(n) = task::suspend(|resumer| *inner.borrow_mut() = Some(resumer)) else { return Ok(()) };
                    y.yield_(n)?;
                }
            });
            (numbers.next(), numbers.next(), numbers.next())
        });
        for n in [5, 6] {
            while place.borrow().is_none() {
                task::yield_now().expect("not cancelled");
            }
            taken(&place).send(n).expect("it waits");
        }
        while place.borrow().is_none() {
            task::yield_now().expect("not cancelled");
        }
        drop(taken(&place));
        assert_eq!(task.join().expect("a value"), (Some(5), Some(6), None));
    });
}

#[test]
fn cancels_and_values_race_and_each_value_is_accounted_for() {
    workers(3).run(|| {
        let mut received = 0;
        let mut returned = 0;
        for round in 0..300 {
            let task = task::spawn(|| {
                let back = Arc::new(Mutex::new(None));
                let place = Arc::clone(&back);
                let got = task::suspend(move |resumer: Resumer<Box<i32>>| {
                    task::spawn(move || *place.lock().expect("no panic inside") = Some(resumer.send(Box::new(1))));
                });
                (got.is_ok(), back)
            });
            if round % 2 == 0 {
                task::yield_now().expect("not cancelled");
            }
            task.cancel();
            match task.join() {
                Ok((true, _)) => received += 1,
                Ok((false, back)) => loop {
                    let sent = back.lock().expect("no panic inside").take();
                    match sent {
                        Some(Err(_)) => break returned += 1,
                        Some(Ok(())) => panic!("a value was sent and not received"),
                        // Refused before it was registered: the sender was never spawned. Or not yet sent.
                        None if Arc::strong_count(&back) == 1 => break returned += 1,
                        None => task::yield_now().expect("not cancelled"),
                    }
                },
                Err(_) => returned += 1,
            }
        }
        assert_eq!(received + returned, 300);
    });
}

#[test]
fn a_value_that_a_generator_has_carried_away_is_taken_back_from_the_task_that_it_was_given() {
    static NAME: task::Local<&str> = task::Local::new();
    switchback::run(|| {
        NAME.set("main").expect("a task");
        let mut generator = Generator::new(|y| NAME.with_value("inside", || y.yield_(())));
        assert_eq!((generator.next(), NAME.get()), (Some(()), Some("inside")));
        let other = task::spawn_local(move || {
            NAME.set("other").expect("a task");
            (generator.next(), NAME.get())
        });
        assert_eq!(other.join().expect("no panic"), (None, Some("other")));
        assert_eq!(NAME.get(), Some("main"));
    });
}
