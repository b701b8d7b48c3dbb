//! Blocking work on threads beside the workers, while the task waits as a task.

#[cfg(unix)]
use super::cancel;
use super::claim::{Claimed, Limit, Stopped, suspend_caught_until};
use super::current::{Current, tell_wait};
use super::life::drop_quietly;
use super::shared::Shared;
use super::suspend::Resumer;
use super::threads::{Refused, Work};
use crate::cancelled::{CancelReason, Cancelled};
use core::mem;
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// Runs `f` on a thread beside the workers, and returns what it returns: for what would hold up the worker and its tasks, as files,
/// the system's resolver, or a long computation. The calling task waits, and the others run.
///
/// The threads are those of the runtime: they are started when they are needed,
/// [so many at most](crate::RuntimeBuilder::offload_threads), and end when they have been idle for some seconds. If all are taken,
/// work is done in the order in which it came. So what is offloaded should not wait for something else that is.
///
/// `f` may borrow, because nothing cuts this short: neither a cancellation, nor a [`timeout`](crate::task::timeout) around it, of
/// which the next call that waits tells. [`task::offload`](crate::task::offload) is cut short. When the runtime ends,
/// `f` is waited for like the task that waits for it, for the [grace period](crate::RuntimeBuilder::grace).
///
/// It runs in place where nothing can be suspended: outside of a task, in what is offloaded itself, in a destructor while a panic
/// unwinds, in the closure of a [`suspend`](crate::task::suspend); and where no thread can be had. Inside `f` there is no task:
/// its calls of this crate are those of a thread, and nothing can be spawned there but through a [`Handle`](crate::Handle).
///
/// # Panics
///
/// When `f` does, with its payload.
///
/// # Examples
///
/// ```
/// use std::{fs, path::Path};
/// use switchback::offload;
///
/// fn lines(path: &Path) -> std::io::Result<usize> {
///     let text = offload(|| fs::read_to_string(path))?; // other tasks run meanwhile
///     Ok(text.lines().count())
/// }
///
/// switchback::run(|| {
///     assert!(lines(Path::new("Cargo.toml")).is_ok_and(|lines| lines > 10));
///     assert!(lines(Path::new("no/such/file")).is_err());
/// });
/// ```
#[track_caller]
pub fn offload<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    // SAFETY: it is shielded.
    match unsafe { run(f, CutShort::Never, Limit::Never, Location::caller()) } {
        Ok(value) => value,
        // By the end of the runtime, which has given up the task; a worker that is late may run it once more.
        Err(stopped) => panic!("what was offloaded cannot be waited for any more: {}", cancelled(stopped)),
    }
}

/// [`offload`](crate::offload()) that is cut short when the task is cancelled. It cannot borrow.
///
/// If nobody has begun `f` by then, it never runs, and is dropped. Else it runs to its end, as a thread cannot be stopped, and the
/// thread drops what it returns, or panics with. A result that is there when the cancellation comes is returned.
///
/// # Errors
///
/// When the task, or the part of it that this is called in, is cancelled, or the time of a [`timeout`](crate::task::timeout)
/// around it is over. If it was cancelled before, `f` does not run.
///
/// # Panics
///
/// When `f` does, with its payload.
///
/// # Examples
///
/// ```
/// use std::{sync::mpsc, time::Duration};
/// use switchback::task;
///
/// switchback::run(|| {
///     assert_eq!(task::offload(|| 5), Ok(5));
///
///     let (sender, receiver) = mpsc::channel::<()>(); // of threads: its `recv` would hold up the worker
///     let late = task::timeout(Duration::from_millis(1), || task::offload(move || receiver.recv()));
///     assert!(late.is_err());
///     drop(sender); // the thread goes on, and is waited for by `run`
/// });
/// ```
#[track_caller]
pub fn offload_or_cancelled<F, T>(f: F) -> Result<T, Cancelled>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: they borrow nothing.
    unsafe { run(f, CutShort::Always, Limit::Never, Location::caller()) }.map_err(cancelled)
}

/// [`offload_or_cancelled`] that is cut short when the time is over as well. In place, there is no limit.
#[cfg(feature = "capi")]
#[track_caller]
pub(crate) fn offload_until<F, T>(limit: Limit, f: F) -> Result<T, Stopped>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: they borrow nothing.
    unsafe { run(f, CutShort::Always, limit, Location::caller()) }
}

