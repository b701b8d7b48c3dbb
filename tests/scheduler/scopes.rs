//! Scopes: what tasks may borrow, who waits for whom, and what becomes of errors and panics.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use switchback::task::{self, Errors, JoinSet};
use switchback::{CancelReason, Cancelled, Runtime, thread};
#[cfg(panic = "unwind")]
use {
    std::panic::{self, AssertUnwindSafe},
    std::sync::atomic::AtomicBool,
    switchback::task::JoinError,
};

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).virtual_clock(count == 1).build().expect("a runtime")
}

/// Runs `f` on one worker and on several.
fn everywhere(f: impl Fn()) {
    for count in [1, 3] {
        workers(count).run(&f);
    }
}

fn no_errors<T>(result: Result<T, Errors<Cancelled>>) -> T {
    result.expect("nothing fails")
}

#[test]
fn tasks_borrow_from_their_parent_on_all_workers() {
    everywhere(|| {
        let words = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let seen = Mutex::new(Vec::new());
        let lengths = no_errors(task::scope(|s| {
            let handles: Vec<_> = words
                .iter()
                .map(|word| {
                    s.spawn(|| {
                        for _ in 0..10 {
                            task::yield_now()?;
                        }
                        seen.lock().expect("no panic inside").push(word.as_str());
                        Ok(word.len())
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join()).sum::<Result<usize, _>>()
        }));
        let mut seen = seen.into_inner().expect("no panic inside");
        seen.sort_unstable();
        assert_eq!((lengths, seen), (3, vec!["a", "b", "c"]));
    });
}

#[test]
fn scopes_nest_and_children_spawn_siblings() {
    everywhere(|| {
        let count = AtomicUsize::new(0);
        no_errors(task::scope(|outer| {
            for _ in 0..3 {
                outer.spawn(|| {
                    outer.spawn(|| Ok(count.fetch_add(1, Ordering::Relaxed)));
                    task::scope(|inner| {
                        inner.spawn(|| Ok(count.fetch_add(10, Ordering::Relaxed)));
                        inner.spawn(|| {
                            task::sleep(Duration::from_millis(1))?;
                            Ok(count.fetch_add(100, Ordering::Relaxed))
                        });
                        Ok(())
                    })
                    .map_err(Errors::into_first)
                });
            }
            Ok(())
        }));
        assert_eq!(count.into_inner(), 333);
    });
}

#[test]
fn the_first_failure_cancels_siblings_and_body_and_all_errors_are_kept() {
    #[derive(Debug, PartialEq)]
    struct Failed(&'static str);
    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Failed {}

    everywhere(|| {
        let cleaned = AtomicUsize::new(0);
        let reasons = Mutex::new(Vec::new());
        let failed = task::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    // One has another error in store, when it is cancelled.
                    let cancelled = task::park().expect_err("a sibling fails");
                    assert_eq!(cancelled.scope(), Some(s.id()));
                    reasons.lock().expect("no panic inside").push(cancelled.reason().clone());
                    match cleaned.fetch_add(1, Ordering::Relaxed) {
                        0 => Err(io::Error::other(Failed("cleaning up"))),
                        _ => Err::<(), _>(cancelled.into()),
                    }
                });
            }
            s.spawn(|| {
                task::sleep(Duration::from_millis(20))?;
                Err::<(), _>(io::Error::other(Failed("first")))
            });
            task::park()?;
            Ok(())
        });
        let errors = failed.expect_err("a task has failed");
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["first", "cleaning up"]);
        assert_eq!(errors.to_string(), "first (and 1 more error)");
        assert_eq!(
            *reasons.lock().expect("no panic inside"),
            [CancelReason::SiblingFailed, CancelReason::SiblingFailed]
        );
        let (these, others) = errors.split(|error| error.to_string() == "cleaning up");
        assert_eq!(
            (these.map(|these| these.into_vec().len()), others.map(|others| others.into_vec().len())),
            (Some(1), Some(1))
        );
        // What is around the scope is not cancelled.
        task::yield_now().expect("not cancelled");
    });
}

#[test]
fn the_bodys_own_error_cancels_the_tasks_and_is_among_the_errors() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let failed = task::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let _ = task::park();
                    ended.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
            }
            task::sleep(Duration::from_millis(5)).expect("not cancelled");
            Err::<(), _>("the body")
        });
        assert_eq!(failed.expect_err("the body has failed").into_vec(), ["the body"]);
        assert!(ended.into_inner() == 3);
    });
}

