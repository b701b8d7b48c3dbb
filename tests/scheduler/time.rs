//! Sleeping, timeouts, intervals, deadlines; on a clock that jumps, and on the system's.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use switchback::sync::mpsc::sync_channel;
use switchback::{Cancelled, Generator, Resumer, Runtime, select, task};

fn virtual_runtime() -> Runtime {
    Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime")
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn sleepers_wake_in_the_order_of_their_times_and_then_of_their_age() {
    virtual_runtime().run(|| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let start = task::now();
        let nanos = [3, 1, 2, 1, 1_000_000_000_000, 0, 1];
        let sleepers: Vec<_> = (0..)
            .zip(nanos)
            .map(|(n, nanos)| {
                let order = Rc::clone(&order);
                task::spawn_local(move || {
                    task::sleep_until(start + Duration::from_nanos(nanos)).expect("not cancelled");
                    assert_eq!(task::now(), start + Duration::from_nanos(nanos));
                    order.borrow_mut().push(n);
                })
            })
            .collect();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("it ends well"));
        assert_eq!(*order.borrow(), [5, 1, 3, 6, 2, 0, 4]);
    });
}

#[test]
fn the_systems_clock_is_waited_for() {
    for workers in [1, 2] {
        Runtime::builder().workers(workers).build().expect("a runtime").run(|| {
            let start = Instant::now();
            let sleepers: Vec<_> = (0..20)
                .map(|n| {
                    task::spawn(move || {
                        let start = Instant::now();
                        task::sleep(Duration::from_millis(n)).expect("not cancelled");
                        start.elapsed() >= Duration::from_millis(n)
                    })
                })
                .collect();
            assert!(sleepers.into_iter().all(|sleeper| sleeper.join().expect("it ends well")));
            assert!(start.elapsed() >= Duration::from_millis(19));
        });
    }
}

#[test]
fn outside_of_tasks_threads_sleep() {
    let start = Instant::now();
    task::sleep(Duration::from_millis(2)).expect("nobody cancels");
    task::sleep_until(start + Duration::from_millis(4)).expect("nobody cancels");
    assert!(start.elapsed() >= Duration::from_millis(4) && task::now() >= start);
    assert_eq!(task::timeout(Duration::ZERO, || task::sleep(Duration::from_millis(1))), Ok(Ok(())));
    assert_eq!(task::deadline(), None);
}

#[test]
fn a_timeout_cuts_short_what_waits_and_absorbs_its_own_cancellation() {
    virtual_runtime().run(|| {
        let start = task::now();
        let elapsed = task::timeout(SECOND, || task::sleep(100 * SECOND)).expect_err("it is over");
        assert!(elapsed.into_value().is_err());
        assert_eq!(task::now() - start, SECOND);
        // It is left, and nothing of it remains.
        task::sleep(SECOND).expect("not cancelled");
        assert_eq!(task::timeout(SECOND, || task::sleep(SECOND / 2)), Ok(Ok(())));
        assert_eq!(task::timeout_at(task::now() + SECOND, || 5), Ok(5));
        let cut_short = task::timeout(SECOND, || switchback::thread::sleep(100 * SECOND));
        assert!(cut_short.is_err());
        assert_eq!(io::Error::from(cut_short.expect_err("it is over")).kind(), io::ErrorKind::TimedOut);
    });
}

/// What tasks of a scope make of it is a result, and it has been cut short all the same.
#[test]
fn a_cancellation_that_tasks_of_a_scope_swallow_is_told_with_the_value() {
    virtual_runtime().run(|| {
        let sleeps = |seconds: u32| move || task::sleep(seconds * SECOND).is_err();
        let raced = task::timeout(SECOND, || task::race([sleeps(5), sleeps(6)]));
        assert_eq!(raced.map_err(|elapsed| elapsed.into_value()), Err(Some(true)));
        let in_scope = |limit| {
            task::timeout(limit * SECOND, || {
                task::scope(|s| {
                    s.spawn(move || {
                        Ok::<_, Cancelled>(task::scope(|s| {
                            s.spawn(move || Ok::<_, &str>(sleeps(2)())).join().map_err(|_| "")
                        }))
                    });
                    Ok(())
                })
            })
        };
        assert!(in_scope(1).is_err(), "also further in");
        assert!(in_scope(3).is_ok_and(|ended| ended.is_ok()));
        // Nothing was cut short.
        let late = task::timeout(SECOND, || {
            task::scope(|s| {
                s.spawn(|| task::shield(|| task::sleep(2 * SECOND)));
                Ok(())
            })
        });
        assert_eq!(late, Ok(Ok(())));
    });
}