/// [`offload`] that is cut short, by a cancellation or when the time is over, as long as no thread has begun `f`, which never runs
/// then. In place, there is no limit. Where the task was cancelled before, it is not, if a thread has time at once.
#[cfg(unix)]
#[track_caller]
pub(crate) fn offload_unless_late<F, T>(limit: Limit, f: F) -> Result<T, Stopped>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let is_late = Current::with(|current| current.is_some_and(|current| cancel::is_pending(current.running)));
    let cut_short = if is_late { CutShort::UnlessAtOnce } else { CutShort::UntilBegun };
    // SAFETY: it is not cut short when it has begun.
    unsafe { run(f, cut_short, limit, Location::caller()) }
}

/// When a cancellation, or the time, ends the wait for what is offloaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CutShort {
    Never,
    /// Of files that are sent, which is for Unix.
    #[cfg_attr(not(unix), allow(dead_code))]
    UntilBegun,
    /// Never, nor is there a limit, if a thread has time at once. Else as `UntilBegun`.
    #[cfg_attr(not(unix), allow(dead_code))]
    UnlessAtOnce,
    Always,
}

/// Why a wait without a limit has ended.
#[cold]
fn cancelled(stopped: Stopped) -> Cancelled {
    match stopped {
        Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled) => cancelled,
        Stopped::TimedOut => unreachable!("there is no limit"),
    }
}

/// A closure, and who waits for its end.
struct Job<F, T> {
    /// Dropped first: it may borrow from the frames of who is resumed (invariant 46).
    f: Quiet<F>,
    waiter: Waiter<thread::Result<T>>,
}

/// Who is to have the outcome.
enum Waiter<T> {
    /// One that never gives up, or may do so at any time.
    Any(Resumer<T>),
    /// One that may give up until the job begins.
    UntilBegun(Resumer<T>),
    /// That one, which has not.
    Begun(Claimed<T>),
    GivenUp,
}

impl<T> Waiter<T> {
    fn begin(&mut self) -> bool {
        *self = match mem::replace(self, Self::GivenUp) {
            Self::UntilBegun(resumer) => resumer.claim().map_or(Self::GivenUp, Self::Begun),
            other => other,
        };
        !matches!(self, Self::GivenUp)
    }

    fn send(self, outcome: T) {
        match self {
            Self::Any(resumer) | Self::UntilBegun(resumer) => {
                if let Err(unwanted) = resumer.send(outcome) {
                    drop_quietly(Some(unwanted));
                }
            }
            Self::Begun(claimed) => claimed.send(outcome),
            Self::GivenUp => drop_quietly(Some(outcome)),
        }
    }
}

/// What is dropped without a panic that goes on.
struct Quiet<F>(Option<F>);

impl<F> Drop for Quiet<F> {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

impl<F, T> Work for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn begin(&mut self) -> bool {
        self.waiter.begin()
    }

    fn run(self: Box<Self>) {
        let Self { f: mut quiet, waiter } = *self;
        let Some(f) = quiet.0.take() else { return };
        waiter.send(panic::catch_unwind(AssertUnwindSafe(f)));
    }
}

