//! What the workers of a runtime share, and how a runtime begins and ends.

use super::clock::Clock;
use super::handle::Task;
use super::header::{Header, Origin, TaskRef};
use super::inspect::Requests;
use super::join::{JoinError, JoinHandle};
use super::life::end_unstarted;
use super::queue::{Fresh, Unstarted};
#[cfg(unix)]
use super::reactors::Reactors;
use super::remote::Remote;
use super::stalled::Stalled;
use super::threads::Threads;
use super::watch::{Observers, Watch};
use super::watchdog::Watchdog;
use super::worker::Worker;
use super::{current, spawn, task};
use crate::cancelled::{CancelReason, Cancelled};
use crate::coroutine;
use crate::stack::Class;
use core::iter;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
use crossbeam_deque::{Stealer, Worker as Deque};
use crossbeam_queue::SegQueue;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How a runtime is to be.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) workers: usize,
    /// Of tasks that do not say another.
    pub(crate) class: Class,
    pub(crate) main_class: Class,
    /// What the threads are called, before their number.
    pub(crate) name: String,
    pub(crate) has_virtual_clock: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) grace: Duration,
    /// How many threads there may be beside the workers.
    pub(crate) offload_threads: usize,
    pub(crate) observers: Observers,
}

impl Config {
    /// When the grace period is over that begins now. One that no clock can tell is a century.
    fn end_of_grace(&self) -> Instant {
        const CENTURY: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);
        Instant::now() + self.grace.min(CENTURY)
    }
}

/// What the workers of a runtime share.
pub(crate) struct Shared {
    pub(super) config: Config,
    pub(super) remotes: Vec<&'static Remote>,
    pub(super) stealers: Vec<Stealer<Unstarted>>,
    /// What was spawned from outside.
    pub(super) injector: SegQueue<Unstarted>,
    pub(super) clock: Clock,
    #[cfg(unix)]
    pub(super) reactors: Reactors,
    /// What runs beside the workers, and for how many tasks.
    pub(super) threads: Arc<Threads>,
    pub(super) offloaded: AtomicUsize,
    pub(super) requests: Requests,
    pub(super) stalled: Stalled,
    /// None if nobody looks on.
    pub(super) watch: Option<Box<Watch>>,
    /// Whether another thread can run while one looks around for work.
    pub(super) may_spin: bool,
    phase: AtomicU8,
    /// How many workers sleep, or are about to; written under `asleep`.
    sleeping: AtomicUsize,
    asleep: Mutex<Vec<Sleep>>,
    /// How often a worker has got up; written under `asleep`.
    awakenings: AtomicU64,
    /// How many workers have ended, and whether one has left tasks behind.
    ended: Mutex<(usize, bool)>,
    one_has_ended: Condvar,
}

/// How far a runtime is.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub(super) enum Phase {
    Open = 0,
    /// Main has ended, and everything else is to.
    Closing = 1,
    /// Nothing is run any more.
    Closed = 2,
}

/// What is known of a worker's sleep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    /// It sleeps, or looks around for the last time, and has its next timer then.
    Until(Option<u64>),
    Ended,
}