#[test]
fn errors_of_many_kinds_and_boxes_are_looked_through() {
    workers(1).run(|| {
        type Boxed = Box<dyn Error + Send + Sync>;
        let failed: Result<(), Errors<Boxed>> = task::scope(|s| {
            s.spawn(|| Ok(task::park()?));
            s.spawn(|| task::park().map_err(|cancelled| Boxed::from(io::Error::other(cancelled))));
            task::yield_now()?;
            Err("the body".into())
        });
        let words: Vec<String> = failed.expect_err("the body has failed").iter().map(ToString::to_string).collect();
        assert_eq!(words, ["the body"]);
    });
}

#[test]
fn a_foreign_cancellation_is_passed_on_and_a_failure_at_the_same_time_is_kept() {
    workers(1).run(|| {
        let outcome = task::timeout(Duration::from_secs(1), || {
            task::scope(|s| {
                s.spawn(|| task::sleep(Duration::from_secs(3600)).map_err(io::Error::from));
                s.spawn(|| {
                    let _ = task::sleep(Duration::from_secs(3600));
                    Err::<(), _>(io::Error::other("a failure of its own"))
                });
                task::sleep(Duration::from_secs(3600)).map_err(io::Error::from)
            })
        });
        // The timeout was told, so this is its doing; the errors are in it.
        let errors = outcome.expect_err("it is over").into_value().expect_err("it was cancelled");
        let mut words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        words.sort_unstable();
        assert_eq!(words, ["a failure of its own", "cancelled: the time is over"]);
    });
}

#[test]
fn both_of_two_nested_scopes_are_cancelled_and_each_absorbs_its_own() {
    workers(1).run(|| {
        let failed = task::scope(|outer| {
            outer.spawn(|| {
                task::sleep(Duration::from_secs(1))?;
                Err::<(), _>(io::Error::other("outer"))
            });
            let inner = task::scope(|inner| {
                inner.spawn(|| {
                    let _ = task::sleep(Duration::from_secs(5));
                    Err::<(), _>(io::Error::other("inner"))
                });
                task::sleep(Duration::from_secs(5)).map_err(io::Error::from)
            });
            let words: Vec<String> = inner.expect_err("it was cancelled").iter().map(ToString::to_string).collect();
            assert_eq!(words.len(), 2, "{words:?}");
            Ok(task::yield_now()?)
        });
        assert_eq!(failed.expect_err("outer").to_string(), "outer");
    });
}

#[test]
fn cancelling_one_task_is_no_failure_of_its_scope() {
    workers(1).run(|| {
        let value = no_errors(task::scope(|s| {
            let one = s.spawn(task::park);
            let never = s.spawn(|| -> Result<(), Cancelled> { panic!("it begins") });
            assert!(never.cancel());
            task::sleep(Duration::from_millis(1))?;
            assert!(one.cancel() && !one.is_finished());
            assert!(one.join().is_err() && never.join().is_err());
            task::yield_now()?;
            Ok(5)
        }));
        assert_eq!(value, 5);
    });
}

