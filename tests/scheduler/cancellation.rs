//! The tables of docs/CANCELLATION.md, a test a row, and what is said around them.

use crate::reports::reported;
#[cfg(panic = "unwind")]
use crate::{process, unwinding};
use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
#[cfg(panic = "unwind")]
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
#[cfg(panic = "unwind")]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
#[cfg(panic = "unwind")]
use switchback::future::await_or_unwind;
use switchback::future::try_await;
use switchback::task::{self, JoinError, JoinSet};
use switchback::{CancelReason, Cancelled, Event, Generator, Interrupted, Resumer, Runtime, await_, thread};

const LONG: Duration = Duration::from_secs(3600);

fn virtual_runtime() -> Runtime {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime")
}

/// Runs `f` in a task that is cancelled: before its first instruction has waited, and while it waits.
fn cancelled<T: 'static>(f: impl Fn() -> T + Clone + 'static) -> [T; 2] {
    virtual_runtime().run(|| {
        let first = f.clone();
        let before = task::spawn_local(move || {
            task::current().expect("a task").cancel();
            first()
        });
        let before = before.join().expect("it ends well");
        let meanwhile = task::spawn_local(f);
        for _ in 0..5 {
            task::yield_now().expect("not cancelled");
        }
        meanwhile.cancel();
        [before, meanwhile.join().expect("it ends well")]
    })
}

/// Runs `f` in a destructor, while a panic unwinds a task.
#[cfg(panic = "unwind")]
fn unwinding<T: 'static>(f: impl FnOnce() -> T + 'static) -> T {
    virtual_runtime().run(|| unwinding::unwinding(f))
}

#[track_caller]
fn all_cancelled<const N: usize>(results: [Result<(), Cancelled>; N], reason: &CancelReason) {
    for result in results {
        assert_eq!(result.expect_err("it does not wait").reason(), reason);
    }
}

// What a call does when its task is cancelled.

#[test]
fn cancelled_suspend() {
    let results = cancelled(|| {
        let kept = Rc::new(RefCell::new(None));
        let place = Rc::clone(&kept);
        let result = task::suspend(|resumer: Resumer<i32>| *place.borrow_mut() = Some(resumer));
        let late = kept.borrow_mut().take().map(|resumer| resumer.send(5));
        (result.map_err(|error| matches!(error, Interrupted::Cancelled(_))), late)
    });
    assert_eq!(results, [(Err(true), None), (Err(true), Some(Err(5)))]);
}

#[test]
fn cancelled_yield_now() {
    let ran = Rc::new(Cell::new(0));
    let others = Rc::clone(&ran);
    let results = cancelled(move || {
        let other = Rc::clone(&others);
        drop(task::spawn_local(move || other.set(other.get() + 1)));
        loop {
            task::yield_now()?;
        }
    });
    all_cancelled(results, &CancelReason::Requested);
    assert_eq!(ran.get(), 2);
}

#[test]
fn cancelled_sleep() {
    all_cancelled(cancelled(|| task::sleep(LONG)), &CancelReason::Requested);
    all_cancelled(cancelled(|| task::sleep(Duration::ZERO).and_then(|()| task::sleep(LONG))), &CancelReason::Requested);
    all_cancelled(cancelled(|| task::sleep_until(task::now() + LONG)), &CancelReason::Requested);
    let ticks = cancelled(|| {
        let mut interval = task::interval(LONG);
        let start = task::now();
        let first = interval.tick();
        let second = first.clone().and_then(|_| interval.tick());
        assert!(second.is_err());
        // What was not waited for is still to come.
        task::shield(|| interval.tick()).map(|due| due - start)
    });
    assert_eq!(ticks, [Ok(Duration::ZERO), Ok(LONG)]);
}

#[test]
fn cancelled_sleeps_leave_no_timer() {
    virtual_runtime().run(|| {
        let start = task::now();
        let sleeper = task::spawn_local(|| task::sleep(LONG));
        task::yield_now().expect("not cancelled");
        sleeper.cancel();
        assert!(sleeper.join().expect("it ends well").is_err());
        // The clock jumps to the next timer: it would to that one.
        task::sleep(2 * LONG).expect("not cancelled");
        assert_eq!(task::now() - start, 2 * LONG);
    });
}

