//! Mutex, RwLock, Condvar, Barrier, Once, OnceLock, LazyLock.

use crate::{LONG, jumping, settle, workers};
#[cfg(panic = "unwind")]
use std::panic::{self, AssertUnwindSafe};
use switchback::sync::atomic::{AtomicUsize, Ordering};
use switchback::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, TryLockError};
use switchback::{Cancelled, task, thread};

/// What tasks have done, in order.
type Log = Arc<std::sync::Mutex<Vec<String>>>;

fn push(log: &Log, line: impl Into<String>) {
    log.lock().expect("nobody panics in it").push(line.into());
}

fn taken(log: &Log) -> String {
    log.lock().expect("nobody panics in it").drain(..).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_mutex_is_handed_over_in_the_order_of_arrival_and_nobody_is_before() {
    jumping().run(|| {
        let (mutex, log) = (Arc::new(Mutex::new(())), Log::default());
        let held = mutex.lock().expect("no poison");
        let tasks: Vec<_> = (0..5)
            .map(|n| {
                let (mutex, log) = (Arc::clone(&mutex), Arc::clone(&log));
                let task = task::spawn_local(move || {
                    let _guard = mutex.lock().expect("no poison");
                    push(&log, n.to_string());
                    // Held across a wait, which stops nobody else.
                    task::sleep(LONG).expect("not cancelled");
                });
                settle();
                task
            })
            .collect();
        drop(held);
        // It is the first waiter's by now, although that has not run.
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        let last = mutex.lock().expect("no poison");
        push(&log, "main");
        drop(last);
        tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        assert_eq!(taken(&log), "0 1 2 3 4 main");
        assert!(mutex.try_lock().is_ok());
    });
}

#[test]
fn a_cancelled_waiter_leaves_no_hole() {
    jumping().run(|| {
        let (mutex, log) = (Arc::new(Mutex::new(())), Log::default());
        let held = mutex.lock().expect("no poison");
        let tasks: Vec<_> = (0..6)
            .map(|n| {
                let (mutex, log) = (Arc::clone(&mutex), Arc::clone(&log));
                let task = task::spawn_local(move || {
                    let _guard = task::lock(&mutex)?.expect("no poison");
                    push(&log, n.to_string());
                    Ok::<(), Cancelled>(())
                });
                settle();
                task
            })
            .collect();
        // The first, the last, one in the midst.
        for n in [0, 3, 5] {
            assert!(tasks[n].cancel());
        }
        settle();
        // And one when it is its turn already: it was given the lock, and has it.
        drop(held);
        assert!(tasks[1].cancel());
        let ended: Vec<_> = tasks.into_iter().map(|task| task.join().expect("it ends well").is_ok()).collect();
        assert_eq!(ended, [false, true, true, false, true, false]);
        assert_eq!(taken(&log), "1 2 4");
        assert!(mutex.try_lock().is_ok());
    });
}

#[test]
#[cfg(panic = "unwind")]
fn poison_is_stds() {
    workers(1).run(|| {
        let mutex = Arc::new(Mutex::new(1));
        let theirs = Arc::clone(&mutex);
        let failed = thread::spawn(move || {
            let mut guard = theirs.lock().expect("no poison");
            *guard = 2;
            panic!("in its midst");
        });
        assert!(failed.join().is_err());
        assert!(mutex.is_poisoned());
        assert_eq!(*mutex.lock().expect_err("poison").into_inner(), 2);
        assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(guard)) if **guard.get_ref() == 2));
        assert!(format!("{mutex:?}").contains("poisoned: true"));
        mutex.clear_poison();
        assert_eq!(*mutex.lock().expect("no poison"), 2);

        let lock = RwLock::new(());
        // A reader poisons nothing, a writer does.
        for (poisons, write) in [(false, false), (true, true)] {
            let failed = panic::catch_unwind(AssertUnwindSafe(|| {
                if write {
                    let _guard = lock.write();
                    panic!("in its midst");
                }
                let _guard = lock.read();
                panic!("in its midst");
            }));
            assert!(failed.is_err() && lock.is_poisoned() == poisons);
        }
        assert!(lock.read().is_err() && lock.write().is_err() && lock.try_read().is_err());
        assert!(lock.into_inner().is_err());

        // One who was panicking before, and locks in a destructor, has left nothing in its midst.
        struct Locks<'a>(&'a Mutex<i32>);
        impl Drop for Locks<'_> {
            fn drop(&mut self) {
                *self.0.lock().expect("no poison") += 1;
            }
        }
        let failed = panic::catch_unwind(AssertUnwindSafe(|| {
            let _locks = Locks(&mutex);
            panic!("elsewhere");
        }));
        assert!(failed.is_err() && !mutex.is_poisoned());
        assert_eq!(mutex.lock().map(|guard| *guard).unwrap_or(0), 3);
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_lock_that_would_wait_in_a_destructor_of_a_panic_says_so() {
    struct Locks(Arc<Mutex<()>>, Arc<AtomicUsize>);
    impl Drop for Locks {
        fn drop(&mut self) {
            let locked = panic::catch_unwind(AssertUnwindSafe(|| drop(self.0.lock())));
            let payload = locked.expect_err("it cannot wait");
            let message = payload.downcast_ref::<String>().expect("a message");
            assert!(message.contains("a mutex cannot be waited for here"), "{message}");
            assert!(task::lock(&self.0).is_err());
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    workers(1).run(|| {
        let (mutex, count) = (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)));
        let held = mutex.lock().expect("no poison");
        let locks = Locks(Arc::clone(&mutex), Arc::clone(&count));
        let failed = task::spawn_local(move || {
            let _locks = locks;
            panic!("elsewhere");
        });
        assert!(failed.join().map(|never: ()| never).is_err());
        drop(held);
        assert!(mutex.try_lock().is_ok());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn readers_share_and_a_writer_waits_for_those_before_it_only() {
    jumping().run(|| {
        let (lock, log) = (Arc::new(RwLock::new(0)), Log::default());
        let (first, second) = (lock.read().expect("no poison"), lock.read().expect("no poison"));
        let start = |name: &'static str| {
            let (lock, log) = (Arc::clone(&lock), Arc::clone(&log));
            let task = task::spawn_local(move || {
                if name.starts_with('w') {
                    let mut guard = lock.write().expect("no poison");
                    push(&log, name);
                    task::sleep(LONG).expect("not cancelled");
                    *guard += 1;
                } else {
                    let guard = lock.read().expect("no poison");
                    push(&log, format!("{name}:{}", *guard));
                    task::sleep(LONG).expect("not cancelled");
                    push(&log, format!("{name}."));
                }
            });
            settle();
            task
        };
        let tasks = [start("w1"), start("r1"), start("r2"), start("w2"), start("r3")];
        assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)), "a writer waits");
        drop(first);
        settle();
        assert_eq!(taken(&log), "");
        drop(second);
        tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        assert_eq!(taken(&log), "w1 r1:1 r2:1 r1. r2. w2 r3:2 r3.");
        assert_eq!(*lock.try_write().expect("free"), 2);
    });
}