/// # Safety
///
/// It is never cut short and there is no limit, or only until it has begun (or never, if that is at once), or neither `F` nor `T`
/// borrows.
unsafe fn run<F, T>(
    f: F,
    cut_short: CutShort,
    limit: Limit,
    called_at: &'static Location<'static>,
) -> Result<T, Stopped>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    Current::with(|current| {
        let Some(Current { running }) = current else { return Ok(f()) };
        let shared = running.worker().shared();
        let mut f = Some(f);
        let mut queued = Err(Refused::NoThread);
        let at_once = cut_short == CutShort::UnlessAtOnce;
        let (shielded, until) = if at_once { (true, Limit::Never) } else { (cut_short == CutShort::Never, limit) };
        let ignored = running.ignored.get();
        let counted = Counted::new(&shared.offloaded);
        // Caught, as it starts a thread, which std may panic in.
        let waited = suspend_caught_until(until, shielded, |resumer| {
            tell_wait("offloaded work", None);
            queued = shared.threads.queue(called_at, at_once, || {
                let until_begun = cut_short == CutShort::UntilBegun;
                let waiter = if until_begun { Waiter::UntilBegun(resumer) } else { Waiter::Any(resumer) };
                let job: Box<dyn Work + '_> = Box::new(Job { f: Quiet(f.take()), waiter });
                // SAFETY: the types differ in how long they may live. Where the closure borrows, this frame does not leave
                // before the job has been used up (invariant 46).
                unsafe { mem::transmute::<Box<dyn Work + '_>, Box<dyn Work + 'static>>(job) }
            });
        });
        // What runs in place takes the time that it takes.
        drop(counted);
        match (waited, f) {
            (Ok(Ok(value)), _) => Ok(value),
            (Ok(Err(payload)), _) => panic::resume_unwind(payload),
            (Err(stopped @ (Stopped::Cancelled(_) | Stopped::TimedOut)), _) => {
                take_back(shared, queued.ok());
                Err(stopped)
            }
            (Err(_), Some(f)) if queued == Err(Refused::Busy) => {
                // That was no wait, and the cancellation is ignored for as long as before.
                running.ignored.set(ignored);
                // SAFETY: as for this function.
                unsafe { run(f, CutShort::UntilBegun, limit, called_at) }
            }
            // It was not queued: there is nothing to suspend here, or no thread.
            (Err(_), Some(f)) => Ok(f()),
            // It was dropped with its queue, by the end of the runtime.
            (Err(_), None) => {
                Err(Stopped::Cancelled(Cancelled::new(CancelReason::Shutdown, running.header().scope_id())))
            }
        }
    })
}

/// Nobody waits for it any more.
fn take_back(shared: &Shared, number: Option<u64>) {
    let unwanted = number.and_then(|number| shared.threads.take_back(number));
    drop(unwanted);
}

/// Counts a task that waits for a thread, for as long as it does: meanwhile a virtual clock stands still.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::offload_unless_late;
    use crate::scheduler::{Limit, current, spawn_local, spawn_on, yield_now};
    use std::hint;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn what_a_thread_has_begun_is_waited_for() {
        crate::run(|| {
            let (begun, has_begun) = channel();
            let (end, ends) = channel::<()>();
            let waits = spawn_local(move || {
                let borrowed = &String::from("here");
                offload_unless_late(Limit::Never, move || {
                    begun.send(()).expect("it is awaited");
                    ends.recv().map_or(borrowed.len(), |()| 0)
                })
            });
            while has_begun.try_recv().is_err() {
                yield_now().expect("not cancelled");
            }
            assert!(waits.cancel());
            for _ in 0..3 {
                yield_now().expect("not cancelled");
            }
            assert!(!waits.is_finished());
            drop(end);
            assert!(matches!(waits.join().expect("no panic"), Ok(4)));
        });
    }

    /// Both see that the only thread has time, and one is too late.
    #[test]
    fn who_was_cancelled_before_does_not_wait_for_a_thread_that_another_takes() {
        let runtime = crate::Runtime::builder().workers(2).offload_threads(1).build().expect("a runtime");
        let rounds = if cfg!(switchback_valgrind) { 20 } else { 400 };
        let [come, gone] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let has_waited = Arc::new(AtomicBool::new(false));
        let meet = |place: &AtomicUsize, round: usize| {
            place.fetch_add(1, Ordering::SeqCst);
            let mut looks = 0;
            // Each is alone on its worker.
            while place.load(Ordering::SeqCst) < 2 * round + 2 {
                looks += 1;
                if looks < 1_000 { hint::spin_loop() } else { thread::yield_now() }
            }
        };
        runtime.run(|| {
            let tasks = [0, 1].map(|worker| {
                let (come, gone, has_waited) = (Arc::clone(&come), Arc::clone(&gone), Arc::clone(&has_waited));
                spawn_on(worker, move || {
                    current().expect("a task").cancel();
                    for round in 0..rounds {
                        meet(&come, round);
                        let _ = offload_unless_late(Limit::Never, || {
                            let mut looks = 0;
                            while gone.load(Ordering::SeqCst) == 2 * round && !has_waited.load(Ordering::SeqCst) {
                                thread::sleep(Duration::from_micros(50));
                                looks += 1;
                                has_waited.fetch_or(looks == 20_000, Ordering::SeqCst);
                            }
                        });
                        meet(&gone, round);
                        // For the thread to have time again.
                        thread::sleep(Duration::from_micros(500));
                    }
                })
            });
            tasks.into_iter().for_each(|task| task.join().expect("it ends well"));
        });
        assert!(!has_waited.load(Ordering::SeqCst), "one has waited for the other");
    }
}
