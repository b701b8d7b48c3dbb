//! A strict executor, and futures that are ready when a test wants them to be.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a test waits for what never comes. Nothing is asserted of times; what is lost must not hang for ever.
const WATCHDOG: Duration = Duration::from_secs(60);

/// What a waker of these tests does: counts, and wakes the thread.
pub(crate) struct Flag {
    wakes: AtomicUsize,
    thread: Thread,
}

impl Flag {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { wakes: AtomicUsize::new(0), thread: thread::current() })
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Acquire)
    }

    #[track_caller]
    pub(crate) fn wait(&self) {
        let start = Instant::now();
        while self.wakes() == 0 {
            assert!(start.elapsed() < WATCHDOG, "never woken");
            thread::park_timeout(Duration::from_secs(1));
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}

/// Polls once, with a waker that nobody has seen before and that is gone when this returns.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, Arc<Flag>) {
    let flag = Flag::new();
    let waker = Waker::from(flag.clone());
    let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
    (polled, flag)
}

/// Polls until it is ready: with a new waker each time, and only when the newest one was woken.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let (polled, flag) = poll(&mut future);
        match polled {
            Poll::Ready(output) => return output,
            Poll::Pending => flag.wait(),
        }
    }
}

/// Closed until it is opened, by anybody.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn open(&self) {
        let waker = {
            let mut state = self.0.lock().expect("no panic inside");
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes who waits, without being open.
    pub(crate) fn shake(&self) {
        let waker = self.0.lock().expect("no panic inside").1.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Ready when the gate is open. Only the newest waker is kept.
impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().expect("no panic inside");
        if state.0 {
            return Poll::Ready(());
        }
        let old = state.1.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

/// Pending once, and woken at once.
#[derive(Default)]
pub(crate) struct Soon(bool);

impl Future for Soon {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

pub(crate) fn soon() -> Soon {
    Soon::default()
}

/// Calls `f` in a process of its own, which runs the test called `name` again: for what belongs to the process.
pub(crate) fn apart(name: &str, f: impl FnOnce()) {
    if crate::process::alone(name, "") {
        f();
    }
}
