//! Waiting for the first of several: what is chosen happens, and nothing else.

use crate::races::{Chance, cancel_some};
use crate::{LONG, jumping, rounds, settle, workers};
use std::time::Duration;
use switchback::sync::mpsc::{self, RecvError, SendError, sync_channel};
use switchback::sync::select::{self, Arm, select, try_select};
use switchback::sync::{Arc, atomic};
use switchback::{Cancelled, Runtime, select, task};

#[test]
fn each_kind_of_arm_is_chosen_when_it_is_ready() {
    jumping().run(|| {
        let (sender, receiver) = sync_channel(1);
        let (full, filled) = sync_channel(0);
        let mut other = task::spawn_local(|| task::sleep(LONG * 3));
        let start = task::now();
        let mut value = None;
        let mut next = || {
            let run = select! {
                recv(receiver) -> number => format!("received {number:?}"),
                send(full, value) -> sent => format!("sent {}", sent.is_ok()),
                join(other) => format!("joined {:?}", task::now() - start),
                sleep(LONG * 2) => format!("slept {:?}", task::now() - start),
            };
            (run.expect("not cancelled"), value.replace(1).is_some())
        };
        sender.send(5).expect("room");
        assert_eq!(next(), ("received Ok(5)".to_owned(), false));
        // It waits, and there is a value now, which nobody takes.
        let late = sender.clone();
        let sending = task::spawn_local(move || late.send(6));
        assert_eq!(next(), ("received Ok(6)".to_owned(), true));
        sending.join().expect("it ends well").expect("a receiver");
        assert_eq!(next(), ("slept 7200s".to_owned(), true));
        // Somebody takes it; then nobody ever will, which is an arm that is ready too; and then the task ends.
        let taking = task::spawn_local(move || filled.recv());
        assert_eq!(next(), ("sent true".to_owned(), false));
        assert_eq!(taking.join().expect("it ends well"), Ok(1));
        assert_eq!(next(), ("sent false".to_owned(), false));
        let (full, _filled) = sync_channel::<()>(0);
        let (mut nothing, start) = (None, start);
        let run = select! { join(other) => task::now() - start, send(full, nothing) -> _ => LONG };
        assert_eq!(run, Ok(LONG * 3));
    });
}

#[test]
fn default_is_for_when_nothing_is_ready() {
    let (sender, receiver) = mpsc::channel();
    let look = || select! { recv(receiver) -> number => number, default => Ok(0) };
    assert_eq!(look(), Ok(Ok(0)));
    sender.send(1).expect("a receiver");
    assert_eq!(look(), Ok(Ok(1)));
    drop(sender);
    assert_eq!(look(), Ok(Err(RecvError)));
    assert_eq!(try_select(&mut []), None);
}

#[test]
fn handlers_belong_to_the_function_around() {
    fn first(receiver: &mpsc::Receiver<Option<u8>>) -> Result<u8, Cancelled> {
        loop {
            select! {
                recv(*receiver) -> value => match value {
                    Ok(Some(value)) => return Ok(value),
                    Ok(None) => continue,
                    Err(RecvError) => break,
                },
                sleep(LONG) => break,
            }?
        }
        Ok(0)
    }
    let (sender, receiver) = mpsc::channel();
    [None, None, Some(3)].into_iter().for_each(|value| sender.send(value).expect("a receiver"));
    assert_eq!(first(&receiver), Ok(3));
    drop(sender);
    assert_eq!(first(&receiver), Ok(0));
}

#[test]
fn all_that_are_ready_have_the_same_chance() {
    let runtime = Runtime::builder().workers(1).seed(7).build().expect("a runtime");
    runtime.run(|| {
        let channels: Vec<_> = (0..4).map(|_| sync_channel(1)).collect();
        let mut counts = [0_usize; 4];
        for _ in 0..4_000 {
            // The first two are always ready, the others never.
            channels[..2].iter().for_each(|(sender, _)| _ = sender.try_send(()));
            let mut arms: Vec<_> = channels.iter().map(|(_, receiver)| select::recv(receiver)).collect();
            let mut all: Vec<&mut dyn Arm> = arms.iter_mut().map(|arm| arm as _).collect();
            counts[select(&mut all).expect("not cancelled")] += 1;
        }
        // A fair coin is off by 200 of 4,000 once in a thousand million years; this one is always the same.
        assert!(counts[0].abs_diff(2_000) < 200 && counts[0] + counts[1] == 4_000, "{counts:?}");
    });
}

