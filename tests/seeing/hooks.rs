//! Hooks of the builder.

use super::workers;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switchback::sync::Event;
use switchback::task::{self, Interrupted, Resumer, Task};
use switchback::{CancelReason, RuntimeBuilder};

type Log = Arc<Mutex<Vec<String>>>;

fn noting(log: &Log, what: &'static str) -> impl Fn(&Task) + Send + Sync + 'static {
    let log = Arc::clone(log);
    move |task| log.lock().expect("no panic").push(format!("{what} {}", task.name().unwrap_or("?")))
}

#[test]
fn hooks_are_called_in_order_at_each_turn_of_a_task() {
    let log = Log::default();
    let runtime = workers(1)
        .on_task_spawn(noting(&log, "spawn"))
        .on_task_start(noting(&log, "start"))
        .on_task_resume(noting(&log, "resume"))
        .on_task_suspend(noting(&log, "suspend"))
        .on_task_end(noting(&log, "end"))
        .build()
        .expect("a runtime");
    runtime.run(|| {
        let child = task::Builder::new().name("child").spawn(task::yield_now).expect("a task");
        child.join().expect("it runs").expect("nobody cancels");
    });
    let expected = "spawn main, start main, resume main, spawn child, suspend main, start child, resume child, suspend child, \
                    resume child, end child, resume main, end main";
    assert_eq!(log.lock().expect("no panic").join(", "), expected);
}

/// How many more tasks were spawned than have ended, when main has returned.
fn left_of(builder: RuntimeBuilder, main: impl FnOnce()) -> usize {
    let alive = Arc::new(AtomicUsize::new(0));
    let (more, fewer) = (Arc::clone(&alive), Arc::clone(&alive));
    let runtime = builder
        .on_task_spawn(move |_| {
            more.fetch_add(1, Ordering::Relaxed);
        })
        .on_task_end(move |_| {
            fewer.fetch_sub(1, Ordering::Relaxed);
        })
        .build()
        .expect("a runtime");
    runtime.run(main);
    alive.load(Ordering::Relaxed)
}

#[test]
fn each_task_that_is_spawned_ends_also_one_that_never_begins() {
    let parked = || drop((0..50).map(|_| task::spawn(task::park)).collect::<Vec<_>>());
    assert_eq!(left_of(workers(2), parked), 0);
    // There is no time to refuse them one by one.
    let unstarted = || drop((0..500).map(|_| task::spawn(|| ())).collect::<Vec<_>>());
    assert_eq!(left_of(workers(1).grace(Duration::ZERO), unstarted), 0);
}

/// The outcome of a task that nobody waits for is dropped by the task, which is complete then, and not over.
#[test]
fn a_task_whose_outcome_waits_when_it_is_dropped_ends_once() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            (0..3).for_each(|_| task::yield_now().expect("nobody cancels"));
        }
    }
    let detached = || {
        drop(task::spawn(|| Waits));
        (0..9).for_each(|_| task::yield_now().expect("nobody cancels"));
    };
    assert_eq!(left_of(workers(1), detached), 0);
}

