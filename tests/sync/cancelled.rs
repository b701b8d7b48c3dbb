//! The rows of docs/CANCELLATION.md about `sync`: what each call does when its task is cancelled, and while a panic unwinds.

#[cfg(panic = "unwind")]
use crate::unwinding::unwinding;
use crate::{jumping, settle};
#[cfg(panic = "unwind")]
use switchback::Cancelled;
use switchback::sync::mpsc::{self, RecvError, SendError};
use switchback::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use switchback::task::{self, JoinHandle};

/// Runs `f` in a task that is cancelled before it waits, and in one that is cancelled while it waits; lets `help` run after that.
fn both<T: 'static>(f: impl Fn() -> T + Clone + 'static, help: impl FnOnce()) -> [Result<T, task::JoinError>; 2] {
    let first = f.clone();
    let before: JoinHandle<T> = task::spawn_local(move || {
        task::current().expect("a task").cancel();
        first()
    });
    let meanwhile = task::spawn_local(f);
    settle();
    meanwhile.cancel();
    settle();
    help();
    [before.join(), meanwhile.join()]
}

#[test]
fn locks_of_std_are_not_cut_short() {
    jumping().run(|| {
        let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let (theirs, others) = (Arc::clone(&mutex), Arc::clone(&lock));
        let held = (mutex.lock().expect("no poison"), lock.write().expect("no poison"));
        let work = move || {
            *theirs.lock().expect("no poison") += 1;
            let _ = others.read().expect("no poison");
            *others.write().expect("no poison") += 1;
            // It has not forgotten.
            task::check_cancelled().is_err()
        };
        let ended = both(work, || drop(held));
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
        assert_eq!((*mutex.lock().expect("no poison"), *lock.read().expect("no poison")), (2, 2));
    });
}

#[test]
fn locks_of_task_are_cut_short_where_they_would_wait() {
    jumping().run(|| {
        let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let held = (mutex.lock().expect("no poison"), lock.write().expect("no poison"));
        let (theirs, others) = (Arc::clone(&mutex), Arc::clone(&lock));
        let work = move || {
            let locked = [task::lock(&theirs).is_ok(), task::read(&others).is_ok(), task::write(&others).is_ok()];
            // What is free is locked all the same.
            locked == [false; 3] && task::lock(&Mutex::new(())).is_ok() && task::write(&RwLock::new(())).is_ok()
        };
        let ended = both(work, || ());
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
        drop(held);
        assert!(mutex.try_lock().is_ok() && lock.try_write().is_ok());
    });
}

#[test]
#[cfg(panic = "unwind")]
fn condvars_and_barriers_of_std_unwind_with_the_cancellation() {
    jumping().run(|| {
        let pair = Arc::new((Mutex::new(()), Condvar::new(), Barrier::new(2)));
        let theirs = Arc::clone(&pair);
        let waiting = move || drop(theirs.1.wait(theirs.0.lock().expect("no poison")));
        let theirs = Arc::clone(&pair);
        let at_barrier = move || assert!(theirs.2.wait().is_leader());
        for ended in both(waiting, || ()).into_iter().chain(both(at_barrier, || ())) {
            let Err(task::JoinError::Panicked(panic)) = ended else { panic!("{ended:?}") };
            assert!(panic.into_payload().is::<Cancelled>());
        }
        // The mutex is not poisoned by it, and nobody is counted.
        assert!(pair.0.lock().is_ok());
        let theirs = Arc::clone(&pair);
        let other = task::spawn_local(move || theirs.2.wait().is_leader());
        settle();
        assert!(!other.is_finished() && pair.2.wait().is_leader());
        assert!(!other.join().expect("it ends well"));
        // What else it holds is, as by any panic.
        let (theirs, held) = (Arc::clone(&pair), Arc::new(Mutex::new(())));
        let other = Arc::clone(&held);
        let waiting = move || {
            let _held = other.lock();
            drop(theirs.1.wait(theirs.0.lock().expect("no poison")));
        };
        assert!(both(waiting, || ()).iter().all(Result::is_err));
        assert!(pair.0.lock().is_ok() && held.lock().is_err());
    });
}

#[test]
fn condvars_and_barriers_of_task_tell() {
    jumping().run(|| {
        let pair = Arc::new((Mutex::new(()), Condvar::new(), Barrier::new(2)));
        let theirs = Arc::clone(&pair);
        let work = move || {
            let guard = theirs.0.lock().expect("no poison");
            let waited = task::wait(&theirs.1, guard).is_err() && theirs.0.lock().is_ok();
            waited && task::wait_at(&theirs.2).is_err() && task::wait_at(&Barrier::new(1)).is_ok()
        };
        let ended = both(work, || ());
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
    });
}

