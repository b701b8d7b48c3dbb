//! What std lacks: Semaphore, Event, Notify, WaitGroup, rendezvous, oneshot, watch, broadcast, queues of work.

use crate::{LONG, jumping, settle, workers};
use std::cell::RefCell;
use std::rc::Rc;
use switchback::sync::{
    Arc, Event, LifoQueue, Notify, PriorityQueue, Queue, RwLock, Semaphore, WaitGroup, atomic, broadcast, oneshot,
    rendezvous, watch,
};
use switchback::task::{self, JoinHandle, RecvError, SendError};
use switchback::{Cancelled, select};

/// Starts tasks one after another, each of which waits and then says its number.
fn in_turn(count: usize, wait: impl Fn(usize) -> Result<(), Cancelled> + Clone + 'static) -> Turn {
    let log = Rc::new(RefCell::new(Vec::new()));
    let tasks = (0..count)
        .map(|n| {
            let (log, wait) = (Rc::clone(&log), wait.clone());
            let task = task::spawn_local(move || {
                wait(n)?;
                log.borrow_mut().push(n);
                Ok(())
            });
            settle();
            task
        })
        .collect();
    Turn { log, tasks }
}

struct Turn {
    log: Rc<RefCell<Vec<usize>>>,
    tasks: Vec<JoinHandle<Result<(), Cancelled>>>,
}

impl Turn {
    /// Who has gone on since the last time.
    fn gone(&self) -> Vec<usize> {
        settle();
        self.log.take()
    }
}

#[test]
fn permits_go_in_order_and_none_is_lost_with_a_cancelled_waiter() {
    jumping().run(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let theirs = Arc::clone(&semaphore);
        // The third wants three, the others one.
        let wants = [1, 1, 3, 1, 1];
        let turn = in_turn(5, move |n| {
            theirs.acquire_many(wants[n])?.forget();
            Ok(())
        });
        semaphore.add(1);
        assert_eq!(turn.gone(), [0]);
        // Cancelled before its permit, and after.
        turn.tasks[1].cancel();
        semaphore.add(2);
        assert_eq!((turn.gone(), semaphore.available()), (vec![], 2));
        assert!(semaphore.try_acquire().is_none(), "nobody is before those that wait");
        semaphore.add(1);
        turn.tasks[2].cancel();
        assert_eq!((turn.gone(), semaphore.available()), (vec![2], 0));
        // One that wants much and gives up lets those behind it go.
        let theirs = Arc::clone(&semaphore);
        let greedy = task::spawn_local(move || theirs.acquire_many(9).map(drop));
        settle();
        let theirs = Arc::clone(&semaphore);
        let modest = task::spawn_local(move || theirs.acquire().map(drop));
        semaphore.add(3);
        assert_eq!((turn.gone(), modest.is_finished()), (vec![3, 4], false));
        greedy.cancel();
        assert_eq!(modest.join().expect("it ends well"), Ok(()));
        assert_eq!(semaphore.available(), 1);
        let start = task::now();
        let held = semaphore.acquire_owned().expect("free");
        assert!(semaphore.acquire_timeout(LONG).expect("not cancelled").is_none() && task::now() - start == LONG);
        drop(held);
        assert_eq!(semaphore.acquire_timeout(LONG).expect("not cancelled").map(|permit| permit.count()), Some(1));
        assert!(greedy.join().expect("it ends well").is_err());
    });
}

/// Its worker may be busy for long, or its task be one that never ends.
#[test]
fn nobody_waits_for_a_cancelled_waiter_to_leave_the_queue() {
    jumping().run(|| {
        let (semaphore, lock) = (Arc::new(Semaphore::new(1)), Arc::new(RwLock::new(())));
        let reading = lock.read().expect("no poison");
        let (theirs, others) = (Arc::clone(&semaphore), Arc::clone(&lock));
        let greedy = task::spawn_local(move || theirs.acquire_many(2).map(drop));
        let writer = task::spawn_local(move || task::write(&others).map(drop));
        settle();
        assert!(semaphore.try_acquire().is_none() && lock.try_read().is_err());
        greedy.cancel();
        writer.cancel();
        assert!(semaphore.try_acquire().is_some());
        drop(lock.read().expect("no poison"));
        assert!(!greedy.is_finished() && !writer.is_finished(), "this has not suspended itself");
        drop(reading);
        assert!(lock.try_write().is_ok());
        assert!(greedy.join().expect("it ends well").is_err() && writer.join().expect("it ends well").is_err());
        assert!(semaphore.available() == 1 && lock.try_write().is_ok());
    });
}

