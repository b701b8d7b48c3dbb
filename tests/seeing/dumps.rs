//! What dumps tell.

use super::{until, workers};
use serde_json::Value;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use switchback::task::{self, Dump, DumpedTask, JoinHandle, Resumer, TaskState, WorkerState};
use switchback::{Generator, Handle};

fn named<'a>(dump: &'a Dump, name: &str) -> &'a DumpedTask {
    let found: Vec<_> = dump.tasks().iter().filter(|task| task.task().name() == Some(name)).collect();
    assert_eq!(found.len(), 1, "one {name} in {dump}");
    found[0]
}

fn builder(name: &str) -> task::Builder {
    task::Builder::new().name(name)
}

#[inline(never)]
fn a_function_that_parks() {
    black_box(task::park()).unwrap_err();
    black_box(());
}

/// Parks inside of a generator, so the innermost stack is not the task's own.
#[inline(never)]
fn a_function_with_a_generator() {
    let mut inner = Generator::<()>::new(|_| {
        a_function_that_parks();
        Ok(())
    });
    assert_eq!(inner.next(), None);
    black_box(());
}

#[test]
fn each_task_is_told_with_what_it_is_at() {
    let runtime = workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let start = |name: &str, f: fn()| {
            let begun = Arc::clone(&begun);
            let body = move || {
                begun.fetch_add(1, Ordering::Relaxed);
                f();
            };
            builder(name).spawn_local(body).expect("a task")
        };
        let parked = start("parked", a_function_that_parks);
        let nested = start("nested", a_function_with_a_generator);
        let asleep = start("asleep", || drop(task::sleep(Duration::from_secs(3600))));
        let joining = start("joining", || drop(task::spawn(task::park).join()));
        let suspended = start("suspended", || {
            drop(task::suspend(|resumer: Resumer<()>| {
                KEPT.lock().expect("no panic").push(resumer);
            }))
        });
        let ready = start("ready", || {
            // It has waited, and does not any more.
            task::suspend(|resumer: Resumer<()>| resumer.send(()).expect("it waits")).expect("nobody cancels yet");
            while task::yield_now().is_ok() {}
        });
        until(|| begun.load(Ordering::Relaxed) == 6);
        let line = line!() + 1;
        let unstarted = builder("unstarted").spawn_local(|| ()).expect("a task");

        let dump = task::dump().expect("a runtime");
        let waiting = |what| TaskState::Waiting { what, until: None };
        assert_eq!(named(&dump, "main").state(), TaskState::Running);
        assert_eq!(named(&dump, "unstarted").state(), TaskState::Unstarted);
        assert_eq!(named(&dump, "unstarted").worker(), None);
        assert_eq!(named(&dump, "unstarted").task().spawned_at().line(), line);
        assert_eq!(named(&dump, "ready").state(), TaskState::Ready);
        assert_eq!(named(&dump, "parked").state(), waiting("unpark"));
        assert_eq!(named(&dump, "parked").worker(), Some(0));
        assert_eq!(named(&dump, "nested").state(), waiting("unpark"));
        assert_eq!(named(&dump, "joining").state(), waiting("a task"));
        assert_eq!(named(&dump, "suspended").state(), waiting("a resumer"));
        let until = Some(task::now() + Duration::from_secs(3600));
        assert_eq!(named(&dump, "asleep").state(), TaskState::Waiting { what: "a time", until });
        assert!(matches!(dump.workers(), [WorkerState::Answered]), "{dump}");
        assert_eq!(task::all().len(), dump.tasks().len());

        KEPT.lock().expect("no panic").clear();
        for task in [parked, nested, asleep, joining, suspended, ready] {
            task.cancel();
            drop(task.join());
        }
        unstarted.join().expect("it runs");
        assert_eq!(task::all().len(), 2, "main and who nobody unparks");
    });
    assert!(task::dump().is_none());
}

#[test]
fn who_joins_what_it_has_just_spawned_waits_also_while_that_runs_in_its_place() {
    workers(1).build().expect("a runtime").run(|| {
        let inner = || task::dump().expect("a runtime");
        let outer = move || (task::dump().expect("a runtime"), builder("inner").spawn(inner).expect("a task").join());
        let (first, second) = builder("outer").spawn(outer).expect("a task").join().expect("it ends");
        let second = second.expect("it ends");
        let waiting = TaskState::Waiting { what: "a task", until: None };
        assert_eq!(named(&first, "main").state(), waiting);
        assert_eq!(named(&first, "outer").state(), TaskState::Running);
        assert_eq!(named(&second, "main").state(), waiting);
        assert_eq!(named(&second, "outer").state(), waiting);
        assert_eq!(named(&second, "inner").state(), TaskState::Running);
        assert_eq!(named(&task::dump().expect("a runtime"), "main").state(), TaskState::Running);
    });
}

static KEPT: Mutex<Vec<Resumer<()>>> = Mutex::new(Vec::new());

