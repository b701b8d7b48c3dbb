//! The arms of `select!` for what is not a channel to one receiver: chosen when ready, at once or later, and nothing is lost.

use crate::races::{Chance, cancel_some};
use crate::{LONG, jumping, rounds, settle, workers};
use std::time::Duration;
use switchback::sync::mpsc::{RecvError, sync_channel};
use switchback::sync::select::{self, select};
use switchback::sync::{Arc, Event, PriorityQueue, WaitGroup, atomic, broadcast, watch};
use switchback::{Cancelled, select, task};

/// A task that waits in a select, is cancelled there, and tells what it has left.
fn cancelled<T: 'static>(waiting: task::JoinHandle<(Result<(), Cancelled>, T)>) -> T {
    settle();
    waiting.cancel();
    let (result, rest) = waiting.join().expect("it ends well");
    assert!(result.is_err());
    rest
}

/// What comes in an hour is chosen then, and not when a longer sleep beside it is over.
fn in_an_hour<T>(wait: impl FnOnce() -> T) -> T {
    let start = task::now();
    let value = wait();
    assert_eq!(task::now() - start, LONG);
    value
}

/// Chooses between an arm that is ready and a message that is there, until it has had the message.
macro_rules! until_other_is_chosen {
    ($sender:ident, $other:ident, $arm:ident($what:expr)) => {
        loop {
            $sender.send(()).expect("room");
            let mut arm = select::$arm($what);
            let mut message = select::recv(&$other);
            if select(&mut [&mut arm, &mut message]) == Ok(1) {
                break message.finish().expect("a message");
            }
            $other.recv().expect("it was not lost");
        }
    };
}

#[test]
fn an_event_is_an_arm() {
    jumping().run(|| {
        let event = Arc::new(Event::new());
        let (sender, other) = sync_channel(1);
        let look = |longest| select! { event(event) => true, sleep(longest) => false };
        assert_eq!((look(LONG), select! { event(event) => 1, default => 0 }), (Ok(false), Ok(0)));
        let theirs = Arc::clone(&event);
        let setting = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            theirs.set();
            // Who was let go on is not held back.
            theirs.clear();
        });
        assert_eq!(in_an_hour(|| look(LONG * 2)), Ok(true));
        setting.join().expect("it ends well");
        assert_eq!(look(LONG), Ok(false));
        event.set();
        assert_eq!(look(LONG), Ok(true));
        until_other_is_chosen!(sender, other, event(&event));
        assert!(event.is_set());
        event.clear();
        let theirs = Arc::clone(&event);
        cancelled(task::spawn_local(move || (select! { event(theirs) => () }, ())));
        event.set();
        assert_eq!(look(LONG), Ok(true));
    });
}

#[test]
fn a_wait_group_is_an_arm() {
    jumping().run(|| {
        let group = WaitGroup::new();
        let (sender, other) = sync_channel(1);
        let look = |group: &WaitGroup| select! { wait_group(*group) => true, sleep(LONG * 2) => false };
        assert_eq!(look(&group), Ok(true));
        until_other_is_chosen!(sender, other, wait_group(&group));
        let part = group.clone();
        assert_eq!(look(&group), Ok(false));
        let working = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            drop(part);
        });
        assert_eq!(in_an_hour(|| look(&group)), Ok(true));
        working.join().expect("it ends well");
        // The part of one that is not chosen, or is cancelled, still counts for others.
        let (part, theirs) = (group.clone(), group.clone());
        let theirs = cancelled(task::spawn_local(move || (select! { wait_group(theirs) => () }, theirs)));
        drop(part);
        assert_eq!(look(&group), Ok(false));
        let waiting = task::spawn_local(move || theirs.wait());
        assert_eq!(look(&group), Ok(true));
        drop(group);
        assert_eq!(waiting.join().expect("it ends well"), Ok(()));
    });
}

#[test]
fn a_watch_is_an_arm() {
    jumping().run(|| {
        let (values, mut seen) = watch::channel(0);
        let (sender, other) = sync_channel(1);
        let look = |seen: &mut watch::Receiver<i32>| {
            select! { watch(*seen) -> value => value.map(|value| *value), sleep(LONG * 2) => Ok(-1) }
        };
        assert_eq!(look(&mut seen), Ok(Ok(-1)));
        values.send(1);
        assert_eq!((look(&mut seen), look(&mut seen)), (Ok(Ok(1)), Ok(Ok(-1))));
        values.send(2);
        until_other_is_chosen!(sender, other, watch(&mut seen));
        assert!(seen.has_changed());
        assert_eq!(look(&mut seen), Ok(Ok(2)));
        let mut theirs = seen.clone();
        let mut theirs = cancelled(task::spawn_local(move || (select! { watch(theirs) -> _ => () }, theirs)));
        let sending = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            values.send(3);
        });
        assert_eq!(in_an_hour(|| (look(&mut seen), look(&mut theirs))), (Ok(Ok(3)), Ok(Ok(3))));
        sending.join().expect("it ends well");
        assert_eq!(look(&mut seen), Ok(Err(RecvError)));
    });
}

