//! [`std::sync::Once`] for tasks.
//!
//! | state | meaning | next |
//! |---|---|---|
//! | NEW | nobody has begun | RUNNING, by who begins |
//! | RUNNING | somebody runs the closure; others wait in the queue | DONE, or POISONED by a panic, by the same |
//! | DONE | it has returned, and what it has done is seen by all who read this | |
//! | POISONED | it has panicked | RUNNING, by who tries again |
#![forbid(unsafe_code)]

use super::latch::Latch;
use super::queue::WaitQueue;
use super::wait;
use crate::scheduler::{Limit, Resumer, suspend_until};
use core::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

const NEW: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const POISONED: u8 = 3;

/// [`std::sync::Once`] for tasks: runs one closure, once; whoever comes meanwhile waits, and stops a task, not a thread.
///
/// The closure may wait itself. That others wait for it is not cut short when they are cancelled.
///
/// # Examples
///
/// ```
/// use switchback::sync::Once;
///
/// static START: Once = Once::new();
/// let mut runs = 0;
/// for _ in 0..3 {
///     START.call_once(|| runs += 1);
/// }
/// assert_eq!((runs, START.is_completed()), (1, true));
/// ```
pub struct Once {
    state: AtomicU8,
    queue: Latch<WaitQueue<Resumer<()>>>,
}

/// What [`Once::call_once_force`] tells its closure.
#[derive(Debug)]
pub struct OnceState {
    is_poisoned: bool,
}

impl OnceState {
    /// Whether an earlier closure has panicked.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }
}

/// Sets the state that the closure has led to, and wakes those that wait for it.
struct Leaving<'a> {
    once: &'a Once,
    state: u8,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.once.state.store(self.state, Ordering::Release);
        let waiting = self.once.queue.lock().take_all();
        wait::wake_all(waiting);
    }
}

impl Once {
    /// One that has not run.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(NEW), queue: Latch::new(WaitQueue::new()) }
    }

    /// Runs `f`, if nothing has been run before; waits for it, if it is run by somebody else now.
    ///
    /// # Panics
    ///
    /// When `f` does, and for ever after that. When it would have to wait where nothing can be suspended. Called from inside of
    /// `f` it waits for ever.
    #[inline]
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.is_completed() {
            self.call(false, |_| f());
        }
    }

    /// [`call_once`](Self::call_once) that tries again where an earlier closure has panicked.
    ///
    /// # Panics
    ///
    /// When `f` does. When it would have to wait where nothing can be suspended.
    #[inline]
    #[track_caller]
    pub fn call_once_force(&self, f: impl FnOnce(&OnceState)) {
        if !self.is_completed() {
            self.call(true, f);
        }
    }

    /// Whether a closure has returned.
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.state.load(Ordering::Acquire) == DONE
    }

    /// Waits until a closure has returned.
    ///
    /// # Panics
    ///
    /// When one has panicked. When it would have to wait where nothing can be suspended.
    #[track_caller]
    pub fn wait(&self) {
        self.wait_for(|state| state == DONE || state == POISONED);
        assert!(self.is_completed(), "the closure of a Once has panicked");
    }

    /// [`wait`](Self::wait) that waits on where a closure has panicked, for another that does not.
    ///
    /// # Panics
    ///
    /// When it would have to wait where nothing can be suspended.
    #[track_caller]
    pub fn wait_force(&self) {
        self.wait_for(|state| state == DONE);
    }

    #[cold]
    #[track_caller]
    fn call(&self, force: bool, f: impl FnOnce(&OnceState)) {
        loop {
            let state = self.state.load(Ordering::Acquire);
            match state {
                DONE => return,
                POISONED if !force => panic!("the closure of a Once has panicked before"),
                RUNNING => self.wait_for(|state| state != RUNNING),
                before => {
                    let begun = self.state.compare_exchange(before, RUNNING, Ordering::Acquire, Ordering::Relaxed);
                    if begun.is_err() {
                        continue;
                    }
                    let mut leaving = Leaving { once: self, state: POISONED };
                    f(&OnceState { is_poisoned: before == POISONED });
                    leaving.state = DONE;
                    return;
                }
            }
        }
    }

    /// Waits until the state is one that is waited for.
    #[track_caller]
    fn wait_for(&self, is_over: impl Fn(u8) -> bool) {
        while !is_over(self.state.load(Ordering::Acquire)) {
            let waited = suspend_until(Limit::Never, true, |resumer: Resumer<()>| {
                let mut queue = self.queue.lock();
                // Whoever changes the state takes the latch after that.
                if !is_over(self.state.load(Ordering::Acquire)) {
                    queue.push(resumer);
                } else {
                    drop(queue);
                    let _ = resumer.send(());
                }
            });
            wait::surely(waited, "a closure that is called once");
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}
