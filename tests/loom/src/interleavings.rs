//! The shared words under loom, which goes through the interleavings of their operations, and through what the orderings that
//! they ask for allow: `.ci/slow loom`. A wake that is lost is a deadlock, which loom reports; so is a value that is read by
//! another thread without being ordered after its write.

use super::atomic::{AtomicU64, Ordering};
use super::inbox::{Inbox, Linked, Put};
use super::notice::Notice;
use super::word::{Generation, JoinWord, ParkWord, WaitWord};
use core::ptr::{self, NonNull};
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicBool;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// What wakes a thread, as a driver does. A ring before the wait counts.
pub(super) struct Bell(Mutex<bool>, Condvar);

impl Bell {
    fn new() -> Self {
        Self(Mutex::new(false), Condvar::new())
    }

    pub(super) fn notify(&self) {
        *self.0.lock().expect("nobody panics") = true;
        self.1.notify_one();
    }

    pub(super) fn wait(&self) {
        let mut rung = self.0.lock().expect("nobody panics");
        while !core::mem::take(&mut *rung) {
            rung = self.1.wait(rung).expect("nobody panics");
        }
    }
}

/// A node of an inbox, with something to be seen by who takes it.
struct Node {
    next: UnsafeCell<*mut Node>,
    value: UnsafeCell<u32>,
}

// SAFETY: who has a node in an inbox has its link.
unsafe impl Linked for Node {
    unsafe fn set_next(this: NonNull<Self>, next: *mut Self) {
        // SAFETY: by this function's contract.
        unsafe { this.as_ref().next.with_mut(|place| *place = next) };
    }

    unsafe fn next(this: NonNull<Self>) -> *mut Self {
        // SAFETY: by this function's contract.
        unsafe { this.as_ref().next.with(|place| *place) }
    }
}

struct Worker {
    inbox: Inbox<Node>,
    unparked: Bell,
}

// SAFETY: loom checks who touches the cells in a node, and when.
unsafe impl Sync for Worker {}
// SAFETY: as above.
unsafe impl Send for Worker {}

impl Worker {
    fn put(&self, value: u32) -> Put {
        let node = Box::new(Node { next: UnsafeCell::new(ptr::null_mut()), value: UnsafeCell::new(0) });
        // SAFETY: nobody else has the node.
        node.value.with_mut(|place| unsafe { *place = value });
        let node = NonNull::from(Box::leak(node));
        // SAFETY: the node is valid until it is taken, and ours.
        let put = unsafe { self.inbox.put(node) };
        match put {
            Put::Asleep => self.unparked.notify(),
            // SAFETY: it is still ours.
            Put::Closed => drop(unsafe { Box::from_raw(node.as_ptr()) }),
            Put::Awake => {}
        }
        put
    }

    fn take(&self, taken: impl Iterator<Item = NonNull<Node>>) -> Vec<u32> {
        // SAFETY: what was taken is ours, and was a box.
        taken.map(|node| unsafe { Box::from_raw(node.as_ptr()).value.with(|place| *place) }).collect()
    }
}

#[test]
fn an_inbox_loses_nothing_and_wakes_who_sleeps() {
    loom::model(|| {
        let worker = Arc::new(Worker { inbox: Inbox::new(), unparked: Bell::new() });
        let putters = [1, 2].map(|value| {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.put(value))
        });
        let mut got = Vec::new();
        while got.len() < 2 {
            got.extend(worker.take(worker.inbox.take()));
            if got.len() < 2 && worker.inbox.go_to_sleep() {
                worker.unparked.wait();
                worker.inbox.wake_up();
            }
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for putter in putters {
            assert_ne!(putter.join().expect("it ends well"), Put::Closed);
        }
    });
}

#[test]
fn a_closed_inbox_has_given_out_what_was_put_in() {
    loom::model(|| {
        let worker = Arc::new(Worker { inbox: Inbox::new(), unparked: Bell::new() });
        let putters = [1, 2].map(|value| {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.put(value))
        });
        let taken = worker.take(worker.inbox.close()).len();
        let put = putters.map(|putter| usize::from(putter.join().expect("it ends well") != Put::Closed));
        assert_eq!(taken, put.iter().sum::<usize>());
    });
}

/// A wait cell in small.
pub(super) struct Cell {
    pub(super) word: WaitWord,
    /// Written by the owner before it begins, read by the claimer.
    address: UnsafeCell<u32>,
    /// Written by the claimer, read by the owner when it has been woken.
    slot: UnsafeCell<u32>,
    pub(super) is_cancelled: AtomicBool,
    pub(super) woken: Bell,
}

