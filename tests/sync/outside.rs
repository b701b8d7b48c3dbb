//! Without a runtime, and between tasks and threads; and that tasks do not become threads.

#[cfg(target_os = "linux")]
#[path = "../common/process.rs"]
mod process;

use crate::workers;
use std::time::Duration;
use switchback::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use switchback::task;

#[test]
fn threads_use_all_of_it_without_a_runtime() {
    let count = crate::rounds(200);
    let shared = Arc::new((Mutex::new(0), RwLock::new(0), Condvar::new(), Barrier::new(4), Once::new()));
    let (sender, receiver) = mpsc::sync_channel(2);
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (shared, sender) = (Arc::clone(&shared), sender.clone());
            std::thread::spawn(move || {
                for _ in 0..count {
                    *shared.0.lock().expect("no poison") += 1;
                    *shared.1.write().expect("no poison") += 1;
                    assert!(*shared.1.read().expect("no poison") > 0);
                    sender.send(n).expect("a receiver");
                }
                shared.2.notify_all();
                shared.4.call_once(|| *shared.0.lock().expect("no poison") += 1);
                shared.3.wait().is_leader()
            })
        })
        .collect();
    drop(sender);
    assert_eq!(receiver.iter().count(), 4 * count);
    let guard = shared.0.lock().expect("no poison");
    drop(shared.2.wait_while(guard, |n| *n < 4 * count).expect("no poison"));
    let leaders = threads.into_iter().map(|thread| thread.join().expect("it ends well")).filter(|leads| *leads);
    assert_eq!(leaders.count(), 1);
    assert_eq!(*shared.0.lock().expect("no poison"), 4 * count + 1);
}

#[test]
fn limits_hold_for_threads_too() {
    let short = Duration::from_millis(1);
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let guard = mutex.lock().expect("no poison");
    assert!(condvar.wait_timeout(guard, short).expect("no poison").1.timed_out());
    assert!(mutex.try_lock().is_ok());
    let (sender, receiver) = mpsc::sync_channel(0);
    assert_eq!(receiver.recv_timeout(short), Err(mpsc::RecvTimeoutError::Timeout));
    assert_eq!(sender.send_timeout(1, short), Err(mpsc::SendTimeoutError::Timeout(1)));
    // What has given up is not in line any more.
    let other = std::thread::spawn(move || receiver.recv());
    assert_eq!(sender.send_timeout(2, Duration::MAX), Ok(()));
    assert_eq!(other.join().expect("it ends well"), Ok(2));
}

/// That a thread waits by parking is nobody's business: who unparks it means its next `park`.
#[test]
fn a_notice_for_a_thread_outlives_its_wait_for_a_lock() {
    let mutex = Mutex::new(());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|s| {
        let held = mutex.lock().expect("no poison");
        let other = s.spawn(|| {
            drop(mutex.lock().expect("no poison"));
            switchback::thread::park();
            tell.send(()).expect("somebody listens");
        });
        // Most often it waits for the lock by now, and again after the notice.
        std::thread::sleep(Duration::from_millis(20));
        other.thread().unpark();
        std::thread::sleep(Duration::from_millis(20));
        drop(held);
        let is_over = told.recv_timeout(Duration::from_secs(10)).is_ok();
        other.thread().unpark();
        assert!(is_over, "the notice is lost");
    });
}

#[test]
fn tasks_and_threads_talk() {
    let count = crate::rounds(300);
    let mutex = Arc::new(Mutex::new(0));
    let (to_tasks, from_threads) = mpsc::sync_channel(1);
    let (to_threads, from_tasks) = mpsc::sync_channel(0);
    let theirs = Arc::clone(&mutex);
    let thread = std::thread::spawn(move || {
        for n in 0..count {
            *theirs.lock().expect("no poison") += 1;
            to_tasks.send(n).expect("a task");
            assert_eq!(from_tasks.recv(), Ok(n * 2));
        }
    });
    workers(2).run(|| {
        let others: Vec<_> = (0..4)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                task::spawn(move || (0..count).for_each(|_| *mutex.lock().expect("no poison") += 1))
            })
            .collect();
        let doubling = task::spawn(move || from_threads.iter().try_for_each(|n| to_threads.send(n * 2)));
        others.into_iter().for_each(|task| task.join().expect("it ends well"));
        doubling.join().expect("it ends well").expect("a thread");
    });
    thread.join().expect("it ends well");
    assert_eq!(*mutex.lock().expect("no poison"), 5 * count);
}

/// A thousand tasks that wait for a mutex, a condition, a message: in a process of its own, whose threads are counted.
#[test]
#[cfg(target_os = "linux")]
fn a_thousand_tasks_that_wait_are_no_threads() {
    if !process::alone("outside::a_thousand_tasks_that_wait_are_no_threads", "") {
        return;
    }
    const WORKERS: usize = 2;
    workers(WORKERS).run(|| {
        let pair = Arc::new((Mutex::new(0), Condvar::new()));
        let held = pair.0.lock().expect("no poison");
        let (sender, receiver) = mpsc::sync_channel(0);
        let tasks: Vec<_> = (0..1_000)
            .map(|n| {
                let (pair, sender) = (Arc::clone(&pair), sender.clone());
                task::spawn(move || {
                    let mut guard = pair.0.lock().expect("no poison");
                    *guard += 1;
                    pair.1.notify_all();
                    while *guard < 1_000 {
                        guard = pair.1.wait(guard).expect("no poison");
                    }
                    drop(guard);
                    sender.send(n).expect("a receiver");
                })
            })
            .collect();
        let threads = || std::fs::read_dir("/proc/self/task").expect("on Linux").count();
        let mut most = threads();
        drop(held);
        let mut sum = 0;
        for n in 0..1_000 {
            most = most.max(threads());
            sum += receiver.recv().expect("sent");
            assert!(n < 1_000);
        }
        tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        assert_eq!(sum, 499_500);
        assert!(most <= WORKERS + 2, "{most} threads");
    });
}
