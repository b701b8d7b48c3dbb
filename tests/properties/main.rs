//! Properties that hold whatever programs do: every value is dropped once and in order, nothing is lost without a word, and
//! only what the documents name is leaked or ends the process.

#[cfg(panic = "unwind")]
mod bombs;
mod hostile;
#[cfg(panic = "unwind")]
mod reports;