#[test]
#[cfg(panic = "unwind")]
fn too_many_permits_are_refused() {
    let semaphore = Semaphore::new(1);
    let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| semaphore.add(usize::MAX)));
    assert!(added.is_err() && semaphore.available() == 1);
    // The one that is given back is one too many, of which a destructor says nothing.
    let permit = semaphore.try_acquire();
    semaphore.add(usize::MAX);
    drop(permit);
    assert_eq!(semaphore.available(), usize::MAX);
}

/// One that is true panics when it is compared.
#[cfg(panic = "unwind")]
#[derive(Debug, PartialEq, Eq)]
struct Item(bool);

#[cfg(panic = "unwind")]
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(panic = "unwind")]
impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        assert!(!self.0 && !other.0, "no luck");
        std::cmp::Ordering::Equal
    }
}

/// The comparison of priorities, in the midst of a `put`.
#[test]
#[cfg(panic = "unwind")]
fn an_item_is_counted_although_its_comparison_panics() {
    let queue = PriorityQueue::unbounded();
    queue.put(Item(false)).expect("open");
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.put(Item(true))));
    assert!(put.is_err() && queue.len() == 2);
    // The last that is left is compared with nothing.
    drop((queue.get(), queue.get()));
    queue.join().expect("all is done");
}

/// Of three the last two are compared when the first is taken; or one is that somebody puts into the place of what was taken.
#[test]
#[cfg(panic = "unwind")]
fn what_is_lost_with_a_get_is_done() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    fn fails<T>(f: impl FnOnce() -> T) -> bool {
        catch_unwind(AssertUnwindSafe(|| drop(f()))).is_err()
    }
    let is_done = |queue: &PriorityQueue<Item>| {
        while let Ok(Some(_)) = queue.try_get() {}
        task::timeout(LONG, || queue.join()).is_ok_and(|joined| joined.is_ok())
    };
    jumping().run(|| {
        let queue = PriorityQueue::unbounded();
        assert_eq!([false, true, true].map(|item| fails(|| queue.put(Item(item)))), [false, true, true]);
        assert!(fails(|| queue.get()) && queue.len() == 2 && is_done(&queue));
        let queue = Arc::new(PriorityQueue::bounded(2));
        assert!(queue.put(Item(false)).is_ok() && queue.put(Item(false)).is_ok());
        let theirs = Arc::clone(&queue);
        let putter = task::spawn_local(move || theirs.put(Item(true)).is_ok());
        settle();
        assert!(fails(|| queue.get()) && queue.len() == 2);
        assert!(putter.join().expect("no panic"), "it is in");
        assert!(is_done(&queue));
    });
}

/// Asks its queue for its length when it is dropped.
#[cfg(panic = "unwind")]
struct Asking(Item, std::sync::Weak<PriorityQueue<Asking>>, Arc<atomic::AtomicUsize>);

#[cfg(panic = "unwind")]
impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(queue) = self.1.upgrade() {
            self.2.store(queue.len(), atomic::Ordering::Relaxed);
        }
    }
}

#[cfg(panic = "unwind")]
impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[cfg(panic = "unwind")]
impl Eq for Asking {}

#[cfg(panic = "unwind")]
impl PartialOrd for Asking {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(panic = "unwind")]
impl Ord for Asking {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// What a `get` loses to a panic is dropped where it may use the queue.
#[test]
#[cfg(panic = "unwind")]
fn what_is_lost_with_a_get_is_dropped_outside_of_the_queue() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    jumping().run(|| {
        // In the midst of taking one out, and of letting one in for it.
        for waits in [false, true] {
            let left = Arc::new(atomic::AtomicUsize::new(9));
            let queue = Arc::new(PriorityQueue::bounded(3));
            let item = |panics| Asking(Item(panics), Arc::downgrade(&queue), Arc::clone(&left));
            for panics in [false, !waits, !waits] {
                let put = catch_unwind(AssertUnwindSafe(|| queue.put(item(panics)).is_ok()));
                assert!(put.is_err() == panics && put.is_ok_and(|is_in| is_in) != panics);
            }
            let (theirs, last) = (Arc::clone(&queue), item(true));
            let putter = waits.then(|| task::spawn_local(move || theirs.put(last).is_ok()));
            settle();
            left.store(9, atomic::Ordering::Relaxed);
            assert!(catch_unwind(AssertUnwindSafe(|| drop(queue.get()))).is_err());
            assert_eq!(left.load(atomic::Ordering::Relaxed), if waits { 3 } else { 2 });
            assert!(putter.is_none_or(|putter| putter.join().expect("no panic")));
        }
    });
}

