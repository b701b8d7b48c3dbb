//! Coroutines that borrow: what they may, and that they are gone when their scope ends.

use crate::common::Log;
use std::process::Command;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{CloseError, Coroutine, Generator, Scoped, SendError, State, Thrown, Yielder, scoped};

#[test]
fn locals_are_borrowed_and_changed() {
    let words = [String::from("a"), String::from("bc")];
    let mut lengths = Vec::new();
    let joined = scoped(
        |y: &Yielder<&str>| {
            for word in &words {
                lengths.push(word.len());
                y.yield_(word)?;
            }
            Ok(())
        },
        |co: &mut Scoped<'_, &str>| co.collect::<String>(),
    );
    assert_eq!((joined.as_str(), lengths), ("abc", vec![1, 2]));
}

#[test]
fn leaving_the_scope_closes_it() {
    let log = Log::new();
    let first = scoped(
        |y: &Yielder<i32>| {
            let _local = log.dropper("local");
            y.yield_(1)?;
            log.push("not reached");
            Ok(())
        },
        |co: &mut Scoped<'_, i32>| co.next(),
    );
    assert_eq!(first, Some(1));
    assert_eq!(log.take(), "local");
    scoped(
        {
            let captured = log.dropper("captured");
            move |_: &Yielder<i32>| {
                drop(captured);
                Ok(())
            }
        },
        |_: &mut Scoped<'_, i32>| {},
    );
    assert_eq!(log.take(), "captured", "one that never started is dropped, too");
}

#[test]
fn it_has_the_whole_protocol() {
    scoped(
        |y: &Yielder<i32, i32, &str>| {
            let mut x = 0;
            loop {
                match y.yield_(x) {
                    Ok(sent) => x = sent,
                    Err(Thrown::Error(word)) => x = word.len() as i32,
                    Err(_) => return Ok(x),
                }
            }
        },
        |co: &mut Scoped<'_, i32, i32, i32, &str>| {
            assert_eq!(co.state(), State::Created);
            assert_eq!(co.send(1), Err(SendError::NotStarted(1)));
            assert_eq!(co.start(), Ok(Yielded(0)));
            assert_eq!(co.send(5), Ok(Yielded(5)));
            assert_eq!(co.throw("four"), Ok(Yielded(4)));
            assert_eq!(co.resume(), Ok(Yielded(0)));
            assert!(co.created_at().file().ends_with("scoped.rs"));
            assert_eq!(co.close(), Ok(Some(0)));
            assert_eq!(co.throw_exit(), Err(SendError::Finished(())));
        },
    );
    let returned = scoped(
        |y: &Yielder<i32>| {
            y.yield_all([1, 2])?;
            Ok("end")
        },
        |co: &mut Scoped<'_, i32, (), &str>| {
            let mut values = co.values();
            assert_eq!(values.by_ref().sum::<i32>(), 3);
            values.take_return()
        },
    );
    assert_eq!(returned, Some("end"));
}

#[test]
fn scopes_nest_and_borrow_from_each_other() {
    let base = [1, 2, 3];
    let sums = scoped(
        |outer: &Yielder<i32>| {
            let doubled: Vec<i32> = base.iter().map(|x| x * 2).collect();
            scoped(
                |inner: &Yielder<i32>| inner.yield_all(doubled.iter().map(|x| x + base[0])),
                |co: &mut Scoped<'_, i32>| {
                    for x in co {
                        outer.yield_(x)?;
                    }
                    Ok(())
                },
            )
        },
        |co: &mut Scoped<'_, i32>| co.collect::<Vec<_>>(),
    );
    assert_eq!(sums, [3, 5, 7]);
}

#[test]
fn coroutines_delegate_to_scoped_ones() {
    let mut owned = Coroutine::<i32, i32, i32>::new(|y| {
        let table = [10, 20];
        scoped(
            |inner: &Yielder<i32, i32>| {
                let index = inner.yield_(-1)?;
                inner.yield_(table[index as usize])
            },
            |co: &mut Scoped<'_, i32, i32, i32>| y.yield_from(co),
        )
    });
    assert_eq!(owned.start(), Ok(Yielded(-1)));
    assert_eq!(owned.send(1), Ok(Yielded(20)));
    assert_eq!(owned.send(7), Ok(Complete(7)));
}

#[test]
fn an_ignored_close_is_told() {
    scoped(
        |y: &Yielder<i32>| {
            let _ = y.yield_(1);
            y.yield_(2)?;
            Ok(())
        },
        |co: &mut Scoped<'_, i32>| {
            co.start().expect("starts");
            assert_eq!(co.close(), Err(CloseError::Ignored(2)));
            assert_eq!(co.state(), State::Suspended);
        },
    );
}

#[test]
fn one_inside_a_coroutine_that_is_forgotten_goes_with_it() {
    let mut owned = Generator::<i32>::new(|y| {
        let local = 5;
        scoped(
            |inner: &Yielder<i32>| inner.yield_(local),
            |co: &mut Scoped<'_, i32>| {
                co.next();
                y.yield_(local)
            },
        )
    });
    assert_eq!(owned.next(), Some(5));
    std::mem::forget(owned);
}

#[cfg(panic = "unwind")]
mod unwinding {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

    #[test]
    fn a_panic_in_the_scope_closes_it_and_goes_on() {
        let log = Log::new();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            scoped(
                |y: &Yielder<i32>| {
                    let _local = log.dropper("local");
                    y.yield_(1)
                },
                |co: &mut Scoped<'_, i32>| {
                    co.next();
                    panic_any("scope")
                },
            )
        }));
        assert_eq!(payload.expect_err("it panics").downcast_ref::<&str>(), Some(&"scope"));
        assert_eq!(log.take(), "local");
    }

    #[test]
    fn a_panic_in_the_body_comes_out_of_the_resume() {
        scoped(
            |_: &Yielder<i32>| -> Result<(), Thrown> { panic_any("body") },
            |co: &mut Scoped<'_, i32>| {
                let payload = catch_unwind(AssertUnwindSafe(|| co.next())).expect_err("it panics");
                assert_eq!(payload.downcast_ref::<&str>(), Some(&"body"));
                assert_eq!(co.state(), State::Finished);
            },
        );
    }

    #[test]
    fn a_body_that_ignores_the_end_of_its_scope_is_unwound() {
        let log = Log::new();
        scoped(
            |y: &Yielder<i32>| {
                let _local = log.dropper("unwound");
                loop {
                    let _ = y.yield_(1);
                }
                #[allow(unreachable_code)]
                Ok(())
            },
            |co: &mut Scoped<'_, i32>| co.next(),
        );
        assert_eq!(log.take(), "unwound");
    }
}

#[test]
fn a_body_that_cannot_be_ended_ends_the_process() {
    const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        scoped(
            |y: &Yielder<i32>| {
                loop {
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| y.yield_(1)));
                }
                #[allow(unreachable_code)]
                Ok(())
            },
            |co: &mut Scoped<'_, i32>| co.next(),
        );
        println!("it went on");
        return;
    }
    let me = std::env::current_exe().expect("a path");
    let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
    let mut words: Vec<_> = runner.split_whitespace().map(std::ffi::OsString::from).collect();
    words.push(me.into());
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(["--exact", "scoped::a_body_that_cannot_be_ended_ends_the_process", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && !out.contains("it went on"), "{out}{err}");
    assert!(err.contains("could not be ended at the end of its scope"), "{err}");
    // A harness whose panics abort runs a test in a process of its own, and dies of nothing itself.
    #[cfg(all(unix, panic = "unwind"))]
    if runner.is_empty() {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(output.status.signal(), Some(SIGABRT));
    }
}
