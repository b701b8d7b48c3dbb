//! Random programs in which hundreds of coroutines own, resume, close, drop and delegate to each other, and hand each other
//! on: in what they yield, send, throw and return. Some destructors panic.
//!
//! There is no model of what they do (tests/population has one, for one coroutine and its delegates). What is checked
//! are properties: each value is dropped once, unless it is on a stack that has been leaked, and then never; what comes out
//! of a switch is what went in, and came from the coroutine that it should come from; states fit answers.

mod program;
mod run;
mod world;

use crate::cases;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[test]
fn whoever_owns_whom_each_value_is_dropped_once() {
    let [coroutines, largest, leaked] = [const { AtomicUsize::new(0) }; 3];
    cases::check(program::program(), 600, |program| {
        let seen = run::run(&program)?;
        coroutines.fetch_add(seen.coroutines, Relaxed);
        largest.fetch_max(seen.coroutines, Relaxed);
        leaked.fetch_add(seen.leaked, Relaxed);
        Ok(())
    });
    let [coroutines, largest, leaked] = [coroutines, largest, leaked].map(AtomicUsize::into_inner);
    println!("{coroutines} coroutines, at most {largest} in a program; {leaked} leaked");
    // So that it is not nothing that was tested.
    assert!(coroutines > 1_000 && largest > 200 && leaked > 10);
}
