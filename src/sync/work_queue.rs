//! Queues of work, from which all workers take, and of which one can wait until all is done.
#![forbid(unsafe_code)]

use super::faces::{RecvError, SendError};
use super::queue::{Place, WaitQueue};
use super::wait::{self, Guarded, join_in, wait_in};
use crate::cancelled::Cancelled;
use crate::scheduler::{Limit, Resumer, Stopped};
use core::cell::Cell;
use core::{fmt, mem};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod sealed {
    use std::collections::VecDeque;

    /// In which order items are taken.
    pub trait Store<T>: Default {
        fn put(&mut self, item: T);
        /// Takes one out. It is in its place before anything is compared, which may panic.
        fn take(&mut self, into: &mut Option<T>);
        fn count(&self) -> usize;
    }

    /// A binary heap. Unlike std's it drops nothing when a comparison panics.
    pub struct Heap<T>(Vec<T>);

    impl<T> Default for Heap<T> {
        fn default() -> Self {
            Self(Vec::new())
        }
    }

    impl<T: Ord> Store<T> for Heap<T> {
        fn put(&mut self, item: T) {
            let mut at = self.0.len();
            self.0.push(item);
            while at > 0 && self.0[at] > self.0[(at - 1) / 2] {
                self.0.swap(at, (at - 1) / 2);
                at = (at - 1) / 2;
            }
        }

        fn take(&mut self, into: &mut Option<T>) {
            if self.0.is_empty() {
                return;
            }
            *into = Some(self.0.swap_remove(0));
            let mut at = 0;
            while let Some(left) = self.0.get(2 * at + 1) {
                let is_right_greater = self.0.get(2 * at + 2).is_some_and(|right| right > left);
                let child = 2 * at + 1 + usize::from(is_right_greater);
                if self.0[at] >= self.0[child] {
                    break;
                }
                self.0.swap(at, child);
                at = child;
            }
        }

        fn count(&self) -> usize {
            self.0.len()
        }
    }

    impl<T> Store<T> for VecDeque<T> {
        fn put(&mut self, item: T) {
            self.push_back(item);
        }

        fn take(&mut self, into: &mut Option<T>) {
            *into = self.pop_front();
        }

        fn count(&self) -> usize {
            self.len()
        }
    }

    impl<T> Store<T> for Vec<T> {
        fn put(&mut self, item: T) {
            self.push(item);
        }

        fn take(&mut self, into: &mut Option<T>) {
            *into = self.pop();
        }

        fn count(&self) -> usize {
            self.len()
        }
    }
}

use sealed::Heap;
pub(super) use sealed::Store;

/// A queue of work: first in, first out.
///
/// Any number of tasks put and take. Those that wait do so in the order in which they came. What is taken is an [`Item`], and
/// counts as done when its [`Pending`] is dropped: [`join`](WorkQueue::join) waits until all is.
///
/// # Examples
///
/// ```
/// use switchback::{sync::{Arc, Queue}, task};
///
/// switchback::run(|| {
///     let queue = Arc::new(Queue::bounded(2));
///     for _ in 0..2 {
///         let queue = Arc::clone(&queue);
///         task::spawn(move || {
///             while let Ok(item) = queue.get() {
///                 println!("{}", item.value * 2);
///             } // the item is done
///         });
///     }
///     for n in 0..10 {
///         queue.put(n).unwrap();
///     }
///     queue.join().unwrap(); // all ten are done
///     queue.close(); // and the two leave their loops
/// });
/// ```
pub type Queue<T> = WorkQueue<T, VecDeque<T>>;

/// A queue of work: the greatest first. [`Reverse`](std::cmp::Reverse) makes it the least. Which of equal ones comes first is not
/// said. Otherwise it is a [`Queue`]. Items are compared while the queue is locked: that must not wait, nor use the queue.
///
/// # Examples
///
/// ```
/// use switchback::sync::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// for job in [(1, "later"), (9, "first"), (5, "then")] {
///     queue.put(job).unwrap();
/// }
/// assert_eq!(queue.get().unwrap().value, (9, "first"));
/// assert_eq!(queue.try_get().unwrap().unwrap().value, (5, "then"));
/// ```
pub type PriorityQueue<T> = WorkQueue<T, Heap<T>>;