#[test]
fn what_is_called_once_is_waited_for() {
    jumping().run(|| {
        let cells = Arc::new((Once::new(), OnceLock::new(), LazyLock::new(|| task::yield_now().is_ok())));
        let theirs = Arc::clone(&cells);
        let slow = task::spawn_local(move || {
            theirs.0.call_once(|| task::park().expect("not cancelled"));
            *theirs.1.get_or_init(|| task::park().is_ok())
        });
        settle();
        let theirs = Arc::clone(&cells);
        let work = move || {
            theirs.0.call_once(|| unreachable!("it is called"));
            assert!(*theirs.1.get_or_init(|| unreachable!("it is made")));
            // The closure itself belongs to the task that runs it.
            let own = *OnceLock::new().get_or_init(|| task::yield_now().is_err());
            own && task::check_cancelled().is_err()
        };
        let ended = both(work, || {
            slow.task().unpark();
            settle();
            slow.task().unpark();
        });
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
        assert!(slow.join().expect("it ends well") && *cells.2);
    });
}

#[test]
fn channels_say_closed_or_cancelled_and_keep_the_message() {
    jumping().run(|| {
        let work = || {
            let (sender, receiver) = mpsc::sync_channel(1);
            // There is room, and there is a message: both work.
            assert_eq!((sender.send(1), receiver.recv()), (Ok(()), Ok(1)));
            assert_eq!((receiver.recv(), receiver.iter().next()), (Err(RecvError), None));
            sender.send(2).expect("room");
            assert_eq!(sender.send(3), Err(SendError(3)));
            assert!(matches!(task::send(&sender, 4), Err(task::SendError::Cancelled(4, _))));
            assert_eq!((task::recv(&receiver), sender.try_send(5)), (Ok(2), Ok(())));
            assert_eq!(receiver.try_recv(), Ok(5));
            matches!(task::recv(&receiver), Err(task::RecvError::Cancelled(_)))
        };
        let ended = both(work, || ());
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
    });
}

#[test]
#[cfg(panic = "unwind")]
fn unwinding_channels_work_where_they_need_not_wait() {
    jumping().run(|| {
        let ended = unwinding(|| {
            let (sender, receiver) = mpsc::sync_channel(1);
            assert_eq!((sender.send(1), sender.send(2), receiver.recv()), (Ok(()), Err(SendError(2)), Ok(1)));
            assert_eq!(receiver.recv(), Err(RecvError));
            assert!(*Mutex::new(true).lock().expect("no poison"));
            (task::recv(&receiver), task::lock(&Mutex::new(())).is_ok(), Barrier::new(1).wait().is_leader())
        });
        assert!(matches!(ended, (Err(task::RecvError::Cancelled(_)), true, true)));
    });
}

#[test]
fn what_std_lacks_tells() {
    use switchback::sync::{Event, Notify, Queue, Semaphore, WaitGroup, broadcast, oneshot, watch};
    jumping().run(|| {
        let work = || {
            let (semaphore, event, notify, queue) = (Semaphore::new(1), Event::new(), Notify::new(), Queue::bounded(1));
            let (group, (sender, mut receiver)) = (WaitGroup::new(), oneshot::channel::<()>());
            let (_news, mut news) = broadcast::channel::<()>(1);
            let (_value, mut value) = watch::channel(());
            // What is there is had.
            let permit = semaphore.acquire().expect("free");
            queue.put(1).expect("room");
            let waited = [
                semaphore.acquire().is_err(),
                semaphore.acquire_timeout(crate::LONG).is_err(),
                event.wait().is_err(),
                notify.wait().is_err(),
                group.clone().wait().is_err(),
                matches!(receiver.recv(), Err(task::RecvError::Cancelled(_))),
                matches!(news.recv(), Err(broadcast::RecvError::Cancelled(_))),
                matches!(value.changed(), Err(task::RecvError::Cancelled(_))),
                matches!(queue.put(2), Err(task::SendError::Cancelled(2, _))),
                queue.join().is_err(),
                queue.get().is_ok_and(|item| item.value == 1),
                matches!(queue.get(), Err(task::RecvError::Cancelled(_))),
                queue.join().is_ok(),
            ];
            drop((permit, sender));
            waited == [true; 13] && semaphore.available() == 1
        };
        let ended = both(work, || ());
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
    });
}

#[test]
fn selects_tell_and_nothing_has_happened() {
    jumping().run(|| {
        let work = || {
            let (sender, receiver) = mpsc::sync_channel(0);
            let (full, waiting) = mpsc::sync_channel(1);
            let (mut value, mut other) = (Some(1), Some(2));
            let told = switchback::select! {
                recv(receiver) -> n => n == Ok(0),
                send(sender, value) -> _ => false,
                sleep(crate::LONG) => false,
            };
            // An arm that is ready wins.
            let ready = switchback::select! {
                send(full, other) -> sent => sent.is_ok(),
                recv(receiver) -> _ => false,
            };
            told.is_err() && ready == Ok(true) && value == Some(1) && waiting.try_recv() == Ok(2)
        };
        let ended = both(work, || ());
        assert!(ended.into_iter().all(|ended| matches!(ended, Ok(true))));
    });
}
