//! Tasks whose calls never have to wait let others run all the same.

use crate::workers;
use std::cell::Cell;
use std::rc::Rc;
use switchback::sync::select::{self, select};
use switchback::sync::{Event, Queue, Semaphore, broadcast, mpsc};
use switchback::task;

const CALLS: u32 = 5_000;

/// Makes that many calls, none of which has to wait, beside another task of the worker. How often that has run.
fn beside(mut call: impl FnMut(u32)) -> u32 {
    let turns = Rc::new(Cell::new(0));
    let theirs = Rc::clone(&turns);
    let other = task::spawn_local(move || {
        while task::yield_now().is_ok() {
            theirs.set(theirs.get() + 1);
        }
    });
    task::yield_now().expect("not cancelled"); // by which it starts
    let before = turns.get();
    (0..CALLS).for_each(&mut call);
    let had = turns.get() - before;
    other.cancel();
    other.join().expect("it ends well");
    had
}

fn full() -> mpsc::Receiver<u32> {
    let (sender, receiver) = mpsc::channel();
    (0..CALLS).for_each(|n| sender.send(n).expect("somebody listens"));
    receiver
}

#[test]
fn a_receiver_that_always_finds_a_message() {
    workers(1).run(|| {
        let receiver = full();
        assert!(beside(|n| assert_eq!(receiver.recv(), Ok(n))) > 1);
    });
}

#[test]
fn a_select_that_always_finds_an_arm() {
    workers(1).run(|| {
        let (first, second) = (full(), full());
        let mut next = [0, 0];
        let turns = beside(|_| {
            let received = switchback::select! {
                recv(first) -> n => (0, n.expect("a message")),
                recv(second) -> n => (1, n.expect("a message")),
            };
            let (which, n) = received.expect("not cancelled");
            assert_eq!(n, next[which]);
            next[which] += 1;
        });
        assert!(turns > 1);
        let receiver = full();
        let turns = beside(|n| {
            let mut arm = select::recv(&receiver);
            assert_eq!(select(&mut [&mut arm]), Ok(0));
            assert_eq!(arm.finish(), Ok(n));
        });
        assert!(turns > 1);
    });
}

#[test]
fn what_else_is_there_already() {
    workers(1).run(|| {
        let queue = Queue::bounded(CALLS as usize);
        (0..CALLS).for_each(|n| assert_eq!(queue.try_put(n), Ok(None)));
        assert!(beside(|n| assert_eq!(queue.get().expect("an item").value, n)) > 1);

        let (sender, mut receiver) = broadcast::channel(CALLS as usize);
        (0..CALLS).for_each(|n| sender.send(n));
        assert!(beside(|n| assert_eq!(receiver.recv().map(|message| *message), Ok(n))) > 1);

        let semaphore = Semaphore::new(1);
        assert!(beside(|_| drop(semaphore.acquire().expect("not cancelled"))) > 1);

        let event = Event::new();
        event.set();
        assert!(beside(|_| event.wait().expect("not cancelled")) > 1);
    });
}

/// Such a turn tells of no cancellation: what is there is received.
#[test]
fn a_cancelled_task_has_what_is_there() {
    workers(1).run(|| {
        let consumer = task::spawn_local(|| {
            let receiver = full();
            task::current().expect("a task").cancel();
            receiver.iter().count()
        });
        assert_eq!(consumer.join().expect("it ends well"), CALLS as usize);
    });
}

/// What comes in such a turn is there as well, whatever was seen before it.
#[test]
fn a_cancelled_task_has_what_has_come_meanwhile() {
    workers(1).run(|| {
        let (sender, receiver) = mpsc::channel();
        let (turns, consumer) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None::<task::Task>)));
        let (their_turns, theirs) = (Rc::clone(&turns), Rc::clone(&consumer));
        let other = task::spawn_local(move || {
            while task::yield_now().is_ok() {
                their_turns.set(their_turns.get() + 1);
                if let Some(consumer) = theirs.take() {
                    sender.send(5).expect("somebody listens");
                    consumer.cancel();
                }
            }
        });
        let consuming = task::spawn_local(move || {
            let event = Event::new();
            event.set();
            let calls_to_a_turn = || {
                let before = turns.get();
                (1..).find(|_| event.wait().is_err() || turns.get() != before)
            };
            calls_to_a_turn();
            let calls = calls_to_a_turn().expect("a turn");
            (1..calls).for_each(|_| event.wait().expect("it is set"));
            consumer.set(task::current());
            switchback::select! { recv(receiver) -> n => n }
        });
        assert_eq!(consuming.join().expect("it ends well"), Ok(Ok(5)));
        other.cancel();
        other.join().expect("it ends well");
    });
}
