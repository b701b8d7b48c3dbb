//! The arms for what is not a channel to one receiver.
#![forbid(unsafe_code)]

use super::sealed::Step;
use crate::scheduler::Resumer;
use crate::sync::mpsc::RecvError;
use crate::sync::queue::Place;
use crate::sync::work_queue::Store;
use crate::sync::{Event, Item, WaitGroup, WorkQueue, broadcast, watch};
use core::fmt;
use std::sync::Arc;

/// An arm that waits for an [`Event`]. See [`event`].
pub struct Expecting<'a> {
    event: &'a Event,
    place: Option<Place>,
    was_set: bool,
}

/// Waits until an event is set. One that is set while this waits, and cleared again, lets this go on all the same.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::Event};
///
/// let ready = Event::new();
/// ready.set();
/// let seen = select! { event(ready) => true, sleep(Duration::from_secs(60)) => false };
/// assert_eq!(seen, Ok(true));
/// ```
pub fn event(event: &Event) -> Expecting<'_> {
    Expecting { event, place: None, was_set: false }
}

impl Expecting<'_> {
    /// Nothing: it was set.
    pub fn finish(self) {}
}

impl Step for Expecting<'_> {
    fn poll(&mut self) -> bool {
        self.was_set || self.event.is_set()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.event.join(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        // The next look sees that it was set.
        if let Some(place) = self.place.take() {
            self.was_set |= self.event.leave(place);
        }
        false
    }
}

/// An arm that waits for a [`WaitGroup`]. See [`wait_group`].
pub struct Gathering<'a> {
    group: &'a WaitGroup,
    place: Option<Place>,
    is_done: bool,
}

/// Waits until all other parts of a group have been dropped. The caller's part stays, and counts for others: of two that wait in
/// this way for the same group, none goes on.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::WaitGroup, task};
///
/// switchback::run(|| {
///     let group = WaitGroup::new();
///     let part = group.clone();
///     task::spawn(move || drop(part));
///     let done = select! { wait_group(group) => true, sleep(Duration::from_secs(60)) => false };
///     assert_eq!(done, Ok(true));
/// });
/// ```
pub fn wait_group(group: &WaitGroup) -> Gathering<'_> {
    Gathering { group, place: None, is_done: false }
}

impl Gathering<'_> {
    /// Nothing: all others have been dropped.
    pub fn finish(self) {}
}

impl Step for Gathering<'_> {
    fn poll(&mut self) -> bool {
        self.is_done || self.group.is_last()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.group.join(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        if let Some(place) = self.place.take() {
            self.is_done |= self.group.leave(place);
        }
        false
    }
}

/// An arm that waits for a value that changes. See [`watch`](watch()).
pub struct Watching<'a, T> {
    receiver: &'a mut watch::Receiver<T>,
    place: Option<Place>,
}

/// Waits for a value that the receiver has not seen. It is ready when there is one, and when the sender is gone. The value counts as
/// seen only if this arm is chosen.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::watch};
///
/// let (settings, mut seen) = watch::channel("old");
/// settings.send("new");
/// let newest = select! {
///     watch(seen) -> value => value.map(|value| *value),
///     sleep(Duration::from_secs(60)) => Ok("none"),
/// };
/// assert_eq!(newest, Ok(Ok("new")));
/// ```
pub fn watch<T>(receiver: &mut watch::Receiver<T>) -> Watching<'_, T> {
    Watching { receiver, place: None }
}

impl<T> Watching<'_, T> {
    /// The newest value, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// When the last value was seen and the sender is gone.
    pub fn finish(self) -> Result<Arc<T>, RecvError> {
        self.receiver.changed().map_err(|_| RecvError)
    }
}

impl<T> Step for Watching<'_, T> {
    fn poll(&mut self) -> bool {
        self.receiver.is_ready()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.receiver.join(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        // What has come stays there, and is seen by the next look.
        self.place.take().into_iter().for_each(|place| self.receiver.leave(place));
        false
    }
}

/// An arm that receives what is sent to all. See [`broadcast`](broadcast()).
pub struct Listening<'a, T> {
    receiver: &'a mut broadcast::Receiver<T>,
    place: Option<Place>,
}

/// Receives from a broadcast channel. It is ready when there is a message, when some were missed, and when all senders are gone.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::broadcast};
///
/// let (news, mut receiver) = broadcast::channel(2);
/// news.send("one");
/// let line = select! {
///     broadcast(receiver) -> line => line.map(|line| *line),
///     sleep(Duration::from_secs(60)) => Ok("none"),
/// };
/// assert_eq!(line, Ok(Ok("one")));
/// ```
pub fn broadcast<T>(receiver: &mut broadcast::Receiver<T>) -> Listening<'_, T> {
    Listening { receiver, place: None }
}

impl<T> Listening<'_, T> {
    /// The message, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// When messages were missed, or all senders are gone.
    pub fn finish(self) -> Result<Arc<T>, broadcast::RecvError> {
        self.receiver.recv()
    }
}

impl<T> Step for Listening<'_, T> {
    fn poll(&mut self) -> bool {
        self.receiver.is_ready()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.receiver.join(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        self.place.take().into_iter().for_each(|place| self.receiver.leave(place));
        false
    }
}

/// An arm that takes an item. See [`get`].
pub struct Getting<'a, T, S> {
    queue: &'a WorkQueue<T, S>,
    place: Option<Place>,
    result: Option<Result<Item<'a, T>, RecvError>>,
}

/// Takes the next item of a [`Queue`](crate::sync::Queue), [`PriorityQueue`](crate::sync::PriorityQueue) or
/// [`LifoQueue`](crate::sync::LifoQueue). It is ready when there is one, and when the queue is closed and empty.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use switchback::{select, sync::PriorityQueue};
///
/// let queue = PriorityQueue::unbounded();
/// queue.put(1).unwrap();
/// queue.put(5).unwrap();
/// let greatest = select! {
///     get(queue) -> item => item.map(|item| item.value),
///     sleep(Duration::from_secs(60)) => Ok(0),
/// };
/// assert_eq!(greatest, Ok(Ok(5)));
/// ```
pub fn get<T: Send, S: Store<T> + Send>(queue: &WorkQueue<T, S>) -> Getting<'_, T, S> {
    Getting { queue, place: None, result: None }
}

impl<'a, T, S> Getting<'a, T, S> {
    /// The item, if this arm was chosen.
    ///
    /// # Errors
    ///
    /// When the queue is closed and empty.
    ///
    /// # Panics
    ///
    /// When it was not chosen.
    #[track_caller]
    pub fn finish(self) -> Result<Item<'a, T>, RecvError> {
        self.result.expect("the arm that was chosen")
    }
}

impl<T: Send, S: Store<T> + Send> Step for Getting<'_, T, S> {
    fn poll(&mut self) -> bool {
        if self.result.is_none() {
            self.result = self.queue.try_get().map_err(|_| RecvError).transpose();
        }
        self.result.is_some()
    }

    fn register(&mut self, resumer: &Resumer<()>) {
        self.place = self.queue.join_takers(resumer.another());
    }

    fn unregister(&mut self) -> bool {
        self.result = self.place.take().and_then(|place| self.queue.leave_takers(place)).map(Ok);
        self.result.is_some()
    }
}

impl fmt::Debug for Expecting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expecting").field(&self.event).finish()
    }
}

impl fmt::Debug for Gathering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gathering").field(&self.group).finish()
    }
}

impl<T> fmt::Debug for Watching<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Listening<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

impl<T, S> fmt::Debug for Getting<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Getting").finish_non_exhaustive()
    }
}
