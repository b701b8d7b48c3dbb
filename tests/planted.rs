//! Each sanitizer, and Valgrind, finds a bug on a coroutine's stack, and says where.
//!
//! A bug is planted in a process of its own: this test program, run again for one test with `SWITCHBACK_TEST_INSIDE` set.
//! What it prints must name the kind of the bug, the function in the coroutine and the function that resumed it. These
//! tests are there only where a tool is (`.ci/sanitizers`): in a build with a sanitizer and its feature, and with the
//! feature `valgrind`, for which `SWITCHBACK_RUNNER` holds Valgrind's command (see tests/examples).
#![cfg(any(switchback_asan, switchback_tsan, switchback_valgrind))]

use std::hint::black_box;
use std::process::Command;
use switchback::{Generator, Thrown, Yielder};

const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";

/// Runs `bug` in another process, which is to end with `status` and to print `words` in this order.
#[track_caller]
fn found(name: &str, status: i32, words: &[&str], bug: fn()) {
    let Some((code, text)) = outside(name, bug) else { return };
    assert_eq!(code, Some(status), "{text}");
    let mut rest = text.as_str();
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("no {word:?} where it should be in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

/// Runs `sound` in another process, which is to end well with no word from the tool.
#[track_caller]
fn nothing_found(name: &str, sound: fn()) {
    let Some((code, text)) = outside(name, sound) else { return };
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("Sanitizer") && !text.contains("==") && !text.contains("ASan"), "{text}");
}

/// Runs the test called `name` again, in a process of its own, and returns how it ended and what it printed. There, runs
/// `inside` and returns nothing.
fn outside(name: &str, inside: fn()) -> Option<(Option<i32>, String)> {
    outside_with(name, &[], inside)
}

/// [`outside`], with these environment variables.
fn outside_with(name: &str, env: &[(&str, &str)], inside: fn()) -> Option<(Option<i32>, String)> {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        return None;
    }
    let this = std::env::current_exe().expect("a path");
    let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(this);
            command
        }
        None if cfg!(switchback_valgrind) => panic!("SWITCHBACK_RUNNER does not say how to run Valgrind"),
        None => Command::new(this),
    };
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    command.envs(env.iter().copied());
    #[cfg(switchback_asan)]
    command.env("ASAN_OPTIONS", "detect_stack_use_after_return=1");
    let output = command.output().expect("the program can be run again");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some((output.status.code(), text))
}

/// Resumes a coroutine that runs `body`, to its end.
#[inline(never)]
fn consuming_function(body: fn(&Yielder<u8>) -> Result<(), Thrown>) -> usize {
    let mut co = Generator::new(body);
    let mut count = 0;
    while black_box(&mut co).next().is_some() {
        count += 1;
    }
    black_box(count)
}

#[cfg(switchback_asan)]
mod address {
    use super::*;

    /// What a report ends the process with: libtest's own failures end it with 101.
    const FOUND: i32 = 1;

    #[inline(never)]
    fn reads_past_the_end(y: &Yielder<u8>) -> Result<(), Thrown> {
        let array = black_box([1_u8; 24]);
        y.yield_(array[0])?;
        // SAFETY: there is none: the byte is the first one behind the array.
        let byte = unsafe { *black_box(array.as_ptr().wrapping_add(24)) };
        y.yield_(byte)?;
        Ok(())
    }

    #[test]
    fn a_read_past_the_end_of_an_array_on_a_coroutine_stack() {
        let words = [
            "AddressSanitizer: stack-buffer-overflow",
            "READ of size 1",
            "planted::address::reads_past_the_end",
            "planted::consuming_function",
            "planted::address::reads_past_the_end",
            "'array'",
            "overflows this variable",
        ];
        found("address::a_read_past_the_end_of_an_array_on_a_coroutine_stack", FOUND, &words, || {
            consuming_function(reads_past_the_end);
        });
    }

    #[inline(never)]
    fn returns_the_address_of_a_local() -> *const u8 {
        let local = black_box([7_u8; 16]);
        black_box(local.as_ptr())
    }

    #[inline(never)]
    fn reads_a_dead_local(y: &Yielder<u8>) -> Result<(), Thrown> {
        let dead = returns_the_address_of_a_local();
        y.yield_(0)?;
        // SAFETY: there is none: the function that had the array has returned.
        let byte = unsafe { *black_box(dead) };
        y.yield_(byte)?;
        Ok(())
    }