#[test]
fn an_event_lets_all_go_on_and_nobody_waits_while_it_is_set() {
    jumping().run(|| {
        let event = Arc::new(Event::new());
        let theirs = Arc::clone(&event);
        let turn = in_turn(3, move |_| theirs.wait());
        turn.tasks[1].cancel();
        assert_eq!(turn.gone(), []);
        event.set();
        // They were let go on, whatever comes after that.
        event.clear();
        assert_eq!((turn.gone(), event.is_set()), (vec![0, 2], false));
        let start = task::now();
        assert_eq!(event.wait_timeout(LONG), Ok(false));
        event.set();
        assert_eq!((event.wait(), event.wait_timeout(LONG)), (Ok(()), Ok(true)));
        assert_eq!(task::now() - start, LONG);
    });
}

#[test]
fn a_notice_is_for_one_and_one_is_kept() {
    jumping().run(|| {
        let notify = Arc::new(Notify::new());
        let theirs = Arc::clone(&notify);
        let turn = in_turn(4, move |_| theirs.wait());
        turn.tasks[0].cancel();
        notify.notify_one();
        assert_eq!(turn.gone(), [1]);
        notify.notify_all();
        assert_eq!(turn.gone(), [2, 3]);
        assert_eq!(notify.wait_timeout(LONG), Ok(false));
        notify.notify_one();
        notify.notify_one();
        assert_eq!((notify.wait(), notify.wait_timeout(LONG)), (Ok(()), Ok(false)));
    });
}

#[test]
fn a_wait_group_is_over_when_all_parts_are_dropped() {
    workers(2).run(|| {
        let (group, done) = (WaitGroup::new(), Arc::new(atomic::AtomicUsize::new(0)));
        for _ in 0..10 {
            let (part, done) = (group.clone(), Arc::clone(&done));
            task::spawn(move || {
                let _ = task::yield_now();
                done.fetch_add(1, atomic::Ordering::Relaxed);
                drop(part);
            });
        }
        group.wait().expect("not cancelled");
        assert_eq!(done.load(atomic::Ordering::Relaxed), 10);
    });
    jumping().run(|| {
        let group = WaitGroup::new();
        assert_eq!((group.clone().wait_timeout(LONG), group.wait()), (Ok(false), Ok(())));
    });
}

#[test]
fn a_value_comes_later_or_not_at_all() {
    jumping().run(|| {
        let (sender, mut receiver) = oneshot::channel();
        assert_eq!((receiver.try_recv(), receiver.recv_timeout(LONG)), (Ok(None), Ok(None)));
        let waiting = task::spawn_local(move || (receiver.recv(), receiver));
        settle();
        // One that was cancelled can ask again.
        waiting.cancel();
        let (received, mut receiver) = waiting.join().expect("it ends well");
        assert!(matches!(received, Err(RecvError::Cancelled(_))) && !sender.is_closed());
        assert_eq!(sender.send(5), Ok(()));
        assert_eq!((receiver.recv(), receiver.recv()), (Ok(5), Err(RecvError::Closed)));
        let (sender, mut receiver) = oneshot::channel::<i32>();
        let waiting = task::spawn_local(move || (receiver.recv(), receiver.try_recv()));
        settle();
        drop(sender);
        assert_eq!(waiting.join().expect("it ends well"), (Err(RecvError::Closed), Err(RecvError::Closed)));
        let (sender, receiver) = oneshot::channel();
        drop(receiver);
        assert_eq!((sender.is_closed(), sender.send(7)), (true, Err(7)));

        let (sender, mut receiver) = oneshot::channel();
        task::spawn_local(move || task::sleep(LONG / 4 * 3).map(|()| sender.send(8)));
        let mut later = || select! { oneshot(receiver) -> n => n.ok(), sleep(LONG / 2) => Some(0) };
        assert_eq!((later(), later(), later()), (Ok(Some(0)), Ok(Some(8)), Ok(None)));
    });
}