#[test]
fn cancelled_park() {
    all_cancelled(cancelled(task::park), &CancelReason::Requested);
    all_cancelled(cancelled(|| task::park_timeout(LONG)), &CancelReason::Requested);
    virtual_runtime().run(|| {
        let parker = task::spawn_local(|| (task::park().is_err(), task::shield(task::park)));
        task::yield_now().expect("not cancelled");
        parker.cancel();
        parker.task().unpark();
        // It was cancelled first: the notice is for the second park.
        assert_eq!(parker.join().expect("it ends well"), (true, Ok(())));
        // Here the notice was: it is for the first.
        let parker = task::spawn_local(|| {
            let task = task::current().expect("a task");
            task.unpark();
            task.cancel();
            (task::park(), task::park_timeout(LONG).is_err())
        });
        assert_eq!(parker.join().expect("it ends well"), (Ok(()), true));
    });
}

#[test]
fn cancelled_check() {
    let results = cancelled(|| {
        while task::check_cancelled().is_ok() {
            let _ = task::yield_now();
        }
        task::check_cancelled()
    });
    all_cancelled(results, &CancelReason::Requested);
}

#[test]
fn cancelled_await() {
    let results = cancelled(|| {
        let waited = await_(pending::<()>());
        let awaited = await_(task::spawn_local(|| task::yield_now().is_ok()));
        (waited, awaited.is_err(), await_(ready(5)), try_await(pending::<()>()).is_err())
    });
    for (waited, awaited, at_once, tried) in results {
        all_cancelled([waited], &CancelReason::Requested);
        assert!(awaited && tried);
        assert_eq!(at_once, Ok(5));
    }
    #[cfg(panic = "unwind")]
    virtual_runtime().run(|| {
        let task = task::spawn_local(|| await_or_unwind(pending::<()>()));
        task::yield_now().expect("not cancelled");
        task.cancel();
        let Err(JoinError::Panicked(panic)) = task.join() else { panic!("it has unwound") };
        assert!(panic.into_payload().is::<Cancelled>());
    });
}

#[test]
fn cancelled_join() {
    let results = cancelled(|| {
        let finished = task::spawn_local(|| 5);
        task::shield(|| {
            while !finished.is_finished() {
                task::yield_now().expect("shielded")
            }
        });
        let mut waiting = task::spawn_local(task::park);
        let waited = waiting.wait().expect_err("it does not wait");
        assert!(matches!(waited, JoinError::Interrupted(_)));
        let other = waiting.task();
        let joined = waiting.join().expect_err("it does not wait");
        assert!(matches!(joined, JoinError::Interrupted(_)) && !other.is_finished());
        finished.join().expect("it is there")
    });
    assert_eq!(results, [5, 5]);
}

#[test]
fn cancelled_join_set() {
    let results = cancelled(|| {
        let mut set = JoinSet::new();
        set.spawn(|| "there");
        set.spawn(|| {
            let _ = task::park();
            "cancelled"
        });
        task::shield(|| {
            for _ in 0..5 {
                task::yield_now().expect("shielded")
            }
        });
        let there = set.join_next().expect("it is there").expect("one of two").expect("a value");
        assert!(set.join_next().is_err());
        let mut completed = set.completed();
        assert!(matches!(completed.next(), Some(Err(JoinError::Interrupted(_)))) && completed.next().is_none());
        set.cancel_all();
        let last = task::shield(|| set.join_next()).expect("shielded").expect("none was lost").expect("a value");
        assert!(set.is_empty());
        (there, last)
    });
    assert_eq!(results, [("there", "cancelled"); 2]);
}

