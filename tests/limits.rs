//! What happens at the limits, each in a process of its own: no more stacks, no more of a stack.
//!
//! Native only: qemu-user and sanitizers have mappings and limits of their own between the program and the kernel, and
//! AddressSanitizer takes the fault on a guard page for itself.
#![cfg(all(target_arch = "x86_64", target_os = "linux", not(any(switchback_asan, switchback_tsan))))]

use std::process::{Command, Output};
use switchback::{Builder, Generator};

const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";

/// Whether this process is the one that goes to the limit.
fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the test called `name` again, in a process of its own, after `prelude` in a shell.
fn outside(name: &str, prelude: &str) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{prelude} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("a shell")
}

/// Creates coroutines until there are no more stacks; then the error must name `limit`, the body must come back, and the
/// process must be able to go on.
fn exhaust(size: usize, limit: &str) {
    let mut all: Vec<Generator<usize>> = Vec::with_capacity(1_000_000);
    let refused = loop {
        let n = all.len();
        match Builder::new().stack_size(size).generator(move |y| y.yield_(n)) {
            Ok(mut co) => {
                assert_eq!(co.next(), Some(n));
                all.push(co);
            }
            Err(refused) => break refused,
        }
        assert!(n < 1_000_000, "there is no end of it");
    };
    let text = refused.to_string();
    println!("{text}");
    assert!(text.contains("mmap") || text.contains("mprotect"), "the call: {text}");
    assert!(text.contains(limit), "the limit: {text}");
    let reached: usize = text
        .split_once("failed with ")
        .and_then(|(_, rest)| rest.split(' ').next())
        .and_then(|number| number.parse().ok())
        .expect("the number of stacks reached");
    assert!(reached >= all.len(), "{reached} of {}", all.len());
    assert!(refused.error().os_error().is_some());

    // It is an error, not the end: memory can be allocated, the body is whole, and when some have gone there are more.
    drop(vec![1_u8; 1 << 20]);
    let count = all.len();
    all.truncate(count / 2);
    let mut again = Builder::new().stack_size(size).generator(refused.into_body()).expect("a stack");
    assert_eq!(again.next(), Some(count));
    for co in &mut all {
        assert_eq!(co.next(), None);
    }
}

fn assert_success(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn the_limit_of_address_space_is_told() {
    if inside() {
        return exhaust(256 << 10, "RLIMIT_AS");
    }
    assert_success(&outside("the_limit_of_address_space_is_told", "ulimit -v 3000000 &&"));
}

#[test]
fn the_limit_of_mappings_is_told() {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux has it");
    let limit: u64 = limit.trim().parse().expect("a number");
    if limit > 300_000 {
        // So many stacks would take more memory than a test should: here the other limit is as near as a test can get.
        return the_limit_of_address_space_is_told();
    }
    if inside() {
        return exhaust(32 << 10, &format!("vm.max_map_count = {limit}"));
    }
    assert_success(&outside("the_limit_of_mappings_is_told", ""));
}

#[inline(never)]
fn recurse(n: u64) -> u64 {
    let block = std::hint::black_box([n; 64]);
    if std::hint::black_box(n) == u64::MAX {
        return 0; // never: there is no stack for so many
    }
    recurse(n + 1) + std::hint::black_box(block)[0]
}

#[test]
fn running_off_the_end_of_a_stack_ends_the_process() {
    if inside() {
        // A neighbour on either side, whose stack must not be what is written to.
        let mut before = Generator::new(|y| y.yield_all(0..));
        before.next();
        let mut deep = Generator::<u64>::new(|y| y.yield_(recurse(0)));
        let mut after = Generator::new(|y| y.yield_all(0..));
        after.next();
        deep.next();
        println!("it went on: {:?} {:?}", before.next(), after.next());
        return;
    }
    let output = outside("running_off_the_end_of_a_stack_ends_the_process", "");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && !text.contains("it went on"), "{text}");
    // Std's handler does not know the guard and lets the fault through; were it to claim it, it would abort.
    #[cfg(panic = "unwind")]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        const SIGSEGV: i32 = 11;
        assert!(matches!(output.status.signal(), Some(SIGSEGV | SIGABRT)), "{:?} {text}", output.status);
    }
    // A harness whose panics abort runs a test in a process of its own, and tells how that one ended.
    #[cfg(panic = "abort")]
    assert!(text.contains("exited with signal 11") || text.contains("exited with signal 6"), "{text}");
}
