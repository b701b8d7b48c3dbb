//! [`std::sync::OnceLock`] and [`std::sync::LazyLock`] for tasks: std's own cells behind a [`Once`] that lets tasks wait.
#![forbid(unsafe_code)]

use super::once::Once;
use core::fmt;
use core::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync;

/// [`std::sync::OnceLock`] for tasks: a place that is written once. Whoever comes while the value is made waits, and stops a
/// task, not a thread.
///
/// # Examples
///
/// ```
/// use switchback::sync::OnceLock;
///
/// static NAME: OnceLock<String> = OnceLock::new();
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "first".to_owned()), "first");
/// assert_eq!(NAME.set("second".to_owned()), Err("second".to_owned()));
/// ```
pub struct OnceLock<T> {
    once: Once,
    cell: sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { once: Once::new(), cell: sync::OnceLock::new() }
    }

    /// The value, if it has been made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.cell.get()
    }

    /// The value, if it has been made.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.cell.get_mut()
    }

    /// Waits until there is a value.
    ///
    /// # Panics
    ///
    /// When it would have to wait where nothing can be suspended.
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait_force();
        self.made()
    }

    /// Writes the value.
    ///
    /// # Errors
    ///
    /// The value, back, if there is one already.
    ///
    /// # Panics
    ///
    /// When it would have to wait, for one that is being made, where nothing can be suspended.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().unwrap_or_else(|| unreachable!("it is made once")));
        value.map_or(Ok(()), Err)
    }

    /// The value; `f` makes it, if there is none. One closure runs at a time, and the others wait for what it makes.
    ///
    /// # Panics
    ///
    /// When `f` does; the place stays empty then. When it would have to wait where nothing can be suspended.
    #[inline]
    #[track_caller]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        match self.cell.get() {
            Some(value) => value,
            None => self.make(f),
        }
    }

    #[cold]
    #[track_caller]
    fn make(&self, f: impl FnOnce() -> T) -> &T {
        self.once.call_once_force(|_| {
            let is_first = self.cell.set(f()).is_ok();
            debug_assert!(is_first, "only the closure of the Once writes");
        });
        self.made()
    }

    fn made(&self) -> &T {
        self.cell.get().unwrap_or_else(|| unreachable!("it was made by the closure that has returned"))
    }

    /// The value, if it has been made. The place is empty after that.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// The value, if it has been made.
    pub fn into_inner(self) -> Option<T> {
        self.cell.into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        let this = Self::new();
        this.get_or_init(|| value);
        this
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Self::new, Self::from)
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => debug.field(value).finish(),
            None => debug.field(&format_args!("<uninit>")).finish(),
        }
    }
}

/// [`std::sync::LazyLock`] for tasks: a value that is made when it is first looked at. Whoever comes meanwhile waits, and stops
/// a task, not a thread.
///
/// # Examples
///
/// ```
/// use switchback::sync::LazyLock;
///
/// static SQUARES: LazyLock<Vec<u32>> = LazyLock::new(|| (0..10).map(|n| n * n).collect());
/// assert_eq!(SQUARES[3], 9);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    cell: OnceLock<T>,
    make: parking_lot::Mutex<Option<F>>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// One whose value `make` will make.
    pub const fn new(make: F) -> Self {
        Self { cell: OnceLock::new(), make: parking_lot::Mutex::new(Some(make)) }
    }

    /// The value, which is made if it was not.
    ///
    /// # Panics
    ///
    /// When the closure does, and for ever after that. When it would have to wait where nothing can be suspended.
    #[inline]
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        this.cell.get_or_init(|| {
            let make = this.make.lock().take();
            make.expect("the closure of a LazyLock has panicked before")()
        })
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("LazyLock");
        match self.cell.get() {
            Some(value) => debug.field(value).finish(),
            None => debug.field(&format_args!("<uninit>")).finish(),
        }
    }
}

impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