#[test]
fn what_is_not_chosen_loses_nothing() {
    jumping().run(|| {
        let (one, ones) = sync_channel(0);
        let (two, twos) = sync_channel(0);
        let start = |sender: mpsc::SyncSender<i32>, n| task::spawn_local(move || sender.send(n));
        let senders = [start(one.clone(), 1), start(two.clone(), 2)];
        settle();
        let chosen = select! { recv(ones) -> n => n, recv(twos) -> n => n }.expect("not cancelled").expect("sent");
        let other = if chosen == 1 { twos.recv() } else { ones.recv() };
        assert_eq!(chosen + other.expect("not lost"), 3);
        senders.into_iter().for_each(|task| assert_eq!(task.join().expect("it ends well"), Ok(())));

        // One that is cancelled while it waits keeps what it wanted to send, and takes nothing.
        let waiting = task::spawn_local(move || {
            let mut value = Some(7);
            let result = select! { recv(ones) -> n => n, send(two, value) -> _ => Ok(0) };
            (result.is_err(), value, ones.try_recv().is_err())
        });
        settle();
        waiting.cancel();
        assert_eq!(one.try_send(5), Err(mpsc::TrySendError::Full(5)));
        assert!(twos.try_recv().is_err());
        assert_eq!(waiting.join().expect("it ends well"), (true, Some(7), true));
    });
}

#[test]
fn selects_meet_each_other_and_not_themselves() {
    jumping().run(|| {
        let (sender, receiver) = sync_channel(0);
        let (never, nothing) = sync_channel::<i32>(0);
        let (theirs, silent) = (sender.clone(), never.clone());
        let giving = task::spawn_local(move || {
            let mut value = Some(1);
            select! { send(theirs, value) -> sent => sent.is_ok(), recv(nothing) -> _ => false }
        });
        settle();
        let taken = select! { recv(receiver) -> n => n, sleep(LONG) => Ok(0) };
        assert_eq!((taken, giving.join().expect("it ends well")), (Ok(Ok(1)), Ok(true)));
        drop(silent);

        // Both ends in one: another must come.
        let mut own = Some(2);
        let alone = select! {
            send(sender, own) -> _ => "gave to itself",
            recv(receiver) -> _ => "took from itself",
            sleep(LONG) => "waited",
        };
        assert_eq!((alone, own), (Ok("waited"), Some(2)));
        let other = sender.clone();
        let giving = task::spawn_local(move || other.send(3));
        let met = select! {
            send(sender, own) -> _ => Ok(0),
            recv(receiver) -> n => n,
        };
        assert_eq!((met, giving.join().expect("it ends well"), own), (Ok(Ok(3)), Ok(()), Some(2)));
    });
}

#[test]
fn an_arm_is_served_in_its_turn() {
    jumping().run(|| {
        let (sender, receiver) = sync_channel(1);
        let (_silence, silent) = sync_channel::<()>(0);
        sender.send(0).expect("room");
        let (theirs, last) = (sender.clone(), sender.clone());
        let selecting = task::spawn_local(move || {
            let mut value = Some(1);
            select! { send(theirs, value) -> sent => sent.is_ok(), recv(silent) -> _ => false }
        });
        settle();
        let sending = task::spawn_local(move || last.send(2));
        settle();
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(selecting.join().expect("it ends well"), Ok(true));
        assert_eq!(sending.join().expect("it ends well"), Ok(()));
    });
}

#[test]
fn threads_select_too() {
    let (sender, receiver) = sync_channel(0);
    let (other, others) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        let mut got = Vec::new();
        while got.len() < 10 {
            let next = select! {
                recv(receiver) -> n => n,
                recv(others) -> n => n,
                sleep(LONG) => Ok(100),
            };
            got.push(next.expect("a thread is not cancelled").expect("both senders stay"));
        }
        got.sort_unstable();
        got
    });
    workers(1).run(|| {
        for n in 0..10 {
            let (mut value, mut same) = (Some(n), Some(n));
            let sent = select! { send(sender, value) -> sent => sent, send(other, same) -> sent => sent };
            sent.expect("not cancelled").expect("a thread");
            assert_eq!(value.xor(same), Some(n));
        }
    });
    assert!(thread.join().expect("it ends well").into_iter().eq(0..10));
    let short = select! { sleep(Duration::from_millis(1)) => 1 };
    assert_eq!(short, Ok(1));
}

