//! mpsc: order, room, closing, cancelled ends.

use crate::{LONG, jumping, settle, workers};
use switchback::sync::Arc;
use switchback::sync::mpsc::{
    self, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use switchback::{Cancelled, task, thread};

#[test]
fn senders_that_wait_for_room_have_it_in_order_and_nobody_is_before() {
    for bound in [0, 1, 3] {
        jumping().run(|| {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let tasks: Vec<_> = (0..6)
                .map(|n| {
                    let sender = sender.clone();
                    let task = task::spawn_local(move || sender.send(n));
                    settle();
                    task
                })
                .collect();
            assert_eq!(tasks.iter().filter(|task| task.is_finished()).count(), bound);
            // There is room when one has been received, and it belongs to who waits.
            assert_eq!(receiver.recv(), Ok(0));
            assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
            assert_eq!((1..6).map(|_| receiver.recv().expect("sent")).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
            for task in tasks {
                assert_eq!(task.join().expect("it ends well"), Ok(()));
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            drop(sender);
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        });
    }
}

#[test]
fn a_cancelled_sender_has_its_message_back_and_leaves_no_trace() {
    for bound in [0, 1, 3] {
        jumping().run(|| {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let start = |n: usize| {
                let sender = sender.clone();
                let task = task::spawn_local(move || task::send(&sender, Box::new(n)));
                settle();
                task
            };
            let tasks: Vec<_> = (0..bound + 4).map(start).collect();
            tasks[bound].cancel();
            tasks[bound + 2].cancel();
            // The message is taken before the cancelled ones run: theirs are kept for them.
            let mut received = vec![*receiver.recv().expect("sent")];
            received.extend((0..bound + 1).map(|_| *receiver.recv().expect("sent")));
            let expected: Vec<_> = (0..bound + 4).filter(|n| *n != bound && *n != bound + 2).collect();
            assert_eq!(received, expected);
            for (n, task) in tasks.into_iter().enumerate() {
                match task.join().expect("it ends well") {
                    Ok(()) => assert!(expected.contains(&n)),
                    Err(task::SendError::Cancelled(value, _)) => assert!(*value == n && !expected.contains(&n)),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        });
    }
}

#[test]
fn a_cancelled_sender_that_waits_alone_has_its_message_back() {
    jumping().run(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(Box::new(0)).expect("there is room");
        let task = task::spawn_local(move || task::send(&sender, Box::new(1)));
        settle();
        task.cancel();
        // It has not run since.
        assert_eq!(receiver.recv(), Ok(Box::new(0)));
        match task.join().expect("it ends well") {
            Err(task::SendError::Cancelled(value, _)) => assert_eq!(*value, 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_cancelled_receiver_takes_nothing_with_it() {
    for bound in [Some(0), Some(1), None] {
        jumping().run(|| {
            let (send, receiver): (Box<dyn Fn(i32) -> bool>, _) = match bound {
                Some(bound) => {
                    let (sender, receiver) = mpsc::sync_channel(bound);
                    (Box::new(move |n| sender.try_send(n).is_ok()), receiver)
                }
                None => {
                    let (sender, receiver) = mpsc::channel();
                    (Box::new(move |n| sender.send(n).is_ok()), receiver)
                }
            };
            let start = |receiver: mpsc::Receiver<i32>| {
                let task = task::spawn_local(move || (task::recv(&receiver), receiver));
                settle();
                task
            };
            // Cancelled, and sent to before it has run: the message is not for it.
            let waiting = start(receiver);
            waiting.cancel();
            assert_eq!(send(1), bound != Some(0));
            let (received, receiver) = waiting.join().expect("it ends well");
            assert!(matches!(received, Err(task::RecvError::Cancelled(_))));
            assert_eq!(receiver.try_recv().ok(), (bound != Some(0)).then_some(1));
            // Sent to, and then cancelled: it has the message.
            let waiting = start(receiver);
            assert!(send(2));
            waiting.cancel();
            assert_eq!(waiting.join().expect("it ends well").0, Ok(2));
        });
    }
}

#[test]
fn what_was_sent_is_received_when_the_senders_are_gone_and_dropped_with_the_receiver() {
    for bound in [0, 1, 4] {
        jumping().run(|| {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let value = Arc::new(());
            let tasks: Vec<_> = (0..6)
                .map(|_| {
                    let (sender, value) = (sender.clone(), Arc::clone(&value));
                    task::spawn_local(move || sender.send(value))
                })
                .collect();
            drop(sender);
            settle();
            for _ in 0..2 {
                receiver.recv().expect("sent");
            }
            drop(receiver);
            let sent = tasks.into_iter().filter(|_| true).map(|task| task.join().expect("it ends well"));
            let results: Vec<_> = sent.collect();
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2 + bound);
            // Those that were not sent have come back, the others are gone.
            assert_eq!(Arc::strong_count(&value), 1 + 4 - bound);
        });
    }
    let (sender, receiver) = mpsc::channel();
    sender.send(1).expect("a receiver");
    let other = sender.clone();
    drop((sender, other));
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Err(RecvError)));
    let (sender, receiver) = mpsc::channel();
    drop(receiver);
    assert_eq!(sender.send(1), Err(SendError(1)));
}

/// What is in the messages behind it, the sender of an answer for one, is waited for by others.
#[test]
#[cfg(panic = "unwind")]
fn all_messages_are_dropped_with_the_receiver_although_a_destructor_panics() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use switchback::sync::oneshot;
    struct Request(Option<oneshot::Sender<()>>);
    impl Drop for Request {
        fn drop(&mut self) {
            assert!(self.0.is_some(), "a request without an answer");
        }
    }
    let (bounded, receiver) = mpsc::sync_channel(4);
    let (sender, unbounded) = mpsc::channel();
    let (answer, mut answered) = oneshot::channel();
    let (other, mut otherwise) = oneshot::channel();
    for (first, second) in [(None, Some(answer)), (None, None)] {
        bounded.send(Request(first)).expect("room");
        bounded.send(Request(second)).expect("room");
    }
    sender.send(Request(None)).expect("somebody listens");
    sender.send(Request(Some(other))).expect("somebody listens");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(unbounded))).is_err());
    // The other ends are still there.
    let closed = task::RecvError::Closed;
    assert_eq!((answered.try_recv(), otherwise.try_recv()), (Err(closed.clone()), Err(closed)));
    drop((bounded, sender));
}

#[test]
fn a_receiver_that_waits_learns_that_the_senders_are_gone() {
    jumping().run(|| {
        let (sender, receiver) = mpsc::sync_channel::<()>(1);
        let waiting = task::spawn_local(move || receiver.recv());
        settle();
        assert!(!waiting.is_finished());
        drop(sender);
        assert_eq!(waiting.join().expect("it ends well"), Err(RecvError));
    });
}

#[test]
fn waits_of_channels_have_a_limit() {
    jumping().run(|| {
        let start = task::now();
        let (sender, receiver) = mpsc::sync_channel(1);
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Timeout));
        assert_eq!(task::now() - start, LONG);
        sender.send(1).expect("room");
        assert_eq!(sender.send_timeout(2, LONG), Err(SendTimeoutError::Timeout(2)));
        assert_eq!(task::now() - start, 2 * LONG);
        let task = task::spawn_local(move || {
            task::sleep(LONG).expect("not cancelled");
            (receiver.recv(), receiver.recv_timeout(LONG * 2), receiver.recv_timeout(LONG))
        });
        assert_eq!(sender.send_timeout(2, LONG * 2), Ok(()));
        assert_eq!(task::now() - start, 3 * LONG);
        drop(sender);
        let received = task.join().expect("it ends well");
        assert_eq!(received, (Ok(1), Ok(2), Err(RecvTimeoutError::Disconnected)));
        // By a timeout around it: the error says so, and the message comes back.
        let (sender, _receiver) = mpsc::sync_channel(0);
        let late = task::timeout(LONG, || task::send(&sender, 5)).expect_err("nobody receives");
        assert!(late.into_value().is_err_and(|error| error.into_value() == 5));
    });
}

