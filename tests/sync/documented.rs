//! What std and crossbeam-channel say of their channels, sentence by sentence, where it applies here.

use crate::{rounds, workers};
use std::time::Duration;
use switchback::sync::mpsc::{
    RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, channel, sync_channel,
};
use switchback::sync::{Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock, atomic};
use switchback::{task, thread};

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}

#[test]
fn types_are_send_and_sync_as_in_std() {
    use std::cell::Cell;
    use switchback::sync::{LazyLock, MutexGuard, RwLockReadGuard, mpsc};
    is_send::<Mutex<Cell<i32>>>();
    is_sync::<Mutex<Cell<i32>>>();
    is_send::<RwLock<i32>>();
    is_sync::<RwLock<i32>>();
    is_sync::<MutexGuard<'_, i32>>();
    is_sync::<RwLockReadGuard<'_, i32>>();
    is_sync::<(Condvar, Barrier, Once)>();
    is_sync::<OnceLock<i32>>();
    is_sync::<LazyLock<i32>>();
    is_send::<mpsc::Receiver<Cell<i32>>>();
    is_send::<mpsc::Sender<Cell<i32>>>();
    is_sync::<mpsc::Sender<i32>>();
    is_sync::<mpsc::SyncSender<i32>>();
    is_unwind_safe::<(Mutex<i32>, RwLock<i32>, Condvar, Barrier, Once, OnceLock<i32>, LazyLock<i32>)>();
    is_unwind_safe::<(Mutex<Cell<i32>>, RwLock<Cell<i32>>, MutexGuard<'_, i32>, RwLockReadGuard<'_, i32>)>();
    is_unwind_safe::<(mpsc::Sender<Cell<i32>>, mpsc::SyncSender<Cell<i32>>, mpsc::Receiver<Cell<i32>>)>();
    is_unwind_safe::<(thread::Thread, thread::ThreadId, &thread::Scope<'_, '_>)>();
    is_unwind_safe::<(task::Task, task::JoinHandle<i32>)>();
}

#[test]
fn statics_are_possible() {
    static MUTEX: Mutex<i32> = Mutex::new(0);
    static LOCK: RwLock<i32> = RwLock::new(0);
    static CONDVAR: Condvar = Condvar::new();
    static ONCE: Once = Once::new();
    static CELL: OnceLock<i32> = OnceLock::new();
    static COUNT: atomic::AtomicUsize = atomic::AtomicUsize::new(0);
    *MUTEX.lock().expect("no poison") += *LOCK.read().expect("no poison") + *CELL.get_or_init(|| 1);
    CONDVAR.notify_all();
    ONCE.call_once(|| COUNT.store(1, atomic::Ordering::Relaxed));
    assert_eq!((COUNT.load(atomic::Ordering::Relaxed), *MUTEX.lock().expect("no poison")), (1, 1));
}

/// `Mutex::into_inner`, `get_mut`, `From`, `Default`, unsized contents.
#[test]
fn locks_have_the_small_calls() {
    let mut mutex = Mutex::from(vec![1]);
    mutex.get_mut().expect("no poison").push(2);
    assert_eq!(format!("{mutex:?}"), "Mutex { data: [1, 2], poisoned: false, .. }");
    let guard = mutex.lock().expect("no poison");
    assert_eq!((format!("{guard:?}"), format!("{mutex:?}").contains("<locked>")), ("[1, 2]".to_owned(), true));
    drop(guard);
    assert_eq!(mutex.into_inner().expect("no poison"), [1, 2]);
    let mut lock: RwLock<String> = RwLock::default();
    lock.get_mut().expect("no poison").push('a');
    assert_eq!(
        (lock.read().expect("no poison").to_string(), format!("{lock:?}").contains("\"a\"")),
        ("a".into(), true)
    );
    let unsized_lock: &RwLock<[i32]> = &RwLock::new([1, 2, 3]);
    unsized_lock.write().expect("no poison")[0] = 5;
    let unsized_mutex: &Mutex<dyn std::fmt::Debug + Send> = &Mutex::new(7);
    assert_eq!(
        format!("{:?} {:?}", &*unsized_lock.read().expect("no poison"), &*unsized_mutex.lock().expect("no poison")),
        "[5, 2, 3] 7"
    );
}

