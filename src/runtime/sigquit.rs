//! SIGQUIT prints what all tasks are at.

use super::Runtime;
use crate::scheduler::{self, Observers};
use crate::signal::{SIGQUIT, Watch};
use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

static DUMPED: Mutex<Dumped> = Mutex::new(Dumped { runs: Vec::new(), watch: None });

struct Dumped {
    /// The observers of each run that is dumped. Those of the same runtime are the same.
    runs: Vec<Observers>,
    /// There as long as there are runs.
    watch: Option<Watch>,
}

/// As long as it lives, a run is among those that are dumped.
pub(super) struct Dumping(Observers);

impl Dumping {
    /// None where nobody has asked for it.
    pub(super) fn of(runtime: &Runtime) -> io::Result<Option<Self>> {
        let observers = &runtime.config.observers;
        if !observers.dumps_on_sigquit {
            return Ok(None);
        }
        let mut dumped = DUMPED.lock();
        if dumped.watch.is_none() {
            dumped.watch = Some(Watch::each(SIGQUIT, print)?);
        }
        dumped.runs.push(observers.clone());
        Ok(Some(Self(observers.clone())))
    }
}

impl Drop for Dumping {
    fn drop(&mut self) {
        let mut dumped = DUMPED.lock();
        let index = dumped.runs.iter().position(|other| are_same(other, &self.0));
        let run = index.map(|index| dumped.runs.swap_remove(index));
        if dumped.runs.is_empty() {
            dumped.watch = None;
        }
        drop(dumped);
        // With hooks of users.
        drop(run);
    }
}

fn are_same(one: &Observers, other: &Observers) -> bool {
    Arc::ptr_eq(&one.runs, &other.runs)
}

/// Prints a dump of each runtime, on a thread of its own: a worker that does not switch is waited for.
fn print() {
    let printing = || {
        static ONE_AFTER_ANOTHER: Mutex<()> = Mutex::new(());
        let _turn = ONE_AFTER_ANOTHER.lock();
        let mut runtimes: Vec<Observers> = Vec::new();
        for run in &DUMPED.lock().runs {
            if !runtimes.iter().any(|other| are_same(other, run)) {
                runtimes.push(run.clone());
            }
        }
        for runtime in &runtimes {
            // Nothing can be done about a standard error that cannot be written.
            let _ = writeln!(io::stderr(), "{}", scheduler::dump_runs(runtime));
        }
    };
    // Nor about a thread that cannot be started.
    let _ = thread::Builder::new().name("switchback-sigquit".into()).spawn(printing);
}