    #[test]
    fn a_use_after_return_in_a_coroutine() {
        let words = [
            "AddressSanitizer: stack-use-after-return",
            "READ of size 1",
            "planted::address::reads_a_dead_local",
            "planted::consuming_function",
            "planted::address::returns_the_address_of_a_local",
            "'local'",
        ];
        found("address::a_use_after_return_in_a_coroutine", FOUND, &words, || {
            consuming_function(reads_a_dead_local);
        });
    }

    #[inline(never)]
    fn reads_freed_memory(y: &Yielder<u8>) -> Result<(), Thrown> {
        let value = Box::new(black_box(7_u8));
        let freed: *const u8 = &raw const *value;
        drop(value);
        y.yield_(0)?;
        // SAFETY: there is none: the box has been dropped.
        let byte = unsafe { *black_box(freed) };
        y.yield_(byte)?;
        Ok(())
    }

    #[test]
    fn a_use_of_freed_memory_in_a_coroutine() {
        let words = [
            "AddressSanitizer: heap-use-after-free",
            "READ of size 1",
            "planted::address::reads_freed_memory",
            "planted::consuming_function",
            "freed by thread",
            "planted::address::reads_freed_memory",
            "previously allocated by thread",
            "planted::address::reads_freed_memory",
        ];
        found("address::a_use_of_freed_memory_in_a_coroutine", FOUND, &words, || {
            consuming_function(reads_freed_memory);
        });
    }

    /// Arrays and panics on every stack, old and new; large results, which are read after their coroutine has ended.
    #[test]
    fn nothing_where_stacks_are_reused_after_panics() {
        nothing_found("address::nothing_where_stacks_are_reused_after_panics", || {
            for round in 0..100_usize {
                let mut co = switchback::Coroutine::<usize, usize, [usize; 100]>::new(move |y| {
                    let caught = std::panic::catch_unwind(|| {
                        let array = black_box([round; 50]);
                        std::panic::resume_unwind(Box::new(array[round % 50]));
                    });
                    assert!(caught.is_err());
                    let array = black_box([round; 64]);
                    y.yield_(array[1])?;
                    Ok(black_box([round; 100]))
                });
                assert_eq!(co.start(), Ok(switchback::CoroutineState::Yielded(round)));
                assert_eq!(co.send(0), Ok(switchback::CoroutineState::Complete([round; 100])));
            }
        });
    }
}

#[cfg(switchback_tsan)]
mod thread {
    use super::*;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::sync::{Barrier, mpsc};

    /// ThreadSanitizer's own.
    const FOUND: i32 = 66;

    static SHARED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
    static BOTH_RUN: Barrier = Barrier::new(2);

    #[inline(never)]
    fn writes_in_a_coroutine(y: &Yielder<u8>) -> Result<(), Thrown> {
        y.yield_(0)?;
        // SAFETY: there is none: the other thread writes there too.
        unsafe { *SHARED.load(Ordering::Relaxed) += 1 };
        y.yield_(1)?;
        Ok(())
    }

    #[inline(never)]
    fn writes_on_a_thread() {
        // SAFETY: there is none: a coroutine on another thread writes there too.
        unsafe { *SHARED.load(Ordering::Relaxed) += 1 };
    }

    fn race() {
        SHARED.store(Box::leak(Box::new(0)), Ordering::Relaxed);
        let other = std::thread::spawn(|| {
            BOTH_RUN.wait();
            writes_on_a_thread();
        });
        BOTH_RUN.wait();
        consuming_function(writes_in_a_coroutine);
        other.join().expect("it ends well");
    }

    #[test]
    fn a_race_between_a_coroutine_and_a_thread() {
        // Which of the two is the first to be reported is up to them.
        let name = "thread::a_race_between_a_coroutine_and_a_thread";
        found(name, FOUND, &["ThreadSanitizer: data race", "planted::thread::writes_on_a_thread"], race);
        let words =
            ["ThreadSanitizer: data race", "planted::thread::writes_in_a_coroutine", "planted::consuming_function"];
        found(name, FOUND, &words, race);
    }

    #[inline(never)]
    fn writes_in_a_task() {
        // A barrier of std's: each of the two blocks its worker.
        BOTH_RUN.wait();
        // SAFETY: there is none: a task on the other worker writes there too.
        unsafe { *SHARED.load(Ordering::Relaxed) += 1 };
    }

    #[test]
    fn a_race_between_tasks_on_two_workers() {
        let words =
            ["ThreadSanitizer: data race", "planted::thread::writes_in_a_task", "planted::thread::writes_in_a_task"];
        found("thread::a_race_between_tasks_on_two_workers", FOUND, &words, || {
            SHARED.store(Box::leak(Box::new(0)), Ordering::Relaxed);
            switchback::Runtime::builder().workers(2).build().expect("a runtime").run(|| {
                let writers = [0, 1].map(|_| switchback::task::spawn(writes_in_a_task));
                for writer in writers {
                    writer.join().expect("it ends well");
                }
            });
        });
    }