#[test]
fn backtraces_are_those_of_the_tasks_and_the_tasks_go_on_as_if_nothing_had_been() {
    let runtime = workers(1).build().expect("a runtime");
    runtime.run(|| {
        let (sum, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let spawn = |n: usize| {
            let (sum, begun) = (Arc::clone(&sum), Arc::clone(&begun));
            task::spawn(move || {
                let on_the_stack = [n; 4];
                begun.fetch_add(1, Ordering::Relaxed);
                if n.is_multiple_of(2) {
                    a_function_that_parks()
                } else {
                    a_function_with_a_generator()
                }
                sum.fetch_add(on_the_stack[3], Ordering::Relaxed);
            })
        };
        let tasks: Vec<_> = (0..20).map(spawn).collect();
        until(|| begun.load(Ordering::Relaxed) == 20);
        for _ in 0..3 {
            let dump = task::dump().expect("a runtime");
            let traces: Vec<_> = dump
                .tasks()
                .iter()
                .map(|task| (dump.backtrace(task).join("\n") + "\n").replace(" at ", "\n"))
                .collect();
            let with = |name| traces.iter().filter(|trace| trace.contains(name)).count();
            assert_eq!(with("a_function_that_parks"), 20, "{dump}");
            assert_eq!(with("switchback::scheduler::worker"), 0, "{dump}");
            let text = dump.to_string();
            // corosensei's frames lead from a generator past the one that has resumed it. What is left of that may be part of
            // another function, without a name of its own.
            if cfg!(not(switchback_fallback)) {
                assert_eq!(with("a_function_with_a_generator\n"), 10, "{dump}");
                assert_eq!(text.matches("10 tasks at:\n").count(), 2, "{text}");
            }
            assert!(text.starts_with("21 tasks on 1 worker\n"), "{text}");
        }
        assert!(tasks.iter().all(JoinHandle::cancel));
        tasks.into_iter().for_each(|task| task.join().expect("it ends"));
        assert_eq!(sum.load(Ordering::Relaxed), 190);
    });
}

#[test]
fn a_thousand_at_one_place_are_one_group() {
    let count = if cfg!(any(feature = "asan", feature = "tsan", feature = "valgrind")) { 1_000 } else { 2_345 };
    workers(2).build().expect("a runtime").run(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let spawn = |_| {
            let begun = Arc::clone(&begun);
            task::spawn(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                a_function_that_parks();
            })
        };
        let tasks: Vec<_> = (0..count).map(spawn).collect();
        until(|| begun.load(Ordering::Relaxed) == count);
        // A task counts before it parks, so one may still run.
        let text = loop {
            let dump = task::dump().expect("a runtime");
            let parks = |task: &&DumpedTask| matches!(task.state(), TaskState::Waiting { .. });
            if dump.tasks().iter().filter(parks).count() == count {
                break dump.to_string();
            }
        };
        let expected = if count == 1_000 { "\n1,000 tasks at:\n" } else { "\n2,345 tasks at:\n" };
        assert!(text.contains(expected), "{text}");
        assert!(tasks.iter().all(JoinHandle::cancel));
    });
}

#[test]
fn the_json_says_what_the_dump_says() {
    workers(1).build().expect("a runtime").run(|| {
        let child = builder("a \"child\"\n").spawn_local(a_function_that_parks).expect("a task");
        let sleeper = builder("sleeper").spawn_local(|| task::sleep(Duration::from_secs(3600))).expect("a task");
        until(|| task::all().len() == 3);
        task::yield_now().expect("nobody cancels");
        task::yield_now().expect("nobody cancels");
        let dump = task::dump().expect("a runtime");
        let json: Value = serde_json::from_str(&dump.to_json()).expect("JSON");
        let tasks = json["tasks"].as_array().expect("a list");
        assert_eq!(tasks.len(), 3);
        let find = |name: &str| tasks.iter().find(|task| task["name"] == name).expect("it is there");
        let told = find("a \"child\"\n");
        assert_eq!((&told["state"], &told["waits_for"]), (&Value::from("waiting"), &Value::from("unpark")));
        assert!(told["spawned_at"]["file"].as_str().is_some_and(|file| file.ends_with("dumps.rs")));
        let stack = &json["stacks"][told["stack"].as_u64().expect("a number") as usize];
        assert!(stack.to_string().contains("a_function_that_parks"), "{stack}");
        assert!(find("sleeper")["seconds_left"].as_f64().is_some_and(|left| left > 0.0 && left <= 3600.0));
        assert_eq!(find("main")["state"], "running");
        assert_eq!(find("main")["stack"], Value::Null);
        assert_eq!(json["workers"][0]["state"], "answered");
        child.cancel();
        sleeper.cancel();
    });
}

