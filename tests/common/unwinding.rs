//! What a call does while a panic unwinds.

use std::cell::Cell;
use std::rc::Rc;
use switchback::task::{self, JoinError};

/// Runs `f` in a destructor, while a panic unwinds a task of the calling one's worker, and returns what it returns.
pub(crate) fn unwinding<T: 'static>(f: impl FnOnce() -> T + 'static) -> T {
    struct Last<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Last<F> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.take().into_iter().for_each(|f| f());
        }
    }
    let result = Rc::new(Cell::new(None));
    let place = Rc::clone(&result);
    let task = task::spawn_local(move || {
        let _last = Last(Some(move || place.set(Some(f()))));
        panic!("it unwinds");
    });
    assert!(matches!(task.join().map(|never: ()| never), Err(JoinError::Panicked(_))));
    // Nobody else is any the worse.
    task::spawn_local(|| assert!(!std::thread::panicking())).join().expect("it ends well");
    result.take().expect("the destructor has run")
}