#[test]
fn a_watch_shows_the_newest() {
    jumping().run(|| {
        let (sender, mut seen) = watch::channel(0);
        let mut other = seen.clone();
        let waiting = task::spawn_local(move || other.changed().map(|n| (*n, other)));
        settle();
        assert_eq!((*sender.send(1), *sender.send(2)), (0, 1));
        // It is told once, of what is there when it looks.
        let (n, mut other) = waiting.join().expect("it ends well").expect("it has changed");
        assert_eq!((n, *seen.get(), seen.has_changed(), other.has_changed()), (2, 2, true, false));
        assert_eq!((seen.changed().map(|n| *n), other.changed_timeout(LONG)), (Ok(2), Ok(None)));
        let mut late = sender.subscribe();
        sender.send(3);
        drop(sender);
        for receiver in [&mut seen, &mut other, &mut late] {
            assert_eq!(receiver.changed().map(|n| *n), Ok(3));
            assert_eq!(receiver.changed(), Err(RecvError::Closed));
        }
    });
}

#[test]
fn a_broadcast_reaches_all_and_tells_who_is_late() {
    use switchback::sync::broadcast::RecvError;
    let (sender, mut receiver) = broadcast::channel(usize::MAX);
    sender.send(5);
    assert_eq!(receiver.recv().as_deref(), Ok(&5), "a capacity is not taken at once");
    jumping().run(|| {
        let (sender, mut first) = broadcast::channel(2);
        let mut second = first.clone();
        let waiting = task::spawn_local(move || {
            let all: Vec<_> = std::iter::from_fn(|| second.recv().ok()).map(|n| *n).collect();
            (all, second.recv())
        });
        settle();
        for n in 0..3 {
            sender.send(n);
            settle();
        }
        assert_eq!(first.recv(), Err(RecvError::Lagged(1)));
        assert_eq!((first.recv().map(|n| *n), first.try_recv().map(|n| n.map(|n| *n))), (Ok(1), Ok(Some(2))));
        assert_eq!((first.try_recv(), first.recv_timeout(LONG)), (Ok(None), Ok(None)));
        let mut late = sender.subscribe();
        let other = sender.clone();
        drop(sender);
        other.send(3);
        drop(other);
        assert_eq!((late.recv().map(|n| *n), late.recv()), (Ok(3), Err(RecvError::Closed)));
        assert_eq!(first.recv().map(|n| *n), Ok(3));
        assert_eq!(waiting.join().expect("it ends well"), (vec![0, 1, 2, 3], Err(RecvError::Closed)));
    });
}

/// The destructor of a message for which there is no room any more may panic, and may wait for those that the new one is for.
#[test]
#[cfg(panic = "unwind")]
fn a_broadcast_wakes_before_it_drops() {
    struct Last(Option<Arc<Event>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let seen = self.0.take().expect("it panics");
            assert_eq!(seen.wait_timeout(LONG), Ok(true), "whoever has been sent something has it");
        }
    }
    for waits in [false, true] {
        jumping().run(|| {
            let seen = Arc::new(Event::new());
            let (sender, mut receiver) = broadcast::channel(1);
            sender.send(Some(Last(waits.then(|| Arc::clone(&seen)))));
            assert!(receiver.recv().is_ok());
            let waiting = task::spawn_local(move || {
                let received = receiver.recv().map(|message| message.is_none());
                seen.set();
                received
            });
            settle();
            let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sender.send(None)));
            assert_eq!(sent.is_ok(), waits);
            assert_eq!(waiting.join().expect("it ends well"), Ok(true));
        });
    }
}