// SAFETY: loom checks who touches its cells, and when.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl Cell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            word: WaitWord::new(),
            address: UnsafeCell::new(0),
            slot: UnsafeCell::new(0),
            is_cancelled: AtomicBool::new(false),
            woken: Bell::new(),
        })
    }

    /// As `Running::begin`.
    pub(super) fn begin(&self, address: u32) -> Generation {
        // SAFETY: the owner writes it while nobody can claim.
        self.address.with_mut(|place| unsafe { *place = address });
        self.word.begin().expect("there are generations left")
    }

    /// As `Resumer::send`.
    fn send(&self, generation: Generation, address: u32, value: u32) -> bool {
        if !self.word.claim(generation) {
            return false;
        }
        self.deliver(address, value);
        true
    }

    /// As `deliver`: by who has claimed the wait.
    pub(super) fn deliver(&self, address: u32, value: u32) {
        // SAFETY: it is claimed.
        self.address.with(|place| assert_eq!(unsafe { *place }, address));
        // SAFETY: as above.
        self.slot.with_mut(|place| unsafe { *place = value });
        self.woken.notify();
    }

    /// As `Header::interrupt`.
    pub(super) fn cancel(&self) -> bool {
        self.is_cancelled.store(true, Ordering::SeqCst);
        let claimed = self.word.poke().is_some_and(|generation| self.word.claim(generation));
        if claimed {
            self.woken.notify();
        }
        claimed
    }

    pub(super) fn slot(&self) -> u32 {
        // SAFETY: the owner has been woken, or nobody has claimed its wait.
        self.slot.with(|place| unsafe { *place })
    }
}

#[test]
fn a_cancel_and_the_beginning_of_a_wait_do_not_miss_each_other() {
    loom::model(|| {
        let cell = Cell::new();
        let other = Arc::clone(&cell);
        let canceller = thread::spawn(move || other.cancel());
        let generation = cell.begin(1);
        let withdrawn = cell.is_cancelled.load(Ordering::SeqCst) && cell.word.claim(generation);
        if !withdrawn {
            cell.woken.wait();
        }
        assert_ne!(canceller.join().expect("it ends well"), withdrawn);
    });
}

#[test]
fn of_a_value_and_a_cancel_one_wins_and_a_late_claim_fails() {
    loom::model(|| {
        let cell = Cell::new();
        let generation = cell.begin(1);
        let (sends, cancels) = (Arc::clone(&cell), Arc::clone(&cell));
        let sender = thread::spawn(move || sends.send(generation, 1, 5));
        let canceller = thread::spawn(move || cancels.cancel());
        cell.woken.wait();
        let slot = cell.slot();
        // The next wait is another: nobody who is late can claim it.
        let next = cell.begin(2);
        assert!(!cell.word.claim(generation));
        let sent = sender.join().expect("it ends well");
        let cancelled = canceller.join().expect("it ends well");
        assert_eq!(slot, if sent { 5 } else { 0 });
        // The canceller may have come so late that it has found this one.
        assert!(sent || cancelled);
        assert_eq!(cell.word.claim(next), !(sent && cancelled));
    });
}

/// A task in small.
struct Task {
    join: JoinWord,
    outcome: UnsafeCell<u32>,
    joiner: UnsafeCell<u32>,
    woken: Bell,
    freed: AtomicBool,
}

// SAFETY: loom checks who touches its cells, and when.
unsafe impl Sync for Task {}
// SAFETY: as above.
unsafe impl Send for Task {}

impl Task {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            join: JoinWord::new(),
            outcome: UnsafeCell::new(0),
            joiner: UnsafeCell::new(0),
            woken: Bell::new(),
            freed: AtomicBool::new(false),
        })
    }

    /// As `life::live`: whether it has dropped the outcome.
    fn complete(&self) -> bool {
        // SAFETY: before COMPLETE it is the task's.
        self.outcome.with_mut(|place| unsafe { *place = 5 });
        let completed = self.join.complete();
        if completed.is_detached {
            self.take_outcome();
        }
        if completed.is_joined {
            // SAFETY: COMPLETE came after JOINING.
            self.joiner.with_mut(|place| unsafe { assert_eq!(core::mem::take(&mut *place), 7) });
            self.woken.notify();
        }
        self.release();
        completed.is_detached
    }

    fn take_outcome(&self) {
        // SAFETY: the task is complete, and the caller has the outcome.
        self.outcome.with_mut(|place| unsafe { assert_eq!(core::mem::take(&mut *place), 5) });
    }

    fn release(&self) {
        if self.join.release() {
            assert!(!self.freed.swap(true, Ordering::Relaxed), "it was freed before");
            // Freeing writes to all of it.
            // SAFETY: nobody else has a reference.
            self.outcome.with_mut(|_| ());
            self.joiner.with_mut(|_| ());
        }
    }
}

#[test]
fn a_joiner_is_woken_and_the_last_one_frees() {
    loom::model(|| {
        let task = Task::new();
        let other = Arc::clone(&task);
        let completer = thread::spawn(move || other.complete());
        // SAFETY: without JOINING it is the handle's.
        task.joiner.with_mut(|place| unsafe { *place = 7 });
        if task.join.begin_joining() {
            task.woken.wait();
        }
        assert!(task.join.is_complete());
        task.take_outcome();
        task.release();
        assert!(!completer.join().expect("it ends well"));
        assert!(task.freed.load(Ordering::Relaxed));
    });
}