#[test]
fn a_result_that_is_there_wins_over_a_timeout_of_the_same_turn() {
    virtual_runtime().run(|| {
        // The timer of the sleep was set before, so it goes off before.
        assert_eq!(task::timeout(SECOND, || task::sleep_until(task::now() + SECOND)).map_err(drop), Err(()));
        let sleeper = task::spawn_local(|| task::sleep(SECOND).map(|()| 5));
        task::yield_now().expect("not cancelled");
        let joined = task::timeout(SECOND, || sleeper.join().expect("it ends well"));
        assert_eq!(joined.map_err(drop).map(|value| value.map_err(drop)), Ok(Ok(5)));
        // One that comes late, and has not been cut short, is a result as well.
        let late = task::timeout(SECOND, || task::shield(|| task::sleep(5 * SECOND)).map(|()| 6));
        assert_eq!(late, Ok(Ok(6)));
    });
}

#[test]
fn a_limit_of_zero_is_over_at_the_first_wait() {
    virtual_runtime().run(|| {
        let mut reached = false;
        let over = task::timeout(Duration::ZERO, || {
            reached = true;
            task::yield_now()
        });
        assert!(over.is_err() && reached);
        let past = task::timeout_at(task::now(), task::park);
        assert!(past.is_err());
        assert_eq!(task::timeout(Duration::ZERO, || 5), Ok(5));
    });
}

#[test]
fn a_timeout_that_is_moved_is_over_at_its_new_time_and_not_at_its_old_one() {
    virtual_runtime().run(|| {
        let start = task::now();
        let later = task::timeout_with(SECOND, |timeout| {
            assert_eq!(timeout.deadline(), Some(start + SECOND));
            timeout.reschedule(start + 5 * SECOND).expect("it is not over");
            assert_eq!((timeout.deadline(), task::deadline()), (Some(start + 5 * SECOND), Some(start + 5 * SECOND)));
            task::sleep(4 * SECOND)?;
            timeout.reschedule(start + 3 * SECOND).expect("it is not over");
            // It is now.
            assert!(timeout.reschedule(start + 60 * SECOND).is_err());
            task::sleep(SECOND)
        });
        assert!(later.expect_err("it was cut short").into_value().is_err());
        assert_eq!(task::now(), start + 4 * SECOND);

        let sooner = task::timeout_with(60 * SECOND, |timeout| {
            timeout.reschedule(start + 5 * SECOND).expect("it is not over");
            task::park()
        });
        assert!(sooner.is_err());
        assert_eq!(task::now(), start + 5 * SECOND);
        task::sleep(120 * SECOND).expect("no timer is left that cancels this");
    });
    let outside = task::timeout_with(SECOND, |timeout| (timeout.deadline(), timeout.reschedule(Instant::now())));
    assert_eq!(outside, Ok((None, Ok(()))));
}

#[test]
fn a_cancellation_that_is_swallowed_is_told_all_the_same_with_the_value() {
    virtual_runtime().run(|| {
        let over = task::timeout(SECOND, || {
            let _ = task::park();
            "went on"
        });
        assert_eq!(over.expect_err("it was cut short").into_value(), "went on");
    });
}

#[test]
fn deadlines_are_inherited_and_the_earliest_counts() {
    virtual_runtime().run(|| {
        fn left() -> Option<Duration> {
            task::deadline().map(|deadline| deadline - task::now())
        }
        assert_eq!(left(), None);
        let nested = task::timeout(5 * SECOND, || {
            let longer = task::timeout(100 * SECOND, left).expect("not over");
            let shorter = task::timeout(SECOND, left).expect("not over");
            let shielded = task::shield(left);
            let inside = task::shield(|| task::timeout(SECOND, left)).expect("not over");
            (longer, shorter, shielded, inside, left())
        });
        let five = Some(5 * SECOND);
        assert_eq!(nested, Ok((five, Some(SECOND), None, Some(SECOND), five)));
        // Across a scope: its tasks are cut short with it.
        let over = task::timeout(SECOND, || {
            task::scope(|s| {
                s.spawn(|| task::sleep(100 * SECOND));
                Ok::<(), Cancelled>(())
            })
        });
        assert!(over.is_err());
        assert_eq!(left(), None);
    });
}

#[test]
fn intervals_tick_at_multiples_and_leave_out_what_was_missed() {
    virtual_runtime().run(|| {
        let start = task::now();
        let mut interval = task::interval(10 * SECOND);
        let mut due = || (interval.tick().expect("not cancelled") - start).as_secs();
        assert_eq!([due(), due(), due()], [0, 10, 20]);
        task::sleep(35 * SECOND).expect("not cancelled");
        assert_eq!([due(), due()], [50, 60]);
        assert_eq!((task::now() - start).as_secs(), 60);
    });
}

