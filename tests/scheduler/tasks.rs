//! Tasks: spawning, joining, parking, fairness, task-locals, on one worker and on several.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use switchback::task::{self, JoinError};
use switchback::{CancelReason, Generator, Handle, Runtime};

/// A runtime with that many workers.
fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).build().expect("a runtime")
}

/// Yields until `is_over`.
fn yield_until(is_over: impl Fn() -> bool) -> usize {
    let mut yields = 0;
    while !is_over() {
        task::yield_now().expect("not cancelled");
        yields += 1;
    }
    yields
}

#[test]
fn run_returns_what_main_does_and_main_may_borrow() {
    let mut words = vec!["a"];
    for count in [1, 3] {
        let local = Rc::new(7);
        assert_eq!(
            workers(count).run(|| {
                words.push("b");
                *local
            }),
            7
        );
    }
    assert_eq!(words, ["a", "b", "b"]);
}

#[test]
fn joins_return_values() {
    for count in [1, 3] {
        workers(count).run(|| {
            let tasks: Vec<_> = (0..100).map(|n| task::spawn(move || n)).collect();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().expect("a value"), n);
            }
        });
    }
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_of_join_with_its_payload() {
    workers(1).run(|| {
        let panicked = task::spawn(|| std::panic::panic_any(5_u64));
        let Err(JoinError::Panicked(panic)) = panicked.join() else { panic!("it has panicked") };
        assert_eq!(panic.into_payload().downcast_ref(), Some(&5_u64));
        // Others are none the worse.
        assert_eq!(task::spawn(|| 1).join().expect("a value"), 1);
    });
}

#[test]
fn waiting_leaves_the_outcome_for_join() {
    workers(1).run(|| {
        let mut task = task::spawn(|| "x".to_owned());
        assert!(!task.is_finished());
        task.wait().expect("it ends");
        task.wait().expect("it has ended");
        assert!(task.is_finished());
        assert_eq!(task.join().expect("a value"), "x");
    });
}

#[test]
fn a_task_without_a_handle_runs_and_its_outcome_is_dropped() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            // Where it is dropped it can even wait.
            task::yield_now().expect("not cancelled");
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    workers(1).run(|| {
        drop(task::spawn(|| Counted));
        let finished = task::spawn(|| Counted);
        yield_until(|| finished.is_finished());
        drop(finished);
        yield_until(|| DROPPED.load(Ordering::Relaxed) == 2);
    });
}

#[test]
fn a_task_cannot_join_itself() {
    workers(1).run(|| {
        let place = Arc::new(Mutex::new(None::<task::JoinHandle<bool>>));
        let own = Arc::clone(&place);
        let itself = task::spawn(move || {
            let handle = own.lock().expect("no panic inside").take().expect("it was put there");
            matches!(handle.join(), Err(JoinError::Itself))
        });
        let (twin, id) = (itself.task(), itself.id());
        assert_eq!(twin.id(), id);
        *place.lock().expect("no panic inside") = Some(itself);
        yield_until(|| twin.is_finished());
    });
}

#[test]
fn cancelled_before_it_begins_a_body_never_runs_and_its_closure_is_dropped() {
    workers(1).run(|| {
        let token = Arc::new(());
        let kept = Arc::clone(&token);
        let task = task::spawn(move || panic!("it runs, with {kept:?}"));
        assert!(task.cancel_with("too late"));
        assert!(!task.cancel());
        let error: JoinError = match task.join() {
            Err(error) => error,
            Ok(never) => never,
        };
        let Some(cancelled) = error.cancelled() else { panic!("{error}") };
        assert_eq!(cancelled.reason(), &CancelReason::Message("too late".into()));
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

#[test]
fn started_tasks_stay_on_their_worker_and_their_locals_need_not_be_send() {
    workers(3).run(|| {
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                task::spawn(move || {
                    let begun = thread::current().id();
                    let local = Rc::new(Cell::new(n));
                    for _ in 0..20 {
                        local.set(local.get() + 1);
                        task::yield_now().expect("not cancelled");
                        assert_eq!(thread::current().id(), begun);
                    }
                    local.get() - n
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.join().expect("a value"), 20);
        }
    });
}

#[test]
fn unstarted_tasks_go_to_whoever_is_free() {
    let runtime = workers(2);
    let main = thread::current().id();
    runtime.run(|| {
        let task = task::spawn(|| thread::current().id());
        // This worker does nothing else meanwhile, so only the other can have taken it.
        while !task.is_finished() {
            std::hint::spin_loop();
        }
        assert_ne!(task.join().expect("a value"), main);
    });
}

#[test]
fn local_tasks_take_and_return_what_is_not_send() {
    workers(2).run(|| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let seen = Rc::clone(&seen);
                task::spawn_local(move || {
                    seen.borrow_mut().push(n);
                    Rc::new(n)
                })
            })
            .collect();
        let returned: Vec<i32> = tasks.into_iter().map(|task| *task.join().expect("a value")).collect();
        assert_eq!(returned, [0, 1, 2]);
        // Local ones run in the order in which they were spawned.
        assert_eq!(*seen.borrow(), [0, 1, 2]);
    });
}