#[test]
fn streams_arrive_in_order_across_workers() {
    for bound in [Some(0), Some(1), Some(64), None] {
        workers(3).run(|| {
            let count = crate::rounds(1_000);
            let (numbers, receiver) = match bound {
                Some(bound) => {
                    let (sender, receiver) = mpsc::sync_channel(bound);
                    let task = thread::spawn(move || (0..count).try_for_each(|n| sender.send(n)));
                    (task, receiver)
                }
                None => {
                    let (sender, receiver) = mpsc::channel();
                    (thread::spawn(move || (0..count).try_for_each(|n| sender.send(n))), receiver)
                }
            };
            assert!(receiver.iter().eq(0..count));
            numbers.join().expect("it ends well").expect("a receiver");
        });
    }
}

#[test]
fn a_ping_and_a_pong_take_turns() {
    workers(1).run(|| {
        let (ping, pings) = mpsc::sync_channel(1);
        let (pong, pongs) = mpsc::sync_channel(1);
        let other = task::spawn_local(move || {
            for n in pings {
                pong.send(n + 1).expect("a receiver");
            }
        });
        for n in 0..100 {
            ping.send(n).expect("a receiver");
            assert_eq!(pongs.recv(), Ok(n + 1));
        }
        drop(ping);
        other.join().expect("it ends well");
    });
}

#[test]
fn errors_tell_of_their_cause() {
    jumping().run(|| {
        let (sender, receiver) = mpsc::sync_channel::<i32>(0);
        let task = task::spawn_local(move || {
            let received = task::recv(&receiver).expect_err("nobody sends");
            let sent = task::send(&sender, 1).expect_err("nobody receives");
            (received, sent)
        });
        settle();
        task.cancel();
        let (received, sent) = task.join().expect("it ends well");
        assert!(Cancelled::find_in(&received).is_some() && Cancelled::find_in(&sent).is_some());
        assert_eq!((received.to_string(), sent.to_string()), ("cancelled".to_owned(), "cancelled".to_owned()));
    });
}