#[test]
fn intervals_of_all_lengths() {
    virtual_runtime().run(|| {
        let start = task::now();
        let mut longest = task::interval(Duration::MAX);
        assert_eq!(longest.tick(), Ok(start));
        assert!(task::timeout(1_000_000 * SECOND, || longest.tick().is_err()).is_err(), "the next is far away");
        // More ticks were missed than a `u32` counts.
        let start = task::now();
        let mut shortest = task::interval(Duration::from_nanos(1));
        task::sleep(10 * SECOND).expect("not cancelled");
        assert_eq!(shortest.tick(), Ok(start + 10 * SECOND));
    });
}

#[test]
fn timers_of_waits_that_ended_otherwise_do_not_go_off() {
    virtual_runtime().run(|| {
        let start = task::now();
        for _ in 0..100 {
            let got = task::timeout(3600 * SECOND, || {
                task::suspend(|resumer: Resumer<i32>| resumer.send(5).expect("it waits"))
            });
            assert_eq!(got, Ok(Ok(5)));
        }
        task::sleep(7200 * SECOND).expect("not cancelled");
        assert_eq!(task::now() - start, 7200 * SECOND);
    });
}

#[test]
fn thousands_sleep_at_once_and_each_wakes_at_its_time() {
    virtual_runtime().run(|| {
        let start = task::now();
        let sleepers: Vec<_> = (0..4_000_u64)
            .map(|n| {
                let time = Duration::from_nanos(n * 7919 % 4_001);
                task::spawn(move || {
                    task::sleep_until(start + time).expect("not cancelled");
                    task::now() == start + time
                })
            })
            .collect();
        assert!(sleepers.into_iter().all(|sleeper| sleeper.join().expect("it ends well")));
    });
}

/// A generator may outlive the runtime in which it has opened a timeout. The timer went with that; in the next one others have theirs.
#[test]
fn a_timeout_that_is_left_in_another_runtime_takes_nobodys_timer() {
    let opened = || {
        let mut opens = Generator::new(|y| {
            let _ = task::timeout(SECOND, || y.yield_(1));
            Ok(())
        });
        assert_eq!(opens.next(), Some(1));
        opens
    };
    let opens = virtual_runtime().run(opened);
    virtual_runtime().run(move || {
        let sleeper = task::spawn_local(|| task::sleep(SECOND));
        task::yield_now().expect("not cancelled");
        drop(opens);
        assert_eq!(sleeper.join().expect("it ends well"), Ok(()));
    });
}

/// In 584 years. All that waits for a later time is over at once, and nothing waits for ever.
#[test]
fn at_the_end_of_time_all_times_are_over() {
    virtual_runtime().run(|| {
        let start = task::now();
        task::sleep(Duration::MAX).expect("not cancelled");
        let end = task::now();
        assert_eq!(end - start, Duration::from_nanos(u64::MAX));
        task::sleep(SECOND).expect("not cancelled");
        assert!(task::timeout(SECOND, task::park).is_err());
        let (_sender, receiver) = sync_channel::<()>(0);
        assert!(receiver.recv_timeout(SECOND).is_err());
        assert_eq!(select! { sleep(SECOND) => task::now() }, Ok(end));
    });
}

/// Whichever worker has the next timer: what runs takes no time, and no clock jumps over a timer of another.
#[test]
fn a_clock_of_several_workers_jumps_to_the_time_of_each() {
    for workers in 2..5 {
        let runtime = Runtime::builder().workers(workers).virtual_clock(true).build().expect("a runtime");
        runtime.run(|| {
            let wait = |kind: u64, time: Duration| match kind {
                0 => task::sleep(time).is_ok(),
                1 => task::park_timeout(time).is_ok(),
                2 => task::timeout(time, task::park).is_err(),
                3 => select! { sleep(time) => true, sleep(time * 2) => false } == Ok(true),
                4 => {
                    let (_sender, receiver) = sync_channel::<()>(0);
                    receiver.recv_timeout(time).is_err()
                }
                _ => switchback::offload(|| true) && task::sleep(time).is_ok(),
            };
            let tasks = (0..30_u64).map(|n| {
                task::spawn(move || {
                    (0..20).all(|step| {
                        let hash = (n * 20 + step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let (start, time) = (task::now(), Duration::from_nanos(hash >> (24 + hash % 32)));
                        wait(step % 6, time) && task::now() == start + time
                    })
                })
            });
            let tasks: Vec<_> = tasks.collect();
            assert!(tasks.into_iter().all(|task| task.join().expect("it ends well")));
        });
    }
}