#[test]
fn workers_tell_when_they_park() {
    let (parked, unparked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (set_parked, set_unparked) = (Arc::clone(&parked), Arc::clone(&unparked));
    let runtime = workers(1)
        .on_worker_park(move |worker| set_parked.store(worker == 0, Ordering::Relaxed))
        .on_worker_unpark(move |worker| set_unparked.store(worker == 0, Ordering::Relaxed))
        .build()
        .expect("a runtime");
    runtime.run(|| {
        // One that has looked around for long enough does not sleep for what is left of a short time.
        let mut pause = Duration::from_millis(1);
        while !unparked.load(Ordering::Relaxed) {
            task::sleep(pause).expect("nobody cancels");
            pause *= 2;
        }
        assert!(parked.load(Ordering::Relaxed));
    });
}

/// A worker is its own, and nobody else tells it of what its hook has woken, or spawned.
#[test]
fn a_worker_does_not_sleep_on_what_its_hook_has_woken() {
    let (woken, spawned) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let (wakes, spawns) = (Arc::clone(&woken), Arc::clone(&spawned));
    let parks = AtomicUsize::new(0);
    let runtime = workers(1).on_worker_park(move |_| match parks.fetch_add(1, Ordering::Relaxed) {
        0 => wakes.set(),
        1 => {
            let spawns = Arc::clone(&spawns);
            drop(task::spawn(move || spawns.set()));
        }
        _ => {}
    });
    runtime.build().expect("a runtime").run(|| {
        woken.wait().expect("nobody cancels");
        spawned.wait().expect("nobody cancels");
    });
}

/// Who was woken by a worker's hook is about to run, and no other worker lets the clock jump before that.
#[test]
fn a_virtual_clock_does_not_jump_while_a_hook_has_woken_somebody() {
    let woken = Arc::new(Event::new());
    let [sleeps, is_woken, is_over] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let (wakes, has_woken, may_return) = (Arc::clone(&woken), Arc::clone(&is_woken), Arc::clone(&is_over));
    let runtime = workers(2).virtual_clock(true).on_worker_park(move |worker| {
        if worker == 1 {
            // Not before that: it is busy.
            may_return.fetch_or(has_woken.load(Ordering::SeqCst), Ordering::SeqCst);
        } else if !has_woken.load(Ordering::SeqCst) {
            wakes.set();
            has_woken.store(true, Ordering::SeqCst);
            while !may_return.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
    });
    runtime.build().expect("a runtime").run(|| {
        let (start, begun) = (task::now(), Arc::clone(&sleeps));
        let sleeper = task::spawn_on(1, move || {
            begun.store(true, Ordering::SeqCst);
            while !is_woken.load(Ordering::SeqCst) {
                task::yield_now().expect("nobody cancels");
            }
            task::sleep(Duration::from_secs(1)).expect("nobody cancels");
            is_over.store(true, Ordering::SeqCst);
        });
        while !sleeps.load(Ordering::SeqCst) {
            task::yield_now().expect("nobody cancels");
        }
        woken.wait().expect("nobody cancels");
        assert_eq!(task::now(), start);
        sleeper.join().expect("it ends well");
        assert_eq!(task::now(), start + Duration::from_secs(1));
    });
}

/// Also where a task is started eagerly, on the stack of the one that spawns it.
#[test]
fn nothing_waits_in_a_hook() {
    const MILLISECOND: Duration = Duration::from_millis(1);
    let refused = Arc::new(AtomicUsize::new(0));
    let tries_to_wait = |refused: &Arc<AtomicUsize>| {
        let refused = Arc::clone(refused);
        move |_: &Task| {
            let waited = task::suspend(|resumer: Resumer<()>| {
                let _ = resumer.send(());
            });
            let calls = [task::park_timeout(MILLISECOND), task::sleep(MILLISECOND)];
            let are_refused = calls
                .map(|call| call.is_err_and(|cancelled| cancelled.reason() == &CancelReason::Outside))
                == [true; 2];
            refused.fetch_add(usize::from(waited == Err(Interrupted::Refused) && are_refused), Ordering::Relaxed);
        }
    };
    let runtime = workers(1)
        .on_task_start(tries_to_wait(&refused))
        .on_task_resume(tries_to_wait(&refused))
        .on_task_suspend(tries_to_wait(&refused))
        .on_task_end(tries_to_wait(&refused));
    runtime.build().expect("a runtime").run(|| {
        let eager = task::spawn_eager(task::yield_now);
        eager.join().expect("it runs").expect("nobody cancels");
    });
    // Main and the other have started, were resumed twice and suspended once, and have ended.
    assert_eq!(refused.load(Ordering::Relaxed), 2 * (1 + 2 + 1 + 1));
}

#[cfg(panic = "unwind")]
#[test]
fn a_hook_that_panics_harms_nobody() {
    let runtime = workers(1).on_task_resume(|_| panic!("in a hook, as planned")).build().expect("a runtime");
    assert_eq!(runtime.run(|| task::spawn(|| 5).join().expect("it runs")), 5);
}
