//! Threads beside the workers, for what would hold up a worker: so many at most, started when there is work for them and ended
//! when there has been none for a while.
//!
//! A runtime has its own, which end with it. A queue behind a lock is enough: who comes here waits for a thread and for what it
//! does, and that takes longer than any lock.
#![forbid(unsafe_code)]

use super::life::drop_quietly;
use crate::coroutine::{self, Event};
use core::panic::Location;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// What is to be done.
pub(super) trait Work: Send {
    /// It is about to be run, or dropped, by others than who has queued it. False if that has given it up: then it stays, to be
    /// [taken back](Threads::take_back). Called once, where the queue is locked.
    fn begin(&mut self) -> bool;

    /// Does it. It does not panic.
    fn run(self: Box<Self>);
}

/// Why nothing was queued.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// No thread would ever run it.
    NoThread,
    /// None has time at once, as was asked for.
    Busy,
}

/// The threads, and what they have to do.
pub(super) struct Threads {
    /// Before their numbers.
    name: String,
    most: usize,
    idle: Duration,
    state: Mutex<State>,
    /// For those that wait for work.
    more: Condvar,
    /// For who closes.
    one_has_ended: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    /// What was given up when its turn had come, and is about to be taken back.
    given_up: VecDeque<Queued>,
    /// How many have ever been queued, and started.
    queued: u64,
    started: u64,
    threads: HashMap<u64, Entry>,
    /// How many of them wait for work.
    idle: usize,
    /// One that has nothing more to do than to end. The next that ends waits for it: so no thread is left behind.
    ending: Option<JoinHandle<()>>,
    is_closed: bool,
}

struct Queued {
    number: u64,
    work: Box<dyn Work>,
    called_at: &'static Location<'static>,
}

struct Entry {
    thread: JoinHandle<()>,
    /// Where what it does was asked for.
    runs: Option<&'static Location<'static>>,
}

impl Threads {
    /// At most `most` of them.
    pub(super) fn new(name: &str, most: usize) -> Arc<Self> {
        Self::with_idle(name, most, IDLE)
    }

    fn with_idle(name: &str, most: usize, idle: Duration) -> Arc<Self> {
        let name = format!("{name}offload-");
        let (state, more, one_has_ended) = Default::default();
        Arc::new(Self { name, most, idle, state, more, one_has_ended })
    }

