//! A thread that stackful futures live on, for executors that move futures between threads.
#![forbid(unsafe_code)]

mod inbox;
mod notice;
mod promise;
mod thread;

use super::awaiter::Awaiter;
use super::stackful::Stackful;
use crate::cancelled::{CancelReason, Cancelled};
use crate::coroutine::lose;
use inbox::Inbox;
use promise::{Promised, promise};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, atomic};
use std::task::{Context, Poll};
use thread::{Hook, Message, Promising, Task};

/// A thread that runs [`stackful`](super::stackful) bodies for futures on other threads: see [`stackful_on`].
///
/// A body stays on the thread that it begins on; no library of this kind can move it soundly. Executors such as tokio's
/// multi-threaded one want to move the futures that they run. So the body lives here, and what moves is a handle that waits
/// for it; only wakers and the result cross.
///
/// Dropping the host ends all of its tasks, as dropping a [`Stackful`] does, and waits until they have ended (but does not wait
/// for itself, when it is dropped by a task of its own). What waits for them gets [`Cancelled`].
///
/// # Examples
///
/// ```
/// use futures_lite::future::{block_on, yield_now};
/// use switchback::{future::Host, stackful_on};
///
/// let host = Host::new()?;
/// let sum = stackful_on(&host, |cx| {
///     let mut sum = 0;
///     for i in 1..=3 {
///         cx.await_(yield_now())?;
///         sum += i;
///     }
///     Ok::<i32, switchback::Cancelled>(sum)
/// });
/// // It may be awaited on any thread.
/// let there = std::thread::spawn(move || block_on(sum));
/// assert_eq!(there.join().expect("no panic"), Ok(Ok(6)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Host {
    inbox: Arc<Inbox<Message>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Makes a [`Host`] with a name or a hook. Made by [`Host::builder`].
pub struct HostBuilder {
    name: String,
    hook: Hook,
}

impl Host {
    /// Starts a thread. It sleeps while there is nothing to do.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread.
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Chooses a name, or a hook.
    pub fn builder() -> HostBuilder {
        HostBuilder { name: "switchback-host".into(), hook: Box::new(|resume| resume()) }
    }
}

impl HostBuilder {
    /// The thread's name, instead of `switchback-host`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What to do around each resume of a task, the last one that ends it included: to make a runtime the current one, for
    /// instance, so that its timers and sockets can be used. The hook calls what it is given, which resumes the task.
    ///
    /// A hook that does not call it has it called afterwards, and one that panics ends that task, with its panic.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::time::Duration;
    /// use switchback::{await_, future::Host, stackful_on};
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// let handle = runtime.handle().clone();
    /// let host = Host::builder()
    ///     .enter(move |resume| {
    ///         let _entered = handle.enter();
    ///         resume();
    ///     })
    ///     .build()?;
    /// let task = runtime.spawn(stackful_on(&host, |_| {
    ///     await_(async { tokio::time::sleep(Duration::from_millis(1)).await }).map(|()| "slept")
    /// }));
    /// assert_eq!(runtime.block_on(task)?, Ok(Ok("slept")));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn enter(mut self, hook: impl FnMut(&mut dyn FnMut()) + Send + 'static) -> Self {
        self.hook = Box::new(hook);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread.
    ///
    /// # Panics
    ///
    /// When the name has a zero byte in it.
    pub fn build(self) -> io::Result<Host> {
        let inbox = Arc::new(Inbox::new());
        let (name, hook, theirs) = (self.name, self.hook, inbox.clone());
        let thread = std::thread::Builder::new().name(name).spawn(move || thread::run(theirs, hook))?;
        Ok(Host { inbox, thread: Some(thread) })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.inbox.push(Message::Stop);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It catches what its tasks panic with.
            let _ = thread.join();
        }
    }
}

/// A future of what a body on a [`Host`] returns: made by [`stackful_on`]. It may be sent to other threads, in its midst too.
///
/// Dropping it when it has begun ends the body, as dropping a [`Stackful`] does, on the body's own thread and some time later.
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct OnHost<T, F> {
    state: State<T, F>,
}

enum State<T, F> {
    Fresh { inbox: Arc<Inbox<Message>>, body: F, created_at: &'static Location<'static> },
    Sent { inbox: Arc<Inbox<Message>>, id: u64, promised: Promised<T> },
    Over,
}

/// A future that runs `body` on the thread of `host`, on a stack of its own: [`stackful`](super::stackful) for executors that
/// move futures between threads.
///
/// Nothing happens until it is polled. It does not keep the host alive.
///
/// # Errors
///
/// The future's output is [`Cancelled`] when the host is gone before the body has come to its end.
///
/// # Panics
///
/// A poll panics when the body does, with its payload, and after the future has completed.
///
/// # Examples
///
/// ```
/// use futures_lite::future::block_on;
/// use switchback::{CancelReason, future::Host, stackful_on};
///
/// let host = Host::new()?;
/// let never = stackful_on(&host, |cx| cx.await_or_unwind(std::future::pending::<()>()));
/// drop(host);
/// assert_eq!(block_on(never).map_err(|cancelled| cancelled.reason().clone()), Err(CancelReason::Dropped));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn stackful_on<T, F>(host: &Host, body: F) -> OnHost<T, F>
where
    F: FnOnce(&Awaiter) -> T + Send + 'static,
    T: Send + 'static,
{
    OnHost { state: State::Fresh { inbox: host.inbox.clone(), body, created_at: Location::caller() } }
}

impl<T, F> OnHost<T, F>
where
    F: FnOnce(&Awaiter) -> T + Send + 'static,
    T: Send + 'static,
{
    /// Sends a fresh one's body to its thread.
    fn begin(&mut self) {
        if let State::Fresh { .. } = self.state
            && let State::Fresh { inbox, body, created_at } = mem::replace(&mut self.state, State::Over)
        {
            let (id, (promise, promised)) = (inbox.new_id(), promise());
            let make = move || -> Box<dyn Task> {
                Box::new(Promising { future: Some(Stackful::fresh(body, created_at)), promise })
            };
            inbox.push(Message::Start(id, Box::new(make)));
            self.state = State::Sent { inbox, id, promised };
        }
    }
}

impl<T, F> Unpin for OnHost<T, F> {}

impl<T, F> Future for OnHost<T, F>
where
    F: FnOnce(&Awaiter) -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.begin();
        let State::Sent { promised, .. } = &this.state else {
            panic!("a future of a host's task was polled after it had completed");
        };
        let Poll::Ready(outcome) = promised.poll(cx) else { return Poll::Pending };
        this.state = State::Over;
        match outcome {
            Some(Ok(value)) => Poll::Ready(Ok(value)),
            Some(Err(payload)) => resume_unwind(payload),
            None => Poll::Ready(Err(Cancelled::alone(CancelReason::Dropped))),
        }
    }
}

impl<T, F> Drop for OnHost<T, F> {
    fn drop(&mut self) {
        if let State::Sent { inbox, id, promised } = &self.state
            && promised.leave()
        {
            inbox.push(Message::Cancel(*id));
        }
    }
}

/// Goes on whatever `f`, a destructor or a waker of somebody's, does. Its message has been printed.
fn guarded(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        lose(payload);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("thread", &self.thread.as_ref().map(|thread| thread.thread())).finish()
    }
}

impl fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for OnHost<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Fresh { .. } => "Fresh",
            State::Sent { .. } => "Sent",
            State::Over => "Over",
        };
        f.debug_struct("OnHost").field("state", &state).finish()
    }
}
