//! What happens at the limits, each in a process of its own: no more stacks, no more of a stack.
//!
//! Native only: qemu-user and sanitizers have mappings and limits of their own between the program and the kernel, and
//! AddressSanitizer takes the fault on a guard page for itself.
#![cfg(all(target_arch = "x86_64", target_os = "linux", not(any(switchback_asan, switchback_tsan))))]

use crate::process::{Outside, inside};
use switchback::stack::Guard;
use switchback::{Builder, Generator};

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
        .split_once(" with ")
        .and_then(|(_, rest)| rest.split(' ').next())
        .and_then(|number| number.parse().ok())
        .expect("the number of stacks reached");
    assert!(reached >= all.len(), "{reached} of {}", all.len());
    assert_eq!(refused.error().os_error().is_some(), text.contains("failed"));

    // It is an error, not the end: memory can be allocated, the body is whole, and when some have gone there are more.
    drop(std::hint::black_box(vec![1_u8; 8 << 20]));
    if limit.contains("map_count") {
        // Memory that the heap takes from the system by itself, and a thread.
        let large: Vec<Vec<u8>> = (0..100).map(|_| std::hint::black_box(vec![1_u8; 1 << 20])).collect();
        std::thread::spawn(move || drop(large)).join().expect("a thread");
    }
    let count = all.len();
    all.truncate(count / 2);
    let mut again = Builder::new().stack_size(size).generator(refused.into_body()).expect("a stack");
    assert_eq!(again.next(), Some(count));
    for co in &mut all {
        assert_eq!(co.next(), None);
    }
}

/// Runs a test again under limits of the shell, and in the given environment.
fn limited(name: &str, prelude: &str, env: &[(&str, &str)]) {
    Outside { prelude, env }.run(&format!("limits::{name}"), "limited").assert_success();
}

#[test]
fn the_limit_of_address_space_is_told() {
    if inside().is_some() {
        return exhaust(256 << 10, "RLIMIT_AS");
    }
    limited("the_limit_of_address_space_is_told", "ulimit -v 3000000 &&", &[]);
}

#[test]
fn the_limit_of_data_is_told() {
    if inside().is_some() {
        return exhaust(256 << 10, "RLIMIT_DATA");
    }
    limited("the_limit_of_data_is_told", "ulimit -d 1000000 &&", &[]);
}

#[test]
fn the_limit_of_mappings_is_told() {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux has it");
    let limit: u64 = limit.trim().parse().expect("a number");
    if limit > 300_000 {
        // So many stacks would take more memory than a test should: here the other limit is as near as a test can get.
        return the_limit_of_address_space_is_told();
    }
    if inside().is_some() {
        assert_eq!(Guard::in_use(), Guard::Protection);
        return exhaust(32 << 10, &format!("vm.max_map_count = {limit}"));
    }
    limited("the_limit_of_mappings_is_told", "", &[("SWITCHBACK_GUARD", "protection")]);
}

#[test]
fn little_address_space_is_enough_to_start() {
    if inside().is_some() {
        let all: Vec<Generator<i32>> = (0..64).map(|n| Generator::new(move |y| y.yield_(n))).collect();
        assert_eq!(all.into_iter().flatten().sum::<i32>(), 64 * 63 / 2);
        return;
    }
    // Of which the program and the test harness take the most.
    limited("little_address_space_is_enough_to_start", "ulimit -v 200000 &&", &[]);
    limited("little_address_space_is_enough_to_start", "ulimit -d 60000 &&", &[]);
}

#[test]
fn locked_memory_has_guards_all_the_same() {
    use switchback::stack::{GuardedStack, Stack};
    let Some(word) = inside() else {
        for word in ["before", "after"] {
            Outside::default().run("limits::locked_memory_has_guards_all_the_same", word).assert_success();
        }
        return;
    };
    let co = || Generator::<i32>::new(|y| y.yield_(1));
    if word == "after" {
        assert_eq!(co().next(), Some(1));
    }
    // SAFETY: it changes no memory. It fails where locking is not allowed, and then there is nothing to see.
    let locked = unsafe { libc::mlockall(libc::MCL_FUTURE | libc::MCL_CURRENT) } == 0;
    println!("locked: {locked}");
    assert_eq!(co().next(), Some(1));
    let stack = GuardedStack::new(64 << 10).expect("a stack");
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&writer);
    // SAFETY: the kernel checks the addresses before it reads.
    let written = unsafe {
        [
            libc::write(fd, stack.limit().as_ptr().wrapping_sub(1).cast(), 1),
            libc::write(fd, stack.limit().as_ptr().cast(), 1),
        ]
    };
    assert_eq!(written, [-1, 1]);
}
