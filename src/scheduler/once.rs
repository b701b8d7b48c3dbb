//! A place in one word for a value that comes at most once, and mostly never.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::OnceLock;

/// As a `OnceLock<Box<T>>`, in half the room: whoever comes first has allocated already, so nobody waits.
pub(super) struct OnceBox<T> {
    value: AtomicPtr<T>,
    /// It crosses threads where that does.
    _owned: PhantomData<OnceLock<Box<T>>>,
}

impl<T> OnceBox<T> {
    pub(super) const fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), _owned: PhantomData }
    }

    /// What was put there. What had been written before that is seen.
    #[inline(always)]
    pub(super) fn get(&self) -> Option<&T> {
        let value = NonNull::new(self.value.load(Ordering::Acquire))?;
        // SAFETY: `set` has made it of a box, after which only the drop of this touches it but by shared references.
        Some(unsafe { value.as_ref() })
    }

    /// Puts the value there.
    ///
    /// # Errors
    ///
    /// The value, if one was there.
    pub(super) fn set(&self, value: T) -> Result<(), T> {
        let new = Box::into_raw(Box::new(value));
        // Release goes with the load of `get`. Who fails has read nothing of the other's.
        match self.value.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            // SAFETY: it was made of a box just now, and nobody else has seen it.
            Err(_) => Err(*unsafe { Box::from_raw(new) }),
        }
    }
}

impl<T> Drop for OnceBox<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(value) = NonNull::new(*self.value.get_mut()) {
            core::hint::cold_path();
            // SAFETY: `set` has made it of a box, and nobody has a reference to this any more.
            drop(unsafe { Box::from_raw(value.as_ptr()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OnceBox;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn one_of_many_is_first_and_each_value_is_dropped_once() {
        struct Counted<'a>(usize, &'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = AtomicUsize::new(0);
        for round in 1..=200 {
            let once = OnceBox::new();
            assert!(once.get().is_none());
            let firsts = thread::scope(|scope| {
                let threads = [0, 1, 2].map(|number| {
                    let (once, dropped) = (&once, &dropped);
                    scope.spawn(move || match once.set(Counted(number, dropped)) {
                        Ok(()) => Some(number),
                        Err(refused) => {
                            assert!(refused.0 == number && once.get().is_some());
                            None
                        }
                    })
                });
                threads.map(|thread| thread.join().expect("it ends well"))
            });
            let firsts: Vec<usize> = firsts.into_iter().flatten().collect();
            assert_eq!(firsts, [once.get().expect("one was first").0]);
            assert_eq!(dropped.load(Ordering::Relaxed), 3 * round - 1);
            drop(once);
            assert_eq!(dropped.load(Ordering::Relaxed), 3 * round);
        }
    }
}