#[test]
fn queues_of_work_have_their_orders() {
    let (queue, lifo, priority) = (Queue::unbounded(), LifoQueue::unbounded(), PriorityQueue::unbounded());
    for n in [2, 9, 5] {
        queue.put(n).expect("open");
        lifo.put(n).expect("open");
        priority.put(n).expect("open");
    }
    let three = |next: &dyn Fn() -> i32| [next(), next(), next()];
    assert_eq!(three(&|| queue.get().expect("put").value), [2, 9, 5]);
    assert_eq!(three(&|| lifo.get().expect("put").value), [5, 9, 2]);
    assert_eq!(three(&|| priority.get().expect("put").value), [9, 5, 2]);
    assert!(queue.is_empty() && queue.try_get().is_ok_and(|item| item.is_none()));
    // Put in no order, and half of them taken in between.
    let mut left: Vec<_> = (0..1_000).map(|n| n * 7_919 % 613).collect();
    left.iter().for_each(|&n| priority.put(n).expect("open"));
    left.sort_unstable();
    for n in 0..2_000 {
        if n % 2 == 0 && n < 1_000 {
            priority.put(n).expect("open");
            left.insert(left.partition_point(|&other| other < n), n);
        }
        assert_eq!(priority.try_get().expect("open").map(|item| item.value), left.pop());
    }
}

#[test]
fn a_queue_is_joined_when_all_is_done_and_closed_when_nothing_comes() {
    jumping().run(|| {
        let queue = Arc::new(PriorityQueue::bounded(2));
        assert_eq!(queue.join(), Ok(()));
        let theirs = Arc::clone(&queue);
        let joining = task::spawn_local(move || {
            task::sleep(LONG)?;
            theirs.join()
        });
        let putting: Vec<_> = (0..4)
            .map(|n| {
                let queue = Arc::clone(&queue);
                let task = task::spawn_local(move || queue.put(n));
                settle();
                task
            })
            .collect();
        assert!(matches!(queue.try_put(9), Ok(Some(9))), "full");
        assert!(matches!(queue.put_timeout(9, LONG), Ok(Some(9))));
        settle();
        let item = queue.get().expect("put");
        assert_eq!(item.value, 1);
        settle();
        // Done is what is not pending any more.
        let pending = item.pending;
        let others: Vec<_> = (0..3).map(|_| queue.get().expect("put").value).collect();
        assert_eq!(others, [2, 3, 0]);
        settle();
        assert!(!joining.is_finished());
        drop(pending);
        assert_eq!(joining.join().expect("it ends well"), Ok(()));
        putting.into_iter().for_each(|task| task.join().expect("it ends well").expect("open"));
        assert!(queue.get_timeout(LONG).expect("open").is_none());

        let theirs = Arc::clone(&queue);
        let taking = task::spawn_local(move || theirs.get().map(|item| item.value));
        settle();
        queue.close();
        assert_eq!(taking.join().expect("it ends well"), Err(RecvError::Closed));
        assert!(matches!(queue.put(5), Err(SendError::Closed(5))));
    });
}

#[test]
fn who_waits_with_an_item_has_it_back_when_the_queue_is_closed_or_it_is_cancelled() {
    jumping().run(|| {
        let queue = Arc::new(Queue::bounded(1));
        queue.put(0).expect("open");
        let start = |n| {
            let queue = Arc::clone(&queue);
            let task = task::spawn_local(move || queue.put(n));
            settle();
            task
        };
        let (first, second, third, fourth) = (start(1), start(2), start(3), start(4));
        // Cancelled, and its turn before it has run.
        first.cancel();
        assert_eq!(queue.get().expect("put").value, 0);
        assert!(matches!(first.join().expect("it ends well"), Err(SendError::Cancelled(1, _))));
        third.cancel();
        assert!(matches!(third.join().expect("it ends well"), Err(SendError::Cancelled(3, _))));
        queue.close();
        assert!(matches!(fourth.join().expect("it ends well"), Err(SendError::Closed(4))));
        assert!(second.join().expect("it ends well").is_ok());
        assert_eq!(queue.get().map(|item| item.value), Ok(2));
        assert!(matches!(queue.get(), Err(RecvError::Closed)));
        assert_eq!(queue.join(), Ok(()));
    });
}

#[test]
fn a_rendezvous_has_no_room() {
    let (sender, receiver) = rendezvous();
    assert!(sender.try_send(1).is_err());
    let thread = std::thread::spawn(move || receiver.recv());
    assert_eq!((sender.send(2), thread.join().expect("it ends well")), (Ok(()), Ok(2)));
}
