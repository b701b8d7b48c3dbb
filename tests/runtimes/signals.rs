//! Signals as messages, and SIGINT that cancels main. Those that end the process, or are about what was there before, are sent in
//! a process of its own; SIGUSR1, SIGUSR2 and SIGWINCH are used here, each by one test.

use crate::process::{Outside, inside};
use crate::workers;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::process::exit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use switchback::signal::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, Signal, Signals};
use switchback::{CancelReason, Cancelled, Runtime, select, task};

/// When a test gives up that waits for something which has not come.
const LONG: Duration = Duration::from_secs(60);

fn raise(signal: Signal) {
    signal.raise().expect("it is one of the system's");
}

#[test]
fn each_receiver_gets_each_signal_and_the_same_ones_are_merged() {
    let signals = |of: &[Signal]| Signals::new(of.iter().copied()).expect("they can be received");
    let (one, other, both, marks) =
        (signals(&[SIGUSR1]), signals(&[SIGUSR1]), signals(&[SIGUSR1, SIGUSR2]), signals(&[SIGUSR2]));
    for _ in 0..5 {
        raise(SIGUSR1);
    }
    // What is raised when the first mark has arrived is told of in a later round than all that was raised before.
    for _ in 0..2 {
        raise(SIGUSR2);
        assert_eq!(marks.recv(), Ok(SIGUSR2));
    }
    for receiver in [&one, &other] {
        assert_eq!((receiver.try_recv(), receiver.try_recv()), (Some(SIGUSR1), None));
    }
    let mut got = [both.try_recv(), both.try_recv()];
    got.sort();
    assert_eq!((got, both.try_recv()), ([Some(SIGUSR1), Some(SIGUSR2)], None));
    // One that is gone is missed by nobody.
    drop(one);
    raise(SIGUSR1);
    assert_eq!((other.recv(), both.recv()), (Ok(SIGUSR1), Ok(SIGUSR1)));
    assert_eq!(marks.recv_timeout(Duration::ZERO), Ok(None));
    assert_eq!(format!("{both:?}"), "{SIGUSR1, SIGUSR2}");
}