#[test]
fn a_dump_from_outside_reaches_workers_that_sleep() {
    let runtime = Arc::new(workers(2).build().expect("a runtime"));
    runtime.run(|| {
        let parked = task::spawn_on(1, a_function_that_parks);
        let main = task::current().expect("main");
        let (inside, of_runtime) = (Handle::current().expect("a runtime"), Arc::clone(&runtime));
        let outside = thread::spawn(move || {
            let both_park = |dump: &Dump| {
                let parks = |task: &&DumpedTask| matches!(task.state(), TaskState::Waiting { what: "unpark", .. });
                let parked: Vec<_> = dump.tasks().iter().filter(parks).map(DumpedTask::worker).collect();
                parked.contains(&Some(0)) && parked.contains(&Some(1))
            };
            while !both_park(&of_runtime.dump()) {}
            while !both_park(&inside.dump()) {}
            main.unpark();
        });
        task::park().expect("nobody cancels");
        outside.join().expect("no panic");
        parked.cancel();
    });
    assert!(runtime.dump().tasks().is_empty());
}

#[test]
fn a_worker_that_does_not_switch_is_told_as_such() {
    // Somebody looks on, so the task is known.
    let runtime = workers(2).on_task_start(|_| ()).build().expect("a runtime");
    runtime.run(|| {
        let (begin, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let blocks = move || {
            begin.send(()).expect("main waits");
            ended.recv().expect("main sends");
        };
        let stuck = builder("stuck").spawn_on(1, blocks).expect("a task");
        begun.recv().expect("it begins");
        // In a queue that the other worker could steal from.
        let unstarted: Vec<_> = (0..50).map(|n| task::spawn(move || n)).collect();
        let dump = task::dump().expect("a runtime");
        let WorkerState::NotSwitching(Some(task)) = &dump.workers()[1] else { panic!("{dump}") };
        assert_eq!(task.name(), Some("stuck"));
        let text = dump.to_string();
        assert!(
            text.contains(
                "worker 1 does not switch, and its other tasks are not listed: it runs \"stuck\" spawned at "
            ),
            "{text}"
        );
        let unstarted_are_told = |task: &&DumpedTask| task.state() == TaskState::Unstarted;
        assert_eq!(dump.tasks().iter().filter(unstarted_are_told).count(), 50, "{dump}");
        assert_eq!(unstarted.into_iter().map(|task| task.join().expect("it runs")).sum::<u32>(), 1_225);
        end.send(()).expect("it waits");
        stuck.join().expect("it ends");
        until(|| matches!(task::dump().expect("a runtime").workers()[1], WorkerState::Answered));
    });
}

#[test]
fn workers_may_ask_each_other() {
    workers(2).build().expect("a runtime").run(|| {
        let rounds = 20;
        let ask = move || (0..rounds).map(|_| task::dump().expect("a runtime")).collect::<Vec<_>>();
        let other = task::spawn_on(1, ask);
        let dumps = [ask(), other.join().expect("it ends")].concat();
        for dump in dumps {
            assert!(dump.workers().iter().any(|worker| matches!(worker, WorkerState::Answered)), "{dump}");
        }
    });
}

#[test]
fn what_was_spawned_and_has_not_begun_is_listed_once_and_still_runs() {
    let many = 200;
    for count in [1, 2] {
        workers(count).build().expect("a runtime").run(|| {
            let ran = Arc::new(AtomicUsize::new(0));
            let body = || {
                let ran = Arc::clone(&ran);
                move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                }
            };
            let mut tasks: Vec<_> = (0..many).map(|_| task::spawn(body())).collect();
            let handle = Handle::current().expect("a runtime");
            tasks.extend((0..50).map(|_| handle.spawn(body())));
            tasks.extend((0..50).map(|_| task::spawn_local(body())));
            let dump = task::dump().expect("a runtime");
            let mut ids: Vec<_> = dump.tasks().iter().map(|task| task.task().id()).collect();
            if count == 1 {
                assert_eq!(ids.len(), many + 101, "{dump}");
            }
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), dump.tasks().len());
            tasks.into_iter().for_each(|task| task.join().expect("it runs"));
            assert_eq!(ran.load(Ordering::Relaxed), many + 100);
        });
    }
}

/// Each in a task of its own runtime, which it keeps from switching meanwhile.
#[test]
fn two_runtimes_that_ask_each_other_answer() {
    let runtimes = [(); 2].map(|()| workers(1).build().expect("a runtime"));
    let (both, have_asked) = (Barrier::new(2), AtomicUsize::new(0));
    thread::scope(|s| {
        for (own, other) in [(0, 1), (1, 0)] {
            let (runtimes, both, have_asked) = (&runtimes, &both, &have_asked);
            s.spawn(move || {
                runtimes[own].run(|| {
                    both.wait();
                    let dump = runtimes[other].dump();
                    have_asked.fetch_add(1, Ordering::SeqCst);
                    assert!(matches!(dump.workers(), [WorkerState::Answered]), "{dump}");
                    until(|| have_asked.load(Ordering::SeqCst) == 2);
                });
            });
        }
    });
}
