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
    use switchback::task::{self, JoinError};
    use switchback::{Cancelled, Runtime, thread};

    const HUGE: usize = 8 << 30;

    fn is_here(name: &str) -> bool {
        // An emulator has the address space.
        std::env::var_os("SWITCHBACK_RUNNER").is_none()
            && crate::process::alone(&format!("outcomes::without_stacks::{name}"), "ulimit -v 3000000 &&")
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
                    let huge = task::Builder::new().stack_size(HUGE);
                    let handle = s.spawn_with(huge, || Ok::<_, Cancelled>(())).expect("it is asked for later");
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
}
