//! Ways out of a scope that would leave a coroutine's frames with borrows that have ended. Each ends the process, or is
//! refused; what the thread inside the body would see otherwise is freed memory.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use switchback::{Generator, Misuse, Scoped, Thrown, Yielder, scoped};
#[cfg(panic = "unwind")]
use {
    std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    switchback::set_report_hook,
};

/// Runs the test `name` of this program again, in a process of its own, and expects the end that `scoped` threatens.
fn assert_aborts(name: &str, how: &str) {
    let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
    let mut words: Vec<OsString> = runner.split_whitespace().map(OsString::from).collect();
    words.push(std::env::current_exe().expect("a path").into());
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(["--exact", &format!("escapes::{name}"), "--nocapture"])
        .env(INSIDE, how)
        .output()
        .expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && !out.contains("OUTLIVED"), "{out}{err}");
    // A harness that aborts on panics runs each test in a process of its own, and passes on what that one wrote.
    let words = "could not be ended at the end of its scope";
    assert!(out.contains(words) || err.contains(words), "{out}{err}");
}

const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";

#[cfg(panic = "unwind")]
fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Whether the frames of a body, which has a `Frame`, are gone.
static LEFT: AtomicBool = AtomicBool::new(false);

struct Frame;

impl Drop for Frame {
    fn drop(&mut self) {
        LEFT.store(true, Ordering::Relaxed);
    }
}

/// A local that bodies borrow.
struct Lent;

impl Drop for Lent {
    fn drop(&mut self) {
        if !LEFT.load(Ordering::Relaxed) {
            println!("OUTLIVED: the local is gone, and the frame that borrows it is not");
        }
    }
}

/// Panics when it is dropped, if it is told to.
#[cfg(panic = "unwind")]
struct Bomb(bool);

#[cfg(panic = "unwind")]
impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 {
            resume_unwind(Box::new("bomb"));
        }
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_last_value_whose_destructor_panics_does_not_open_the_scope() {
    if !inside() {
        return assert_aborts("a_last_value_whose_destructor_panics_does_not_open_the_scope", "1");
    }
    let _ = catch_unwind(|| {
        let lent = Lent;
        scoped(
            |y: &Yielder<Bomb>| {
                let (_frame, _borrow) = (Frame, &lent);
                let mut count = 0;
                loop {
                    count += 1;
                    // The second answers the exit, the third the unwind.
                    let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(Bomb(count == 3))));
                }
                #[allow(unreachable_code)]
                Ok(())
            },
            |co: &mut Scoped<'_, Bomb>| drop(co.resume()),
        );
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_hook_that_panics_does_not_open_the_scope() {
    if !inside() {
        return assert_aborts("a_hook_that_panics_does_not_open_the_scope", "1");
    }
    set_report_hook(|_| resume_unwind(Box::new("hook")));
    let _ = catch_unwind(|| {
        let lent = Lent;
        scoped(
            |y: &Yielder<i32>| {
                let (_frame, _borrow) = (Frame, &lent);
                loop {
                    let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
                }
                #[allow(unreachable_code)]
                Ok(())
            },
            |co: &mut Scoped<'_, i32>| co.next(),
        );
    });
}

#[test]
#[cfg(panic = "abort")]
fn closing_one_that_cannot_unwind_does_not_open_the_scope() {
    let Ok(how) = std::env::var(INSIDE) else {
        for how in ["close", "throw_exit"] {
            assert_aborts("closing_one_that_cannot_unwind_does_not_open_the_scope", how);
        }
        return;
    };
    let lent = Lent;
    scoped(
        |y: &Yielder<i32>| {
            let (_frame, _borrow) = (Frame, &lent);
            y.yield_or_unwind(1);
            Ok(())
        },
        |co: &mut Scoped<'_, i32>| {
            co.next();
            let refused = if how == "close" { co.close().is_err() } else { co.throw_exit().is_err() };
            assert!(refused);
        },
    );
}

/// What `send_wrapper`, `fragile` and the like offer safe programs: anything is `Send`, and is touched on its thread only.
struct OnItsThread<T>(T, ThreadId);

// SAFETY: `get` is refused on other threads. (What is in here by reference needs no drop.)
unsafe impl<T> Send for OnItsThread<&T> {}

impl<T> OnItsThread<&T> {
    fn get(&self) -> &T {
        assert_eq!(self.1, thread::current().id());
        self.0
    }
}

#[test]
fn the_yielder_is_refused_on_the_parent_stack_even_if_it_gets_there() {
    let mut co = Generator::<u64>::new(|y| {
        let yielder = OnItsThread(y, thread::current().id());
        let refused = y.on_parent_stack(move || {
            let yielder = yielder;
            yielder.get().yield_(7)
        });
        assert!(matches!(refused, Err(Thrown::Misuse(Misuse::Delegating))), "{refused:?}");
        y.yield_(8)?;
        Ok(())
    });
    assert_eq!((co.next(), co.next()), (Some(8), None));
}