impl Shared {
    fn new(config: Config) -> (Arc<Self>, Vec<Fresh>) {
        let workers = config.workers;
        let mut fresh = Vec::new();
        let mut stealers = Vec::new();
        for _ in 0..workers {
            if workers == 1 {
                fresh.push(Fresh::Own(Default::default()));
                continue;
            }
            let deque = Deque::new_lifo();
            stealers.push(deque.stealer());
            let stealer = deque.stealer();
            fresh.push(Fresh::Shared(deque, stealer));
        }
        let shared = Self {
            remotes: (0..workers).map(|_| Remote::take()).collect(),
            stealers,
            injector: SegQueue::new(),
            clock: Clock::new(config.has_virtual_clock),
            #[cfg(unix)]
            reactors: Reactors::default(),
            threads: Threads::new(&config.name, config.offload_threads),
            offloaded: AtomicUsize::new(0),
            requests: Requests::default(),
            stalled: Stalled::default(),
            watch: Watch::new(&config.observers, workers, &config.name),
            may_spin: thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1),
            phase: AtomicU8::new(Phase::Open as u8),
            sleeping: AtomicUsize::new(0),
            asleep: Mutex::new(vec![Sleep::Awake; workers]),
            awakenings: AtomicU64::new(0),
            ended: Mutex::new((0, false)),
            one_has_ended: Condvar::new(),
            config,
        };
        (Arc::new(shared), fresh)
    }

    #[inline(always)]
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Open,
            1 => Phase::Closing,
            _ => Phase::Closed,
        }
    }

    /// Spawns a task from outside of the workers. Refuses it if nothing is run any more.
    pub(super) fn inject(&self, task: Unstarted) {
        if self.phase() == Phase::Closed {
            // Not by way of the queue: a destructor there may spawn as well, and would refuse all others in its midst.
            // SAFETY: it has not started, and is ours.
            return unsafe { self.refuse(task.0) };
        }
        self.injector.push(task);
        self.notify();
        if self.phase.load(Ordering::SeqCst) == Phase::Closed as u8 {
            self.drain();
        }
    }

    /// Something was queued that any worker may take: wakes one that sleeps, if one does.
    #[inline(always)]
    pub(super) fn notify(&self) {
        // Either this sees the sleeper, or that sees what was queued: see `has_work`.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) > 0 {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let mut asleep = self.asleep.lock();
        let sleeper = asleep.iter().position(|sleep| matches!(sleep, Sleep::Until(_)));
        if let Some(index) = sleeper {
            self.set_awake(&mut asleep, index);
            self.remotes[index].driver().unpark();
        }
    }

    fn set_awake(&self, asleep: &mut [Sleep], index: usize) {
        if matches!(asleep[index], Sleep::Until(_)) {
            asleep[index] = Sleep::Awake;
            self.awakenings.fetch_add(1, Ordering::Relaxed);
            self.sleeping.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Wakes all that sleep: they look around before they do again.
    pub(super) fn wake_sleepers(&self) {
        let mut asleep = self.asleep.lock();
        for (index, remote) in self.remotes.iter().enumerate() {
            self.set_awake(&mut asleep, index);
            remote.driver().unpark();
        }
    }

    /// A task has been made in this runtime, and is in no queue yet.
    #[inline(always)]
    pub(super) fn tell_of_spawn(&self, task: &Header) {
        if let Some(watch) = &self.watch {
            core::hint::cold_path();
            watch.spawned(&Task::new(TaskRef::to(task)));
        }
    }

    /// A worker is about to sleep. It looks around once more after this.
    pub(super) fn announce_sleep(&self, index: usize, deadline: Option<u64>) {
        let mut asleep = self.asleep.lock();
        asleep[index] = Sleep::Until(deadline);
        self.sleeping.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end_sleep(&self, index: usize) {
        self.set_awake(&mut self.asleep.lock(), index);
    }

    /// Whether there is something that any worker may take.
    pub(super) fn has_work(&self) -> bool {
        fence(Ordering::SeqCst);
        !self.injector.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    /// A worker has closed its eyes. If all have, and none has got [`since`](Self::is_last) up, a virtual clock jumps to the next
    /// timer: true if that is the caller's.
    pub(super) fn all_asleep(&self, index: usize, since: u64) -> bool {
        // What a task has offloaded takes no time: the task is about to go on.
        if self.offloaded.load(Ordering::SeqCst) > 0 {
            return false;
        }
        let mut asleep = self.asleep.lock();
        if self.awakenings.load(Ordering::Relaxed) != since {
            // It may have sent something to whoever was found to have nothing. It is the last itself, or has found another.
            return false;
        }
        let Some(Some((deadline, first))) = self.first_timer(&asleep) else { return false };
        self.clock.jump_to(deadline);
        if first == index {
            return true;
        }
        self.set_awake(&mut asleep, first);
        self.remotes[first].driver().unpark();
        false
    }

    /// Whether all workers are asleep, the caller among them: then it is the last, and nothing runs. If so, how often one has got
    /// up.
    pub(super) fn is_last(&self) -> Option<u64> {
        let asleep = self.asleep.lock();
        self.first_timer(&asleep).map(|_| self.awakenings.load(Ordering::Relaxed))
    }

    /// Whether all workers are asleep, and none is to be woken by a timer.
    pub(super) fn has_no_timer(&self) -> bool {
        self.first_timer(&self.asleep.lock()) == Some(None)
    }

    /// If all are asleep: the first timer, if there is one, and whose it is.
    fn first_timer(&self, asleep: &[Sleep]) -> Option<Option<(u64, usize)>> {
        let mut first = None;
        for (index, sleep) in asleep.iter().enumerate() {
            match *sleep {
                // One that was announced and has something in its inbox is about to wake.
                Sleep::Until(deadline) if self.remotes[index].inbox().is_asleep() => {
                    first = first.into_iter().chain(deadline.map(|deadline| (deadline, index))).min();
                }
                Sleep::Ended => {}
                _ => return None,
            }
        }
        Some(first)
    }

    pub(super) fn has_ended(&self, index: usize) -> bool {
        self.asleep.lock()[index] == Sleep::Ended
    }

    fn wake_all(&self) {
        for remote in &self.remotes {
            remote.driver().unpark();
        }
    }

    /// A worker has ended.
    fn end_worker(&self, index: usize, all_ended: bool) {
        {
            let mut asleep = self.asleep.lock();
            self.set_awake(&mut asleep, index);
            asleep[index] = Sleep::Ended;
        }
        let mut ended = self.ended.lock();
        ended.0 += 1;
        ended.1 |= !all_ended;
        self.one_has_ended.notify_all();
        drop(ended);
        // A virtual clock may have waited for this one.
        self.wake_all();
    }

    /// Nothing is run any more.
    fn close(&self) {
        self.phase.store(Phase::Closed as u8, Ordering::SeqCst);
        self.drain();
    }

    /// Refuses what was spawned from outside when nothing is run any more.
    fn drain(&self) {
        // Either this sees what was queued, or `inject` that the runtime is closed.
        fence(Ordering::SeqCst);
        while let Some(task) = self.injector.pop() {
            // SAFETY: it was in the queue, so it has not started and is ours.
            unsafe { self.refuse(task.0) };
        }
    }

    /// Ends a task that has not started, as nothing is run any more.
    ///
    /// # Safety
    ///
    /// As for [`end_unstarted`].
    pub(super) unsafe fn refuse(&self, task: NonNull<Header>) {
        // SAFETY: by this function's contract.
        unsafe {
            if let Some(watch) = &self.watch {
                watch.ended_unstarted(&Task::new(TaskRef::to(task.as_ref())));
            }
            let why = Cancelled::new(CancelReason::Shutdown, task.as_ref().scope_id());
            end_unstarted(task, JoinError::Cancelled(why));
        }
    }

    /// Nothing is ever run, as those workers could not be started. The others have ended.
    fn give_up(&self, unstarted: impl IntoIterator<Item = usize>) {
        for index in unstarted {
            for task in self.remotes[index].close() {
                // SAFETY: it was in the inbox, and waits for that worker to begin it.
                unsafe { self.refuse(task) };
            }
        }
        self.close();
        self.let_remotes_go(self.ended.lock().1);
    }

    /// What others know of the workers is given to those of another runtime, unless one has not ended, or has left tasks.
    fn let_remotes_go(&self, has_left: bool) {
        self.remotes.iter().for_each(|remote| if has_left { remote.leave() } else { remote.give_back() });
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.drain();
    }
}

/// Why nothing was run.
#[derive(Debug)]
pub(crate) enum EnterError {
    /// The calling thread runs a runtime already.
    Nested,
    /// A thread could not be started.
    Thread(io::Error),
}

/// Runs `main` as the first task of a new runtime, on the calling thread, which is one of the workers until it has ended.
pub(crate) fn enter<F, T>(
    config: &Config,
    main: F,
    spawned_at: &'static Location<'static>,
) -> Result<Result<T, JoinError>, EnterError>
where
    F: FnOnce() -> T,
{
    if current::is_worker() {
        return Err(EnterError::Nested);
    }
    let (shared, mut fresh) = Shared::new(config.clone());
    let own = fresh.remove(0);
    let looking_on = match LookingOn::start(&shared) {
        Ok(looking_on) => looking_on,
        Err(error) => {
            shared.give_up(0..config.workers);
            return Err(EnterError::Thread(error));
        }
    };
    let threads = match start_threads(&shared, fresh) {
        Ok(threads) => threads,
        Err(error) => return Err(EnterError::Thread(error)),
    };
    // From here to the end of `main` nothing may return or unwind: it borrows from the caller (invariant 21).
    let guard = AbortOnUnwind;
    let worker = Worker::new(Arc::clone(&shared), 0, own);
    let origin = Origin::new(spawn::next_id(), Some("main"), spawned_at, config.main_class);
    let task = task::create(main, origin, None, None);
    // SAFETY: one of the two references is the handle's, of a task that returns a T.
    let handle = unsafe { JoinHandle::<T>::new(TaskRef::from_raw(task)) };
    // SAFETY: nobody has it yet.
    shared.tell_of_spawn(unsafe { task.as_ref() });
    worker.push_pinned(Unstarted(task));
    let has_left = worker.on_this_thread(|| {
        worker.run(|| handle.is_finished());
        shared.phase.store(Phase::Closing as u8, Ordering::SeqCst);
        shared.wake_all();
        let deadline = config.end_of_grace();
        let all_ended = worker.close(deadline);
        shared.end_worker(0, all_ended);
        let has_left = join_threads(&shared, threads, deadline);
        shared.threads.close(deadline + AFTER_GRACE);
        shared.close();
        // What destructors and hooks have spawned here since.
        worker.refuse_rest();
        has_left
    });
    // Not before: to this thread, what belongs to the first of them was a task of its own.
    shared.let_remotes_go(has_left);
    #[cfg(unix)]
    shared.reactors.end();
    drop(looking_on);
    core::mem::forget(guard);
    // Complete, so this does not wait.
    Ok(handle.join())
}

/// What looks on from outside of the workers as long as a run lasts.
struct LookingOn {
    shared: Arc<Shared>,
    _watchdog: Option<Watchdog>,
}

impl LookingOn {
    fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let observers = &shared.config.observers;
        let looking_on = Self {
            _watchdog: observers.watchdog.map(|longest| Watchdog::start(shared, longest)).transpose()?,
            shared: Arc::clone(shared),
        };
        observers.runs.lock().push(Arc::downgrade(shared));
        Ok(looking_on)
    }
}

impl Drop for LookingOn {
    fn drop(&mut self) {
        let ended = Arc::as_ptr(&self.shared);
        self.shared.config.observers.runs.lock().retain(|run| run.as_ptr() != ended);
        self.shared.watch.iter().for_each(|watch| watch.finish());
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        coroutine::abort("a worker has panicked");
    }
}

/// Starts all workers but the first.
fn start_threads(shared: &Arc<Shared>, fresh: Vec<Fresh>) -> io::Result<Vec<thread::JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (index, fresh) in (1..).zip(fresh) {
        let of_thread = Arc::clone(shared);
        let builder = thread::Builder::new().name(format!("{}{index}", shared.config.name));
        let started = builder.spawn(move || {
            let guard = AbortOnUnwind;
            let worker = Worker::new(Arc::clone(&of_thread), index, fresh);
            let all_ended = worker.on_this_thread(|| {
                worker.run(|| of_thread.phase() != Phase::Open);
                worker.close(of_thread.config.end_of_grace())
            });
            of_thread.end_worker(index, all_ended);
            core::mem::forget(guard);
        });
        match started {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                shared.phase.store(Phase::Closing as u8, Ordering::SeqCst);
                shared.wake_all();
                threads.into_iter().for_each(|thread| drop(thread.join()));
                shared.give_up(iter::once(0).chain(index..shared.remotes.len()));
                return Err(error);
            }
        }
    }
    Ok(threads)
}

/// How much later than tasks the threads that run them are given up.
const AFTER_GRACE: Duration = Duration::from_millis(100);

/// Waits for the other workers to end, until a while after the deadline: a thread with a task that computes for ever is left
/// to itself. Returns whether any tasks are left.
fn join_threads(shared: &Shared, threads: Vec<thread::JoinHandle<()>>, deadline: Instant) -> bool {
    let deadline = deadline + AFTER_GRACE;
    let mut ended = shared.ended.lock();
    while ended.0 < shared.remotes.len() && !shared.one_has_ended.wait_until(&mut ended, deadline).timed_out() {}
    let (count, has_left) = *ended;
    drop(ended);
    if count < shared.remotes.len() {
        coroutine::report(coroutine::Event::NotEnded, crate::Description::new(Some("worker"), Location::caller()));
        return true;
    }
    // The destructors of a thread's locals may wait for what they spawn.
    shared.close();
    threads.into_iter().for_each(|thread| drop(thread.join()));
    has_left
}