/// Joiner and task are of one worker, here this thread; the task has given a reference away.
#[test]
fn at_home_the_last_one_frees_although_others_have_references() {
    loom::model(|| {
        let task = Task::new();
        // SAFETY: without JOINING it is the handle's.
        task.joiner.with_mut(|place| unsafe { *place = 7 });
        assert!(task.join.begin_joining_at_home());
        task.join.retain();
        let other = Arc::clone(&task);
        let holder = thread::spawn(move || {
            other.join.retain();
            other.release();
            other.release();
        });
        // SAFETY: before COMPLETE it is the task's.
        task.outcome.with_mut(|place| unsafe { *place = 5 });
        assert!(task.join.complete().is_joined);
        if task.join.release_here() {
            panic!("the joiner has a reference");
        }
        assert!(task.join.is_complete());
        task.take_outcome();
        task.release();
        holder.join().expect("it ends well");
        assert!(task.freed.load(Ordering::Relaxed));
    });
}

/// The joiner runs the task in its place, here on this thread; the task gives a reference to itself away, and ends at once, or stops
/// first, so that the joiner comes to wait for it.
fn run_in_place(stops: bool) {
    loom::model(move || {
        let task = Task::new();
        assert!(task.join.stay_home());
        task.join.retain();
        let other = Arc::clone(&task);
        let holder = thread::spawn(move || {
            other.join.retain();
            other.release();
            assert!(!other.freed.load(Ordering::Relaxed), "there is a reference left");
            other.release();
        });
        if stops {
            assert!(task.join.end_joining(), "it has not ended");
            // SAFETY: it is the handle's again.
            task.joiner.with_mut(|place| unsafe { *place = 7 });
            assert!(task.join.begin_joining_at_home());
        }
        // SAFETY: before COMPLETE it is the task's.
        task.outcome.with_mut(|place| unsafe { *place = 5 });
        let completed = task.join.complete();
        assert!(completed.is_joined && !completed.is_detached);
        // SAFETY: COMPLETE came after JOINING, with nobody in place if it has ended in place.
        task.joiner.with_mut(|place| unsafe { assert_eq!(core::mem::take(&mut *place), if stops { 7 } else { 0 }) });
        if task.join.release_here() {
            panic!("the joiner has a reference");
        }
        assert!(task.join.is_complete() && (stops || !task.join.end_joining()));
        task.take_outcome();
        task.release();
        holder.join().expect("it ends well");
        assert!(task.freed.load(Ordering::Relaxed));
    });
}

#[test]
fn a_task_that_ends_in_the_place_of_its_joiner_is_freed_by_the_last() {
    run_in_place(false);
}

#[test]
fn a_task_that_stops_in_the_place_of_its_joiner_is_waited_for() {
    run_in_place(true);
}

#[test]
fn a_joiner_that_gives_up_gets_the_outcome_or_its_place_back() {
    loom::model(|| {
        let task = Task::new();
        let other = Arc::clone(&task);
        let completer = thread::spawn(move || other.complete());
        // SAFETY: without JOINING it is the handle's.
        task.joiner.with_mut(|place| unsafe { *place = 7 });
        let has_dropped = if task.join.begin_joining() && task.join.end_joining() {
            // SAFETY: it is the handle's again.
            task.joiner.with_mut(|place| unsafe { *place = 0 });
            !task.join.detach()
        } else {
            true
        };
        if has_dropped {
            task.take_outcome();
            task.release();
        }
        assert_ne!(completer.join().expect("it ends well"), has_dropped);
        assert!(task.freed.load(Ordering::Relaxed));
    });
}

/// As `park_in` and `Header::unpark`.
struct Parker {
    park: ParkWord,
    parked: AtomicU64,
    cell: Arc<Cell>,
}

impl Parker {
    fn park(&self) {
        if self.park.end() {
            return;
        }
        let generation = self.cell.begin(1);
        self.parked.store(generation.0, Ordering::Relaxed);
        if !self.park.begin() {
            self.wake(generation.0);
        }
        self.cell.woken.wait();
        self.park.end();
    }

    fn wake(&self, generation: u64) {
        self.cell.send(Generation(generation), 1, 0);
    }

    fn unpark(&self) {
        if self.park.notify() {
            self.wake(self.parked.load(Ordering::Relaxed));
        }
    }
}

#[test]
fn a_notice_is_not_lost_whenever_it_comes() {
    loom::model(|| {
        let parker = Arc::new(Parker { park: ParkWord::new(), parked: AtomicU64::new(0), cell: Cell::new() });
        let others = [0, 1].map(|_| {
            let parker = Arc::clone(&parker);
            thread::spawn(move || parker.unpark())
        });
        // Two notices may count as one, so it parks once.
        parker.park();
        for other in others {
            other.join().expect("it ends well");
        }
    });
}

#[test]
fn a_host_polls_after_each_wake_or_is_told() {
    loom::model(|| {
        let shared = Arc::new((Notice::new(), AtomicBool::new(false)));
        assert!(shared.0.give(), "the host has been told once");
        let waker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(true, Ordering::Relaxed);
                shared.0.give()
            })
        };
        shared.0.take();
        let is_seen = shared.1.load(Ordering::Relaxed); // the poll
        let is_told = waker.join().expect("it ends well");
        assert!(is_seen || is_told, "a wake that is lost");
    });
}