/// A queue of work: last in, first out. Otherwise it is a [`Queue`].
pub type LifoQueue<T> = WorkQueue<T, Vec<T>>;

/// What [`Queue`], [`PriorityQueue`] and [`LifoQueue`] have in common.
pub struct WorkQueue<T, S> {
    /// Not a latch: where there are priorities, they are compared by code of users.
    state: Mutex<State<T, S>>,
    capacity: usize,
}

struct State<T, S> {
    items: S,
    is_closed: bool,
    /// How many have been put and are not done.
    unfinished: usize,
    takers: WaitQueue<Taker<T>>,
    /// Items for takers that wait for several things, until these come for them.
    handed: BTreeMap<Place, T>,
    /// They are sent none when their item is in, and the item when the queue is closed.
    givers: WaitQueue<(T, Resumer<Option<T>>)>,
    /// Items of givers that did not wait any more when it was their turn.
    kept: BTreeMap<Place, T>,
    joiners: WaitQueue<Resumer<()>>,
}

enum Taker<T> {
    /// It is sent an item, or none when the queue is closed.
    Alone(Resumer<Option<T>>),
    /// It finds an item at its place, or looks again when the queue is closed.
    Several(Resumer<()>),
}

/// What was taken from a queue.
#[derive(Debug)]
pub struct Item<'a, T> {
    /// The thing itself.
    pub value: T,
    /// Dropped when the work is done.
    pub pending: Pending<'a>,
}

/// Work that is not done before this is dropped.
pub struct Pending<'a> {
    done: &'a (dyn Done + 'a),
}

trait Done: Sync {
    fn done(&self);
}

impl<T: Send, S: Send> Done for WorkQueue<T, S> {
    fn done(&self) {
        let waiting = self.state.lock().done();
        waiting.into_iter().for_each(wait::wake_all);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.done.done();
    }
}

impl fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// What became of an item that was to be put.
enum Put<T> {
    Done,
    Full(T),
    Closed(T),
}

impl<T, S: Store<T>> State<T, S> {
    fn put(&mut self, item: T, capacity: usize) -> Put<T> {
        if self.is_closed {
            return Put::Closed(item);
        }
        if !self.givers.is_empty() || (self.takers.is_empty() && self.items.count() >= capacity) {
            return Put::Full(item);
        }
        match self.insert(item, capacity) {
            Some(item) => Put::Full(item),
            None => Put::Done,
        }
    }

    /// Gives the item to a taker, or keeps it if there is room.
    fn insert(&mut self, item: T, capacity: usize) -> Option<T> {
        if let Some(item) = self.hand(item) {
            if self.items.count() >= capacity {
                return Some(item);
            }
            // Counted first: where priorities are compared, it is in even if that panics.
            self.unfinished += 1;
            self.items.put(item);
        } else {
            self.unfinished += 1;
        }
        None
    }

    /// Gives the item to the first taker that still waits.
    fn hand(&mut self, item: T) -> Option<T> {
        while let Some((place, taker)) = self.takers.pop() {
            match taker {
                Taker::Alone(resumer) => {
                    let Some(claimed) = resumer.claim() else { continue };
                    claimed.send(Some(item));
                }
                Taker::Several(resumer) => {
                    let Some(claimed) = resumer.claim() else { continue };
                    self.handed.insert(place, item);
                    claimed.send(());
                }
            }
            return None;
        }
        Some(item)
    }

