//! Threads: the pool under contention, what it keeps, and what becomes of coroutines when their thread ends.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.

use crate::reports::reported;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use switchback::{Builder, Event, Generator, State};

/// Counts its drops.
struct Counted(&'static AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_threads_create_run_and_drop() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    const THREADS: u64 = 8;
    const EACH: u64 = 2_000;
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            thread::spawn(move || {
                let mut sum = 0;
                for i in 0..EACH {
                    let counted = Counted(&DROPPED);
                    let mut co = Generator::<u64>::new(move |y| {
                        let _counted = counted;
                        y.yield_(thread)?;
                        y.yield_(i)?;
                        Ok(())
                    });
                    // A third of each kind: never started, dropped while suspended, run to the end.
                    match i % 3 {
                        0 => {}
                        1 => sum += co.next().unwrap_or(0),
                        _ => sum += co.sum::<u64>(),
                    }
                }
                sum
            })
        })
        .collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("it ends well")).sum();
    let expected: u64 =
        (0..THREADS).flat_map(|thread| (0..EACH).map(move |i| [0, thread, thread + i][(i % 3) as usize])).sum();
    assert_eq!(sum, expected);
    assert_eq!(DROPPED.load(Ordering::Relaxed) as u64, THREADS * EACH);
}

thread_local! {
    static KEPT: RefCell<Option<Generator<i32>>> = const { RefCell::new(None) };
    static BORROWED: RefCell<String> = RefCell::new("alive".to_owned());
}

#[test]
#[cfg_attr(
    all(windows, target_env = "gnu"),
    ignore = "thread-locals die there in an order of the process, not of their use by the thread"
)]
fn one_that_is_suspended_inside_a_dead_thread_local_never_runs_again() {
    // [47]
    // The handle's thread-local is touched first, so it is destroyed last: after BORROWED, which the frame of the body has
    // a reference to, and after the register of the thread's stacks, which has marked the coroutine by then. (Were the
    // register older than KEPT, nothing could tell: docs/SAFETY.md, hole 2.)
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    const NAME: &str = "kept by a thread-local";
    reported(NAME);
    thread::spawn(|| {
        KEPT.with_borrow_mut(|kept| {
            let co = Builder::new().name(NAME).generator(|y| {
                let _counted = Counted(&DROPPED);
                BORROWED.with_borrow(|borrowed| {
                    let end = y.yield_(1);
                    assert_eq!(borrowed, "alive");
                    end
                })
            });
            *kept = Some(co.expect("a stack"));
            assert_eq!(kept.as_mut().and_then(Iterator::next), Some(1));
        });
    })
    .join()
    .expect("the thread ends well");
    assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "nothing ran in it");
    assert_eq!(reported(NAME), [Event::Leaked]);
}

#[test]
fn one_that_has_ended_leaves_nothing_behind() {
    const NAME: &str = "ended in time";
    reported(NAME);
    thread::spawn(|| {
        KEPT.with_borrow_mut(|kept| {
            let mut co = Builder::new().name(NAME).generator(|y| y.yield_(1)).expect("a stack");
            co.next();
            co.close().expect("it leaves");
            assert_eq!(co.state(), State::Finished);
            *kept = Some(co);
        });
    })
    .join()
    .expect("the thread ends well");
    assert_eq!(reported(NAME), []);
}

#[test]
fn coroutines_work_inside_the_destructors_of_thread_locals() {
    static SUM: AtomicU64 = AtomicU64::new(0);
    struct Sums;
    impl Drop for Sums {
        fn drop(&mut self) {
            // New ones, at a time when the register of the thread's stacks may be gone.
            for _ in 0..3 {
                let mut inner = Generator::new(|y| y.yield_all(1..=4));
                let outer = Generator::<u64>::new(move |y| y.yield_from(&mut inner));
                SUM.fetch_add(outer.sum(), Ordering::Relaxed);
            }
            let mut suspended = Generator::<u64>::new(|y| y.yield_all(1..));
            suspended.next();
            drop(suspended);
        }
    }
    thread_local! {
        static BEFORE: Sums = const { Sums };
        static AFTER: Sums = const { Sums };
    }
    thread::spawn(|| {
        BEFORE.with(|_| {});
        assert_eq!(Generator::<u64>::new(|y| y.yield_all(1..=2)).sum::<u64>(), 3);
        AFTER.with(|_| {});
    })
    .join()
    .expect("the thread ends well");
    assert_eq!(SUM.load(Ordering::Relaxed), 2 * 3 * 10);
}

