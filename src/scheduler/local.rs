//! Values of a task, which the tasks that it spawns begin with.

use super::current::Current;
use super::header::{Header, TaskRef};
use core::fmt;
use core::marker::PhantomData;
use std::any::Any;
use std::sync::Arc;

/// The values of a task. Tasks that have been spawned by one another share them until one sets a value.
#[derive(Clone)]
pub(crate) struct Locals(Vec<(usize, Arc<dyn Any + Send + Sync>)>);

impl Locals {
    /// Those of a task, which only its worker may ask for, or who has it before it begins.
    #[inline(always)]
    pub(super) fn of(header: &Header) -> Option<Arc<Self>> {
        let locals = header.locals.take();
        let found = locals.clone();
        header.locals.set(locals);
        found
    }

    fn find(&self, key: usize) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.0.iter().find(|(of, _)| *of == key).map(|(_, value)| value)
    }

    /// Sets a value, and returns the one before.
    fn set(&mut self, key: usize, value: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn Any + Send + Sync>> {
        if let Some((_, place)) = self.0.iter_mut().find(|(of, _)| *of == key) {
            return Some(core::mem::replace(place, value));
        }
        self.0.push((key, value));
        None
    }
}

/// A value of each task: a *task-local*. A task that is spawned begins with the values of the one that spawns it; what is set
/// after that is its own.
///
/// Thread-locals are the worker's, shared by all of its tasks in turn. This is what to use instead, for a request's number, a
/// tracing context, a logger.
///
/// # Examples
///
/// ```
/// use switchback::task;
///
/// static REQUEST: task::Local<u32> = task::Local::new();
///
/// switchback::run(|| {
///     REQUEST.set(7).unwrap();
///     let child = task::spawn(|| {
///         let inherited = REQUEST.get();
///         REQUEST.set(8).unwrap();
///         inherited
///     });
///     assert_eq!(child.join().unwrap(), Some(7));
///     assert_eq!(REQUEST.get(), Some(7));
///     REQUEST.with_value(9, || assert_eq!(REQUEST.get(), Some(9)));
///     assert_eq!(REQUEST.get(), Some(7));
/// });
/// ```
pub struct Local<T> {
    // So that no two have the same address.
    _place: u8,
    _value: PhantomData<fn() -> T>,
}

impl<T: Clone + Send + Sync + 'static> Local<T> {
    /// One that no task has a value of. It is to be a `static`: its address is what it is known by.
    #[must_use]
    pub const fn new() -> Self {
        Self { _place: 0, _value: PhantomData }
    }

    fn key(&'static self) -> usize {
        (&raw const *self).addr()
    }

    /// The calling task's value. None outside of tasks.
    #[must_use]
    pub fn get(&'static self) -> Option<T> {
        Current::with(|current| {
            let locals = Locals::of(current?.running.header())?;
            locals.find(self.key())?.downcast_ref::<T>().cloned()
        })
    }

    /// Gives the calling task a value, for itself and what it spawns from now on.
    ///
    /// # Errors
    ///
    /// Outside of a task there is nobody to have it: the value, back.
    pub fn set(&'static self, value: T) -> Result<(), T> {
        Current::with(|current| {
            let Some(current) = current else { return Err(value) };
            let header = current.running.header();
            let mut locals = header.locals.take().unwrap_or_else(|| Arc::new(Locals(Vec::new())));
            let before = Arc::make_mut(&mut locals).set(self.key(), Arc::new(value));
            header.locals.set(Some(locals));
            // Only now, because its destructor may ask for locals.
            drop(before);
            Ok(())
        })
    }

    /// Runs `f` with the value, and takes it back after that, with all that was set inside.
    ///
    /// Outside of a task `f` runs without it. A coroutine that is suspended in `f` leaves it with the task that has called this, until
    /// `f` ends, in whatever task.
    pub fn with_value<U>(&'static self, value: T, f: impl FnOnce() -> U) -> U {
        let restore = Current::with(|current| {
            let header = current?.running.header();
            Some(Restore { task: TaskRef::to(header), before: Locals::of(header) })
        });
        let Some(restore) = restore else { return f() };
        let _ = self.set(value);
        let result = f();
        // By name: where a destructor panics on the way out, what is about to be returned would not be dropped.
        drop(restore);
        result
    }
}

impl<T: Clone + Send + Sync + 'static> Default for Local<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

/// Gives a task back what locals it had before, when this is dropped. It is a task of this thread's worker: a coroutine that has carried
/// this to another task has stayed on its thread.
struct Restore {
    task: TaskRef,
    before: Option<Arc<Locals>>,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // What was set inside is dropped after it is not the task's any more: its destructor may ask for locals.
        let header = self.task.header();
        if !header.join.is_complete() {
            drop(header.locals.replace(self.before.take()));
        }
    }
}
