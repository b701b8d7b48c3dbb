//! A worker's own queues.

#[cfg(unix)]
use super::ahead::Ahead;
use super::header::Header;
use super::inbox::{Linked, set_next};
use core::cell::{Cell, RefCell};
use core::ptr::{self, NonNull};
use crossbeam_deque::{Steal, Stealer, Worker as Deque};
use std::collections::VecDeque;

/// Tasks in the order in which they came, linked by their headers. Only the worker touches it, so nothing is atomic.
pub(super) struct Ready {
    first: Cell<*mut Header>,
    last: Cell<*mut Header>,
    #[cfg(unix)]
    pub(super) ahead: Ahead,
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            first: Cell::new(ptr::null_mut()),
            last: Cell::new(ptr::null_mut()),
            #[cfg(unix)]
            ahead: Ahead::new(),
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// The one that [`pop`](Self::pop) takes, or null.
    #[inline(always)]
    pub(super) fn first(&self) -> *mut Header {
        self.first.get()
    }

    /// # Safety
    ///
    /// The task is valid until it is taken, and the caller may queue it: it is in no queue.
    #[inline(always)]
    pub(super) unsafe fn push(&self, task: NonNull<Header>) {
        // SAFETY: by this function's contract the link is ours; what is in the queue is valid.
        unsafe {
            set_next(task, ptr::null_mut());
            match NonNull::new(self.last.replace(task.as_ptr())) {
                Some(last) => Header::set_next(last, task.as_ptr()),
                None => self.first.set(task.as_ptr()),
            }
        }
    }

    /// [`pop`](Self::pop) after a [`push`](Self::push) of `task`, where the queue was not empty.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    #[inline(always)]
    pub(super) unsafe fn rotate(&self, task: NonNull<Header>) {
        let (first, last) = (self.first.get(), self.last.replace(task.as_ptr()));
        debug_assert!(!first.is_null());
        self.tell_of_leaving(first);
        // SAFETY: by this function's contract the link of `task` is ours; what is in the queue is valid.
        unsafe {
            Header::set_next(task, ptr::null_mut());
            if first == last {
                self.first.set(task.as_ptr());
            } else {
                self.first.set(Header::next(NonNull::new_unchecked(first)));
                Header::set_next(NonNull::new_unchecked(last), task.as_ptr());
            }
        }
    }

    /// The first leaves the queue, the only way out of it.
    #[inline(always)]
    fn tell_of_leaving(&self, _first: *mut Header) {
        #[cfg(unix)]
        self.ahead.forget(_first);
    }

    /// Calls `f` with each, in order. It must not touch the queue.
    pub(super) fn for_each(&self, mut f: impl FnMut(NonNull<Header>)) {
        let mut next = NonNull::new(self.first.get());
        while let Some(task) = next {
            f(task);
            // SAFETY: as in `pop`.
            next = NonNull::new(unsafe { Header::next(task) });
        }
    }

    #[inline(always)]
    pub(super) fn pop(&self) -> Option<NonNull<Header>> {
        let first = NonNull::new(self.first.get())?;
        self.tell_of_leaving(first.as_ptr());
        // SAFETY: what is in the queue is valid, and its link the queue's.
        let next = unsafe { Header::next(first) };
        self.first.set(next);
        if next.is_null() {
            self.last.set(ptr::null_mut());
        }
        Some(first)
    }
}

/// A task that has not started, with the scheduler's reference.
pub(super) struct Unstarted(pub(super) NonNull<Header>);

// SAFETY: a task that has not started, and is not pinned, may be started by any worker (its closure is Send).
unsafe impl Send for Unstarted {}

/// The tasks that a worker has spawned, and nobody has started. With one worker nobody else ever looks at them, and the
/// fences of a deque that others steal from are spared.
pub(super) enum Fresh {
    Own(Own),
    Shared(Deque<Unstarted>, Stealer<Unstarted>),
}

/// Those of the only worker. The newest is apart: often it is taken next.
#[derive(Default)]
pub(super) struct Own {
    newest: Cell<Option<Unstarted>>,
    older: RefCell<VecDeque<Unstarted>>,
}

impl Own {
    #[inline(always)]
    fn push(&self, task: Unstarted) {
        if let Some(older) = self.newest.replace(Some(task)) {
            self.older.borrow_mut().push_back(older);
        }
    }

    #[inline(always)]
    fn newest(&self) -> Option<Unstarted> {
        self.newest.take().or_else(|| self.older.borrow_mut().pop_back())
    }

    fn oldest(&self) -> Option<Unstarted> {
        let oldest = self.older.borrow_mut().pop_front();
        oldest.or_else(|| self.newest.take())
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        let newest = self.newest.take();
        let is_there = newest.is_some();
        self.newest.set(newest);
        !is_there && self.older.borrow().is_empty()
    }

    fn for_each(&self, f: &mut dyn FnMut(NonNull<Header>)) {
        self.older.borrow().iter().for_each(|task| f(task.0));
        let newest = self.newest.take();
        newest.iter().for_each(|task| f(task.0));
        self.newest.set(newest);
    }
}

impl Fresh {
    #[inline(always)]
    pub(super) fn push(&self, task: Unstarted) {
        match self {
            Self::Own(own) => own.push(task),
            Self::Shared(deque, _) => deque.push(task),
        }
    }

    /// The one that was spawned last.
    #[inline(always)]
    pub(super) fn newest(&self) -> Option<NonNull<Header>> {
        match self {
            Self::Own(own) => own.newest(),
            Self::Shared(deque, _) => deque.pop(),
        }
        .map(|task| task.0)
    }

    pub(super) fn oldest(&self) -> Option<NonNull<Header>> {
        match self {
            Self::Own(own) => own.oldest().map(|task| task.0),
            Self::Shared(_, stealer) => steal(stealer),
        }
    }

    /// Calls `f` with each. Those that others may steal are taken out and put back: for a moment nobody finds them.
    pub(super) fn for_each(&self, mut f: impl FnMut(NonNull<Header>)) {
        match self {
            Self::Own(own) => own.for_each(&mut f),
            Self::Shared(deque, _) => {
                let mut all: Vec<_> = core::iter::from_fn(|| deque.pop()).collect();
                while let Some(task) = all.pop() {
                    f(task.0);
                    deque.push(task);
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Own(own) => own.is_empty(),
            Self::Shared(deque, _) => deque.is_empty(),
        }
    }
}

/// The oldest task of a deque.
pub(super) fn steal(stealer: &Stealer<Unstarted>) -> Option<NonNull<Header>> {
    loop {
        match stealer.steal() {
            Steal::Success(task) => return Some(task.0),
            Steal::Empty => return None,
            Steal::Retry => core::hint::spin_loop(),
        }
    }
}
