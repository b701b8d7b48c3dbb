//! What other threads tell a host: a queue, and a thread that sleeps while it is empty.
#![forbid(unsafe_code)]

use super::guarded;
use crossbeam_queue::SegQueue;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};

/// Messages from any thread to one.
pub(super) struct Inbox<M> {
    queue: SegQueue<M>,
    /// Set once, by the reader, before it looks into the queue for the last time. What is pushed later is dropped by whoever
    /// pushes.
    is_closed: AtomicBool,
    sleep: Sleep,
    next_id: AtomicU64,
}

impl<M> Inbox<M> {
    pub(super) fn new() -> Self {
        Self {
            queue: SegQueue::new(),
            is_closed: AtomicBool::new(false),
            sleep: Sleep::new(),
            next_id: AtomicU64::new(0),
        }
    }

    /// A number that nobody else has.
    pub(super) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Any thread.
    pub(super) fn push(&self, message: M) {
        self.queue.push(message);
        // Either the reader sees the message or this sees that it has closed: the fence in `close` is the other one.
        fence(Ordering::SeqCst);
        if self.is_closed.load(Ordering::Relaxed) {
            self.empty();
        } else {
            self.sleep.end();
        }
    }

    /// The next message. The reader's thread only.
    pub(super) fn next(&self) -> M {
        loop {
            if let Some(message) = self.queue.pop() {
                return message;
            }
            self.sleep.begin();
        }
    }

    /// Drops what there is, and sees to it that what comes is dropped. The reader's thread only.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.empty();
    }

    fn empty(&self) {
        while let Some(message) = self.queue.pop() {
            // Somebody waits for the next ones to be dropped, whatever the destructor of this one does.
            guarded(|| drop(message));
        }
    }
}

/// Where one thread sleeps until another ends that. An end that comes before the beginning is kept, once.
struct Sleep {
    /// AWAKE to ASLEEP: the sleeper, under the lock. Any to ENDED: whoever ends it. ENDED to AWAKE: the sleeper.
    state: AtomicU8,
    lock: Mutex<()>,
    ended: Condvar,
}

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const ENDED: u8 = 2;

impl Sleep {
    fn new() -> Self {
        Self { state: AtomicU8::new(AWAKE), lock: Mutex::new(()), ended: Condvar::new() }
    }

    fn begin(&self) {
        let mut guard = self.lock.lock();
        if self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            while self.state.load(Ordering::Acquire) == ASLEEP {
                self.ended.wait(&mut guard);
            }
        }
        // It is ENDED, perhaps more than once. Not a mere store: the reader must see what was pushed before the last time.
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    fn end(&self) {
        if self.state.swap(ENDED, Ordering::AcqRel) == ASLEEP {
            // The sleeper has the lock until it waits.
            drop(self.lock.lock());
            self.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn no_message_is_lost_between_threads_and_their_order_is_kept() {
        const EACH: u64 = 20_000;
        let inbox = Arc::new(Inbox::new());
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    for n in 0..EACH {
                        inbox.push((writer, n));
                        if n % 100 == 0 {
                            thread::yield_now(); // so that the reader sleeps now and then
                        }
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        for _ in 0..4 * EACH {
            let (writer, n): (usize, u64) = inbox.next();
            assert_eq!(n, next[writer]);
            next[writer] += 1;
        }
        assert_eq!(next, [EACH; 4]);
        writers.into_iter().for_each(|writer| writer.join().expect("it ends well"));
    }

    #[test]
    fn what_is_pushed_around_the_close_is_dropped_once_by_somebody() {
        for _ in 0..200 {
            let counted = Arc::new(());
            let inbox = Arc::new(Inbox::new());
            let writer = {
                let (inbox, counted) = (inbox.clone(), counted.clone());
                thread::spawn(move || (0..50).for_each(|_| inbox.push(counted.clone())))
            };
            inbox.close();
            writer.join().expect("it ends well");
            assert_eq!(Arc::strong_count(&counted), 1);
        }
    }
}