#[test]
fn stacks_of_forgotten_coroutines_are_never_given_to_others() {
    use std::sync::atomic::AtomicPtr;
    static CANARY: AtomicPtr<[u64; 32]> = AtomicPtr::new(std::ptr::null_mut());
    const PATTERN: [u64; 32] = [0x5ca1_ab1e; 32];
    thread::spawn(|| {
        let mut co = Generator::<i32>::new(|y| {
            let mut canary = std::hint::black_box(PATTERN);
            CANARY.store(&raw mut canary, Ordering::Relaxed);
            let end = y.yield_(1);
            std::hint::black_box(canary);
            end
        });
        co.next();
        std::mem::forget(co);
    })
    .join()
    .expect("the thread ends well");
    // Many threads take and fill stacks, those that the first one has left among them.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let mut all: Vec<_> = (0..300)
                    .map(|n| {
                        Generator::<u64>::new(move |y| {
                            let filled = std::hint::black_box([n; 512]);
                            y.yield_all(filled)
                        })
                    })
                    .collect();
                all.iter_mut().filter_map(Iterator::next).sum::<u64>()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("it ends well"), 299 * 300 / 2);
    }
    // SAFETY: the forgotten coroutine's stack stays mapped for ever, and its frame is suspended.
    assert_eq!(unsafe { CANARY.load(Ordering::Relaxed).read_volatile() }, PATTERN);
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_unwinds_through_suspended_coroutines() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let result = thread::spawn(|| {
        let mut all: Vec<Generator<i32>> = (0..10)
            .map(|_| {
                Generator::new(|y| {
                    let _counted = Counted(&DROPPED);
                    y.yield_(1)?;
                    Ok(())
                })
            })
            .collect();
        assert_eq!(all.iter_mut().filter_map(Iterator::next).sum::<i32>(), 10);
        std::panic::panic_any("boom");
    })
    .join();
    assert_eq!(result.expect_err("it panics").downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(DROPPED.load(Ordering::Relaxed), 10);
}

/// What the pool keeps is the process's: each of these is in one of its own.
#[cfg(unix)]
mod pool {
    use crate::process::alone;
    use crate::slow::SLOW;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use switchback::stack::{self, GuardedStack};
    use switchback::sync::Event;
    use switchback::{Generator, task};

    /// So many at once: several times as many as a thread keeps for itself.
    const BURST: usize = if SLOW { 900 } else { 3_000 };
    /// What a thread keeps for itself, and what comes to it in one batch.
    const OWN: usize = 256;
    const BATCH: usize = 64;
    const HOUR: Duration = Duration::from_secs(3600);

    fn live(count: usize) -> Vec<Generator<usize>> {
        let mut all: Vec<_> = (0..count).map(|n| Generator::new(move |y| y.yield_(n))).collect();
        assert_eq!(all.iter_mut().filter_map(Iterator::next).sum::<usize>(), count * (count - 1) / 2);
        all
    }

    /// Whether this is the process for the test of that name; if not, runs it.
    fn is_inside(name: &str) -> bool {
        alone(&format!("threads::pool::{name}"), "")
    }