    /// A value goes from a coroutine to a thread's coroutine and back, each time to be written by whoever has it.
    #[test]
    fn nothing_where_coroutines_hand_over_by_channels() {
        nothing_found("thread::nothing_where_coroutines_hand_over_by_channels", || {
            let (there, from_here) = mpsc::channel::<Box<u64>>();
            let (here, from_there) = mpsc::channel::<Box<u64>>();
            let other = std::thread::spawn(move || {
                let co = Generator::<u64>::new(move |y| {
                    for mut value in from_here {
                        *value += 1;
                        y.yield_(*value)?;
                        if here.send(value).is_err() {
                            break;
                        }
                    }
                    Ok(())
                });
                co.last()
            });
            let co = Generator::<u64>::new(move |y| {
                let mut value = Box::new(0);
                for _ in 0..500 {
                    *value += 1;
                    y.yield_(*value)?;
                    there.send(value).expect("it listens");
                    value = from_there.recv().expect("it answers");
                }
                Ok(())
            });
            assert_eq!(co.last(), Some(999));
            assert_eq!(other.join().expect("it ends well"), Some(1_000));
        });
    }
}

#[cfg(switchback_valgrind)]
mod memcheck {
    use super::*;
    use std::mem::MaybeUninit;

    // Its traces end at the coroutine's outermost frame: to find the next one, Valgrind reads nothing outside of the stack
    // that is registered.

    /// As `--error-exitcode` says.
    const FOUND: i32 = 9;

    #[inline(never)]
    fn branches_on_nothing(y: &Yielder<u8>) -> Result<(), Thrown> {
        let array = black_box(MaybeUninit::<[u8; 64]>::uninit());
        y.yield_(0)?;
        // SAFETY: there is none: nothing has been written there.
        if unsafe { *array.as_ptr().cast::<u8>().add(9) } == 42 {
            y.yield_(1)?;
        }
        Ok(())
    }

    #[test]
    fn many_stacks_take_no_system_call_that_is_unknown() {
        // It says so only where it is not quiet.
        let env = [("VALGRIND_OPTS", "-v")];
        let ended = outside_with("memcheck::many_stacks_take_no_system_call_that_is_unknown", &env, || {
            let mut all: Vec<_> = (0..100).map(|_| Generator::<u8>::new(|y| y.yield_(1))).collect();
            assert_eq!(all.iter_mut().flatten().count(), 100);
        });
        let Some((code, text)) = ended else { return };
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("Memcheck") && !text.contains("unhandled"), "{text}");
    }

    #[test]
    fn a_branch_on_an_uninitialised_value_in_a_coroutine() {
        let words = [
            "Conditional jump or move depends on uninitialised value(s)",
            "planted::memcheck::branches_on_nothing",
            "switchback::arch::cpu::bottom",
        ];
        found("memcheck::a_branch_on_an_uninitialised_value_in_a_coroutine", FOUND, &words, || {
            consuming_function(branches_on_nothing);
        });
    }

    #[inline(never)]
    fn reads_freed_memory(y: &Yielder<u8>) -> Result<(), Thrown> {
        let value = Box::new(black_box(7_u8));
        let freed: *const u8 = &raw const *value;
        drop(value);
        y.yield_(0)?;
        // SAFETY: there is none: the box has been dropped.
        let byte = unsafe { *black_box(freed) };
        y.yield_(byte)?;
        Ok(())
    }

    #[test]
    fn a_use_of_freed_memory_in_a_coroutine() {
        let words = [
            "Invalid read of size 1",
            "planted::memcheck::reads_freed_memory",
            "switchback::arch::cpu::bottom",
            "free'd",
            "planted::memcheck::reads_freed_memory",
        ];
        found("memcheck::a_use_of_freed_memory_in_a_coroutine", FOUND, &words, || {
            consuming_function(reads_freed_memory);
        });
    }

    #[test]
    fn nothing_where_stacks_are_reused() {
        nothing_found("memcheck::nothing_where_stacks_are_reused", || {
            for round in 0..50_u8 {
                let large = [round; 600];
                let co = Generator::<u8>::new(move |y| {
                    let array = black_box([round; 64]);
                    y.yield_all(array.into_iter().chain(black_box(large)))
                });
                assert!(co.into_iter().all(|item| item == round));
                assert_eq!(consuming_function(|y| y.yield_(1)), 1);
            }
        });
    }
}