#[test]
fn tasks_can_be_put_on_a_worker() {
    workers(2).run(|| {
        let here = thread::current().id();
        for _ in 0..50 {
            assert_eq!(task::spawn_on(0, || thread::current().id()).join().expect("a value"), here);
            assert_ne!(task::spawn_on(1, || thread::current().id()).join().expect("a value"), here);
        }
        let refused = task::Builder::new().spawn_on(2, || 5).expect_err("there is no such worker");
        assert!(refused.to_string().contains("no worker 2"), "{refused}");
        assert_eq!(refused.into_body()(), 5);
    });
}

#[test]
fn builders_name_tasks_and_size_their_stacks() {
    #[inline(never)]
    fn deep(n: usize) -> usize {
        let room = std::hint::black_box([n as u8; 1024]);
        if n == 0 { 0 } else { deep(n - 1) + usize::from(room[5] == n as u8) }
    }
    workers(1).run(|| {
        let builder = task::Builder::new().name("deep").stack_size(16 << 20);
        let task = builder.spawn(|| (task::current().expect("a task").name().map(str::to_owned), deep(2_000)));
        assert_eq!(task.expect("a task").join().expect("a value"), (Some("deep".to_owned()), 2_000));
        let refused = task::Builder::new().stack_size(usize::MAX).spawn(|| 5).expect_err("no stack is so large");
        assert_eq!(refused.into_body()(), 5);
    });
}

#[test]
fn outside_of_a_runtime_nothing_can_be_spawned() {
    let refused = task::Builder::new().spawn(|| 5).expect_err("there is no runtime");
    assert!(refused.to_string().contains("switchback::run"), "{refused}");
    assert_eq!(refused.into_body()(), 5);
    #[cfg(panic = "unwind")]
    {
        let message = std::panic::catch_unwind(|| task::spawn(|| 5)).expect_err("it panics");
        assert!(message.downcast_ref::<String>().expect("a message").contains("switchback::run"));
    }
    assert!(task::current().is_none() && Handle::current().is_none());
}

#[test]
fn a_handle_of_the_runtime_spawns_from_other_threads() {
    let (give, take) = mpsc::channel();
    workers(2).run(|| {
        let runtime = Handle::current().expect("inside of one");
        assert_eq!(runtime.workers(), 2);
        give.send(runtime.clone()).expect("somebody listens");
        let outside = thread::spawn(move || {
            // A thread that is no worker is blocked by join.
            let tasks: Vec<_> = (0..20).map(|n| runtime.spawn(move || n)).collect();
            tasks.into_iter().map(|task| task.join().expect("a value")).sum::<i32>()
        });
        yield_until(|| outside.is_finished());
        assert_eq!(outside.join().expect("it ends well"), 190);
    });
    let ended = take.recv().expect("a handle");
    assert!(matches!(ended.spawn(|| 5).join(), Err(JoinError::Cancelled(_))));
}

