//! A call that blocks a thread beside the workers, and whose outcome is not lost when who waits for it gives up.

use crate::cancelled::Cancelled;
use crate::scheduler::offload_or_cancelled;
use crate::sync::faces::RecvError;
use crate::sync::oneshot::{self, Receiver};

/// The call that goes on, if there is one.
#[derive(Debug)]
pub(crate) struct Beside<T>(Option<Receiver<T>>);

impl<T: Send + 'static> Beside<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether a call was begun whose outcome nobody has taken yet.
    pub(crate) fn goes_on(&self) -> bool {
        self.0.is_some()
    }

    /// The outcome of the call that goes on; if there is none, of `f`. Cancelled, it can be called again.
    pub(crate) fn call(&mut self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Cancelled> {
        if let Some(outcome) = self.outcome()? {
            return Ok(outcome);
        }
        let (sender, receiver) = oneshot::channel();
        self.0 = Some(receiver);
        offload_or_cancelled(move || drop(sender.send(f())))?;
        Ok(self.outcome()?.expect("it has returned, and sent before"))
    }

    /// None if no call goes on; nor does one that was cancelled before a thread had begun it.
    fn outcome(&mut self) -> Result<Option<T>, Cancelled> {
        let Some(receiver) = &mut self.0 else { return Ok(None) };
        let outcome = match receiver.recv() {
            Ok(outcome) => Some(outcome),
            Err(RecvError::Closed) => None,
            Err(RecvError::Cancelled(cancelled)) => return Err(cancelled),
        };
        self.0 = None;
        Ok(outcome)
    }
}
