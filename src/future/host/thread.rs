//! The thread of a host, and the tasks on it.
#![forbid(unsafe_code)]

use super::guarded;
use super::inbox::Inbox;
use super::notice::Notice;
use super::promise::Promise;
use crate::future::stackful::Stackful;
use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What is called around each resume of a task.
pub(super) type Hook = Box<dyn FnMut(&mut dyn FnMut()) + Send>;

pub(super) enum Message {
    /// A new task, to be made on its thread.
    Start(u64, Box<dyn FnOnce() -> Box<dyn Task> + Send>),
    Wake(u64),
    /// Nobody waits for this one any more.
    Cancel(u64),
    Stop,
}

/// A body, and what it has promised.
pub(super) trait Task {
    /// Runs the body until it waits or ends. Whether it has ended.
    fn poll(&mut self, waker: &Waker) -> bool;

    /// Ends the body, which may panic. Its promise is kept with `because`, if there was a reason, or with that panic.
    fn close(&mut self, because: Option<Box<dyn Any + Send>>);
}

/// The body is gone once the promise is kept.
pub(super) struct Promising<T, F> {
    pub(super) future: Option<Stackful<T, F>>,
    pub(super) promise: Promise<T>,
}

impl<T, F> Task for Promising<T, F>
where
    Stackful<T, F>: Future<Output = T>,
{
    fn poll(&mut self, waker: &Waker) -> bool {
        let Some(future) = &mut self.future else { return true };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(&mut Context::from_waker(waker))));
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(payload),
        };
        self.future = None;
        self.promise.keep(Some(outcome));
        true
    }

    fn close(&mut self, because: Option<Box<dyn Any + Send>>) {
        let future = self.future.take();
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(future))).err();
        let (first, second) = if because.is_some() { (because, panicked) } else { (panicked, None) };
        guarded(|| drop(second));
        self.promise.keep(first.map(Err));
    }
}

/// What wakes a task: puts its number into the inbox, unless it is there already.
struct Alarm {
    id: u64,
    notice: Notice,
    inbox: Arc<Inbox<Message>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.notice.give() {
            self.inbox.push(Message::Wake(self.id));
        }
    }
}

struct Entry {
    task: Box<dyn Task>,
    alarm: Arc<Alarm>,
    waker: Waker,
}

/// The whole life of a host's thread.
pub(super) fn run(inbox: Arc<Inbox<Message>>, mut hook: Hook) {
    let mut tasks: BTreeMap<u64, Entry> = BTreeMap::new();
    loop {
        match inbox.next() {
            Message::Start(id, make) => {
                let alarm = Arc::new(Alarm { id, notice: Notice::new(), inbox: inbox.clone() });
                let entry = Entry { task: make(), waker: Waker::from(alarm.clone()), alarm };
                tasks.insert(id, entry);
                poll(&mut tasks, id, &mut hook);
            }
            Message::Wake(id) => poll(&mut tasks, id, &mut hook),
            Message::Cancel(id) => {
                if let Some(entry) = tasks.remove(&id) {
                    close(entry, &mut hook);
                }
            }
            Message::Stop => break,
        }
    }
    inbox.close();
    // In the order in which they began.
    for (_, entry) in tasks {
        close(entry, &mut hook);
    }
    guarded(|| drop(hook));
}

fn poll(tasks: &mut BTreeMap<u64, Entry>, id: u64, hook: &mut Hook) {
    let Some(Entry { task, alarm, waker }) = tasks.get_mut(&id) else { return };
    // Before the poll: a wake in the midst of it counts.
    alarm.notice.take();
    let mut has_ended = None;
    let hooked = hooked(hook, &mut || has_ended = Some(task.poll(waker)));
    if let (Some(false), Ok(())) = (has_ended, &hooked) {
        return;
    }
    if let Some(mut entry) = tasks.remove(&id) {
        guarded(|| entry.task.close(hooked.err()));
        guarded(|| drop(entry));
    }
}

fn close(mut entry: Entry, hook: &mut Hook) {
    let hooked = hooked(hook, &mut || entry.task.close(None));
    guarded(|| entry.task.close(hooked.err()));
    guarded(|| drop(entry));
}

/// Calls `f` inside of the hook, once, whatever the hook does.
fn hooked(hook: &mut Hook, f: &mut dyn FnMut()) -> Result<(), Box<dyn Any + Send>> {
    let mut is_due = true;
    catch_unwind(AssertUnwindSafe(|| {
        hook(&mut || {
            if mem::take(&mut is_due) {
                f();
            }
        });
        if mem::take(&mut is_due) {
            f();
        }
    }))
}