#[test]
fn a_broadcast_is_an_arm() {
    jumping().run(|| {
        let (news, mut receiver) = broadcast::channel(2);
        let (sender, other) = sync_channel(1);
        let look = |receiver: &mut broadcast::Receiver<i32>| {
            select! { broadcast(*receiver) -> line => line.map(|line| *line), sleep(LONG * 2) => Ok(-1) }
        };
        assert_eq!(look(&mut receiver), Ok(Ok(-1)));
        (0..3).for_each(|n| news.send(n));
        assert_eq!(look(&mut receiver), Ok(Err(broadcast::RecvError::Lagged(1))));
        until_other_is_chosen!(sender, other, broadcast(&mut receiver));
        assert_eq!((look(&mut receiver), look(&mut receiver)), (Ok(Ok(1)), Ok(Ok(2))));
        let mut theirs = receiver.clone();
        let mut theirs = cancelled(task::spawn_local(move || (select! { broadcast(theirs) -> _ => () }, theirs)));
        let sending = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            news.send(3);
        });
        assert_eq!(in_an_hour(|| (look(&mut receiver), look(&mut theirs))), (Ok(Ok(3)), Ok(Ok(3))));
        sending.join().expect("it ends well");
        assert_eq!(look(&mut receiver), Ok(Err(broadcast::RecvError::Closed)));
    });
}

#[test]
fn a_queue_of_work_is_an_arm() {
    jumping().run(|| {
        let queue = Arc::new(PriorityQueue::bounded(2));
        let (sender, other) = sync_channel(1);
        let look = || select! { get(queue) -> item => item.map(|item| item.value), sleep(LONG * 2) => Ok(-1) };
        assert_eq!(look(), Ok(Ok(-1)));
        [1, 5].into_iter().for_each(|n| queue.put(n).expect("room"));
        assert_eq!((look(), look()), (Ok(Ok(5)), Ok(Ok(1))));
        let theirs = Arc::clone(&queue);
        let putting = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            theirs.put(7)
        });
        assert_eq!((in_an_hour(look), putting.join().expect("it ends well")), (Ok(Ok(7)), Ok(())));
        // It is done when the item is dropped.
        let item = {
            queue.put(8).expect("room");
            select! { get(queue) -> item => item }.expect("not cancelled").expect("open")
        };
        let theirs = Arc::clone(&queue);
        let joining = task::spawn_local(move || theirs.join());
        settle();
        assert!(!joining.is_finished());
        drop(item);
        assert_eq!(joining.join().expect("it ends well"), Ok(()));

        // One that goes away takes nothing, chosen another or cancelled; those behind it have their turn.
        let theirs = Arc::clone(&queue);
        let first = task::spawn_local(move || (select! { get(theirs) -> _ => () }, ()));
        settle();
        let theirs = Arc::clone(&queue);
        let second = task::spawn_local(move || select! { get(theirs) -> item => item.map(|item| item.value) });
        settle();
        first.cancel();
        queue.put(9).expect("room");
        cancelled(first);
        assert_eq!(second.join().expect("it ends well"), Ok(Ok(9)));
        queue.put(3).expect("room");
        loop {
            sender.send(()).expect("room");
            let chosen = select! {
                recv(other) -> _ => true,
                get(queue) -> item => { queue.put(item.expect("open").value).expect("room"); false },
            };
            if chosen == Ok(true) {
                break;
            }
            other.recv().expect("it was not lost");
        }
        assert_eq!((queue.len(), look()), (1, Ok(Ok(3))));
        let theirs = Arc::clone(&queue);
        let closing = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            theirs.close();
        });
        assert_eq!((in_an_hour(look), look()), (Ok(Err(RecvError)), Ok(Err(RecvError))));
        closing.join().expect("it ends well");
        queue.join().expect("all is done");
    });
}

#[test]
fn items_of_selects_against_cancellation() {
    for seed in 0..rounds(30) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let queues = Arc::new([PriorityQueue::unbounded(), PriorityQueue::unbounded()]);
            let taken = Arc::new(atomic::AtomicUsize::new(0));
            let taking = (0..40)
                .map(|_| {
                    let (queues, taken) = (Arc::clone(&queues), Arc::clone(&taken));
                    task::spawn(move || {
                        let item = select! {
                            get(queues[0]) -> item => item,
                            get(queues[1]) -> item => item,
                            sleep(Duration::from_micros(200)) => Err(RecvError),
                        };
                        if let Ok(Ok(_)) = item {
                            taken.fetch_add(1, atomic::Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            let theirs = Arc::clone(&queues);
            let putting = task::spawn(move || {
                for n in 0..30 {
                    theirs[n % 2].put(n).expect("open");
                    task::yield_now().expect("not cancelled");
                }
            });
            cancel_some(&mut chance, taking);
            putting.join().expect("it ends well");
            let left = queues[0].len() + queues[1].len();
            assert_eq!(left + taken.load(atomic::Ordering::Relaxed), 30);
            // What was taken is done.
            for queue in queues.iter() {
                while let Ok(Some(_)) = queue.try_get() {}
                assert_eq!(queue.join(), Ok(()));
            }
        });
    }
}
