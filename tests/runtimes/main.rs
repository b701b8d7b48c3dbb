//! Runtimes: how they begin, nest and end.

#[cfg(unix)]
#[path = "../common/process.rs"]
mod process;
#[path = "../common/reports.rs"]
mod reports;

// Tools and emulators have locks of their own that are not free in a child.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "x86"),
    not(any(switchback_asan, switchback_tsan, switchback_valgrind))
))]
mod fork;
mod offload;
#[cfg(unix)]
mod signals;

use reports::reported;
use std::cell::RefCell;
#[cfg(panic = "unwind")]
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use switchback::task::{self, JoinError};
use switchback::{BuildError, CancelReason, Cancelled, Event, Handle, Runtime};

fn workers(count: usize) -> Runtime {
    Runtime::builder().workers(count).grace(Duration::from_millis(200)).build().expect("a runtime")
}

#[test]
fn what_cannot_be_is_refused() {
    assert!(matches!(Runtime::builder().workers(0).build(), Err(BuildError::NoWorkers)));
    assert!(matches!(Runtime::builder().workers(2).seed(1).build(), Err(BuildError::SeedNeedsOneWorker)));
    let error = Runtime::builder().stack_size(usize::MAX).build().expect_err("no stack is so large");
    assert!(matches!(error, BuildError::Stack(_)), "{error}");
    assert!(matches!(Runtime::builder().workers(usize::MAX).build(), Err(BuildError::TooManyWorkers)));
    assert!(matches!(Runtime::builder().thread_name("a\0b").build(), Err(BuildError::ThreadName)));
    // Nobody waits for so long, and nothing is left to wait for.
    assert_eq!(Runtime::builder().workers(2).grace(Duration::MAX).build().expect("a runtime").run(|| 5), 5);
}

#[test]
fn a_runtime_cannot_be_run_inside_of_a_task() {
    let runtime = workers(1);
    runtime.run(|| {
        let words = ["task::spawn", "task::scope"];
        let refused = runtime.try_run(|| 5).expect_err("it is nested");
        assert!(words.iter().all(|word| refused.to_string().contains(word)), "{refused}");
        assert_eq!(refused.into_main().expect("it was not run")(), 5);
        #[cfg(panic = "unwind")]
        {
            let message = panic::catch_unwind(AssertUnwindSafe(|| switchback::run(|| 5))).expect_err("it panics");
            let message = message.downcast_ref::<String>().expect("a message");
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
        // On a thread of its own it can.
        let other = runtime.clone();
        assert_eq!(thread::spawn(move || other.run(|| 6)).join().expect("it ends well"), 6);
    });
    assert_eq!(runtime.run(|| 7), 7);
}

#[test]
fn runtimes_run_side_by_side_and_again() {
    let runtime = Arc::new(workers(2));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let runtime = Arc::clone(&runtime);
            thread::spawn(move || {
                (0..5).map(|_| runtime.run(|| task::spawn(move || n).join().expect("n"))).sum::<i32>()
            })
        })
        .collect();
    let sums: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("it ends well")).collect();
    assert_eq!(sums, [0, 5, 10, 15]);
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_main_comes_out_with_its_payload_when_all_tasks_have_ended() {
    for count in [1, 2] {
        let cleaned = Arc::new(AtomicBool::new(false));
        let inner = Arc::clone(&cleaned);
        let payload = panic::catch_unwind(AssertUnwindSafe(|| {
            workers(count).run(|| {
                let begun = Arc::new(AtomicBool::new(false));
                let seen = Arc::clone(&begun);
                task::spawn(move || {
                    begun.store(true, Ordering::Relaxed);
                    let cancelled = task::park().expect_err("main has panicked");
                    inner.store(cancelled.reason() == &CancelReason::Shutdown, Ordering::Relaxed);
                });
                while !seen.load(Ordering::Relaxed) {
                    task::yield_now().expect("not cancelled");
                }
                panic::panic_any(7_i32)
            })
        }));
        assert_eq!(payload.map(|never: ()| never).expect_err("it panics").downcast_ref(), Some(&7));
        assert!(cleaned.load(Ordering::Relaxed));
    }
}