#[test]
fn cancelled_scopes() {
    let results = cancelled(|| {
        let ended = AtomicUsize::new(0);
        let own = task::current().expect("a task").id();
        let failed = task::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let parked = task::park();
                    ended.fetch_add(1, Ordering::Relaxed);
                    parked
                });
            }
            task::shield(|| {
                for _ in 0..5 {
                    task::yield_now().expect("shielded")
                }
            });
            task::park()
        });
        let errors = failed.expect_err("it was cancelled").into_vec();
        assert_eq!(ended.load(Ordering::Relaxed), 3);
        assert_eq!(own, task::current().expect("a task").id());
        // One, although four have said it: it is the same cancellation.
        errors.into_iter().map(|cancelled| cancelled.reason().clone()).collect::<Vec<_>>()
    });
    assert_eq!(results, [[CancelReason::Requested], [CancelReason::Requested]]);

    let joined = cancelled(|| task::scope(|s| s.spawn(task::park).join()).is_err());
    assert_eq!(joined, [true; 2]);
    let joined = cancelled(|| task::join_all([task::park, task::park]).is_err());
    assert_eq!(joined, [true; 2]);
    let settled = cancelled(|| {
        let ended = task::join_all_settled([task::park, task::park]);
        ended.into_iter().map(|ended| ended.is_ok_and(|parked| parked.is_ok())).collect::<Vec<_>>()
    });
    assert_eq!(settled, [[false; 2]; 2]);
    let raced = cancelled(|| task::race([task::park, task::park]).is_none_or(|parked| parked.is_err()));
    assert_eq!(raced, [true; 2]);
}

#[test]
fn cancelled_timeouts_and_shields() {
    let results = cancelled(|| {
        let outcome = task::timeout(LONG, task::park);
        let at = task::timeout_at(task::now() + LONG, task::park);
        let shielded = task::shield(task::yield_now);
        (outcome.map_err(|_| ()), at.map_err(|_| ()), shielded)
    });
    for (outcome, at, shielded) in results {
        // Somebody else has cancelled, so it is not this timeout's to absorb.
        all_cancelled([outcome.expect("not over"), at.expect("not over")], &CancelReason::Requested);
        assert_eq!(shielded, Ok(()));
    }
}

#[test]
fn cancelled_spawns_and_what_does_not_wait() {
    let results = cancelled(|| {
        while task::check_cancelled().is_ok() {
            let _ = task::yield_now();
        }
        let other = task::spawn(task::check_cancelled);
        let local = task::spawn_local(task::check_cancelled);
        let on = task::spawn_on(0, task::check_cancelled);
        let parked = task::spawn_local(task::park);
        task::shield(task::yield_now).expect("shielded");
        parked.task().unpark();
        let spawned = [other, local, on, parked];
        let spawned = spawned.map(|handle| task::shield(|| handle.join()).expect("it ends well"));
        let never = task::scope(|s| {
            s.cancel();
            s.spawn(|| -> Result<(), Cancelled> { panic!("it begins") });
            Ok(())
        });
        (spawned, never)
    });
    for (spawned, never) in results {
        assert_eq!(spawned, [Ok(()), Ok(()), Ok(()), Ok(())]);
        assert!(never.is_ok());
    }
}

#[test]
fn cancelled_threads() {
    let results = cancelled(|| {
        thread::sleep(LONG);
        thread::park();
        thread::park_timeout(LONG);
        thread::yield_now();
        let finished = thread::spawn(|| 5);
        task::shield(|| {
            while !finished.is_finished() {
                thread::yield_now()
            }
        });
        let waiting = thread::spawn(thread::park);
        let payload = waiting.join().expect_err("it does not wait");
        assert!(payload.downcast_ref::<Cancelled>().is_some());
        let ended = AtomicUsize::new(0);
        thread::scope(|s| {
            let handle = s.spawn(|| {
                thread::park();
                ended.fetch_add(1, Ordering::Relaxed);
            });
            task::shield(|| {
                for _ in 0..5 {
                    thread::yield_now()
                }
            });
            let payload = handle.join().expect_err("it does not wait");
            assert!(payload.downcast_ref::<Cancelled>().is_some());
        });
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        finished.join().expect("it is there")
    });
    assert_eq!(results, [5, 5]);
}

// What a call does while a panic unwinds.

