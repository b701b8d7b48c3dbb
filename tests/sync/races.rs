//! Cancellation against hand-over, on several workers: nothing is lost, nothing is there twice, nobody is forgotten.

use crate::{rounds, workers};
use switchback::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use switchback::task::{self, JoinHandle};

/// Numbers by chance, the same each time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: usize) -> Self {
        Self(seed as u64 * 2 + 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Cancels some of the tasks while they run, waits for all, and returns what they have returned.
pub(crate) fn cancel_some<T>(chance: &mut Chance, tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    for task in &tasks {
        match chance.below(4) {
            0 => drop(task.cancel()),
            1 => task::yield_now().expect("not cancelled"),
            _ => {}
        }
    }
    let ended = tasks.into_iter().filter_map(|task| match task.join() {
        Ok(value) => Some(value),
        // Before it began.
        Err(task::JoinError::Cancelled(_)) => None,
        Err(error) => panic!("{error}"),
    });
    ended.collect()
}

#[test]
fn locks_against_cancellation() {
    for seed in 0..rounds(30) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let (mutex, lock) = (Arc::new(Mutex::new(0_usize)), Arc::new(RwLock::new(0_usize)));
            let tasks = (0..50)
                .map(|n| {
                    let (mutex, lock) = (Arc::clone(&mutex), Arc::clone(&lock));
                    task::spawn(move || {
                        let mut got = [0, 0];
                        if let Ok(guard) = task::lock(&mutex) {
                            let mut guard = guard.expect("no poison");
                            let before = *guard;
                            let _ = task::yield_now();
                            *guard = before + 1;
                            got[0] = 1;
                        }
                        if n % 3 == 0
                            && let Ok(guard) = task::write(&lock)
                        {
                            let mut guard = guard.expect("no poison");
                            let before = *guard;
                            let _ = task::yield_now();
                            *guard = before + 1;
                            got[1] = 1;
                        } else if let Ok(guard) = task::read(&lock) {
                            let guard = guard.expect("no poison");
                            let before = *guard;
                            let _ = task::yield_now();
                            assert_eq!(*guard, before);
                        }
                        got
                    })
                })
                .collect();
            let got = cancel_some(&mut chance, tasks);
            assert_eq!(*mutex.try_lock().expect("free"), got.iter().map(|got| got[0]).sum::<usize>());
            assert_eq!(*lock.try_write().expect("free"), got.iter().map(|got| got[1]).sum::<usize>());
        });
    }
}

#[test]
fn notices_against_cancellation() {
    for seed in 0..rounds(30) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            // Each item comes with one notice. If one were lost, an item would be left while somebody waits.
            let stock = Arc::new((Mutex::new(0_usize), Condvar::new()));
            let tasks = (0..40)
                .map(|_| {
                    let stock = Arc::clone(&stock);
                    task::spawn(move || {
                        let Ok(guard) = task::lock(&stock.0) else { return 0 };
                        let mut guard = guard.expect("no poison");
                        while *guard == 0 {
                            match task::wait(&stock.1, guard) {
                                Ok(again) => guard = again.expect("no poison"),
                                Err(_) => return 0,
                            }
                        }
                        *guard -= 1;
                        1
                    })
                })
                .collect::<Vec<_>>();
            let theirs = Arc::clone(&stock);
            let producer = task::spawn(move || {
                for _ in 0..40 {
                    *theirs.0.lock().expect("no poison") += 1;
                    theirs.1.notify_one();
                    task::yield_now().expect("not cancelled");
                }
            });
            let taken: usize = cancel_some(&mut chance, tasks).into_iter().sum();
            producer.join().expect("it ends well");
            assert_eq!(*stock.0.lock().expect("no poison"), 40 - taken);
        });
    }
}

#[test]
fn messages_against_cancellation() {
    for (seed, bound) in (0..rounds(40)).flat_map(|seed| [0, 1, 4].map(|bound| (seed, bound))) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let senders = (0..30)
                .map(|n| {
                    let sender = sender.clone();
                    task::spawn(move || match task::send(&sender, Box::new(n)) {
                        Ok(()) => None,
                        Err(error) => {
                            assert_eq!(*error.into_value(), n);
                            Some(n)
                        }
                    })
                })
                .collect();
            drop(sender);
            // A receiver that gives up again and again, and goes on.
            let receiving = task::spawn(move || {
                let mut received = Vec::new();
                loop {
                    match task::timeout(std::time::Duration::ZERO, || task::recv(&receiver)) {
                        Ok(Ok(n)) => received.push(*n),
                        Ok(Err(_)) => return received,
                        Err(elapsed) => match elapsed.into_value() {
                            Ok(n) => received.push(*n),
                            Err(task::RecvError::Closed) => return received,
                            Err(_) => {}
                        },
                    }
                }
            });
            let back = cancel_some(&mut chance, senders);
            let received = receiving.join().expect("it ends well");
            let begun = back.len();
            let mut all: Vec<_> = received.into_iter().chain(back.into_iter().flatten()).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), begun, "each that has begun was received or came back, and once");
        });
    }
}

