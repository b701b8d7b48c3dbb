//! SIGINT cancels main.

use super::{Runtime, RuntimeBuilder};
use crate::cancelled::CancelReason;
use crate::scheduler::{self, Task};
use crate::signal::{self, SIGINT, Watch};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// As long as it lives, SIGINT cancels the main task of a run: the first SIGINT, and that once.
pub(super) struct Interrupt {
    state: Arc<Mutex<State>>,
    _watch: Watch,
}

#[derive(Default)]
struct State {
    has_come: bool,
    main: Option<Task>,
}

impl Interrupt {
    /// None where nobody has asked for it, and where SIGINT is ignored.
    pub(super) fn of(runtime: &Runtime) -> io::Result<Option<Self>> {
        if !runtime.cancels_on_sigint || signal::is_ignored(SIGINT)? {
            return Ok(None);
        }
        let state = Arc::new(Mutex::new(State::default()));
        let theirs = Arc::clone(&state);
        let watch = Watch::once(SIGINT, move || {
            let mut state = theirs.lock();
            state.has_come = true;
            state.cancel();
        })?;
        Ok(Some(Self { state, _watch: watch }))
    }

    /// Main begins, and is what calls this. Cancelled before it has begun, it would never run, and could not clean up.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        state.main = scheduler::current();
        state.cancel();
    }
}

impl State {
    fn cancel(&self) {
        if let Some(main) = self.main.as_ref().filter(|_| self.has_come) {
            main.cancel_because(CancelReason::Interrupted);
        }
    }
}

impl RuntimeBuilder {
    /// Cancels `main` when the process gets SIGINT (Ctrl-C in a terminal), instead of ending it at once: each call of it that waits
    /// returns an error whose reason is [`CancelReason::Interrupted`], and it can clean up. What it has spawned is cancelled when it
    /// returns, as always; what it waits for in a scope at once. What `run` returns, and the status that the process ends with, are
    /// up to `main`.
    ///
    /// The next SIGINT has its default action, and ends the process, unless somebody else
    /// [receives](crate::signal::Signals) it: so Ctrl-C, pressed again, ends a program that does not leave. When `run` has returned,
    /// so does the first one. This is what asyncio's `run` does, but for the exception in the end.
    ///
    /// Where SIGINT was ignored when the process began, as shells do it for what they run in the background, it stays so. Of
    /// several runtimes that run at once each has its main cancelled. On Unix only.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{CancelReason, Runtime, signal::SIGINT, task};
    ///
    /// # // It may run in the background.
    /// # unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    /// let runtime = Runtime::builder().cancel_on_sigint(true).build()?;
    /// let ended = runtime.run(|| {
    ///     SIGINT.raise().unwrap(); // somebody presses Ctrl-C ..
    ///     task::park() // .. while this waits
    /// });
    /// assert_eq!(ended.unwrap_err().reason(), &CancelReason::Interrupted);
    /// # Ok::<(), switchback::BuildError>(())
    /// ```
    pub fn cancel_on_sigint(mut self, cancels: bool) -> Self {
        self.cancels_on_sigint = cancels;
        self
    }
}