#[cfg(panic = "unwind")]
#[test]
fn unwinding_waits_are_refused() {
    unwinding(|| {
        let waited = task::suspend(|_: Resumer<()>| unreachable!("it is refused"));
        assert_eq!(waited, Err(Interrupted::Refused));
        let mut interval = task::interval(LONG);
        let sleeps = [task::sleep(LONG), task::sleep(Duration::ZERO), task::sleep_until(task::now() + LONG)];
        all_cancelled(sleeps, &CancelReason::Panicking);
        let first = interval.tick().map(drop);
        all_cancelled([task::yield_now(), task::park(), task::park_timeout(LONG), first], &CancelReason::Panicking);
        thread::sleep(LONG);
        thread::park();
        thread::park_timeout(LONG);
        thread::yield_now();
        assert_eq!(await_(ready(5)), Ok(5));
        all_cancelled([await_(pending::<()>())], &CancelReason::Panicking);
        let timed = task::timeout(Duration::ZERO, || task::shield(task::park)).expect("nothing was cut short");
        all_cancelled([timed], &CancelReason::Panicking);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn unwinding_joins_take_what_is_there() {
    unwinding(|| {
        let handle = task::spawn(|| 5);
        let other = handle.task();
        assert!(matches!(handle.join(), Err(JoinError::Refused)) && !other.is_finished());
        let payload = thread::spawn(|| 5).join().expect_err("it cannot wait");
        assert!(payload.downcast_ref::<JoinError>().is_some());
        let mut set = JoinSet::new();
        set.spawn(|| 5);
        assert_eq!(set.join_next().expect_err("it cannot wait").reason(), &CancelReason::Panicking);
        assert!(matches!(set.completed().next(), Some(Err(JoinError::Interrupted(_)))));
        other.cancel();
        other.unpark();
    });
    // What has ended by itself is had.
    let place = Arc::new(std::sync::Mutex::new(None));
    let finished = Arc::clone(&place);
    struct Joins(Arc<std::sync::Mutex<Option<task::JoinHandle<i32>>>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            let handle = self.0.lock().expect("no panic inside").take().expect("a handle");
            assert_eq!(handle.join().expect("it is there"), 5);
        }
    }
    virtual_runtime().run(move || {
        let handle = task::spawn(|| 5);
        while !handle.is_finished() {
            task::yield_now().expect("not cancelled");
        }
        *place.lock().expect("no panic inside") = Some(handle);
        let joins = Joins(finished);
        let caught = panic::catch_unwind(AssertUnwindSafe(move || {
            let _joins = joins;
            panic!("it unwinds");
        }));
        assert!(caught.is_err());
    });
}

#[cfg(panic = "unwind")]
#[test]
fn unwinding_scopes_work_without_tasks() {
    unwinding(|| {
        assert_eq!(task::scope(|_| Ok::<_, Cancelled>(5)).expect("a value"), 5);
        assert_eq!(thread::scope(|_| 6), 6);
        assert_eq!(task::join_all(None::<fn() -> Result<i32, Cancelled>>).expect("nothing"), []);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn unwinding_scopes_abort_with_tasks() {
    if process::inside().is_some() {
        unwinding(|| {
            thread::scope(|s| {
                s.spawn(|| ());
            });
        });
    }
    let ended = process::Outside::default().run("cancellation::unwinding_scopes_abort_with_tasks", "abort");
    assert!(
        ended.text().contains("a scope with running tasks was to be left where nothing can wait"),
        "{}",
        ended.text()
    );
    #[cfg(unix)]
    ended.assert_signal(6);
}

// What is said around the tables.

#[test]
fn the_outermost_is_told_and_cancellation_is_a_state() {
    virtual_runtime().run(|| {
        let told = task::timeout(Duration::from_secs(1), || {
            task::timeout(Duration::from_secs(2), || {
                task::shield(|| task::sleep(LONG)).expect("shielded");
                [task::sleep(LONG), task::yield_now(), task::park()].map(|waited| waited.expect_err("it is over"))
            })
        });
        let told = told.expect_err("it is over").into_value().expect("the inner one was not told");
        assert!(told.iter().all(|again| again == &told[0]));
        assert_eq!(told[0].reason(), &CancelReason::TimedOut);
        // It is left, and all is as before.
        task::sleep(LONG).expect("not cancelled");
    });
}

#[test]
fn a_shield_holds_off_what_is_around_it_and_nothing_else() {
    virtual_runtime().run(|| {
        let start = task::now();
        let outer = task::timeout(Duration::from_secs(1), || {
            let inside = task::shield(|| {
                let inner = task::timeout(Duration::from_secs(5), || task::sleep(LONG));
                assert!(inner.is_err());
                task::scope(|s| {
                    s.spawn(|| task::sleep(Duration::from_secs(5)));
                    Ok::<(), Cancelled>(())
                })
            });
            inside.expect("nothing in it has failed");
            task::yield_now()
        });
        assert!(outer.is_err());
        assert_eq!(task::now() - start, Duration::from_secs(10));
    });
}

#[test]
fn a_cancel_during_cleanup_is_told_there_too() {
    virtual_runtime().run(|| {
        let task = task::spawn_local(|| {
            let first = task::park();
            // The task is still cancelled, so cleaning up that waits is cut short; a shield with a deadline is for that.
            let unshielded = task::sleep(Duration::from_secs(1));
            let shielded = task::shield(|| task::timeout(Duration::from_secs(1), || task::sleep(LONG)));
            (first.is_err(), unshielded.is_err(), shielded.is_err())
        });
        task::yield_now().expect("not cancelled");
        task.cancel();
        assert_eq!(task.join().expect("it ends well"), (true, true, true));
    });
}

#[test]
fn cancelling_what_has_ended_is_nothing() {
    virtual_runtime().run(|| {
        let task = task::spawn(|| 5);
        while !task.is_finished() {
            task::yield_now().expect("not cancelled");
        }
        assert!(!task.cancel() && !task.task().cancel());
        assert_eq!(task.join().expect("it is there"), 5);
        // And at its very end it comes too late.
        let last = task::spawn(|| {
            task::current().expect("a task").cancel();
            5
        });
        assert_eq!(last.join().expect("it does not wait any more"), 5);
    });
}

#[test]
fn a_task_that_ignores_it_starves_nobody_and_is_reported_once() {
    assert_eq!(reported("ignorant"), []);
    virtual_runtime().run(|| {
        let stop = Rc::new(Cell::new(false));
        let seen = Rc::clone(&stop);
        let ignorant = task::Builder::new().name("ignorant").spawn_local(move || {
            let mut calls = 0;
            while !seen.get() {
                assert!(task::suspend(|_: Resumer<()>| unreachable!("it is cancelled")).is_err());
                calls += 1;
            }
            calls
        });
        let ignorant = ignorant.expect("it is spawned");
        ignorant.cancel();
        // It was cancelled before it began, so this one is another.
        assert!(ignorant.join().is_err());
        let seen = Rc::clone(&stop);
        let ignorant = task::Builder::new().name("ignorant").spawn_local(move || {
            let mut calls = 0;
            while !seen.get() {
                calls += usize::from(task::sleep(LONG).is_err());
            }
            calls
        });
        let ignorant = ignorant.expect("it is spawned");
        task::yield_now().expect("not cancelled");
        ignorant.cancel();
        for _ in 0..2_500 {
            task::yield_now().expect("not cancelled");
        }
        stop.set(true);
        let calls = ignorant.join().expect("it ends well");
        assert!((2_400..2_600).contains(&calls), "{calls} calls in 2,500 turns");
    });
    assert_eq!(reported("ignorant"), [Event::CancelIgnored]);
}

#[test]
fn nodes_that_a_generator_carries_away_do_no_harm() {
    virtual_runtime().run(|| {
        let place = Rc::new(RefCell::new(None));
        let inner = Rc::clone(&place);
        let first = task::spawn_local(move || {
            let mut carrier = Generator::<i32>::new(|y| {
                let _ = task::timeout(Duration::from_secs(1), || {
                    task::shield(|| {
                        y.yield_(1).ok();
                        y.yield_(2).ok();
                    });
                });
                Ok(())
            });
            assert_eq!(carrier.next(), Some(1));
            *inner.borrow_mut() = Some(carrier);
        });
        first.join().expect("it ends well");
        let second = task::spawn_local(move || {
            let mut carrier = place.borrow_mut().take().expect("a generator");
            assert_eq!(carrier.next(), Some(2));
            let slept = task::sleep(LONG);
            assert_eq!(carrier.next(), None);
            drop(carrier);
            slept.and_then(|()| task::sleep(LONG))
        });
        assert_eq!(second.join().expect("it ends well"), Ok(()));
    });
}