    /// Bytes of memory that the process has (proc_pid_statm(5)); under tools and emulators much of it is theirs.
    #[cfg(target_os = "linux")]
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
        let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
        // SAFETY: it asks and changes nothing.
        pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
    }

    #[test]
    fn a_burst_is_kept_for_the_next_one_and_goes_when_it_is_told_to() {
        if !is_inside("a_burst_is_kept_for_the_next_one_and_goes_when_it_is_told_to") {
            return;
        }
        stack::set_pool_decay(HOUR);
        drop(live(BURST));
        let (kept, mapped) = (stack::pooled(), GuardedStack::mapped());
        assert!((BURST - OWN..=BURST).contains(&kept), "{kept}");
        drop(live(BURST));
        assert_eq!(GuardedStack::mapped(), mapped);
        // Another thread has what this one does not keep for itself.
        std::thread::spawn(|| drop(live(BURST))).join().expect("it ends well");
        assert!(GuardedStack::mapped() <= mapped + OWN, "{} of {mapped}", GuardedStack::mapped());
        #[cfg(target_os = "linux")]
        let before = resident();
        stack::trim();
        assert_eq!(stack::pooled(), 0);
        assert!(GuardedStack::mapped() <= OWN, "{}", GuardedStack::mapped());
        #[cfg(target_os = "linux")]
        if !SLOW {
            // A page at least for each of them.
            let (gone, least) = (before.saturating_sub(resident()), (BURST - OWN - BATCH) * 4096);
            assert!(gone >= least, "{gone} of {least} bytes");
        }
        // They can be used as before.
        drop(live(BURST));
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        if !is_inside("no_more_is_kept_than_may_be") {
            return;
        }
        stack::set_pool_decay(HOUR);
        stack::set_max_pooled(100);
        for _ in 0..3 {
            drop(live(BURST));
            assert!(stack::pooled() <= 100, "{}", stack::pooled());
            assert!(GuardedStack::mapped() <= OWN + 100, "{}", GuardedStack::mapped());
        }
        assert_eq!(stack::set_max_pooled(usize::MAX), 100);
        drop(live(BURST));
        assert!(stack::pooled() >= BURST - OWN);
        stack::set_max_pooled(100);
        assert!(stack::pooled() <= 100);
    }

    #[test]
    fn what_is_not_used_again_goes_while_others_come_and_go() {
        if !is_inside("what_is_not_used_again_goes_while_others_come_and_go") {
            return;
        }
        // No time is too short: after each use of the depot, what was not used since the one before is to go.
        stack::set_pool_decay(Duration::ZERO);
        drop(live(BURST));
        for _ in 0..BURST {
            drop(live(OWN + BATCH));
            if stack::pooled() <= 2 * BATCH {
                return;
            }
        }
        panic!("{} are kept for nobody", stack::pooled());
    }

    #[test]
    fn a_runtime_that_has_nothing_to_do_gives_the_stacks_of_a_burst_back() {
        if !is_inside("a_runtime_that_has_nothing_to_do_gives_the_stacks_of_a_burst_back") {
            return;
        }
        stack::set_pool_decay(HOUR);
        switchback::run(|| {
            let gate = Arc::new((Event::new(), AtomicUsize::new(0)));
            let tasks: Vec<_> = (0..BURST)
                .map(|_| {
                    let gate = Arc::clone(&gate);
                    task::spawn(move || {
                        gate.1.fetch_add(1, Ordering::Relaxed);
                        gate.0.wait()
                    })
                })
                .collect();
            // Until all have a stack.
            while gate.1.load(Ordering::Relaxed) < BURST {
                task::sleep(Duration::from_millis(1)).expect("nobody cancels");
            }
            gate.0.set();
            tasks.into_iter().for_each(|task| task.join().expect("it ends well").expect("nobody cancels"));
            assert!(stack::pooled() > 0);
            // From now on nothing happens here: main waits for a thread that looks on.
            stack::set_pool_decay(Duration::from_millis(5));
            let left = switchback::offload(|| {
                for _ in 0..20_000 {
                    if stack::pooled() == 0 {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                stack::pooled()
            });
            assert_eq!(left, 0, "kept for nobody, by workers that sleep");
        });
    }
}