#[test]
fn readers_behind_a_cancelled_writer_go_on() {
    jumping().run(|| {
        let lock = Arc::new(RwLock::new(()));
        let reading = lock.read().expect("no poison");
        let (theirs, others) = (Arc::clone(&lock), Arc::clone(&lock));
        let writer = task::spawn_local(move || task::write(&theirs).map(drop));
        settle();
        let reader = task::spawn_local(move || task::read(&others).map(drop));
        settle();
        assert!(!reader.is_finished());
        writer.cancel();
        assert!(writer.join().expect("it ends well").is_err());
        assert_eq!(reader.join().expect("it ends well"), Ok(()));
        drop(reading);
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn a_writer_becomes_a_reader_with_those_that_wait() {
    use switchback::sync::RwLockWriteGuard;
    jumping().run(|| {
        let lock = Arc::new(RwLock::new(1));
        let writing = lock.write().expect("no poison");
        let theirs = Arc::clone(&lock);
        let reader = task::spawn_local(move || *theirs.read().expect("no poison"));
        settle();
        assert!(!reader.is_finished());
        let reading = RwLockWriteGuard::downgrade(writing);
        assert_eq!(reader.join().expect("it ends well"), 1);
        assert!(lock.try_write().is_err() && lock.try_read().is_ok());
        drop(reading);
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn notices_reach_those_that_wait_in_order_and_none_is_lost_with_a_cancelled_one() {
    jumping().run(|| {
        let (pair, log) = (Arc::new((Mutex::new(0), Condvar::new())), Log::default());
        let tasks: Vec<_> = (0..5)
            .map(|n| {
                let (pair, log) = (Arc::clone(&pair), Arc::clone(&log));
                let task = task::spawn_local(move || {
                    let guard = task::lock(&pair.0)?.expect("no poison");
                    let mut guard = task::wait(&pair.1, guard)?.expect("no poison");
                    *guard += 1;
                    push(&log, n.to_string());
                    Ok::<(), Cancelled>(())
                });
                settle();
                task
            })
            .collect();
        assert!(pair.0.try_lock().is_ok(), "who waits has given it up");
        pair.1.notify_one();
        settle();
        // The next is cancelled before the notice, and the one after it when it has the notice already.
        tasks[1].cancel();
        pair.1.notify_one();
        tasks[2].cancel();
        settle();
        assert_eq!(taken(&log), "0 2");
        pair.1.notify_all();
        let ended: Vec<_> = tasks.into_iter().map(|task| task.join().expect("it ends well").is_ok()).collect();
        assert_eq!(ended, [true, false, true, true, true]);
        assert_eq!((taken(&log).as_str(), *pair.0.lock().expect("no poison")), ("3 4", 4));
    });
}

#[test]
fn waits_for_a_condition_have_a_limit() {
    jumping().run(|| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let start = task::now();
        let guard = mutex.lock().expect("no poison");
        let (guard, result) = condvar.wait_timeout(guard, LONG).expect("no poison");
        assert!(result.timed_out() && task::now() - start == LONG);
        let mut calls = 0;
        let waited = condvar.wait_timeout_while(guard, LONG, |_| {
            calls += 1;
            true
        });
        assert!(waited.expect("no poison").1.timed_out() && calls == 2 && task::now() - start == 2 * LONG);
        task::scope(|s| {
            s.spawn(|| {
                task::sleep(LONG / 2)?;
                *mutex.lock().expect("no poison") = 1;
                condvar.notify_all();
                Ok::<(), Cancelled>(())
            });
            let guard = mutex.lock().expect("no poison");
            let waited = condvar.wait_timeout_while(guard, LONG, |n| *n == 0).expect("no poison");
            assert!(!waited.1.timed_out() && *waited.0 == 1);
            assert_eq!(*condvar.wait_while(waited.0, |n| *n == 0).expect("no poison"), 1);
            Ok(())
        })
        .expect("nobody fails");
        assert_eq!(task::now() - start, 2 * LONG + LONG / 2);
    });
}

#[test]
fn a_barrier_lets_all_go_on_and_one_leads() {
    workers(2).run(|| {
        let (barrier, before) = (Arc::new(Barrier::new(10)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (barrier, before) = (Arc::clone(&barrier), Arc::clone(&before));
                thread::spawn(move || {
                    let mut led = 0;
                    for round in 1..=20 {
                        before.fetch_add(1, Ordering::Relaxed);
                        led += usize::from(barrier.wait().is_leader());
                        assert!(before.load(Ordering::Relaxed) >= round * 10);
                        barrier.wait();
                    }
                    led
                })
            })
            .collect();
        assert_eq!(tasks.into_iter().map(|task| task.join().expect("it ends well")).sum::<usize>(), 20);
        assert!(Barrier::new(0).wait().is_leader() && Barrier::new(1).wait().is_leader());
    });
}

#[test]
fn one_that_is_cancelled_does_not_count_at_a_barrier() {
    jumping().run(|| {
        let barrier = Arc::new(Barrier::new(3));
        let start = || {
            let barrier = Arc::clone(&barrier);
            let task = task::spawn_local(move || task::wait_at(&barrier).map(|result| result.is_leader()));
            settle();
            task
        };
        let (first, second) = (start(), start());
        first.cancel();
        let third = start();
        assert!(first.join().expect("it ends well").is_err());
        assert!(!second.is_finished() && !third.is_finished());
        assert!(barrier.wait().is_leader());
        assert_eq!(second.join().expect("it ends well"), Ok(false));
        assert_eq!(third.join().expect("it ends well"), Ok(false));

        // Nor does it before it has run.
        let barrier = Arc::new(Barrier::new(2));
        let theirs = Arc::clone(&barrier);
        let first = task::spawn_local(move || task::wait_at(&theirs).is_err());
        settle();
        first.cancel();
        assert!(task::timeout(LONG, || task::wait_at(&barrier).is_ok()).is_err());
        assert!(first.join().expect("it ends well"));
    });
}

#[test]
fn a_closure_is_called_once_and_the_others_wait_for_it() {
    jumping().run(|| {
        let (once, cell, calls) = (Once::new(), OnceLock::new(), AtomicUsize::new(0));
        let lazy = LazyLock::new(|| {
            task::sleep(LONG).expect("not cancelled");
            calls.fetch_add(1, Ordering::Relaxed)
        });
        thread::scope(|s| {
            for n in 0..4 {
                let (once, cell, calls, lazy) = (&once, &cell, &calls, &lazy);
                s.spawn(move || {
                    once.call_once(|| {
                        task::sleep(LONG).expect("not cancelled");
                        calls.fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(once.is_completed());
                    let made = cell.get_or_init(|| {
                        task::sleep(LONG).expect("not cancelled");
                        calls.fetch_add(1, Ordering::Relaxed);
                        n
                    });
                    assert_eq!(Some(made), cell.get());
                    assert_eq!(**lazy, 2);
                });
            }
            s.spawn(|| {
                once.wait();
                assert_eq!(cell.wait(), cell.get().expect("it was made"));
            });
        });
        assert_eq!(calls.into_inner(), 3);
        assert_eq!(cell.set(9), Err(9));
        assert!(cell.clone() == cell && cell.into_inner().is_some_and(|n| n < 4));
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_closure_that_panics_poisons_a_once_and_leaves_a_cell_empty() {
    let panics = |f: &mut dyn FnMut()| panic::catch_unwind(AssertUnwindSafe(f)).is_err();
    jumping().run(|| {
        let (once, cell) = (Arc::new(Once::new()), OnceLock::new());
        let theirs = Arc::clone(&once);
        let waiting = task::spawn_local(move || {
            task::sleep(LONG / 2).expect("not cancelled");
            theirs.wait_force();
        });
        assert!(panics(&mut || once.call_once(|| {
            task::sleep(LONG).expect("not cancelled");
            panic!("no luck")
        })));
        assert!(panics(&mut || once.call_once(|| ())) && panics(&mut || once.wait()) && !once.is_completed());
        settle();
        assert!(!waiting.is_finished());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
        waiting.join().expect("it ends well");
        once.call_once(|| unreachable!("it was called"));

        assert!(panics(&mut || {
            let _ = cell.get_or_init(|| -> i32 { panic!("no luck") });
        }));
        assert_eq!((cell.get(), *cell.get_or_init(|| 5)), (None, 5));

        let lazy: LazyLock<i32> = LazyLock::new(|| panic!("no luck"));
        assert!(panics(&mut || assert_ne!(*lazy, 0)) && panics(&mut || assert_ne!(*lazy, 0)));
    });
}