#[test]
fn tasks_that_yield_take_turns_in_order() {
    workers(1).run(|| {
        let order = Rc::new(RefCell::new(String::new()));
        let tasks: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let order = Rc::clone(&order);
                task::spawn_local(move || {
                    for _ in 0..3 {
                        order.borrow_mut().push_str(name);
                        task::yield_now().expect("not cancelled");
                    }
                })
            })
            .into_iter()
            .collect();
        tasks.into_iter().for_each(|task| task.join().expect("it ends"));
        assert_eq!(*order.borrow(), "abcabcabc");
    });
}

/// The bounds of `worker.rs`.
#[test]
fn a_loop_of_yields_does_not_starve_new_tasks() {
    for busy in [1, 3] {
        workers(1).run(|| {
            let stop = Arc::new(AtomicBool::new(false));
            let others: Vec<_> = (1..busy)
                .map(|_| {
                    let stop = Arc::clone(&stop);
                    task::spawn(move || yield_until(|| stop.load(Ordering::Relaxed)))
                })
                .collect();
            yield_until_started(&others);
            // In turn with those that are ready, one begins, oldest first.
            let begun = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let begun = Arc::clone(&begun);
                    task::spawn(move || begun.fetch_add(1, Ordering::Relaxed))
                })
                .collect();
            for expected in 1..=3 {
                let yields = yield_until(|| begun.load(Ordering::Relaxed) >= expected);
                assert!(yields <= 4, "{yields} yields until task {expected} began");
            }
            stop.store(true, Ordering::Relaxed);
            // Oldest first, for as long as there is other work.
            let order: Vec<_> = tasks.into_iter().map(|task| task.join().expect("a value")).collect();
            assert_eq!(order, [0, 1, 2]);
            // They are not to see the end of main, which is a cancellation.
            for task in others {
                task.join().expect("it ends");
            }
        });
    }
}

fn yield_until_started(others: &[task::JoinHandle<usize>]) {
    for _ in 0..100 * others.len() {
        task::yield_now().expect("not cancelled");
    }
}

#[test]
fn a_loop_of_yields_does_not_starve_wakes_from_other_threads_nor_timers_nor_spawns_from_outside() {
    workers(1).run(|| {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = |task: fn() -> bool| {
            let woken = Arc::clone(&woken);
            task::spawn(move || {
                assert!(task());
                woken.fetch_add(1, Ordering::Relaxed);
            })
        };
        let parked = count(|| task::park().is_ok());
        let asleep = count(|| task::sleep(Duration::from_millis(1)).is_ok());
        yield_until_started(&[task::spawn(|| 0)]);
        let (runtime, parked_task) = (Handle::current().expect("inside of one"), parked.task());
        let outside = thread::spawn(move || {
            parked_task.unpark();
            runtime.spawn(|| 1).join().expect("a value")
        });
        // This goes on yielding until all have come about: it would for ever, were they starved.
        yield_until(|| woken.load(Ordering::Relaxed) == 2 && outside.is_finished());
        drop((parked, asleep));
    });
}

#[test]
fn an_eager_task_runs_to_its_first_wait_before_its_spawner_goes_on() {
    for runtime in [workers(1), Runtime::builder().workers(2).on_task_suspend(|_| ()).build().expect("a runtime")] {
        runtime.run(|| {
            let log = Rc::new(RefCell::new(Vec::new()));
            let note = |log: &Rc<RefCell<Vec<&'static str>>>, what| log.borrow_mut().push(what);
            let inside = Rc::clone(&log);
            let outer = task::spawn_eager(move || {
                note(&inside, "outer begins");
                let innermost = Rc::clone(&inside);
                let inner = task::spawn_eager(move || {
                    note(&innermost, "inner begins");
                    task::yield_now().expect("not cancelled");
                    note(&innermost, "inner ends");
                    task::current().expect("a task").id()
                });
                note(&inside, "outer waits");
                assert_ne!(inner.join().expect("it ends"), task::current().expect("a task").id());
                note(&inside, "outer ends");
            });
            note(&log, "main");
            assert!(!outer.is_finished());
            outer.join().expect("it ends");
            let order = ["outer begins", "inner begins", "outer waits", "main", "inner ends", "outer ends"];
            assert_eq!(*log.borrow(), order);
            let at_once = task::spawn_eager(|| 7);
            assert!(at_once.is_finished());
            assert_eq!(at_once.join().expect("it ends"), 7);
            #[cfg(panic = "unwind")]
            {
                let panics = task::spawn_eager(|| {
                    if true {
                        panic!("no luck")
                    }
                });
                assert!(matches!(panics.join(), Err(JoinError::Panicked(_))));
            }
            task::current().expect("main").cancel();
            assert_eq!(task::spawn_eager(|| 8).join().expect("a result wins"), 8);
        });
    }
}