    /// Takes an item, by way of `lost`: there it stays if a comparison panics, for the caller to drop where nothing is locked.
    fn get(&mut self, capacity: usize, lost: &mut Option<T>) -> Option<Option<T>> {
        if !self.takers.is_empty() {
            // What comes is for those that wait.
            return None;
        }
        let mut taking = Taking(self);
        let Taking(state) = &mut taking;
        state.items.take(lost);
        while lost.is_some()
            && state.items.count() < capacity
            && let Some((place, (item, giver))) = state.givers.pop()
        {
            match giver.claim() {
                Some(giver) => {
                    state.unfinished += 1;
                    state.items.put(item);
                    giver.send(None);
                }
                None => drop(state.kept.insert(place, item)),
            }
        }
        mem::forget(taking);
        if lost.is_some() || self.is_closed { Some(lost.take()) } else { None }
    }
}

impl<T, S> State<T, S> {
    /// One is done. Returns who has waited for that.
    fn done(&mut self) -> Option<WaitQueue<Resumer<()>>> {
        self.unfinished -= 1;
        (self.unfinished == 0).then(|| self.joiners.take_all())
    }
}

/// An item is taken out. It is lost if a comparison panics meanwhile, and is done then: nobody waits for it.
struct Taking<'a, T, S>(&'a mut State<T, S>);

impl<T, S> Drop for Taking<'_, T, S> {
    fn drop(&mut self) {
        self.0.done().into_iter().for_each(wait::wake_all);
    }
}