#[test]
fn a_scope_can_be_cancelled_as_a_whole() {
    workers(1).run(|| {
        let left = task::scope(|s| {
            s.spawn(task::park);
            s.cancel();
            task::park()
        });
        assert_eq!(left.expect_err("it was cancelled").first().reason(), &CancelReason::Requested);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn panics_of_tasks_and_bodies_come_out_when_all_have_ended() {
    everywhere(|| {
        for body_panics in [false, true] {
            let (begun, ended) = (AtomicBool::new(false), AtomicUsize::new(0));
            let payload = panic::catch_unwind(AssertUnwindSafe(|| {
                task::scope(|s| {
                    s.spawn(|| {
                        begun.store(true, Ordering::Relaxed);
                        let parked = task::park();
                        task::shield(|| task::sleep(Duration::from_millis(5)))?;
                        ended.fetch_add(1, Ordering::Relaxed);
                        parked
                    });
                    // Else it never runs.
                    while !begun.load(Ordering::Relaxed) {
                        task::yield_now()?;
                    }
                    if body_panics {
                        panic!("no luck");
                    }
                    s.spawn(|| -> Result<(), Cancelled> {
                        task::sleep(Duration::from_millis(1))?;
                        panic!("no luck")
                    });
                    task::park()
                })
            }));
            assert_eq!(payload.expect_err("it panics").downcast_ref(), Some(&"no luck"));
            assert_eq!(ended.into_inner(), 1);
        }
    });
}

/// What is asked for its source may do anything: a scope is not left by its panic while tasks borrow, and nobody is held up
/// meanwhile.
#[cfg(panic = "unwind")]
#[test]
fn errors_may_panic_or_wait_when_they_are_looked_through() {
    #[derive(Debug)]
    struct Asked(bool);
    impl std::fmt::Display for Asked {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("asked")
        }
    }
    impl Error for Asked {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            assert!(!self.0, "no luck");
            (0..3).for_each(|_| drop(task::yield_now()));
            None
        }
    }
    everywhere(|| {
        for of_body in [false, true] {
            let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
            let payload = panic::catch_unwind(AssertUnwindSafe(|| {
                task::scope(|s| {
                    s.spawn(|| {
                        begun.store(true, Ordering::Relaxed);
                        let _ = task::park();
                        task::shield(|| task::sleep(Duration::from_millis(5))).expect("shielded");
                        ended.store(true, Ordering::Relaxed);
                        Ok(())
                    });
                    // Else it never runs.
                    while !begun.load(Ordering::Relaxed) {
                        task::yield_now().expect("not cancelled");
                    }
                    if of_body {
                        return Err(Asked(true));
                    }
                    s.spawn(|| Err::<(), _>(Asked(true)));
                    Ok(())
                })
            }));
            assert_eq!(payload.expect_err("it panics").downcast_ref(), Some(&"no luck"));
            assert!(ended.into_inner(), "before the scope is left");
        }
        let errors = task::scope(|s| {
            (0..3).for_each(|_| drop(s.spawn(|| Err::<(), _>(Asked(false)))));
            Ok(())
        });
        assert!(errors.is_err());
    });
}

#[test]
fn what_a_task_returns_is_gone_when_its_scope_is_left() {
    struct Borrows<'a>(&'a AtomicUsize);
    impl Drop for Borrows<'_> {
        fn drop(&mut self) {
            for _ in 0..3 {
                let _ = task::yield_now();
            }
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    everywhere(|| {
        for round in 0..30 {
            let dropped = AtomicUsize::new(0);
            no_errors(task::scope(|s| {
                drop(s.spawn(|| Ok(Borrows(&dropped))));
                let kept = s.spawn(|| Ok(Borrows(&dropped)));
                if round % 2 == 0 {
                    task::yield_now()?;
                }
                drop(kept);
                Ok(())
            }));
            assert_eq!(dropped.into_inner(), 2);
            let dropped = AtomicUsize::new(0);
            thread::scope(|s| {
                drop(s.spawn(|| Borrows(&dropped)));
                s.spawn(|| Borrows(&dropped));
            });
            assert_eq!(dropped.into_inner(), 2);
        }
    });
}

#[test]
fn threads_of_scopes_are_those_of_std() {
    everywhere(|| {
        let mut numbers = vec![1, 2, 3];
        let mut sum = 0;
        let returned = thread::scope(|s| {
            let handle = s.spawn(|| {
                thread::yield_now();
                numbers.len()
            });
            s.spawn(|| {
                s.spawn(|| thread::sleep(Duration::from_millis(1)));
                sum += numbers.iter().sum::<i32>();
            });
            let named = thread::Builder::new().name("named".to_owned());
            let named = named.spawn_scoped(s, || thread::current().name().map(str::to_owned)).expect("it is spawned");
            assert_eq!(named.thread().name(), Some("named"));
            assert_eq!(named.join().expect("a name").as_deref(), Some("named"));
            handle.join().expect("a length")
        });
        numbers.push(sum);
        assert_eq!((returned, numbers), (3, vec![1, 2, 3, 6]));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn panics_of_scoped_threads_are_those_of_std() {
    everywhere(|| {
        // Joined: the scope is none the worse.
        let payload =
            thread::scope(|s| s.spawn(|| panic!("no luck")).join().map(|never: ()| never).expect_err("it panics"));
        assert_eq!(payload.downcast_ref(), Some(&"no luck"));
        // Not joined: it panics, in the words of std, when the others have ended.
        let ended = AtomicBool::new(false);
        let payload = panic::catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|s| {
                s.spawn(|| panic!("no luck"));
                s.spawn(|| {
                    thread::sleep(Duration::from_millis(5));
                    ended.store(true, Ordering::Relaxed);
                });
            });
        }));
        assert_eq!(payload.expect_err("it panics").downcast_ref(), Some(&"a scoped thread panicked"));
        assert!(ended.load(Ordering::Relaxed));
        let payload = panic::catch_unwind(AssertUnwindSafe(|| thread::scope(|_| panic!("the body"))));
        assert_eq!(payload.map(|never: ()| never).expect_err("it panics").downcast_ref(), Some(&"the body"));
    });
}

#[test]
fn a_scope_inside_of_a_generator_is_waited_for_wherever_that_is_dropped() {
    use switchback::Generator;
    everywhere(|| {
        let ended = std::rc::Rc::new(Cell::new(0));
        let seen = std::rc::Rc::clone(&ended);
        let mut opens = Generator::<i32>::new(move |y| {
            let count = AtomicUsize::new(0);
            thread::scope(|s| {
                s.spawn(|| {
                    thread::sleep(Duration::from_millis(5));
                    count.fetch_add(1, Ordering::Relaxed);
                });
                let _ = y.yield_(1);
            });
            seen.set(count.into_inner());
            Ok(())
        });
        assert_eq!(opens.next(), Some(1));
        task::spawn_local(move || drop(opens)).join().expect("it ends well");
        assert_eq!(ended.get(), 1);
    });
}