#[test]
fn what_is_left_when_main_returns_is_cancelled_and_cleans_up() {
    for count in [1, 3] {
        let begun = AtomicUsize::new(0);
        let ended = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(begun);
        workers(count).run(|| {
            for n in 0..20 {
                let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
                task::spawn(move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let cancelled = if n % 2 == 0 { task::park() } else { task::sleep(Duration::from_secs(1000)) };
                    assert_eq!(cancelled.expect_err("main has returned").reason(), &CancelReason::Shutdown);
                    // Cleaning up may take a few waits, with new tasks even.
                    task::shield(|| task::sleep(Duration::from_millis(1))).expect("shielded");
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            }
            while begun.load(Ordering::Relaxed) < 20 {
                task::yield_now().expect("not cancelled");
            }
            // And one that never begins.
            drop(task::spawn_local(|| panic!("it begins")));
        });
        assert_eq!(ended.load(Ordering::Relaxed), 20);
    }
}

#[test]
fn a_task_that_does_not_leave_is_reported_and_leaked() {
    assert_eq!(reported("stubborn"), []);
    for count in [1, 2] {
        let kept = Arc::new(());
        let inner = Arc::clone(&kept);
        let handle = workers(count).run(|| {
            let begun = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&begun);
            let stubborn = task::Builder::new().name("stubborn").spawn(move || {
                let _inner = inner;
                begun.store(true, Ordering::Relaxed);
                loop {
                    let _: Result<(), Cancelled> = task::park();
                }
            });
            while !seen.load(Ordering::Relaxed) {
                task::yield_now().expect("not cancelled");
            }
            stubborn.expect("it is spawned")
        });
        // Whoever waits for it is told; its stack and what is on it stay.
        assert!(matches!(handle.join().map(|never: ()| never), Err(JoinError::Cancelled(_))));
        assert_eq!(Arc::strong_count(&kept), 2);
    }
    let reported = reported("stubborn");
    assert!(reported.contains(&Event::CancelIgnored), "{reported:?}");
    assert_eq!(reported.iter().filter(|event| **event == Event::NotEnded).count(), 2, "{reported:?}");
}

/// The outcome of a task that nobody waits for is dropped by the task, which is complete then, and not over.
#[test]
fn a_destructor_of_an_outcome_that_waits_is_cancelled_or_leaked_with_its_task() {
    static RESULTS: Mutex<Vec<bool>> = Mutex::new(Vec::new());
    struct Waits {
        leaves: bool,
    }
    impl Drop for Waits {
        fn drop(&mut self) {
            let result = if self.leaves { task::park() } else { task::shield(task::park) };
            RESULTS.lock().expect("no panic inside").push(result.is_err());
        }
    }
    for leaves in [true, false] {
        let name = if leaves { "drops its outcome" } else { "never drops its outcome" };
        assert_eq!(reported(name), []);
        workers(1).run(|| {
            let spawned = task::Builder::new().name(name).spawn_local(move || Waits { leaves }).expect("a runtime");
            drop(spawned);
            (0..3).for_each(|_| task::yield_now().expect("not cancelled"));
        });
        assert_eq!(reported(name), if leaves { vec![] } else { vec![Event::NotEnded] });
    }
    assert_eq!(*RESULTS.lock().expect("no panic inside"), [true]);
}

#[test]
fn a_task_that_computes_for_ever_on_another_worker_is_left_to_its_thread() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::new(Barrier::new(2));
    let (seen, after) = (Arc::clone(&stop), Arc::clone(&stopped));
    assert_eq!(reported("worker"), []);
    workers(2).run(|| {
        let begun = Arc::new(AtomicBool::new(false));
        let at = Arc::clone(&begun);
        drop(task::spawn_on(1, move || {
            begun.store(true, Ordering::Relaxed);
            while !seen.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            after.wait();
        }));
        while !at.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    });
    assert_eq!(reported("worker"), [Event::NotEnded]);
    // It can still end, by itself.
    stop.store(true, Ordering::Relaxed);
    stopped.wait();
}

/// The thread of a worker ends when nothing is run any more, and is waited for.
#[test]
fn what_the_last_of_a_workers_thread_spawns_is_refused_and_not_waited_for() {
    struct Spawns(Handle, Arc<AtomicBool>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let refused = matches!(self.0.spawn(|| 5).join(), Err(JoinError::Cancelled(_)));
            self.1.store(refused, Ordering::Relaxed);
        }
    }
    thread_local!(static LAST: RefCell<Option<Spawns>> = const { RefCell::new(None) });
    let was_refused = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&was_refused);
    // No thread is given up here, however late it is.
    let runtime = Runtime::builder().workers(2).grace(Duration::from_secs(60)).build().expect("a runtime");
    runtime.run(|| {
        let keeps = move || LAST.set(Some(Spawns(Handle::current().expect("a runtime"), theirs)));
        task::spawn_on(1, keeps).join().expect("it ends well");
    });
    assert!(was_refused.load(Ordering::Relaxed));
}

/// A closure that is refused drops what it has captured, when no task begins any more.
#[test]
fn what_the_last_destructors_spawn_is_refused_and_dropped() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    struct Spawns(Arc<AtomicUsize>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let [one, other] = [(); 2].map(|()| Counts(Arc::clone(&self.0)));
            drop((task::spawn(move || drop(one)), task::spawn_local(move || drop(other))));
        }
    }
    const MANY: usize = 500;
    for is_from_outside in [false, true] {
        let dropped = Arc::new(AtomicUsize::new(0));
        // There is no time to refuse them one by one.
        let runtime = Runtime::builder().workers(1).grace(Duration::ZERO).build().expect("a runtime");
        runtime.run(|| {
            let this = Handle::current().expect("a runtime");
            for spawns in (0..MANY).map(|_| Spawns(Arc::clone(&dropped))) {
                let body = move || drop(spawns);
                drop(if is_from_outside { this.spawn(body) } else { task::spawn(body) });
            }
        });
        assert_eq!(dropped.load(Ordering::Relaxed), 2 * MANY);
    }
}