#[test]
fn a_chain_of_joins_does_not_starve_ready_tasks() {
    workers(1).run(|| {
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        let other = task::spawn_local(move || {
            while seen.get() < 100 {
                seen.set(seen.get() + 1);
                task::yield_now().expect("not cancelled");
            }
        });
        task::yield_now().expect("not cancelled");
        let mut joins = 0;
        while !other.is_finished() {
            task::spawn(|| ()).join().expect("it ends");
            joins += 1;
        }
        // Two picks each: the child, and its joiner.
        assert!(joins <= 100 * 34, "{joins} joins for 100 turns of the other task");
    });
}

#[test]
fn parks_end_by_unpark_before_or_after() {
    for count in [1, 2] {
        workers(count).run(|| {
            let main = task::current().expect("a task");
            main.unpark();
            main.unpark();
            task::park().expect("not cancelled"); // one notice, however often
            let rounds = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&rounds);
            let parker = task::spawn(move || {
                while counted.fetch_add(1, Ordering::Relaxed) < 100 {
                    task::park().expect("not cancelled");
                }
            });
            let task = parker.task();
            yield_until(|| {
                task.unpark();
                parker.is_finished()
            });
            assert!(rounds.load(Ordering::Relaxed) == 101);
        });
    }
}

#[test]
fn a_park_with_a_timeout_ends_by_time() {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime").run(|| {
        let start = task::now();
        task::park_timeout(Duration::from_secs(9)).expect("not cancelled");
        assert_eq!(task::now() - start, Duration::from_secs(9));
        task::current().expect("a task").unpark();
        task::park_timeout(Duration::from_secs(9)).expect("not cancelled");
        assert_eq!(task::now() - start, Duration::from_secs(9));
        // The timer of the first is over: nothing of it is left for this one.
        task::park_timeout(Duration::from_secs(1)).expect("not cancelled");
        assert_eq!(task::now() - start, Duration::from_secs(10));
    });
}

static REQUEST: task::Local<u32> = task::Local::new();
static USER: task::Local<String> = task::Local::new();

#[test]
fn children_begin_with_their_parents_task_locals() {
    assert_eq!(REQUEST.get(), None);
    assert_eq!(REQUEST.set(1), Err(1));
    workers(2).run(|| {
        REQUEST.set(1).expect("a task");
        USER.set("ada".to_owned()).expect("a task");
        let child = task::spawn(|| {
            REQUEST.set(2).expect("a task");
            let grandchild = task::spawn(|| (REQUEST.get(), USER.get()));
            REQUEST.set(3).expect("a task");
            grandchild.join().expect("a value")
        });
        REQUEST.set(4).expect("a task");
        assert_eq!(child.join().expect("a value"), (Some(2), Some("ada".to_owned())));
        assert_eq!(REQUEST.get(), Some(4));
        let inside = REQUEST.with_value(5, || {
            USER.set("bob".to_owned()).expect("a task");
            task::spawn(|| REQUEST.get()).join().expect("a value")
        });
        assert_eq!((inside, REQUEST.get(), USER.get()), (Some(5), Some(4), Some("ada".to_owned())));
    });
}

#[test]
fn a_generator_inside_of_a_task_may_suspend_the_task() {
    for count in [1, 2] {
        workers(count).run(|| {
            let mut items = Generator::new(|y| {
                for n in 0..5 {
                    let doubled = task::spawn(move || 2 * n).join().expect("a value");
                    task::yield_now().expect("not cancelled");
                    y.yield_(doubled)?;
                }
                Ok(())
            });
            assert_eq!(items.next(), Some(0));
            // And goes on in another task of the same worker, whose waits are then its own.
            let rest = task::spawn_local(move || items.collect::<Vec<_>>());
            assert_eq!(rest.join().expect("a value"), [2, 4, 6, 8]);
        });
    }
}