#[test]
fn permits_against_cancellation() {
    use switchback::sync::Semaphore;
    for seed in 0..rounds(30) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let semaphore = Arc::new(Semaphore::new(3));
            let tasks = (0..60)
                .map(|n| {
                    let semaphore = Arc::clone(&semaphore);
                    task::spawn(move || {
                        if let Ok(permit) = semaphore.acquire_many(1 + n % 3) {
                            assert!(semaphore.available() + permit.count() <= 3);
                            let _ = task::yield_now();
                        }
                    })
                })
                .collect();
            cancel_some(&mut chance, tasks);
            assert_eq!(semaphore.available(), 3);
        });
    }
}

#[test]
fn items_against_cancellation() {
    use switchback::sync::Queue;
    for seed in 0..rounds(30) {
        let mut chance = Chance::new(seed);
        workers(3).run(|| {
            let queue = Arc::new(Queue::bounded(2));
            let put = (0..40)
                .map(|n| {
                    let queue = Arc::clone(&queue);
                    task::spawn(move || match queue.put(n) {
                        Ok(()) => 1,
                        Err(error) => {
                            assert_eq!(error.into_value(), n);
                            0
                        }
                    })
                })
                .collect::<Vec<_>>();
            let taken = (0..20)
                .map(|_| {
                    let queue = Arc::clone(&queue);
                    task::spawn(move || usize::from(queue.get().is_ok()))
                })
                .collect::<Vec<_>>();
            let taken: usize = cancel_some(&mut chance, taken).into_iter().sum();
            let theirs = Arc::clone(&queue);
            let rest = task::spawn(move || std::iter::from_fn(|| theirs.get().ok()).count());
            let put: usize = cancel_some(&mut chance, put).into_iter().sum();
            queue.join().expect("not cancelled");
            queue.close();
            assert_eq!(put, taken + rest.join().expect("it ends well"));
        });
    }
}

/// One is cancelled just when the last one comes: all go on, or the last one waits for another.
#[test]
fn a_barrier_opens_for_all_or_for_nobody() {
    use switchback::sync::Barrier;
    use switchback::sync::atomic::{AtomicUsize, Ordering};
    let delay = |spins: usize| (0..spins).for_each(|_| std::hint::spin_loop());
    workers(2).run(|| {
        let turn = Arc::new(AtomicUsize::new(0));
        for n in 0..rounds(2_000) {
            let barrier = Arc::new(Barrier::new(17));
            let waits = |barrier: &Arc<Barrier>| {
                let barrier = Arc::clone(barrier);
                move || task::wait_at(&barrier).is_ok()
            };
            let mut tasks: Vec<_> = (0..16).map(|_| task::spawn_local(waits(&barrier))).collect();
            crate::settle();
            let (begins, wait) = (Arc::clone(&turn), waits(&barrier));
            let last = task::spawn_on(1, move || {
                begins.store(2 * n + 1, Ordering::SeqCst);
                let mut looks = 0;
                while begins.load(Ordering::SeqCst) == 2 * n + 1 {
                    // At the same time as the other goes on, if there are CPUs for both.
                    looks += 1;
                    if looks < 10_000 { delay(1) } else { std::thread::yield_now() }
                }
                delay(n * 7919 % 100);
                wait()
            });
            while turn.load(Ordering::SeqCst) != 2 * n + 1 {
                std::thread::yield_now();
            }
            turn.store(2 * n + 2, Ordering::SeqCst);
            delay(n * 104_729 % 100);
            let cancelled = tasks.pop().expect("sixteen");
            cancelled.cancel();
            let opens = cancelled.join().expect("it has begun");
            tasks.push(last);
            if !opens {
                tasks.iter().for_each(|task| _ = task.cancel());
            }
            assert!(tasks.into_iter().all(|task| task.join().is_ok_and(|goes_on| goes_on == opens)));
        }
    });
}

/// One message at a time, sent just when the other side finds nothing and begins to wait: if it were overlooked, both would wait.
#[test]
fn a_message_that_comes_as_its_receiver_goes_to_sleep_is_seen() {
    let count = rounds(20_000);
    let (ping, pings) = mpsc::channel();
    let (pong, pongs) = mpsc::sync_channel(1);
    let delay = |n: usize| (0..n * 7919 % 300).for_each(|_| std::hint::spin_loop());
    let other = std::thread::spawn(move || {
        for n in pings {
            delay(n);
            pong.send(n).expect("a receiver");
        }
    });
    for n in 0..count {
        delay(n / 2);
        ping.send(n).expect("a receiver");
        assert_eq!(pongs.recv(), Ok(n));
    }
    drop(ping);
    other.join().expect("it ends well");
}

#[test]
fn who_comes_as_a_closure_returns_is_not_left_behind() {
    use switchback::sync::OnceLock;
    let cells: Arc<Vec<_>> = Arc::new((0..rounds(20_000)).map(|_| OnceLock::new()).collect());
    let walk = |cells: &[OnceLock<usize>], name: usize| {
        for (n, cell) in cells.iter().enumerate() {
            let made = cell.get_or_init(|| {
                (0..n * 7919 % 200).for_each(|_| std::hint::spin_loop());
                name
            });
            assert_eq!(Some(made), cell.get());
        }
    };
    let theirs = Arc::clone(&cells);
    let other = std::thread::spawn(move || walk(&theirs, 1));
    walk(&cells, 2);
    other.join().expect("it ends well");
}
