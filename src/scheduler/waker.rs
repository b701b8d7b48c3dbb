//! A task as a waker. It is a counted reference to the task, so an await allocates nothing, and a waker may be kept for as long as
//! anybody likes.

use super::header::{Header, TaskRef};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use core::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

impl TaskRef {
    pub(super) fn into_waker(self) -> Waker {
        let task = ManuallyDrop::new(self);
        // SAFETY: the functions of the table are for a counted reference to a task, which the waker is from now on. They may be
        // called on any thread, as a `TaskRef` may be used on any.
        unsafe { Waker::from_raw(raw(&task)) }
    }

    /// Whether `waker` is one of this task.
    pub(super) fn is_waker(task: &Header, waker: &Waker) -> bool {
        core::ptr::eq(waker.vtable(), &VTABLE) && core::ptr::eq(waker.data().cast(), task)
    }
}

fn raw(task: &TaskRef) -> RawWaker {
    RawWaker::new(task.as_ptr().as_ptr().cast_const().cast(), &VTABLE)
}

/// The reference that a waker is.
///
/// # Safety
///
/// `data` is that of a waker of this table. The reference stays the waker's.
unsafe fn reference(data: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: `raw` has made it of a pointer that is not null, of a reference that is counted and is the waker's.
    ManuallyDrop::new(unsafe { TaskRef::from_raw(NonNull::new_unchecked(data.cast_mut().cast())) })
}

/// # Safety
///
/// As for [`reference`].
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: by this function's contract.
    let task = unsafe { reference(data) };
    raw(&ManuallyDrop::new(TaskRef::clone(&task)))
}

/// # Safety
///
/// As for [`reference`]; besides, the waker is used up.
unsafe fn wake(data: *const ()) {
    // SAFETY: by this function's contract.
    let task = ManuallyDrop::into_inner(unsafe { reference(data) });
    task.header().wake_awaiting();
}

/// # Safety
///
/// As for [`reference`].
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: by this function's contract.
    unsafe { reference(data) }.header().wake_awaiting();
}

/// # Safety
///
/// As for [`wake`].
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: by this function's contract.
    drop(ManuallyDrop::into_inner(unsafe { reference(data) }));
}

impl Header {
    /// What a waker of the task does.
    fn wake_awaiting(&self) {
        if self.await_.notify() {
            self.wake_parked(self.parked.load(Ordering::Relaxed));
        }
    }
}