/// What is left of a shield in the task that it was opened in is found to be over when that waits again.
#[test]
fn a_shield_that_a_generator_has_carried_away_holds_nothing_off_any_more() {
    use std::{cell::RefCell, rc::Rc};
    use switchback::Generator;
    workers(1).run(|| {
        let place = Rc::new(RefCell::new(None));
        let theirs = Rc::clone(&place);
        let opener = task::spawn_local(move || {
            let mut opens = Generator::<i32>::new(|y| task::shield(|| y.yield_(1).map(drop)));
            assert_eq!(opens.next(), Some(1));
            *theirs.borrow_mut() = Some(opens);
            task::sleep(Duration::from_millis(1)).expect("not cancelled");
            task::sleep(Duration::from_secs(60))
        });
        task::yield_now().expect("not cancelled");
        drop(place.borrow_mut().take().expect("it is open"));
        task::sleep(Duration::from_millis(2)).expect("not cancelled");
        let start = task::now();
        opener.cancel();
        assert!(opener.join().expect("it ends well").is_err());
        assert_eq!(task::now(), start);
    });
}

#[test]
fn join_all_returns_values_in_order_and_fails_as_one() {
    everywhere(|| {
        let delays = [30, 10, 20];
        let values = task::join_all(delays.iter().map(|delay| {
            move || {
                task::sleep(Duration::from_millis(*delay))?;
                Ok::<_, Cancelled>(*delay)
            }
        }));
        assert_eq!(values.expect("nothing fails"), delays);
        assert_eq!(task::join_all(None::<fn() -> Result<i32, Cancelled>>).expect("nothing"), []);
        let left = AtomicUsize::new(0);
        let failed = task::join_all([0, 1, 2].map(|n| {
            let left = &left;
            move || {
                if n == 1 {
                    return Err(io::Error::other("one"));
                }
                let parked = task::park();
                left.fetch_add(1, Ordering::Relaxed);
                Ok(parked?)
            }
        }));
        assert_eq!(failed.expect_err("one has failed").into_vec().len(), 1);
        // Each has left, or never begun.
        assert!(left.into_inner() <= 2);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn join_all_settled_tells_of_each() {
    everywhere(|| {
        let ended = task::join_all_settled([1, 0, 2].map(|n: i32| move || 10 / n));
        let told: Vec<_> = ended.iter().map(|ended| ended.as_ref().ok()).collect();
        assert_eq!(told, [Some(&10), None, Some(&5)]);
        assert!(matches!(ended[1], Err(JoinError::Panicked(_))));
    });
}

#[test]
fn races_are_won_once_and_losers_have_ended() {
    everywhere(|| {
        let lost = Mutex::new(Vec::new());
        let contenders = [50_000, 5, 60_000].map(|delay| {
            let lost = &lost;
            move || {
                if let Err(cancelled) = task::sleep(Duration::from_millis(delay)) {
                    lost.lock().expect("no panic inside").push(cancelled.reason().clone());
                }
                delay
            }
        });
        assert_eq!(task::race(contenders), Some(5));
        assert_eq!(*lost.lock().expect("no panic inside"), [CancelReason::RaceLost, CancelReason::RaceLost]);
        assert_eq!(task::race(None::<fn() -> i32>), None);
    });
}

#[test]
fn sets_tell_of_tasks_as_they_end() {
    everywhere(|| {
        let mut set = JoinSet::new();
        for delay in [40, 5, 20] {
            set.spawn(move || task::sleep(Duration::from_millis(delay)).map(|()| delay));
        }
        assert_eq!(set.len(), 3);
        let ended: Vec<_> = set.completed().map(|ended| ended.expect("it ends well").expect("not cancelled")).collect();
        assert_eq!(ended, [5, 20, 40]);
        assert!(set.is_empty() && set.join_next().expect("not cancelled").is_none());
        // Dropped, it cancels.
        let has_come_to = std::sync::Arc::new(AtomicUsize::new(0));
        let inner = std::sync::Arc::clone(&has_come_to);
        set.spawn(move || {
            inner.store(1, Ordering::Relaxed);
            let parked = task::park();
            inner.store(2, Ordering::Relaxed);
            parked.map(|()| 0)
        });
        let come_to = |place| {
            while has_come_to.load(Ordering::Relaxed) < place {
                task::yield_now().expect("not cancelled");
            }
        };
        // One that has not begun would not begin any more.
        come_to(1);
        drop(set);
        come_to(2);
    });
}
