//! A task: its header, and its closure or outcome, in one allocation.

use super::header::{Header, Origin, TaskRef, VTable};
use super::join::JoinError;
use super::life::drop_quietly;
use super::local::Locals;
use super::memory;
use super::panicked::Panic;
use super::remote::Remote;
use core::cell::UnsafeCell;
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

/// A closure of type F that returns a T, as a task.
#[repr(C)]
struct Task<F, T> {
    header: Header,
    /// Before COMPLETE it belongs to whoever has the task in a queue or runs it; after that to the handle, or, when there
    /// is none, to whoever has set COMPLETE; at last to whoever frees the task (invariant 19).
    stage: UnsafeCell<Stage<F, T>>,
}

enum Stage<F, T> {
    New(F),
    Ended(Result<T, JoinError>),
    /// The closure runs, or the outcome was taken.
    Empty,
}

/// Makes a task of `f`, which has that home, if any. Two references come with it: the scheduler's, and the handle's.
#[inline(always)]
pub(super) fn create<F, T>(
    f: F,
    origin: Origin,
    home: Option<&'static Remote>,
    locals: Option<Arc<Locals>>,
) -> NonNull<Header>
where
    F: FnOnce() -> T,
{
    // The room first: what is made before it would be copied there.
    let room = memory::take::<Task<F, T>>();
    // SAFETY: it is for a task like this.
    unsafe {
        room.write(Task {
            header: Header::new(const { &Task::<F, T>::VTABLE }, origin, home, locals),
            stage: UnsafeCell::new(Stage::<F, T>::New(f)),
        });
    }
    room.cast()
}

/// Takes the outcome of a task.
///
/// # Safety
///
/// [`create`] has made it of a closure that returns a T, it is complete, and the caller has the handle's reference.
///
/// # Panics
///
/// The second time.
pub(super) unsafe fn take_outcome<T>(task: &TaskRef) -> Result<T, JoinError> {
    let mut outcome = MaybeUninit::<Result<T, JoinError>>::uninit();
    // SAFETY: the task is complete, and its outcome the caller's; there is room for it.
    unsafe {
        (task.header().vtable.take_outcome)(task.as_ptr(), outcome.as_mut_ptr().cast());
        outcome.assume_init()
    }
}

/// The memory of a task, to be given back.
struct Memory<T>(NonNull<T>);

impl<T> Drop for Memory<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `create` has taken it, and what was there has been dropped.
        unsafe { memory::give(self.0) };
    }
}

impl<F: FnOnce() -> T, T> Task<F, T> {
    const VTABLE: VTable = VTable {
        run: Self::run,
        refuse: Self::refuse,
        give_up: Self::give_up,
        take_outcome: Self::take,
        drop_outcome: Self::drop_outcome,
        free: Self::free,
    };

    /// # Safety
    ///
    /// The stage is the caller's.
    #[inline(always)]
    unsafe fn replace(task: NonNull<Header>, stage: Stage<F, T>) -> Stage<F, T> {
        // SAFETY: the header is the first field of a task with these types; the stage is the caller's.
        unsafe { mem::replace(&mut *task.cast::<Self>().as_ref().stage.get(), stage) }
    }

    unsafe fn run(task: NonNull<Header>) {
        // Of the stage only what is in it is moved, here and in `take`: to copy an enum by wide loads, which has just been
        // written by narrow stores, costs more than all else in this function.
        // SAFETY: as in `replace`: the task's own coroutine has the stage until COMPLETE.
        let stage = unsafe { task.cast::<Self>().as_ref() }.stage.get();
        // SAFETY: as above. What is read is forgotten at once.
        let f = unsafe {
            let Stage::New(f) = &*stage else { unreachable!("a task is run once") };
            let f = ptr::read(f);
            ptr::write(stage, Stage::Empty);
            f
        };
        let ended = match panic::catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => Stage::Ended(Ok(value)),
            Err(payload) => Stage::Ended(Err(JoinError::Panicked(Panic::new(payload)))),
        };
        // SAFETY: as above. What was there is empty.
        unsafe { ptr::write(stage, ended) };
    }

    unsafe fn refuse(task: NonNull<Header>, error: JoinError) {
        // SAFETY: whoever refuses a task has it, as if to run it.
        let refused = unsafe { Self::replace(task, Stage::Ended(Err(error))) };
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(refused))) {
            // SAFETY: as above. What is replaced has been put there just now.
            unsafe { Self::replace(task, Stage::Ended(Err(JoinError::Panicked(Panic::new(payload))))) };
        }
    }

    unsafe fn give_up(task: NonNull<Header>, error: JoinError) {
        // SAFETY: the task's coroutine never runs again, and what it has left of the stage is empty.
        unsafe { Self::replace(task, Stage::Ended(Err(error))) };
    }

    unsafe fn take(task: NonNull<Header>, place: *mut ()) {
        // SAFETY: as in `replace`: the task is complete, and the caller has the outcome.
        let stage = unsafe { task.cast::<Self>().as_ref() }.stage.get();
        let place = place.cast::<Result<T, JoinError>>();
        // SAFETY: there is room for it, by the contract of the table. What is read is forgotten at once.
        unsafe {
            match &*stage {
                Stage::Ended(Ok(value)) => place.write(Ok(ptr::read(value))),
                Stage::Ended(Err(error)) => place.write(Err(ptr::read(error))),
                _ => panic!("a JoinHandle was polled or joined after it had been ready"),
            }
            ptr::write(stage, Stage::Empty);
        }
    }

    unsafe fn drop_outcome(task: NonNull<Header>) {
        // SAFETY: the task is complete, and the caller has the outcome.
        let outcome = unsafe { Self::replace(task, Stage::Empty) };
        // Nobody waits for it, and its destructor's panic has been printed.
        drop_quietly(Some(outcome));
    }

    unsafe fn free(task: NonNull<Header>) {
        let task = task.cast::<Self>();
        // Freed also if a destructor panics.
        let _memory = Memory(task);
        // SAFETY: `create` has made it, and nobody has a reference any more.
        unsafe { task.drop_in_place() };
    }
}
