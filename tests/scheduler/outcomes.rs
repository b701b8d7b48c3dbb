//! Outcomes of tasks whose end takes long, and of those that never begin: none is lost.

use std::sync::Arc;
use std::time::Duration;
use switchback::sync::Event;
use switchback::task::{self, JoinError, JoinSet};
use switchback::{CancelReason, Runtime};

const LONG: Duration = Duration::from_secs(3600);

fn virtual_runtime() -> Runtime {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime")
}

/// Its destructor waits.
struct Slow(Arc<Event>);

impl Drop for Slow {
    fn drop(&mut self) {
        self.0.wait().expect("not cancelled");
    }
}

static SLOW: task::Local<Arc<Slow>> = task::Local::new();

/// A set with a task whose body has ended, and which has a value of its own to drop before it is over.
fn nearly_ended() -> (JoinSet<i32>, Arc<Event>) {
    let is_over = Arc::new(Event::new());
    let theirs = Arc::clone(&is_over);
    let mut set = JoinSet::new();
    set.spawn(move || {
        SLOW.set(Arc::new(Slow(theirs))).map_err(drop).expect("a task");
        5
    });
    for _ in 0..5 {
        task::yield_now().expect("not cancelled");
    }
    (set, is_over)
}

#[test]
fn a_set_whose_task_is_nearly_over_is_waited_for_as_long_as_nobody_cancels() {
    virtual_runtime().run(|| {
        let (mut set, is_over) = nearly_ended();
        task::spawn_local(move || {
            task::sleep(2 * LONG).expect("not cancelled");
            is_over.set();
        });
        let waited = task::timeout(LONG, || set.join_next().map(drop));
        let waited = waited.expect_err("the time is over").into_value();
        assert_eq!(waited.expect_err("it has not ended").reason(), &CancelReason::TimedOut);
        assert!(matches!(set.join_next(), Ok(Some(Ok(5)))) && set.is_empty());
    });
}

#[test]
fn who_is_over_is_told_before_who_is_nearly_over() {
    virtual_runtime().run(|| {
        let (mut set, is_over) = nearly_ended();
        set.spawn(|| 6);
        task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            is_over.set();
        });
        let ended: Vec<_> = set.completed().map(|ended| ended.expect("it ends well")).collect();
        assert_eq!(ended, [6, 5]);
    });
}

#[test]
fn a_set_tells_of_what_could_not_be_ended() {
    let runtime = Runtime::builder().workers(1).grace(Duration::ZERO).build().expect("a runtime");
    let mut set = runtime.run(|| {
        let mut set = JoinSet::new();
        set.spawn(|| task::shield(task::park));
        for _ in 0..5 {
            task::yield_now().expect("not cancelled");
        }
        set
    });
    // In another runtime, as this one is over.
    let ended = virtual_runtime().run(|| task::timeout(LONG, || set.completed().next()));
    let ended = ended.expect("it is told").expect("one");
    assert!(matches!(ended, Err(JoinError::Cancelled(cancelled)) if cancelled.reason() == &CancelReason::Shutdown));
}

#[cfg(panic = "unwind")]
#[test]
fn a_set_whose_task_is_nearly_over_keeps_its_outcome_while_a_panic_unwinds() {
    virtual_runtime().run(|| {
        let (mut set, is_over) = nearly_ended();
        let (refused, mut set) = crate::unwinding::unwinding(move || (set.join_next(), set));
        assert_eq!(refused.expect_err("it has not ended").reason(), &CancelReason::Panicking);
        is_over.set();
        assert!(matches!(set.join_next(), Ok(Some(Ok(5)))));
    });
}

/// Where there is no stack of 8 GiB: in a process of its own, which this may not be.
#[cfg(all(panic = "unwind", target_pointer_width = "64"))]
#[cfg(all(target_os = "linux", not(any(switchback_asan, switchback_tsan, switchback_valgrind))))]
mod without_stacks {
    use std::any::Any;
    use std::panic;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;
    use switchback::sync::Event;
    use switchback::task::{self, JoinError};
    use switchback::{Cancelled, Runtime, thread};

    const HUGE: usize = 8 << 30;
    /// Of these there is one.
    const LARGE: usize = 2 << 30;

    fn is_here(name: &str) -> bool {
        // An emulator has the address space.
        if std::env::var_os("SWITCHBACK_RUNNER").is_some()
            || !crate::process::alone(&format!("outcomes::without_stacks::{name}"), "ulimit -v 3000000 &&")
        {
            return false;
        }
        // SAFETY: a signal ends the process if it hangs.
        unsafe { libc::alarm(100) };
        true
    }

    fn sized(size: usize) -> task::Builder {
        task::Builder::new().stack_size(size)
    }

    fn text(payload: Box<dyn Any + Send>) -> String {
        *payload.downcast().expect("a text")
    }