/// "Data sent on the Sender will become available on the Receiver in the same order as it was sent."
#[test]
fn order_of_each_sender() {
    workers(2).run(|| {
        let (sender, receiver) = channel();
        let count = rounds(500);
        for from in 0..3 {
            let sender = sender.clone();
            thread::spawn(move || (0..count).for_each(|n| sender.send((from, n)).expect("a receiver")));
        }
        drop(sender);
        let mut next = [0; 3];
        for (from, n) in receiver {
            assert_eq!(n, next[from]);
            next[from] += 1;
        }
        assert_eq!(next, [count; 3]);
    });
}

/// "a return value of Err means that the data will never be received, but a return value of Ok does not mean that it will be."
#[test]
fn sending_to_nobody() {
    let (sender, receiver) = channel();
    drop(receiver);
    assert_eq!(sender.send(1), Err(SendError(1)));
    let (sender, receiver) = sync_channel(1);
    assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Err(TrySendError::Full(2))));
    drop(receiver);
    assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    assert_eq!(sender.send(3), Err(SendError(3)));
}

/// "since channels are buffered, messages sent before the disconnect will still be properly received"
#[test]
fn what_was_sent_before_the_end_is_received() {
    let (sender, receiver) = channel();
    (0..3).for_each(|n| sender.send(n).expect("a receiver"));
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((receiver.recv(), receiver.try_recv()), (Err(RecvError), Err(TryRecvError::Disconnected)));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected));
}

/// `try_recv`: "This is useful for a flavor of optimistic check before deciding to block on a receiver."
#[test]
fn looking_without_waiting() {
    let (sender, receiver) = channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).expect("a receiver");
    sender.send(2).expect("a receiver");
    assert_eq!((receiver.try_iter().collect::<Vec<_>>(), receiver.try_recv()), (vec![1, 2], Err(TryRecvError::Empty)));
}

/// "a bound of 0 is valid, in which case this becomes rendezvous channel where each send will not return until a recv is paired
/// with it"; crossbeam: "a zero-capacity channel … send and receive operations must appear at the same time".
#[test]
fn a_rendezvous() {
    workers(2).run(|| {
        let (sender, receiver) = sync_channel(0);
        assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
        let received = Arc::new(atomic::AtomicBool::new(false));
        let theirs = Arc::clone(&received);
        let sending = thread::spawn(move || {
            sender.send(1).expect("a receiver");
            theirs.load(atomic::Ordering::SeqCst)
        });
        for _ in 0..20 {
            thread::yield_now();
        }
        assert!(!sending.is_finished());
        received.store(true, atomic::Ordering::SeqCst);
        assert_eq!(receiver.recv(), Ok(1));
        assert!(sending.join().expect("it ends well"));
    });
}

/// `IntoIter`: "which will block whenever next is called, waiting for a new message"; and by reference.
#[test]
fn iterating() {
    workers(2).run(|| {
        let (sender, receiver) = sync_channel(1);
        let sending = thread::spawn(move || (0..4).for_each(|n| sender.send(n).expect("a receiver")));
        assert_eq!((&receiver).into_iter().take(2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [2, 3]);
        sending.join().expect("it ends well");
    });
}

/// crossbeam: "When all senders or all receivers associated with a channel get dropped, the channel becomes disconnected … blocked
/// operations are woken up".
#[test]
fn the_end_wakes_those_that_wait() {
    for bound in [0, 1] {
        workers(1).run(|| {
            let (sender, receiver) = sync_channel(bound);
            let mut senders: Vec<_> = (0..3 + bound)
                .map(|n| {
                    let sender = sender.clone();
                    switchback::task::spawn_local(move || sender.send(n))
                })
                .collect();
            crate::settle();
            drop(receiver);
            let blocked = senders.split_off(bound).into_iter().map(|task| task.join().expect("it ends well"));
            assert_eq!(blocked.collect::<Vec<_>>(), (bound..3 + bound).map(|n| Err(SendError(n))).collect::<Vec<_>>());
        });
    }
}

/// Messages are dropped once, wherever they are.
#[test]
fn messages_are_dropped_with_the_channel() {
    let value = Arc::new(());
    for (senders_first, bound) in [(true, 0), (false, 0), (true, 3), (false, 3)] {
        let (sender, receiver) = sync_channel(bound);
        while sender.try_send(Arc::clone(&value)).is_ok() {}
        assert_eq!(Arc::strong_count(&value), 1 + bound);
        if senders_first {
            drop(sender);
            drop(receiver);
        } else {
            drop(receiver);
            assert_eq!(Arc::strong_count(&value), 1);
            drop(sender);
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