    /// Queues what `make` makes, and returns its number; `at_once`, only if it need not wait for its turn. When it is refused, `make` is
    /// not called.
    pub(super) fn queue(
        self: &Arc<Self>,
        called_at: &'static Location<'static>,
        at_once: bool,
        make: impl FnOnce() -> Box<dyn Work>,
    ) -> Result<u64, Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::NoThread);
        }
        let has_time = state.queue.len() < state.idle || state.threads.len() < self.most && self.start(&mut state);
        if state.threads.is_empty() {
            return Err(Refused::NoThread);
        }
        if at_once && !has_time {
            return Err(Refused::Busy);
        }
        let number = state.queued;
        state.queued += 1;
        // The last step: nothing after it may panic, as the caller's frame may be lent to a thread from here on.
        state.queue.push_back(Queued { number, work: make(), called_at });
        self.more.notify_one();
        Ok(number)
    }

    /// Takes out again what nobody has begun.
    pub(super) fn take_back(&self, number: u64) -> Option<Box<dyn Work>> {
        let state = &mut *self.state.lock();
        [&mut state.queue, &mut state.given_up].into_iter().find_map(|queue| {
            let place = queue.iter().position(|queued| queued.number == number)?;
            Some(queue.remove(place)?.work)
        })
    }

    /// Starts one. If the system refuses, which false tells, those that are there have to do.
    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        let number = state.started;
        let threads = Arc::clone(self);
        let builder = thread::Builder::new().name(format!("{}{number}", self.name));
        // It waits for the lock.
        let Ok(thread) = builder.spawn(move || threads.work(number)) else { return false };
        state.started += 1;
        state.threads.insert(number, Entry { thread, runs: None });
        true
    }

    /// What a thread does.
    fn work(&self, number: u64) {
        let mut state = self.state.lock();
        loop {
            if let Some(mut queued) = state.queue.pop_front() {
                if !queued.work.begin() {
                    state.given_up.push_back(queued);
                    continue;
                }
                set_runs(&mut state, number, Some(queued.called_at));
                MutexGuard::unlocked(&mut state, || queued.work.run());
                set_runs(&mut state, number, None);
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let waited = self.more.wait_for(&mut state, self.idle);
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        let own = state.threads.remove(&number).map(|entry| entry.thread);
        let before = core::mem::replace(&mut state.ending, own);
        self.one_has_ended.notify_all();
        drop(state);
        before.into_iter().for_each(|thread| drop(thread.join()));
    }

    /// Drops what nobody has begun, and waits until what has been begun has ended; until `deadline`: what has not ended by then
    /// is reported, and its thread left to itself. Nothing is queued any more.
    pub(super) fn close(&self, deadline: Instant) {
        let mut state = self.state.lock();
        state.is_closed = true;
        self.more.notify_all();
        let mut queue = Vec::from(core::mem::take(&mut state.queue));
        state.given_up.extend(queue.extract_if(.., |queued| !queued.work.begin()));
        MutexGuard::unlocked(&mut state, || queue.into_iter().for_each(|queued| drop_quietly(Some(queued.work))));
        while !state.threads.is_empty() && !self.one_has_ended.wait_until(&mut state, deadline).timed_out() {}
        let left: Vec<_> = state.threads.values().filter_map(|entry| entry.runs).collect();
        let ending = state.ending.take();
        drop(state);
        for called_at in left {
            coroutine::report(Event::NotEnded, crate::Description::new(Some("offload"), called_at));
        }
        ending.into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn set_runs(state: &mut State, number: u64, runs: Option<&'static Location<'static>>) {
    if let Some(entry) = state.threads.get_mut(&number) {
        entry.runs = runs;
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, Threads, Work};
    use core::panic::Location;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::{Duration, Instant};

    struct Tell(Sender<()>);

    impl Work for Tell {
        fn begin(&mut self) -> bool {
            true
        }

        fn run(self: Box<Self>) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn they_end_when_idle_and_are_started_again() {
        let threads = Threads::with_idle("", 2, Duration::from_millis(1));
        for round in 0..3 {
            let (tell, told) = channel();
            let queued = threads.queue(Location::caller(), false, || Box::new(Tell(tell)));
            assert_eq!(queued, Ok(round));
            told.recv().expect("it runs");
            while !threads.state.lock().threads.is_empty() {
                std::thread::yield_now();
            }
        }
        assert_eq!(threads.state.lock().started, 3);
        threads.close(Instant::now());
        let late = threads.queue(Location::caller(), false, || unreachable!("nobody would run it"));
        assert_eq!(late, Err(Refused::NoThread));
    }

    #[test]
    fn what_is_for_at_once_is_not_queued_behind_others() {
        let threads = Threads::with_idle("", 1, Duration::from_secs(60));
        let queue = |tell: &Sender<()>| threads.queue(Location::caller(), true, || Box::new(Tell(tell.clone())));
        let (tell, told) = channel();
        let ((begun, has_begun), (end, ends)) = (channel(), channel());
        threads.queue(Location::caller(), true, || Box::new(Wait(begun, ends))).expect("a thread");
        has_begun.recv().expect("it runs");
        assert_eq!(queue(&tell), Err(Refused::Busy));
        drop(end);
        while queue(&tell).is_err() {
            std::thread::yield_now();
        }
        told.recv().expect("it runs");
        threads.close(Instant::now() + Duration::from_secs(60));
        assert!(told.try_recv().is_err(), "what was refused does not run");
    }

    /// Is given up by the time that its turn comes, and tells of that.
    struct GivenUp(Sender<()>);

    impl Work for GivenUp {
        fn begin(&mut self) -> bool {
            let _ = self.0.send(());
            false
        }

        fn run(self: Box<Self>) {
            unreachable!("it has not begun");
        }
    }

    #[test]
    fn what_is_given_up_stays_until_it_is_taken_back() {
        let threads = Threads::with_idle("", 1, Duration::from_secs(60));
        let (tell, told) = channel();
        let given_up = || -> Box<dyn Work> { Box::new(GivenUp(tell.clone())) };
        let number = threads.queue(Location::caller(), false, given_up).expect("a thread");
        told.recv().expect("its turn comes");
        // By the end of the threads as well.
        let (begun, has_begun) = channel();
        let (end, ends) = channel();
        threads.queue(Location::caller(), false, || Box::new(Wait(begun, ends))).expect("a thread");
        has_begun.recv().expect("it runs");
        let other = threads.queue(Location::caller(), false, given_up).expect("a thread");
        threads.close(Instant::now());
        told.recv().expect("its turn comes");
        assert!(threads.take_back(number).is_some() && threads.take_back(other).is_some());
        assert!(threads.take_back(number).is_none() && threads.state.lock().given_up.is_empty());
        drop(end);
    }

    /// Tells that it runs, and waits until it may end.
    struct Wait(Sender<()>, Receiver<()>);

    impl Work for Wait {
        fn begin(&mut self) -> bool {
            true
        }

        fn run(self: Box<Self>) {
            let _ = self.0.send(());
            let _ = self.1.recv();
        }
    }
}