/// One after another, and not each in the midst of the one before.
#[test]
fn what_many_destructors_spawn_from_outside_takes_no_deep_stack() {
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    struct Spawns(Handle);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let refused = matches!(self.0.spawn(|| ()).join(), Err(JoinError::Cancelled(_)));
            REFUSED.fetch_add(usize::from(refused), Ordering::Relaxed);
        }
    }
    let runtime = Runtime::builder().workers(1).grace(Duration::ZERO).build().expect("a runtime");
    runtime.run(|| {
        let this = Handle::current().expect("a runtime");
        for spawns in (0..20_000).map(|_| Spawns(this.clone())) {
            drop(this.spawn(move || drop(spawns)));
        }
    });
    // But for those that there was time to begin, which joined what they had spawned.
    assert!(REFUSED.load(Ordering::Relaxed) > 10_000);
}

/// The workers that had been started have ended, and nothing runs what one of their hooks has spawned, or a thread.
#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    not(any(switchback_asan, switchback_tsan, switchback_valgrind))
))]
#[test]
fn a_runtime_that_cannot_begin_refuses_what_is_spawned() {
    static KEPT: Mutex<Vec<(Handle, task::JoinHandle<()>)>> = Mutex::new(Vec::new());
    if process::inside().is_none() {
        // Three of its threads find room for their stacks, and the heap finds some beside.
        let outside = process::Outside { prelude: "ulimit -v 4900000 &&", env: &[("RUST_MIN_STACK", "1000000000")] };
        return outside.run("a_runtime_that_cannot_begin_refuses_what_is_spawned", "inside").assert_success();
    }
    let runtime = Runtime::builder().workers(20).on_worker_park(|_| {
        let this = Handle::current().expect("a runtime");
        KEPT.lock().expect("no panic").push((this, task::spawn_on(0, || ())));
    });
    let runtime = runtime.build().expect("a runtime");
    // Until one has been quick enough to park.
    while KEPT.lock().expect("no panic").is_empty() {
        let refused = runtime.try_run(|| 5).map_err(|error| error.to_string());
        assert!(refused.expect_err("so many threads do not fit").contains("thread"));
    }
    for (this, by_hook) in std::mem::take(&mut *KEPT.lock().expect("no panic")) {
        for handle in [this.spawn(|| ()), by_hook] {
            assert!(handle.is_finished());
            assert!(matches!(handle.join(), Err(JoinError::Cancelled(_))));
        }
    }
}

#[test]
fn dropping_a_runtime_inside_of_its_task_is_nothing() {
    let runtime = Arc::new(workers(2));
    let inner = Arc::clone(&runtime);
    let other = Arc::clone(&runtime);
    let thread = thread::spawn(move || {
        let alias = Arc::clone(&other);
        other.run(move || {
            drop(alias);
            task::spawn(move || drop(inner)).join().expect("it ends");
            5
        })
    });
    drop(runtime);
    assert_eq!(thread.join().expect("it ends well"), 5);
}

#[test]
fn a_seed_decides_the_order() {
    let order = |seed| {
        let runtime = Runtime::builder().workers(1).virtual_clock(true).seed(seed).build().expect("a runtime");
        runtime.run(|| {
            let order = Arc::new(std::sync::Mutex::new(String::new()));
            let tasks: Vec<_> = ["a", "b", "c", "d"]
                .map(|name| {
                    let order = Arc::clone(&order);
                    task::spawn(move || {
                        for _ in 0..3 {
                            order.lock().expect("no panic inside").push_str(name);
                            task::yield_now().expect("not cancelled");
                            task::sleep(Duration::from_secs(1)).expect("not cancelled");
                        }
                    })
                })
                .into_iter()
                .collect();
            tasks.into_iter().for_each(|task| task.join().expect("it ends"));
            let order = order.lock().expect("no panic inside");
            order.clone()
        })
    };
    let orders: std::collections::HashSet<String> = (0..20).map(order).collect();
    assert!(orders.len() > 10, "{orders:?}");
    assert!((0..20).all(|seed| order(seed) == order(seed)));
}

#[test]
fn a_virtual_clock_jumps_when_all_workers_wait() {
    for count in [1, 3] {
        let runtime = Runtime::builder().workers(count).virtual_clock(true).build().expect("a runtime");
        runtime.run(|| {
            let start = task::now();
            let sleepers: Vec<_> = (0..30)
                .map(|n| {
                    task::spawn_on(n % count, move || {
                        let start = task::now();
                        for _ in 0..3 {
                            task::sleep(Duration::from_secs(3600 * n as u64)).expect("not cancelled");
                        }
                        task::now() - start
                    })
                })
                .collect();
            for (n, sleeper) in sleepers.into_iter().enumerate() {
                let slept = sleeper.join().expect("a value");
                assert!(slept >= Duration::from_secs(3 * 3600 * n as u64), "{n}: {slept:?}");
            }
            assert!(task::now() - start >= Duration::from_secs(3 * 29 * 3600));
        });
    }
}
