//! Blocking work beside the workers: who goes on meanwhile, what comes back, and what ends it.

use super::{process, reported, workers};
#[cfg(panic = "unwind")]
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use switchback::{CancelReason, Event, Runtime, offload, task};

/// One worker, and that many threads beside it.
fn with_threads(most: usize) -> Runtime {
    Runtime::builder().workers(1).offload_threads(most).build().expect("a runtime")
}

#[test]
fn the_other_tasks_run_and_the_closure_may_borrow() {
    workers(1).run(|| {
        let (sender, receiver) = channel();
        let mut words = vec!["from"];
        let other = task::spawn(move || sender.send("there"));
        let borrowed = &mut words;
        let (word, elsewhere) = offload(move || {
            borrowed.push("here");
            (receiver.recv().expect("the other task has sent it"), thread::current().id())
        });
        assert_eq!((word, &words[..]), ("there", &["from", "here"][..]));
        assert_ne!(elsewhere, thread::current().id());
        other.join().expect("it ends well").expect("it was received");
        let joined = task::join_all([1, 2, 3].map(|n| move || Ok::<_, switchback::Cancelled>(offload(|| n * n))));
        assert_eq!(joined.expect("no error"), [1, 4, 9]);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_with_its_payload() {
    with_threads(1).run(|| {
        for round in 0..3 {
            let payload = panic::catch_unwind(AssertUnwindSafe(|| offload(|| panic::panic_any(round))));
            assert_eq!(payload.map(|never: ()| never).expect_err("it panics").downcast_ref(), Some(&round));
            let payload =
                panic::catch_unwind(AssertUnwindSafe(|| task::offload::<_, ()>(move || panic::panic_any(round))));
            assert_eq!(payload.map(drop).expect_err("it panics").downcast_ref(), Some(&round));
        }
        assert_eq!(offload(|| 5), 5);
    });
}

#[test]
fn there_are_as_many_threads_as_allowed_and_they_end_with_the_run() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local!(static ENDS: Ends = const { Ends });
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let two = Barrier::new(2);
    with_threads(2).run(|| {
        let jobs = (0..6).map(|_| {
            || {
                offload(|| {
                    ENDS.with(|_| ());
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    two.wait();
                    now.fetch_sub(1, Ordering::SeqCst);
                });
                Ok::<_, switchback::Cancelled>(())
            }
        });
        assert_eq!(task::join_all(jobs).expect("no error").len(), 6);
    });
    assert_eq!((most.into_inner(), ENDED.load(Ordering::Relaxed)), (2, 2));
}

#[test]
fn it_runs_in_place_where_nothing_can_be_suspended() {
    let here = || thread::current().id() == offload(|| thread::current().id());
    assert!(here());
    with_threads(0).run(|| {
        assert!(here());
        assert_eq!(task::offload(|| thread::current().id()), Ok(thread::current().id()));
        // In place it is part of the task.
        assert!(offload(|| task::current().is_some()));
    });
    with_threads(2).run(|| {
        assert!(!here());
        assert!(offload(|| task::current().is_none() && here()));
        let mut inside = false;
        task::suspend(|resumer: switchback::Resumer<()>| {
            inside = here();
            let _ = resumer.send(());
        })
        .expect("it was sent");
        assert!(inside);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn unwinding_offloads_run_in_place() {
    struct Last(Arc<AtomicUsize>);
    impl Drop for Last {
        fn drop(&mut self) {
            let own = thread::current().id();
            let both =
                [offload(|| thread::current().id()), task::offload(|| thread::current().id()).expect("in place")];
            self.0.store(both.into_iter().filter(|id| *id == own).count(), Ordering::Relaxed);
        }
    }
    let in_place = Arc::new(AtomicUsize::new(0));
    let last = Last(Arc::clone(&in_place));
    with_threads(1).run(|| {
        let task = task::spawn(move || {
            let _last = last;
            panic!("it unwinds");
        });
        assert!(task.join().map(|never: ()| never).is_err());
    });
    assert_eq!(in_place.load(Ordering::Relaxed), 2);
}

#[test]
fn cancelled_offloads_that_borrow_wait_on() {
    with_threads(1).run(|| {
        let (begun, begins) = sync_channel(1);
        let (end, ends) = channel();
        let waiting = task::spawn(move || {
            let text = String::from("borrowed");
            let text = text.as_str();
            let read = offload(move || {
                begun.send(()).expect("it is received");
                ends.recv().expect("it is to end");
                text
            });
            (read == "borrowed", task::check_cancelled().is_err(), offload(|| 5))
        });
        offload_until(&begins);
        waiting.cancel();
        task::yield_now().expect("not cancelled");
        assert!(!waiting.is_finished());
        end.send(()).expect("it waits for it");
        assert_eq!(waiting.join().expect("it ends well"), (true, true, 5));
    });
}

/// Waits for the thread without holding up the worker or taking the only thread.
fn offload_until<T>(receiver: &std::sync::mpsc::Receiver<T>) -> T {
    loop {
        if let Ok(value) = receiver.try_recv() {
            return value;
        }
        task::yield_now().expect("not cancelled");
    }
}

/// Tells where it is dropped.
struct Tells(std::sync::mpsc::Sender<thread::ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn cancelled_offloads_of_task_are_cut_short() {
    with_threads(1).run(|| {
        let (begun, begins) = channel();
        let (end, ends) = channel::<()>();
        let (dropped, drops) = channel();
        let result = Tells(dropped.clone());
        let waiting = task::spawn(move || {
            task::offload(move || {
                begun.send(()).expect("it is received");
                ends.recv().expect_err("nothing is sent");
                result
            })
            .map(drop)
        });
        offload_until(&begins);
        // Behind it: one that nobody has begun.
        let (ran, kept) = (Arc::new(AtomicBool::new(false)), Tells(dropped.clone()));
        let runs = Arc::clone(&ran);
        let queued = task::spawn(move || {
            task::offload(move || {
                let _kept = kept;
                runs.store(true, Ordering::Relaxed);
            })
        });
        task::yield_now().expect("it waits now");
        for task in [&queued, &waiting] {
            assert!(!task.is_finished() && task.cancel());
        }
        for task in [queued, waiting] {
            let cancelled = task.join().expect("it ends well").expect_err("it was cut short");
            assert_eq!(cancelled.reason(), &CancelReason::Requested);
        }
        // What was queued is gone at once, and here; what was begun goes on, and its result is dropped there.
        assert_eq!(drops.try_recv(), Ok(thread::current().id()));
        assert!(drops.try_recv().is_err());
        drop(end);
        assert_ne!(offload_until(&drops), thread::current().id());
        // One that was cancelled before does not run.
        let runs = Arc::clone(&ran);
        let before = task::spawn(move || {
            task::current().expect("a task").cancel();
            task::offload(move || runs.store(true, Ordering::Relaxed))
        });
        assert!(before.join().expect("it ends well").is_err());
        assert_eq!(offload(|| 5), 5);
        assert!(!ran.load(Ordering::Relaxed));
    });
}

#[test]
fn a_virtual_clock_stands_still_meanwhile() {
    let runtime = Runtime::builder().workers(2).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let sleeper = task::spawn_on(1, || task::sleep(Duration::from_secs(1)).map(|()| task::now()));
        let start = task::now();
        let pause = || thread::sleep(Duration::from_millis(5));
        assert!(task::timeout(Duration::from_secs(1), || task::offload(pause)).is_ok());
        assert_eq!(task::now(), start);
        assert!(sleeper.join().expect("it ends well").expect("not cancelled") > start);
    });
    // But not while it runs in place.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).offload_threads(0).build().expect("a runtime");
    runtime.run(|| offload(|| task::sleep(Duration::from_secs(3600))).expect("not cancelled"));
}

#[test]
fn what_nobody_waits_for_any_more_ends_before_the_run() {
    let over = Arc::new(AtomicBool::new(false));
    let ends_here = Arc::clone(&over);
    with_threads(1).run(|| {
        let (end, ends) = channel::<()>();
        let late = task::timeout(Duration::from_micros(1), || {
            task::offload(move || {
                ends.recv().expect_err("nothing is sent");
                thread::sleep(Duration::from_millis(1));
                ends_here.store(true, Ordering::Relaxed);
            })
        });
        drop(end);
        // Whether it had begun or not, nothing of it is left when the run is over.
        assert!(late.is_err());
    });
    assert_eq!(Arc::strong_count(&over), 1);
}

#[test]
fn what_does_not_end_is_reported_and_left_to_its_thread() {
    assert_eq!((reported("offload"), reported("waits for it")), (vec![], vec![]));
    let (end, ends) = channel::<()>();
    let (ended, has_ended) = channel();
    let (queued, ran) = (Arc::new(()), Arc::new(AtomicBool::new(false)));
    let (kept, runs) = (Arc::clone(&queued), Arc::clone(&ran));
    let runtime = Runtime::builder().workers(1).offload_threads(1).grace(Duration::from_millis(200));
    runtime.build().expect("a runtime").run(move || {
        let (begun, begins) = channel();
        let builder = task::Builder::new().name("waits for it");
        let waits = builder.spawn(move || {
            let text = String::from("on a stack that is leaked");
            let text = text.as_str();
            offload(move || {
                begun.send(()).expect("it is received");
                ends.recv().expect_err("nothing is sent");
                ended.send(text.len()).expect("it is received");
            });
        });
        drop(waits.expect("a task"));
        offload_until(&begins);
        let builder = task::Builder::new().name("waits for it");
        let waits = builder.spawn(move || {
            let _kept = &kept;
            offload(|| {
                let _kept = Arc::clone(&kept);
                runs.store(true, Ordering::Relaxed);
            });
        });
        drop(waits.expect("a task"));
        task::yield_now().expect("it waits now");
    });
    assert_eq!(reported("waits for it"), [Event::NotEnded; 2]);
    assert_eq!(reported("offload"), [Event::NotEnded]);
    // It can still end, by itself. What was queued behind it never runs.
    drop(end);
    assert_eq!(has_ended.recv(), Ok("on a stack that is leaked".len()));
    assert!(!ran.load(Ordering::Relaxed));
}

/// The report hook is called by the thread that was the worker, and whatever it wakes there is another runtime's.
#[test]
fn what_is_reported_at_the_end_may_wake_tasks_of_a_runtime_that_has_begun_since() {
    if !process::alone("offload::what_is_reported_at_the_end_may_wake_tasks_of_a_runtime_that_has_begun_since", "") {
        return;
    }
    static NEXT: Mutex<Option<thread::JoinHandle<u32>>> = Mutex::new(None);
    switchback::set_report_hook(|report| {
        assert_eq!((report.event(), report.coroutine().name()), (Event::NotEnded, Some("offload")));
        let (sender, receiver) = switchback::sync::mpsc::channel();
        let next = with_threads(0);
        let theirs = next.clone();
        let thread = thread::spawn(move || theirs.run(|| receiver.recv().expect("it is sent")));
        let waits = |task: &task::DumpedTask| matches!(task.state(), task::TaskState::Waiting { .. });
        while !next.dump().tasks().iter().any(waits) {
            thread::yield_now();
        }
        sender.send(5).expect("it is received");
        *NEXT.lock().expect("no panic") = Some(thread);
    });
    let (end, ends) = channel::<()>();
    let (begun, begins) = channel();
    workers(1).run(|| {
        // Cut short, so all tasks end.
        drop(task::spawn(move || task::offload(move || begun.send(()).is_ok() && ends.recv().is_err())));
        while begins.try_recv().is_err() {
            task::yield_now().expect("not cancelled");
        }
    });
    let next = NEXT.lock().expect("no panic").take().expect("it is reported");
    assert_eq!(next.join().expect("it ends well"), 5);
    drop(end);
}
