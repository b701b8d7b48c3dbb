//! How locks and channels hand something over to who waits, while that one is cancelled: the real queue and the real word of a wait,
//! with loom's mutex for the latch. What is handed over arrives, or goes to the next, or comes back: nothing is lost and nothing is
//! there twice. (CPython's tests of these races are `test_cancel_race`, `test_get_cancelled_race`, `test_put_cancelled_race`.)

use super::interleavings::Cell;
use super::queue::{Place, WaitQueue};
use super::word::Generation;
use loom::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::collections::BTreeMap;

/// What is sent to who waits.
const SENT: u32 = 5;

/// Who waits, as a `Resumer`.
struct Resumer(Arc<Cell>, Generation);

/// A semaphore, or a mutex, or a condition with one notice: what is released goes to the first who still waits, or stays.
struct Semaphore(Mutex<(u32, WaitQueue<Resumer>)>);

impl Semaphore {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((0, WaitQueue::new()))))
    }

    /// As the crate's `wait_in`, from `suspend`'s look at the cancellation to its end: whether it has the permit.
    fn acquire(&self, cell: &Arc<Cell>) -> bool {
        let generation = cell.begin(1);
        if cell.is_cancelled.load(Ordering::SeqCst) {
            if !cell.word.claim(generation) {
                cell.woken.wait();
            }
            return false;
        }
        let mut state = self.0.lock().expect("nobody panics");
        if state.0 > 0 {
            state.0 -= 1;
            // Cancelled at the same time, it has it all the same.
            if !cell.word.claim(generation) {
                cell.woken.wait();
            }
            return true;
        }
        let place = state.1.push(Resumer(Arc::clone(cell), generation));
        drop(state);
        cell.woken.wait();
        if cell.slot() == SENT {
            return true;
        }
        drop(self.0.lock().expect("nobody panics").1.remove(place));
        false
    }

    fn release(&self) {
        let mut state = self.0.lock().expect("nobody panics");
        while let Some((_, Resumer(cell, generation))) = state.1.pop() {
            if cell.word.claim(generation) {
                drop(state);
                return cell.deliver(1, SENT);
            }
        }
        state.0 += 1;
    }

    fn permits(&self) -> u32 {
        self.0.lock().expect("nobody panics").0
    }
}

#[test]
fn a_permit_arrives_or_stays() {
    loom::model(|| {
        let (semaphore, cell) = (Semaphore::new(), Cell::new());
        let (releases, cancels) = (Arc::clone(&semaphore), Arc::clone(&cell));
        let releaser = thread::spawn(move || releases.release());
        let canceller = thread::spawn(move || cancels.cancel());
        let has_it = semaphore.acquire(&cell);
        releaser.join().expect("it ends well");
        canceller.join().expect("it ends well");
        assert_eq!(semaphore.permits(), u32::from(!has_it));
    });
}

#[test]
fn a_permit_goes_to_the_next_if_the_first_does_not_wait_any_more() {
    loom::model(|| {
        let (semaphore, first, next) = (Semaphore::new(), Cell::new(), Cell::new());
        for cell in [&first, &next] {
            let generation = cell.begin(1);
            semaphore.0.lock().expect("nobody panics").1.push(Resumer(Arc::clone(cell), generation));
        }
        let releases = Arc::clone(&semaphore);
        let releaser = thread::spawn(move || releases.release());
        let cancelled = first.cancel();
        releaser.join().expect("it ends well");
        let (given, other) = if cancelled { (&next, &first) } else { (&first, &next) };
        given.woken.wait();
        assert_eq!((given.slot(), other.slot(), semaphore.permits()), (SENT, 0, 0));
    });
}

/// A channel without room: messages go from hand to hand. The givers, and what is kept for those that do not wait any more.
type Channel = Mutex<(WaitQueue<(u32, Resumer)>, BTreeMap<Place, u32>)>;

#[test]
fn a_message_is_taken_or_comes_back() {
    loom::model(|| {
        let cell = Cell::new();
        let generation = cell.begin(1);
        let mut givers = WaitQueue::new();
        let place = givers.push((7, Resumer(Arc::clone(&cell), generation)));
        let channel: Arc<Channel> = Arc::new(Mutex::new((givers, BTreeMap::new())));

        let other = Arc::clone(&channel);
        let taker = thread::spawn(move || {
            let mut state = other.lock().expect("nobody panics");
            let (givers, kept) = &mut *state;
            let (place, (message, Resumer(cell, generation))) = givers.pop()?;
            if cell.word.claim(generation) {
                drop(state);
                cell.deliver(1, SENT);
                return Some(message);
            }
            kept.insert(place, message);
            None
        });
        let cancels = Arc::clone(&cell);
        let canceller = thread::spawn(move || cancels.cancel());
        cell.woken.wait();
        let back = if cell.slot() == SENT {
            None
        } else {
            let mut state = channel.lock().expect("nobody panics");
            let (givers, kept) = &mut *state;
            givers.remove(place).map(|(message, _)| message).or_else(|| kept.remove(&place))
        };
        canceller.join().expect("it ends well");
        let taken = taker.join().expect("it ends well");
        assert_eq!([taken, back].into_iter().flatten().collect::<Vec<_>>(), [7]);
    });
}

/// Who waits sets its flag and looks at the buffer once more; who has put something there looks at the flag after that.
#[test]
fn of_a_flag_and_a_message_one_sees_the_other() {
    loom::model(|| {
        let shared = Arc::new((AtomicU8::new(0), AtomicU32::new(0)));
        let other = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            // As crossbeam-queue's ring, and the channel's `order`.
            other.1.swap(7, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            other.0.load(Ordering::SeqCst) != 0
        });
        shared.0.swap(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let sees_message = shared.1.load(Ordering::Acquire) != 0;
        let sees_flag = sender.join().expect("it ends well");
        assert!(sees_message || sees_flag, "a wake-up is lost");
    });
}