    /// Lets the other worker, which runs nothing, begin it.
    fn elsewhere(is_over: impl Fn() -> bool) {
        while !is_over() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn scopes_tell_of_tasks_that_have_not_run() {
        if !is_here("scopes_tell_of_tasks_that_have_not_run") {
            return;
        }
        Runtime::builder().workers(2).build().expect("a runtime").run(|| {
            let scope = || {
                task::scope(|s| {
                    let handle = s.spawn_with(sized(HUGE), || Ok::<_, Cancelled>(())).expect("it is asked for later");
                    elsewhere(|| handle.is_finished());
                    Ok(())
                })
            };
            let told = text(panic::catch_unwind(scope).expect_err("the task has not run"));
            assert!(told.starts_with("no stack for the task: "), "{told}");
            let threads = |joins: bool| {
                thread::scope(|s| {
                    let huge = thread::Builder::new().stack_size(HUGE);
                    let handle = huge.spawn_scoped(s, || ()).expect("it is asked for later");
                    elsewhere(|| handle.is_finished());
                    joins.then(|| handle.join().expect_err("it has not run"))
                })
            };
            assert_eq!(text(panic::catch_unwind(|| threads(false)).expect_err("the task has not run")), told);
            let joined = threads(true).expect("it was joined").downcast::<JoinError>().expect("an error");
            assert!(matches!(*joined, JoinError::NoStack(_)));
        });
    }

    #[test]
    fn what_is_made_of_scopes_tells_too() {
        if !is_here("what_is_made_of_scopes_tells_too") {
            return;
        }
        let runtime = Runtime::builder().workers(1).stack_size(HUGE).main_stack_size(1 << 20).build();
        runtime.expect("a runtime").run(|| {
            let ended = task::join_all_settled([|| 5]);
            assert!(matches!(&ended[..], [Err(JoinError::NoStack(_))]), "{ended:?}");
            let joined = panic::catch_unwind(|| task::join_all([|| Ok::<_, Cancelled>(5)]));
            assert!(text(joined.expect_err("it has not run")).starts_with("no stack for the task: "));
        });
    }

    #[test]
    fn who_has_no_stack_of_a_size_that_nobody_has_does_not_wait_for_one() {
        if !is_here("who_has_no_stack_of_a_size_that_nobody_has_does_not_wait_for_one") {
            return;
        }
        super::virtual_runtime().run(|| {
            task::yield_now().expect("not cancelled");
            // By a virtual clock the time is over as soon as all wait.
            let joined = task::timeout(super::LONG, || sized(HUGE).spawn(|| 5).expect("asked for later").join());
            let joined = joined.expect("it does not take as long");
            assert!(matches!(joined, Err(JoinError::NoStack(_))), "{joined:?}");
        });
    }

    #[test]
    fn of_several_each_is_told_or_has_a_stack_in_turn() {
        if !is_here("of_several_each_is_told_or_has_a_stack_in_turn") {
            return;
        }
        Runtime::builder().workers(1).build().expect("a runtime").run(|| {
            let huge = || sized(HUGE).spawn(|| ()).expect("it is asked for later");
            assert!(matches!(huge().join(), Err(JoinError::NoStack(_))));
            // From now on main is one that could end.
            task::yield_now().expect("not cancelled");
            for refused in [(); 3].map(|()| huge()) {
                assert!(matches!(refused.join(), Err(JoinError::NoStack(_))));
            }
            // There is room for one of them at a time.
            let sleep = || task::sleep(Duration::from_millis(1));
            let all = [(); 3].map(|()| sized(LARGE).spawn(sleep).expect("it is asked for later"));
            all.into_iter().for_each(|task| task.join().expect("it runs").expect("not cancelled"));
        });
    }

    #[test]
    fn who_waits_for_a_stack_is_told_when_all_others_wait_for_ever() {
        if !is_here("who_waits_for_a_stack_is_told_when_all_others_wait_for_ever") {
            return;
        }
        for workers in [1, 2] {
            Runtime::builder().workers(workers).build().expect("a runtime").run(|| {
                let is_over = Arc::new(Event::new());
                let waiting = [(); 3].map(|()| {
                    let is_over = Arc::clone(&is_over);
                    sized(LARGE).spawn_local(move || is_over.wait().expect("not cancelled")).expect("asked for later")
                });
                task::yield_now().expect("not cancelled");
                let [first, second, third] = waiting;
                for without in [second, third] {
                    let joined = without.join();
                    assert!(matches!(joined, Err(JoinError::NoStack(_))), "{joined:?}");
                }
                is_over.set();
                first.join().expect("it has had its stack");
            });
        }
    }

    #[test]
    fn stacks_of_one_worker_are_for_who_waits_on_another() {
        if !is_here("stacks_of_one_worker_are_for_who_waits_on_another") {
            return;
        }
        Runtime::builder().workers(2).build().expect("a runtime").run(|| {
            let [is_over, is_wanted, has_begun] = [(); 3].map(|()| Arc::new(Event::new()));
            let stage = Arc::new(AtomicUsize::new(0));
            // Begun by the other worker, where it stays for ever.
            task::spawn({
                let (stage, is_wanted, has_begun) =
                    (Arc::clone(&stage), Arc::clone(&is_wanted), Arc::clone(&has_begun));
                move || {
                    stage.store(1, Ordering::Release);
                    is_wanted.wait().expect("not cancelled");
                    sized(LARGE).spawn_local(move || has_begun.set()).expect("it is asked for later");
                    for _ in 0..3 {
                        task::yield_now().expect("not cancelled");
                    }
                    stage.store(2, Ordering::Release);
                    let _ = task::park();
                }
            });
            elsewhere(|| stage.load(Ordering::Acquire) == 1);
            let has_it = Arc::new(AtomicBool::new(false));
            let first = sized(LARGE).spawn_local({
                let (is_over, has_it) = (Arc::clone(&is_over), Arc::clone(&has_it));
                move || {
                    has_it.store(true, Ordering::Relaxed);
                    is_over.wait().expect("not cancelled");
                }
            });
            while !has_it.load(Ordering::Relaxed) {
                task::yield_now().expect("not cancelled");
            }
            is_wanted.set();
            elsewhere(|| stage.load(Ordering::Acquire) == 2);
            is_over.set();
            first.expect("it is asked for later").join().expect("it has had its stack");
            has_begun.wait().expect("the stack that has come free is its");
        });
    }

    #[test]
    fn hooks_are_told_once_that_a_task_starts_which_has_waited_for_its_stack() {
        if !is_here("hooks_are_told_once_that_a_task_starts_which_has_waited_for_its_stack") {
            return;
        }
        let started = Arc::new(AtomicUsize::new(0));
        let starts = Arc::clone(&started);
        let hook = move |_: &task::Task| _ = starts.fetch_add(1, Ordering::Relaxed);
        Runtime::builder().workers(1).on_task_start(hook).build().expect("a runtime").run(|| {
            let sleep = || task::sleep(Duration::from_millis(1));
            let all = [(); 3].map(|()| sized(LARGE).spawn(sleep).expect("it is asked for later"));
            all.into_iter().for_each(|task| task.join().expect("it runs").expect("not cancelled"));
        });
        assert_eq!(started.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn tasks_for_which_there_are_not_stacks_at_once_have_them_in_turn() {
        if !is_here("tasks_for_which_there_are_not_stacks_at_once_have_them_in_turn") {
            return;
        }
        for workers in [1, 2, 3] {
            let runtime = Runtime::builder().workers(workers).virtual_clock(true).stack_size(64 << 20);
            runtime.main_stack_size(1 << 20).build().expect("a runtime").run(|| {
                // A tenth of them fit.
                let tasks: Vec<_> = (0..400)
                    .map(|n| {
                        let body = || (0..3).try_for_each(|_| task::sleep(super::LONG));
                        if n % 2 == 0 { task::spawn(body) } else { task::spawn_local(body) }
                    })
                    .collect();
                tasks.into_iter().for_each(|task| task.join().expect("it has a stack").expect("not cancelled"));
            });
        }
    }
}

/// What is on its way out when the destructor of something else panics.
#[cfg(panic = "unwind")]
mod going_off {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::rc::Rc;
    use std::sync::Arc;
    use switchback::task::{self, Local};

    /// Panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("bomb"));
        }
    }

    #[track_caller]
    fn goes_off<T>(f: impl FnOnce() -> T) {
        let Err(payload) = catch_unwind(AssertUnwindSafe(f)).map(drop) else { panic!("nothing goes off") };
        assert_eq!(payload.downcast_ref(), Some(&"bomb"));
    }

    #[test]
    fn a_result_is_dropped_when_the_local_that_it_was_computed_with_goes_off() {
        static LOCAL: Local<Arc<Bomb>> = Local::new();
        switchback::run(|| {
            let result = Rc::new(());
            let held = result.clone();
            goes_off(|| LOCAL.with_value(Arc::new(Bomb), || held));
            assert_eq!(Rc::strong_count(&result), 1);
        });
    }

    #[test]
    fn the_errors_of_a_scope_are_dropped_when_what_its_body_returns_goes_off() {
        #[derive(Debug)]
        struct Counted(#[expect(dead_code)] Arc<()>);
        impl std::fmt::Display for Counted {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("counted")
            }
        }
        impl std::error::Error for Counted {}
        switchback::run(|| {
            let error = Arc::new(());
            let held = Counted(error.clone());
            goes_off(|| {
                task::scope(|s| {
                    s.spawn(move || Err::<(), _>(held));
                    Ok(Bomb)
                })
            });
            assert_eq!(Arc::strong_count(&error), 1);
        });
    }
}
