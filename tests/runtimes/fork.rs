//! A child of `fork` in a process whose threads all have coroutines.

use crate::process::alone;
use std::iter;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use switchback::stack::{self, Measure};
use switchback::{Builder, Generator};

/// More than a thread keeps free stacks for itself.
const MANY: usize = 400;
const FORKS: u64 = 15;

fn generator(first: u64) -> Generator<u64> {
    Generator::new(move |y| (first..).try_for_each(|n| y.yield_(n)))
}

/// Coroutines with stacks that come from what threads share, and go there.
fn make_many() {
    let mut all: Vec<_> = iter::repeat_with(|| generator(7)).take(MANY).collect();
    assert!(all.iter_mut().all(|generator| generator.next() == Some(7)));
}

/// Runs `child` in a child, and says how that has ended. If it hangs, a signal ends it.
fn in_child(child: impl FnOnce()) -> i32 {
    let mut status = 0;
    // SAFETY: the child allocates, whose locks glibc sees to, makes coroutines, and leaves without running anything else.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(60);
                child();
                libc::_exit(0)
            }
            pid => assert_eq!(libc::waitpid(pid, &mut status, 0), pid),
        }
    }
    status
}

#[test]
fn a_child_goes_on_and_makes_coroutines() {
    if !alone("fork::a_child_goes_on_and_makes_coroutines", "") {
        return;
    }
    let (ends, begun) = (AtomicBool::new(false), Barrier::new(3));
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                begun.wait();
                while !ends.load(Ordering::Relaxed) {
                    make_many();
                }
            });
        }
        begun.wait();
        let mut kept = generator(0);
        let mut fork_twice = |round| {
            let before = kept.next();
            // On a stack of its own, too.
            let mut forks = Generator::new(|y| y.yield_(in_child(make_many)));
            let first = forks.next();
            let second = in_child(|| {
                assert_eq!(kept.next(), Some(round + 1));
                make_many();
            });
            (before, first, second) == (Some(round), Some(0), 0)
        };
        let failed = (0..FORKS).find(|&round| !fork_twice(round));
        ends.store(true, Ordering::Relaxed);
        assert_eq!(failed, None);
    });
}

/// What is found out once is found out by the child, if it was not yet when the process forked: another thread was just at it.
#[test]
fn a_child_finds_out_what_another_thread_was_just_at() {
    if !alone("fork::a_child_finds_out_what_another_thread_was_just_at", "") {
        return;
    }
    make_many();
    // Each time in a process of its own, in which nobody has asked for the limit, and a little later.
    let ends_well = |spins: u64| {
        let middle = in_child(|| {
            static BEGINS: AtomicBool = AtomicBool::new(false);
            let thread = std::thread::spawn(|| {
                BEGINS.store(true, Ordering::Relaxed);
                stack::set_max_pooled(MANY)
            });
            while !BEGINS.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            (0..spins).for_each(|_| std::hint::spin_loop());
            assert_eq!(in_child(|| assert!(stack::set_max_pooled(7) >= MANY)), 0);
            assert!(thread.join().expect("no panic") > MANY);
        });
        middle == 0
    };
    assert_eq!((0..100).find(|&round| !ends_well(round * 50)), None);
}

/// Handlers of others, before and after a fork, are on the thread that has taken the locks for it.
#[test]
fn handlers_of_others_make_coroutines() {
    if !alone("fork::handlers_of_others_make_coroutines", "") {
        return;
    }
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler() {
        make_many();
        let call = CALLED.fetch_add(1, Ordering::Relaxed);
        if call == 0 {
            // Of a size of which there was none before, and measured.
            stack::set_measure(Measure::Pages);
            let first = Builder::new().stack_size(3 << 20).generator(|y| y.yield_(1)).expect("a stack").next();
            assert_eq!((first, stack::set_measure(Measure::Off)), (Some(1), Measure::Pages));
        }
    }
    // SAFETY: the handlers make coroutines; if they hang, a signal ends the process.
    unsafe {
        libc::alarm(60);
        // Before the library's own, so between them.
        assert_eq!(libc::pthread_atfork(Some(handler), Some(handler), Some(handler)), 0);
    }
    make_many();
    for _ in 0..2 {
        assert_eq!(in_child(make_many), 0);
    }
    // One before and one after each; those in the children are not counted here.
    assert_eq!(CALLED.load(Ordering::Relaxed), 4);
}

/// The pollers of a child are its parent's.
#[test]
#[cfg(target_os = "linux")]
fn what_a_child_drops_is_watched_by_its_parent_all_the_same() {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Duration;
    use switchback::{Runtime, net::UnixStream, task};

    if !alone("fork::what_a_child_drops_is_watched_by_its_parent_all_the_same", "") {
        return;
    }
    const LONG: Duration = Duration::from_secs(3600);
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime").run(|| {
        let (mut here, mut there) = UnixStream::pair().expect("a pair");
        here.set_read_timeout(Some(LONG)).expect("not zero");
        assert_eq!(here.read(&mut [0]).expect_err("nothing is there").kind(), ErrorKind::TimedOut);
        // SAFETY: the child, where this runs, does not drop its own.
        assert_eq!(in_child(|| drop(unsafe { std::ptr::read(&raw const here) })), 0);
        task::spawn_local(move || {
            // By then it is waited for.
            (0..5).for_each(|_| task::yield_now().expect("not cancelled"));
            there.write_all(&[7]).expect("it is open");
            task::sleep(2 * LONG)
        });
        let (mut read, start) = ([0], task::now());
        here.read_exact(&mut read).expect("it is there");
        // If nothing had told of it, it would have been found when the time was over.
        assert_eq!((read, task::now() - start), ([7], Duration::ZERO));
    });
}