#[test]
fn what_cannot_be_received_is_refused() {
    for signal in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, 1 << 20] {
        let error = Signals::new([SIGUSR1, Signal::from_raw(signal)]).expect_err("it is none to be received");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{signal} {error}");
    }
    assert_eq!(Signals::new([]).expect_err("there is none").kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_signal_ends_waits_of_tasks_and_threads_and_a_cancelled_wait_takes_none() {
    let signals = Signals::new([SIGWINCH]).expect("it can be received");
    workers(1).run(|| {
        // The worker does not wait: another task of it runs, and raises the signal.
        let raiser = task::spawn_local(|| raise(SIGWINCH));
        assert_eq!(signals.recv(), Ok(SIGWINCH));
        raiser.join().expect("no panic");

        task::spawn_local(|| raise(SIGWINCH));
        let chosen = select! { recv(signals) -> signal => Some(signal), sleep(LONG) => None };
        assert_eq!(chosen, Ok(Some(SIGWINCH)));
        task::spawn_local(|| raise(SIGWINCH));
        assert_eq!(signals.recv_timeout(LONG), Ok(Some(SIGWINCH)));
        assert_eq!(select! { recv(signals) -> signal => Some(signal), default => None }, Ok(None));

        type Wait = fn(&Signals) -> Result<(), Cancelled>;
        let waits: [Wait; 3] = [
            |signals| signals.recv().map(drop),
            |signals| select! { recv(signals) -> _ => () },
            |signals| signals.into_iter().next().map_or_else(task::check_cancelled, |_| Ok(())),
        ];
        for wait in waits {
            let late = task::timeout(Duration::from_millis(1), || wait(&signals));
            let cancelled = late.expect_err("nothing came").into_value().expect_err("it says so");
            assert_eq!(cancelled.reason(), &CancelReason::TimedOut);
        }
        // What is there wins. (The first receiver has it when the second one has.)
        let second = Signals::new([SIGWINCH]).expect("it can be received");
        raise(SIGWINCH);
        assert_eq!(second.recv(), Ok(SIGWINCH));
        task::current().expect("a task").cancel();
        assert_eq!(signals.recv(), Ok(SIGWINCH));
        assert!(signals.recv().is_err() && second.recv_timeout(LONG).is_err());
    });
    thread::scope(|s| {
        let waiting = s.spawn(|| signals.recv());
        raise(SIGWINCH);
        assert_eq!(waiting.join().expect("no panic"), Ok(SIGWINCH));
    });
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

fn set_action(signal: Signal, action: libc::sighandler_t) {
    // SAFETY: the handler counts, and the others are the system's.
    unsafe { libc::signal(signal.as_raw(), action) };
}

fn flags(signal: Signal) -> libc::c_int {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: it is only asked for, and there is room for it.
    unsafe {
        assert_eq!(libc::sigaction(signal.as_raw(), ptr::null(), action.as_mut_ptr()), 0);
        action.assume_init().sa_flags
    }
}

#[test]
fn after_the_last_receiver_a_signal_does_what_it_did_before() {
    if inside().is_none() {
        let name = "signals::after_the_last_receiver_a_signal_does_what_it_did_before";
        Outside::default().run(name, "inside").assert_signal(libc::SIGTERM);
        return;
    }
    set_action(SIGTERM, libc::SIG_DFL);
    set_action(SIGINT, libc::SIG_IGN);
    set_action(SIGUSR1, count as *const () as libc::sighandler_t);
    let all = [SIGTERM, SIGINT, SIGUSR1];
    for _ in 0..2 {
        let (first, last) = (Signals::new(all).expect("they can be"), Signals::new(all).expect("so can they again"));
        drop(first);
        for signal in all {
            assert!(flags(signal) & libc::SA_ONSTACK != 0, "a coroutine's stack may be too small");
            raise(signal);
            assert_eq!(last.recv(), Ok(signal));
        }
        // Nobody has received these when the receiver goes, and nobody will.
        all.into_iter().for_each(raise);
    }
    assert_eq!(HANDLED.load(Ordering::Relaxed), 4);
    raise(SIGINT);
    raise(SIGUSR1);
    assert_eq!(HANDLED.load(Ordering::Relaxed), 5);
    raise(SIGTERM);
    exit(62);
}

fn interruptible() -> Runtime {
    Runtime::builder().workers(1).cancel_on_sigint(true).build().expect("a runtime")
}

/// Ctrl-C, as the process gets it from a terminal: whoever of its threads takes it.
fn interrupt() {
    raise(SIGINT);
}

#[test]
fn the_first_sigint_cancels_main_and_the_second_ends_the_process() {
    if inside().is_none() {
        let name = "signals::the_first_sigint_cancels_main_and_the_second_ends_the_process";
        let ended = Outside::default().run(name, "inside");
        ended.assert_signal(libc::SIGINT);
        assert!(ended.text().contains("cleaned up"), "{}", ended.text());
        return;
    }
    set_action(SIGINT, libc::SIG_DFL);
    interruptible().run(|| {
        let other = task::spawn_local(task::park);
        task::yield_now().expect("nobody has cancelled it yet");
        interrupt();
        let cancelled = task::park().expect_err("it waits for nothing else");
        assert_eq!(cancelled.reason(), &CancelReason::Interrupted);
        assert!(!other.is_finished(), "it belongs to itself");
        task::shield(|| task::sleep(Duration::from_millis(1))).expect("it may clean up");
        println!("cleaned up");
        interrupt();
    });
    exit(62);
}

#[test]
fn sigint_reaches_main_through_a_scope_and_after_run_it_is_as_before() {
    if inside().is_none() {
        let name = "signals::sigint_reaches_main_through_a_scope_and_after_run_it_is_as_before";
        let ended = Outside::default().run(name, "inside");
        ended.assert_signal(libc::SIGINT);
        assert!(ended.text().contains("main has returned"), "{}", ended.text());
        return;
    }
    set_action(SIGINT, libc::SIG_DFL);
    for _ in 0..2 {
        let ended = interruptible().run(|| {
            task::scope(|s| {
                s.spawn(task::park);
                s.spawn(|| {
                    interrupt();
                    Ok(())
                });
                Ok::<_, Cancelled>(())
            })
        });
        let cancelled = ended.expect_err("it waits for a task");
        let of_main = Cancelled::find_in(&cancelled).expect("nothing else has happened");
        assert_eq!(of_main.reason(), &CancelReason::Interrupted);
    }
    // Somebody else receives it: then the second one is theirs, too.
    let signals = Signals::new([SIGINT]).expect("it can be received");
    interruptible().run(|| {
        interrupt();
        assert!(task::park().is_err() && signals.recv() == Ok(SIGINT));
        interrupt();
        assert!(task::shield(|| signals.recv()) == Ok(SIGINT));
    });
    drop(signals);
    println!("main has returned");
    interrupt();
    exit(62);
}

#[test]
fn where_sigint_is_ignored_it_stays_so() {
    if inside().is_none() {
        let ended = Outside::default().run("signals::where_sigint_is_ignored_it_stays_so", "inside");
        ended.assert_code(61);
        return;
    }
    set_action(SIGINT, libc::SIG_IGN);
    interruptible().run(|| {
        let marks = Signals::new([SIGUSR1]).expect("it can be received");
        interrupt();
        // Twice: see above.
        for _ in 0..2 {
            raise(SIGUSR1);
            marks.recv().expect("nobody has cancelled main");
        }
        task::check_cancelled().expect("nobody has");
    });
    exit(61);
}