#[test]
fn std_like_threads() {
    use switchback::thread::{self, Builder};
    Runtime::builder().workers(2).build().expect("a runtime").run(|| {
        let main = thread::current();
        assert_eq!(main.name(), Some("main"));
        let unparker = main.clone();
        let named = Builder::new().name("worker".to_owned()).stack_size(64 * 1024);
        let handle = named.spawn(move || {
            unparker.unpark();
            thread::sleep(Duration::from_millis(1));
            thread::yield_now();
            thread::current().id()
        });
        let handle = handle.expect("it is spawned");
        assert_eq!(handle.thread().name(), Some("worker"));
        let id = handle.thread().id();
        thread::park();
        assert_eq!(handle.join().expect("a value"), id);
        assert_ne!(main.id(), id);
        #[cfg(panic = "unwind")]
        {
            let payload =
                thread::spawn(|| panic!("no luck")).join().map(|never: ()| never).expect_err("it has panicked");
            assert_eq!(payload.downcast_ref(), Some(&"no luck"));
        }
        thread::park_timeout(Duration::from_millis(1));
    });
    assert_eq!(thread::current().id(), thread::current().id());
    let refused = Builder::new().spawn(|| ()).expect_err("there is no runtime");
    assert!(refused.to_string().contains("switchback::run"), "{refused}");
}

#[test]
fn many_tasks_on_many_workers_add_up() {
    let sum = Arc::new(Mutex::new(0_u64));
    workers(4).run(|| {
        let tasks: Vec<_> = (0..200_u64)
            .map(|n| {
                let sum = Arc::clone(&sum);
                task::spawn(move || {
                    let children: Vec<_> = (0..n % 7).map(|m| task::spawn(move || m)).collect();
                    for child in children {
                        let value = child.join().expect("a value");
                        task::yield_now().expect("not cancelled");
                        *sum.lock().expect("no panic inside") += value;
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().expect("it ends"));
    });
    let expected: u64 = (0..200_u64).map(|n| (0..n % 7).sum::<u64>()).sum();
    assert_eq!(*sum.lock().expect("no panic inside"), expected);
}

#[test]
fn tasks_know_where_they_were_spawned() {
    use switchback::{Cancelled, thread as std_like};
    fn got<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
        result.expect("nothing fails")
    }
    fn place() -> (&'static str, u32) {
        let place = task::current().expect("a task").spawned_at();
        (place.file(), place.line())
    }
    fn told() -> Result<(&'static str, u32), Cancelled> {
        Ok(place())
    }
    let named = || task::Builder::new().name("named");
    workers(1).run(|| {
        // Each line has its own number and the one that is told of.
        let mut places = vec![
            (line!(), got(task::spawn(place).join())),
            (line!(), got(task::spawn_local(place).join())),
            (line!(), got(task::spawn_on(0, place).join())),
            (line!(), got(got(named().spawn(place)).join())),
            (line!(), got(got(named().spawn_local(place)).join())),
            (line!(), got(got(named().spawn_on(0, place)).join())),
            (line!(), got(Handle::current().expect("a runtime").spawn(place).join())),
            (line!(), got(std_like::spawn(place).join())),
            (line!(), got(got(std_like::Builder::new().spawn(place)).join())),
            (line!(), std_like::scope(|s| got(s.spawn(place).join()))),
            (line!(), std_like::scope(|s| got(got(std_like::Builder::new().spawn_scoped(s, place)).join()))),
            (line!(), got(task::scope::<_, Cancelled, _>(|s| s.spawn(told).join()))),
            (line!(), got(task::scope::<_, Cancelled, _>(|s| got(s.spawn_with(named(), told)).join()))),
            (line!(), got(task::join_all([told]))[0]),
            (line!(), *got(task::join_all_settled([place])[0].as_ref())),
            (line!(), task::race([place]).expect("a winner")),
        ];
        let mut set = task::JoinSet::new();
        let line = line!() + 1;
        set.spawn(place);
        places.push((line, got(got(set.join_next()).expect("a task"))));
        for (line, told) in places {
            assert_eq!(told, (file!(), line));
        }
    });
}
