//! The last words of a coroutine that runs out of stack, each in a process of its own; and whose faults are left alone.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.
#![cfg(target_os = "linux")]

use crate::guard::recurse;
use crate::process::{Ended, Outside, inside};
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use switchback::stack::{GuardedStack, Stack, disable_overflow_report};
use switchback::{Builder, Generator};

const REPORT: &str = "has overflowed its stack of ";

fn run(name: &str) -> Ended {
    run_for(name, "fault")
}

fn run_for(name: &str, word: &str) -> Ended {
    Outside::default().run(&format!("overflow::{name}"), word)
}

fn deep(name: &str) -> Generator<u64> {
    Builder::new().name(name).generator(|y| y.yield_(recurse(0))).expect("a stack")
}

/// The process ended by a fault, with one report that says all of this.
#[track_caller]
fn assert_reported(ended: &Ended, words: &[&str]) {
    ended.assert_signal(libc::SIGSEGV);
    let text = ended.text();
    assert_eq!(text.matches(REPORT).count(), 1, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[track_caller]
fn assert_bare(ended: &Ended) {
    ended.assert_signal(libc::SIGSEGV);
    // With the space: Valgrind's backtraces name functions of `switchback::`.
    assert!(!ended.text().contains("switchback: "), "{}", ended.text());
}

#[test]
fn the_report_names_coroutine_place_size_and_remedy() {
    // [108]
    if inside().is_some() {
        // A neighbour on either side, whose stack must not be what is written to.
        let mut before = Generator::new(|y| y.yield_all(0..));
        before.next();
        let mut co = deep("digger");
        let mut after = Generator::new(|y| y.yield_all(0..));
        after.next();
        println!("created at line {}", co.created_at().line());
        co.next();
        println!("it went on: {:?} {:?}", before.next(), after.next());
        return;
    }
    let ended = run("the_report_names_coroutine_place_size_and_remedy");
    let remedy = ["Builder::stack_size(512 * 1024)", "Yielder::on_parent_stack"];
    assert_reported(
        &ended,
        &["coroutine 'digger' created at tests/coroutines/overflow.rs:", "stack of 256 KiB", remedy[0], remedy[1]],
    );
    let text = ended.text();
    let line = text.split_once("created at line ").and_then(|(_, rest)| rest.lines().next()).expect("a line");
    assert!(text.contains(&format!("overflow.rs:{line}:")) && !text.contains("it went on"), "{text}");
}

#[test]
fn it_names_the_one_that_overflows_whoever_resumed_it() {
    if inside().is_some() {
        let mut innermost = deep("innermost");
        let mut outer = Builder::new().name("outer").generator(move |y| y.yield_from(&mut innermost)).expect("a stack");
        let mut consumer = Generator::<u64>::new(move |y| y.yield_(outer.next().unwrap_or(0)));
        consumer.next();
        return;
    }
    let ended = run("it_names_the_one_that_overflows_whoever_resumed_it");
    assert_reported(&ended, &["'innermost'"]);
    assert!(!ended.text().contains("outer"), "{}", ended.text());
}

#[test]
fn any_thread_and_any_size() {
    if inside().is_some() {
        std::thread::spawn(|| {
            let body = |y: &switchback::Yielder<u64>| y.yield_(recurse(0));
            Builder::new().stack_size(3 << 20).generator(body).expect("a stack").next();
        })
        .join()
        .expect("it does not come to this");
        return;
    }
    let ended = run("any_thread_and_any_size");
    assert_reported(&ended, &["coroutine created at tests/coroutines/overflow.rs:", "4096 KiB", "(8192 * 1024)"]);
}

#[test]
fn a_thread_that_std_knows_nothing_of() {
    extern "C" fn start(_: *mut c_void) -> *mut c_void {
        deep("on a bare thread").next();
        std::ptr::null_mut()
    }
    if inside().is_some() {
        // SAFETY: the thread needs nothing of this one, which waits for it.
        unsafe {
            let mut thread = std::mem::zeroed();
            assert_eq!(libc::pthread_create(&mut thread, std::ptr::null(), start, std::ptr::null_mut()), 0);
            libc::pthread_join(thread, std::ptr::null_mut());
        }
        return;
    }
    assert_reported(&run("a_thread_that_std_knows_nothing_of"), &["'on a bare thread'"]);
}

#[test]
fn a_task_is_named_with_the_place_where_it_was_spawned() {
    if inside().is_some() {
        switchback::run(|| {
            println!("spawned at line {}", line!() + 1);
            let task = switchback::task::Builder::new().name("deep task").spawn(|| recurse(0)).expect("a runtime");
            task.join().expect("it does not come to this");
        });
        return;
    }
    let ended = run("a_task_is_named_with_the_place_where_it_was_spawned");
    assert_reported(&ended, &["'deep task'"]);
    let text = ended.text();
    let line = text.split_once("spawned at line ").and_then(|(_, rest)| rest.lines().next()).expect("a line");
    assert!(text.contains(&format!("overflow.rs:{line}:")), "{text}");
}

#[test]
fn any_of_very_many() {
    if inside().is_some() {
        let count = if cfg!(target_pointer_width = "64") { 25_000 } else { 2_000 };
        let mut all: Vec<_> = (0..count).map(|n| deep(&format!("number {n}"))).collect();
        for co in &mut all {
            let mut other = Generator::new(|y| y.yield_(1));
            other.next();
            assert_eq!(co.state(), switchback::State::Created);
        }
        all[1_234].next();
        return;
    }
    assert_reported(&run("any_of_very_many"), &["'number 1234'"]);
}

#[test]
fn a_stack_of_the_users_own() {
    if inside().is_some() {
        let stack = GuardedStack::new(40_000).expect("a stack");
        let body = |y: &switchback::Yielder<u64>| y.yield_(recurse(0));
        Builder::new().name("mine").stack(stack).generator(body).expect("it is large enough").next();
        return;
    }
    assert_reported(&run("a_stack_of_the_users_own"), &["'mine'", "64 KiB"]);
}

/// Recurses through a function of the C library, and so through a frame that no Rust compiler has probed.
extern "C" fn compare(a: *const c_void, b: *const c_void) -> c_int {
    let mut items = black_box([3_u64, 1, 2]);
    // SAFETY: there are three items of eight bytes.
    unsafe { libc::qsort(items.as_mut_ptr().cast(), 3, 8, Some(compare)) };
    black_box(items);
    (a.addr() > b.addr()).into()
}

#[test]
fn overflow_in_a_frame_of_c() {
    if inside().is_some() {
        let body = |y: &switchback::Yielder<c_int>| y.yield_(compare(std::ptr::null(), std::ptr::null()));
        Builder::new().name("sorter").generator(body).expect("a stack").next();
        return;
    }
    assert_reported(&run("overflow_in_a_frame_of_c"), &["'sorter'"]);
}

#[test]
fn a_null_pointer_inside_a_coroutine_is_not_claimed() {
    if inside().is_some() {
        let null = black_box(std::ptr::null::<u8>());
        // SAFETY: it is not: this is to be a fault.
        Generator::<u8>::new(move |y| y.yield_(unsafe { null.read_volatile() })).next();
        return;
    }
    assert_bare(&run("a_null_pointer_inside_a_coroutine_is_not_claimed"));
}

#[test]
fn a_stray_pointer_into_a_guard_is_not_claimed() {
    let Some(word) = inside() else {
        for word in ["another's", "its own", "a neighbour's", "its consumer's"] {
            assert_bare(&run_for("a_stray_pointer_into_a_guard_is_not_claimed", word));
        }
        return;
    };
    let mut stacks: Vec<_> = (0..4).map(|_| GuardedStack::new(64 << 10).expect("a stack")).collect();
    stacks.sort_by_key(|stack| stack.limit());
    let guards: Vec<_> = stacks.iter().map(|stack| stack.limit().as_ptr().wrapping_sub(8)).collect();
    let mut stacks = stacks.into_iter();
    let mut on = |guard: *mut u8| {
        let stack = stacks.next().expect("there are four");
        // SAFETY: it is not: this is to be a fault.
        let body = move |y: &switchback::Yielder<u8>| y.yield_(unsafe { guard.read_volatile() });
        Builder::new().name("stray").stack(stack).generator(body).expect("it is large enough")
    };
    match word.as_str() {
        "its own" => drop(on(guards[0]).next()),
        "a neighbour's" => drop(on(guards[1]).next()),
        "its consumer's" => {
            let mut inner = on(guards[1]);
            let stack = stacks.next().expect("there are four");
            let body = move |y: &switchback::Yielder<u8>| y.yield_(inner.next().unwrap_or(0));
            Builder::new().stack(stack).generator(body).expect("it is large enough").next();
        }
        // SAFETY: as above.
        _ => drop(Generator::new(move |y| y.yield_(unsafe { guards[3].read_volatile() })).next()),
    }
}

#[test]
fn a_thread_that_overflows_its_own_stack_is_stds_to_tell() {
    if inside().is_some() {
        assert_eq!(Generator::<u64>::new(|y| y.yield_(1)).next(), Some(1));
        recurse(0);
        return;
    }
    let ended = run("a_thread_that_overflows_its_own_stack_is_stds_to_tell");
    ended.assert_signal(libc::SIGABRT);
    let text = ended.text();
    assert!(text.contains("has overflowed its stack") && !text.contains("switchback: "), "{text}");
}

/// What a crash reporter would do.
extern "C" fn earlier(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    const WORDS: &[u8] = b"the earlier handler\n";
    // SAFETY: handlers may call it; the words are there.
    unsafe { libc::write(2, WORDS.as_ptr().cast(), WORDS.len()) };
}

/// One that uses more stack than handlers usually have, and ends the process in an orderly way.
extern "C" fn leaves(_: c_int) {
    let block = black_box([7_u8; 20_000]);
    // A sanitizer looks for leaks at the exit, and what the signal has interrupted is one.
    let exit = if cfg!(any(feature = "asan", feature = "tsan")) { libc::_exit } else { libc::exit };
    // SAFETY: nothing that runs at the exit is in a state that the signal could have found it in.
    unsafe { exit(black_box(block)[1].into()) }
}

fn install(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: an action of zeros is one, and the handler is of the kind that the flags say.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_flags = flags;
        action.sa_sigaction = handler;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

/// A write to what can only be read: unlike a null pointer it is a fault to the system only, not to Valgrind, which would
/// tell of it by the status that the process ends with.
fn fault() {
    static CONSTANT: [u8; 4_096] = [7; 4_096];
    let constant = black_box(CONSTANT.as_ptr().cast_mut());
    let body = move |y: &switchback::Yielder<()>| {
        // SAFETY: it is not: this is to be a fault.
        unsafe { constant.write_volatile(1) };
        y.yield_(())
    };
    Generator::new(body).next();
}

#[test]
fn an_earlier_handler_gets_its_faults_and_ours_too() {
    let name = "an_earlier_handler_gets_its_faults_and_ours_too";
    let Some(word) = inside() else {
        let ended = run(name);
        assert_bare(&ended);
        assert_eq!(ended.text().matches("the earlier handler").count(), 1);
        let ended = run_for(name, "overflow");
        assert_reported(&ended, &["'digger'"]);
        assert_eq!(ended.text().matches("the earlier handler").count(), 1);
        return;
    };
    // Once only, as crash reporters ask for: then the fault ends the process.
    install(libc::SIGSEGV, earlier as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND);
    if word == "overflow" {
        deep("digger").next();
    }
    fault();
}

#[test]
fn an_earlier_handler_may_end_the_process() {
    let Some(word) = inside() else {
        // A handler for a fault, and one for a signal that is none of ours, which both run on the alternate stack that a
        // thread has got for its coroutines.
        for word in ["fault", "sent"] {
            run_for("an_earlier_handler_may_end_the_process", word).assert_code(7);
        }
        return;
    };
    let signal = if word == "sent" { libc::SIGTERM } else { libc::SIGSEGV };
    install(signal, leaves as *const () as usize, if word == "sent" { libc::SA_ONSTACK } else { 0 });
    assert_eq!(Generator::<u64>::new(|y| y.yield_(1)).next(), Some(1));
    if word == "sent" {
        // SAFETY: it calls `leaves`.
        unsafe { libc::raise(signal) };
    }
    fault();
}

#[test]
fn a_sent_signal_that_was_ignored_is_ignored() {
    if inside().is_some() {
        // SAFETY: it changes what a signal does to this process.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_IGN) };
        assert_eq!(Generator::<u64>::new(|y| y.yield_(1)).next(), Some(1));
        // ThreadSanitizer calls our handler on whatever thread the process's signal comes to, and dies if that one is not ready for
        // it: "thr->slot". There this thread gets it.
        // SAFETY: it is ignored.
        unsafe {
            if cfg!(switchback_tsan) {
                libc::raise(libc::SIGSEGV);
            } else {
                libc::kill(libc::getpid(), libc::SIGSEGV);
            }
        }
        return;
    }
    run("a_sent_signal_that_was_ignored_is_ignored").assert_success();
}

#[test]
fn two_that_overflow_at_once_are_one_whole_report() {
    if inside().is_some() {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| deep("one of four").next())).collect();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        return;
    }
    for _ in 0..5 {
        assert_reported(
            &run("two_that_overflow_at_once_are_one_whole_report"),
            &["'one of four'", "on_parent_stack\n"],
        );
    }
}

#[test]
fn a_signal_that_was_sent_still_ends_the_process() {
    if inside().is_some() {
        // SAFETY: it changes what a signal does to this process.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        assert_eq!(Generator::<u64>::new(|y| y.yield_(1)).next(), Some(1));
        // SAFETY: it ends the process.
        unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
        std::thread::sleep(std::time::Duration::from_secs(10));
        return;
    }
    assert_bare(&run("a_signal_that_was_sent_still_ends_the_process"));
}

#[test]
fn the_report_can_be_left_out() {
    if inside().is_some() {
        disable_overflow_report();
        deep("unheard").next();
        return;
    }
    assert_bare(&run("the_report_can_be_left_out"));
}
