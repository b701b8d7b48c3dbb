//! What a thread has, for the day that it ends.

use super::header::{Header, UNREGISTERED};
use super::overflow;
use super::pool::{for_each_free, for_each_list, open_lists, pop};
use super::shared::{self, Free};
use super::usage::{self, Measure};
use core::cell::{Cell, RefCell};
use core::ptr::NonNull;

/// The stacks that a thread has: free ones in its lists and those in use.
pub(super) struct Register {
    /// None in places that are vacant. So nobody else's header is touched when one leaves.
    stacks: RefCell<Vec<Option<NonNull<Header>>>>,
    vacant: RefCell<Vec<u32>>,
    /// Whether its lists keep nothing, because stacks are measured.
    pub(super) closed: Cell<bool>,
    /// Overflows of this thread's coroutines are reported as long as this lives.
    _watch: overflow::Watch,
}

impl Register {
    pub(super) fn new() -> Self {
        // While stacks are measured they pass by the lists.
        let closed = usage::measure() != Measure::Off;
        open_lists(!closed);
        Self {
            stacks: RefCell::default(),
            vacant: RefCell::default(),
            closed: Cell::new(closed),
            _watch: overflow::Watch::new(),
        }
    }

    pub(super) fn add(&self, header: NonNull<Header>) {
        let mut stacks = self.stacks.borrow_mut();
        let index = match self.vacant.borrow_mut().pop() {
            Some(index) => index as usize,
            None => {
                stacks.push(None);
                stacks.len() - 1
            }
        };
        stacks[index] = Some(header);
        // SAFETY: the caller has just taken it.
        unsafe { header.as_ref() }.registered.set(index as u32);
    }

    pub(super) fn remove(&self, header: NonNull<Header>) {
        // SAFETY: the caller is about to give it back.
        let index = unsafe { header.as_ref() }.registered.replace(UNREGISTERED);
        if index != UNREGISTERED {
            self.stacks.borrow_mut()[index as usize] = None;
            self.vacant.borrow_mut().push(index);
        }
    }

    /// Gives stacks that have just been taken out of one list of this thread to the other threads.
    pub(super) fn give_away(&self, stacks: impl Iterator<Item = NonNull<Header>>) {
        let mut stacks = stacks.peekable();
        // SAFETY: what was in the list is this thread's.
        let Some(class) = stacks.peek().map(|header| unsafe { header.as_ref() }.class) else { return };
        let free = stacks.map(|header| {
            self.remove(header);
            // SAFETY: it was free, and is now in no list and no register. Lists are of pooled stacks of one class.
            unsafe { Free::new(header) }
        });
        // First all of it, and then the lock.
        shared::give(class, free.collect::<Vec<_>>());
    }

    pub(super) fn empty_lists(&self) {
        for_each_list(|list| self.give_away(core::iter::from_fn(|| pop(list))));
    }
}

impl Drop for Register {
    /// The thread ends. Free stacks go to the others; what is in use stays mapped for ever, and its coroutine is told.
    fn drop(&mut self) {
        // SAFETY: what is free and this thread's is in nobody's use.
        for_each_free(|header| unsafe { usage::trim_if_deep(header) });
        self.empty_lists();
        open_lists(false);
        for header in self.stacks.take().into_iter().flatten() {
            // SAFETY: what is in the register is mapped and belongs to this thread.
            let this = unsafe { header.as_ref() };
            this.registered.set(UNREGISTERED);
            if let Some(tenant) = this.tenant.get() {
                // SAFETY: it is in use, and this is the thread it is used on.
                unsafe { (tenant.abandon)(header) };
            }
        }
    }
}