impl<T: Send, S: Store<T> + Send> WorkQueue<T, S> {
    /// A queue for any number.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::with_capacity(usize::MAX)
    }

    /// A queue for `capacity` items that nobody has taken: who puts more waits.
    ///
    /// # Panics
    ///
    /// When `capacity` is zero.
    #[must_use]
    #[track_caller]
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "a queue must have room for an item");
        Self::with_capacity(capacity)
    }

    fn with_capacity(capacity: usize) -> Self {
        let state = State {
            items: S::default(),
            is_closed: false,
            unfinished: 0,
            takers: WaitQueue::new(),
            handed: BTreeMap::new(),
            givers: WaitQueue::new(),
            kept: BTreeMap::new(),
            joiners: WaitQueue::new(),
        };
        Self { state: Mutex::new(state), capacity }
    }

    /// Puts an item in, and waits for room.
    ///
    /// # Errors
    ///
    /// The item: when the queue is closed; and when it would have to wait, and the task is cancelled, or cannot be suspended.
    pub fn put(&self, item: T) -> Result<(), SendError<T>> {
        self.put_until(item, Limit::Never).map(drop)
    }

    /// [`put`](Self::put) that waits for that long at most: the item, if the time is over.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn put_timeout(&self, item: T, longest: Duration) -> Result<Option<T>, SendError<T>> {
        self.put_until(item, Limit::After(longest))
    }

    /// [`put`](Self::put) that does not wait: the item, if there is no room.
    ///
    /// # Errors
    ///
    /// The item, when the queue is closed.
    pub fn try_put(&self, item: T) -> Result<Option<T>, SendError<T>> {
        match self.state.lock().put(item, self.capacity) {
            Put::Done => Ok(None),
            Put::Full(item) => Ok(Some(item)),
            Put::Closed(item) => Err(SendError::Closed(item)),
        }
    }

    fn put_until(&self, item: T, limit: Limit) -> Result<Option<T>, SendError<T>> {
        let item = Cell::new(Some(item));
        let attempt = |state: &mut State<T, S>| match state.put(item.take()?, self.capacity) {
            Put::Done => Some(None),
            Put::Closed(item) => Some(Some(item)),
            Put::Full(back) => {
                item.set(Some(back));
                None
            }
        };
        let waited = wait_in(
            &self.state,
            limit,
            attempt,
            |state, resumer| {
                let item = item.take().unwrap_or_else(|| unreachable!("there was no room for it"));
                state.givers.push((item, resumer))
            },
            |state, place| {
                let back = state.givers.remove(place).map(|(item, _)| item);
                item.set(back.or_else(|| state.kept.remove(&place)));
            },
        );
        let back = item.take();
        match (waited, back) {
            (Ok(None), _) | (Err(_), None) => Ok(None),
            (Ok(Some(item)), _) => Err(SendError::Closed(item)),
            (Err(Stopped::TimedOut), Some(item)) => Ok(Some(item)),
            (Err(Stopped::Cancelled(cancelled) | Stopped::Refused(cancelled)), Some(item)) => {
                Err(SendError::Cancelled(item, cancelled))
            }
        }
    }

    /// Takes the next item, and waits for one.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] when the queue is closed and empty; [`RecvError::Cancelled`] when it would have to wait, and the
    /// task is cancelled, or cannot be suspended.
    pub fn get(&self) -> Result<Item<'_, T>, RecvError> {
        self.item(wait::told(self.get_until(Limit::Never))?)
    }

    /// [`get`](Self::get) that waits for that long at most: none if the time is over.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, longest: Duration) -> Result<Option<Item<'_, T>>, RecvError> {
        wait::timed(self.get_until(Limit::After(longest)))?.map(|item| self.item(item)).transpose()
    }

    /// [`get`](Self::get) that does not wait: none, if there is nothing.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] when the queue is closed and empty.
    pub fn try_get(&self) -> Result<Option<Item<'_, T>>, RecvError> {
        let mut lost = None;
        let item = self.state.lock().get(self.capacity, &mut lost);
        item.map(|item| self.item(item)).transpose()
    }

    fn item(&self, item: Option<T>) -> Result<Item<'_, T>, RecvError> {
        item.map(|value| Item { value, pending: Pending { done: self } }).ok_or(RecvError::Closed)
    }

    fn get_until(&self, limit: Limit) -> Result<Option<T>, Stopped> {
        let mut lost = None;
        wait_in(
            &self.state,
            limit,
            |state| state.get(self.capacity, &mut lost),
            |state, resumer| state.takers.push(Taker::Alone(resumer)),
            |state, place| drop(state.takers.remove(place)),
        )
    }

    /// See [`join_in`].
    pub(super) fn join_takers(&self, resumer: Resumer<()>) -> Option<Place> {
        join_in(
            &self.state,
            |state| state.is_closed || state.items.count() != 0,
            |state, resumer| state.takers.push(Taker::Several(resumer)),
            resumer,
        )
    }

    /// Takes a taker that waits for several things out of the queue, with the item that it was given.
    pub(super) fn leave_takers(&self, place: Place) -> Option<Item<'_, T>> {
        let mut state = self.state.lock();
        drop(state.takers.remove(place));
        let value = state.handed.remove(&place)?;
        drop(state);
        Some(Item { value, pending: Pending { done: self } })
    }

    /// Waits until all that was put is done.
    ///
    /// # Errors
    ///
    /// When it would have to wait, and the task is cancelled, or cannot be suspended.
    pub fn join(&self) -> Result<(), Cancelled> {
        wait::told(wait_in(
            &self.state,
            Limit::Never,
            |state| (state.unfinished == 0).then_some(()),
            |state, resumer| state.joiners.push(resumer),
            |state, place| drop(state.joiners.remove(place)),
        ))
    }

    /// Nothing is put in any more; what is there can be taken. Those that wait with an item have it back.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let mut takers = state.takers.take_all();
        let mut givers = state.givers.take_all();
        let mut back = Vec::new();
        while let Some((place, (item, giver))) = givers.pop() {
            match giver.claim() {
                Some(giver) => back.push((giver, item)),
                None => drop(state.kept.insert(place, item)),
            }
        }
        drop(state);
        for (giver, item) in back {
            giver.send(Some(item));
        }
        while let Some((_, taker)) = takers.pop() {
            match taker {
                Taker::Alone(resumer) => drop(resumer.send(None)),
                Taker::Several(resumer) => drop(resumer.send(())),
            }
        }
    }

    /// How many items nobody has taken.
    pub fn len(&self) -> usize {
        self.state.with(|state| state.items.count())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T, S> fmt::Debug for WorkQueue<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("WorkQueue");
        if let Some(state) = self.state.try_lock() {
            debug.field("unfinished", &state.unfinished).field("is_closed", &state.is_closed);
        }
        debug.finish_non_exhaustive()
    }
}