#[test]
fn selects_against_cancellation() {
    for (seed, bound) in (0..rounds(30)).flat_map(|seed| [0, 1, 3].map(|bound| (seed, bound))) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let channels: Vec<_> = (0..3).map(|_| sync_channel(bound)).collect();
            let sent = Arc::new(atomic::AtomicUsize::new(0));
            let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
            let giving = (0..40)
                .map(|n| {
                    let (senders, sent) = (senders.clone(), Arc::clone(&sent));
                    task::spawn(move || {
                        let mut values = [Some(n), None, Some(n)];
                        let [first, _, third] = &mut values;
                        let result = select! {
                            send(senders[n % 3], *first) -> result => result,
                            send(senders[(n + 1) % 3], *third) -> result => result,
                        };
                        match result {
                            Ok(Ok(())) => {
                                sent.fetch_add(1, atomic::Ordering::Relaxed);
                                assert_eq!(values.iter().flatten().count(), 1);
                            }
                            Ok(Err(SendError(_))) => panic!("the receivers stay"),
                            Err(_) => assert_eq!(values, [Some(n), None, Some(n)]),
                        }
                    })
                })
                .collect();
            drop(senders);
            let taking = task::spawn(move || {
                let (mut received, mut open) = (0, [true; 3]);
                while open != [false; 3] {
                    let mut arms: Vec<_> = receivers.iter().map(select::recv).collect();
                    let mut all: Vec<&mut dyn Arm> = Vec::new();
                    let mut indices = Vec::new();
                    for (index, arm) in arms.iter_mut().enumerate().filter(|(index, _)| open[*index]) {
                        all.push(arm);
                        indices.push(index);
                    }
                    // It gives up again and again.
                    let chosen = match task::timeout(Duration::ZERO, || select(&mut all)) {
                        Ok(chosen) => chosen,
                        Err(elapsed) => elapsed.into_value(),
                    };
                    let Ok(chosen) = chosen else { continue };
                    match arms.swap_remove(indices[chosen]).finish() {
                        Ok(_) => received += 1,
                        Err(RecvError) => open[indices[chosen]] = false,
                    }
                }
                received
            });
            cancel_some(&mut chance, giving);
            assert_eq!(taking.join().expect("it ends well"), sent.load(atomic::Ordering::Relaxed));
        });
    }
}

/// Who looks at the index only, and waits again, finds the same arm, and what it has received.
#[test]
fn an_arm_that_has_happened_stays_so_until_it_is_finished() {
    use switchback::sync::Queue;
    jumping().run(|| {
        let (sender, receiver) = sync_channel(2);
        let (other, others) = sync_channel(1);
        let queue = Queue::unbounded();
        sender.send(1).expect("room");
        sender.send(2).expect("room");
        queue.put(3).expect("it is open");
        queue.put(4).expect("it is open");
        let (mut value, mut more) = (Some(5), None);
        let [mut received, mut empty] = [&receiver, &others].map(select::recv);
        let (mut got, mut sent) = (select::get(&queue), select::send(&other, &mut value));
        for _ in 0..2 {
            assert_eq!(try_select(&mut [&mut received]), Some(0));
            assert_eq!(try_select(&mut [&mut got]), Some(0));
            assert_eq!(try_select(&mut [&mut sent]), Some(0));
        }
        assert_eq!(try_select(&mut [&mut empty]), Some(0));
        let mut nothing = select::send(&other, &mut more);
        for _ in 0..20 {
            // Whichever it is, the others keep theirs.
            assert_ne!(try_select(&mut [&mut nothing, &mut received, &mut empty, &mut got]), Some(0));
        }
        assert_eq!((received.finish(), empty.finish(), sent.finish()), (Ok(1), Ok(5), Ok(())));
        assert_eq!(got.finish().expect("an item").value, 3);
        assert_eq!((receiver.recv(), queue.get().expect("an item").value), (Ok(2), 4));
    });
}
