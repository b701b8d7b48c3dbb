//! Properties that hold whatever programs do: every value is dropped once and in order, nothing is lost without a word, and
//! only what the documents name is leaked or ends the process.

#[cfg(panic = "unwind")]
mod bombs;
#[cfg(panic = "unwind")]
mod cases;
mod chains;
mod hostile;
mod ledger;
#[cfg(panic = "unwind")]
mod owners;
#[cfg(unix)]
#[path = "../common/process.rs"]
mod process;
mod reports;
mod rules;
mod sideways;
#[path = "../common/slow.rs"]
mod slow;
mod table;
mod values;

use slow::SLOW;
