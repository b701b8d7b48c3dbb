//! Processes that are waited for. What looks at all children, or takes all descriptors, runs in a process of its own.

use super::refused::{assert_refused, cancelled, cancelled_before};
use super::{all_descriptors, descriptors, on};
use crate::process::alone;
use crate::require::skip;
use crate::slow::SLOW;
use crate::unwinding::unwinding;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::channel;
use std::time::Duration;
use switchback::io::{self, ErrorKind, PipeWriter, Read, Write};
use switchback::process::{Child, Command, Output, Stdio};
use switchback::{CancelReason, Cancelled, Runtime, offload, task};

/// Whether the process has any children, ended or not.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::All, options) {
        Err(error) => assert_eq!(error, rustix::io::Errno::CHILD),
        Ok(_) => return true,
    }
    false
}

/// Waits until it has ended, and leaves it to be waited for.
fn let_end(child: &Child) {
    let pid = Pid::from_raw(child.id() as i32).expect("a number");
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("it is ours");
}

/// What ends when the other is dropped.
fn cat() -> (Command, PipeWriter) {
    let (reader, writer) = io::pipe().expect("a pipe");
    let mut command = Command::new("cat");
    command.stdin(reader);
    (command, writer)
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_and_status_are_stds() {
    const SCRIPT: &str = "cat; echo out $WORD; echo err >&2; exit 3";
    let expected = std::process::Command::new("sh").args(["-c", SCRIPT]).env("WORD", "x").output().expect("it runs");
    let check = |output: Output| assert_eq!(output, expected);
    let try_all = || {
        let mut command = sh(SCRIPT);
        command.env("WORD", "x");
        check(command.output().expect("it runs"));
        // What was set stays.
        let output = command.stdout(Stdio::null()).output().expect("it runs");
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b""[..], &b"err\n"[..]));
        // What was not set is what it was.
        let mut command = sh("exit 3");
        assert_eq!(command.output().expect("it runs").status.code(), Some(3));
        let mut child = command.spawn().expect("it runs");
        assert!(child.stdout.is_none() && child.stderr.is_none());
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
        assert_eq!(child.wait().expect("it has ended").code(), Some(3));
        assert_eq!(child.try_wait().expect("it has ended").and_then(|status| status.code()), Some(3));
        child.kill().expect("it has ended");
        assert_eq!(command.status().expect("it runs").code(), Some(3));
        let mut std = std::process::Command::new("sh");
        std.args(["-c", SCRIPT]).env("WORD", "x").stdin(Stdio::null());
        check(Command::from(std).output().expect("it runs"));
        let child =
            sh(SCRIPT).env("WORD", "x").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        check(child.and_then(Child::wait_with_output).expect("it runs"));
        assert_eq!(format!("{command:?}"), r#""sh" "-c" "exit 3""#);
        match Command::new("no such program").status() {
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            // Tools and emulators copy what the child should share with its parent, which it would tell so.
            Ok(status) => assert!(SLOW && status.code() == Some(127), "{status}"),
        }
    };
    on(1, try_all);
    // Outside of a runtime, where the thread blocks.
    try_all();
}

#[test]
fn both_outputs_are_read_at_once() {
    // Each part is more than a pipe holds, so that the child comes to an end only if both are read.
    let script = "for n in 1 2; do head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; done";
    let try_it = || {
        let output = sh(script).output().expect("it runs");
        assert_eq!((output.stdout.len(), output.stderr.len()), (400_000, 400_000));
    };
    on(1, try_it);
    try_it();
}

#[test]
fn a_child_is_waited_for_while_other_tasks_run() {
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let (mut command, writer) = cat();
        let mut child = command.spawn().expect("it runs");
        assert_eq!(child.try_wait().expect("it is ours"), None);
        let waits = task::spawn_local(move || child.wait().map(|status| (status, child.id())));
        for _ in 0..3 {
            task::yield_now().expect("not cancelled");
        }
        assert!(!waits.is_finished());
        // Where the system has descriptors for processes, it takes no thread.
        #[cfg(target_os = "linux")]
        if rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).is_ok() {
            assert!(task::timeout(Duration::from_secs(60), || task::offload(|| ())).is_ok());
        }
        // Its reader is gone with the command's.
        drop((command, writer));
        let (status, id) = waits.join().expect("no panic").expect("it ends");
        assert!(status.success() && id != 0);
    });
}

#[test]
fn children_talk_to_tasks_and_to_each_other() {
    on(1, || {
        let mut first = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let (mut input, output) = (first.stdin.take().expect("piped"), first.stdout.take().expect("piped"));
        let mut second = Command::new("cat").stdin(output).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut output = second.stdout.take().expect("piped");
        for round in 0..3 {
            write!(input, "round {round}").expect("it is read");
            let mut came = [0; 7];
            output.read_exact(&mut came).expect("it comes back");
            assert_eq!(&came[..], format!("round {round}").as_bytes());
        }
        drop(input);
        assert_eq!(output.read(&mut [0]).expect("the end"), 0);
        assert!(first.wait().expect("it ends").success() && second.wait().expect("it ends").success());
        // A wait closes what its child reads.
        let mut third = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it runs");
        assert!(third.wait().expect("it ends").success());
        // One that does not read is an error, and no signal.
        let mut fourth = Command::new("true").stdin(Stdio::piped()).spawn().expect("it runs");
        let written = fourth.stdin.take().expect("piped").write_all(&[0; 1 << 20]);
        assert_eq!(written.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
        assert!(fourth.wait().expect("it ends").success());
        // One that is killed.
        let mut last = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it runs");
        last.kill().expect("it runs");
        assert_eq!(last.wait().expect("it ends").signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_cancelled_wait_leaves_the_child_which_can_be_waited_for_again() {
    on(1, || {
        let (mut command, writer) = cat();
        let mut child = command.spawn().expect("it runs");
        drop(command);
        let place = std::rc::Rc::new(std::cell::Cell::new(None));
        let kept = std::rc::Rc::clone(&place);
        assert_refused(cancelled(
            move || {
                let waited = child.wait();
                kept.set(Some(child));
                waited
            },
            || (),
        ));
        let mut child = place.take().expect("it was kept");
        for _ in 0..2 {
            // By the time as well.
            assert!(task::timeout(Duration::from_micros(1), || child.wait()).is_err());
        }
        assert_eq!(child.try_wait().expect("it is ours"), None);
        drop(writer);
        assert!(child.wait().expect("it ends").success());
        // One that has ended is told of, cancelled or not.
        let mut child = sh("exit 4").spawn().expect("it runs");
        let_end(&child);
        assert_eq!(cancelled_before(move || child.wait()).expect("it has ended").code(), Some(4));
    });
}

#[test]
fn who_has_a_child_alone_kills_it_when_cancelled() {
    if !alone("children::who_has_a_child_alone_kills_it_when_cancelled", "") {
        return;
    }
    on(1, || {
        type Call = fn(Command) -> io::Result<()>;
        let calls: [Call; 3] = [
            |mut command| command.status().map(drop),
            |mut command| command.output().map(drop),
            |mut command| command.stdout(Stdio::piped()).spawn()?.wait_with_output().map(drop),
        ];
        for call in calls {
            let (command, writer) = cat();
            assert_refused(cancelled(move || call(command), || assert!(has_children())));
            assert!(!has_children());
            // In a task that was cancelled before, it is started, and killed at once.
            let (command, other) = cat();
            assert_refused(cancelled_before(move || call(command)));
            assert!(!has_children());
            drop((writer, other));
        }
    });
}

#[test]
fn a_child_that_is_dropped_goes_on_unless_it_is_to_be_killed() {
    if !alone("children::a_child_that_is_dropped_goes_on_unless_it_is_to_be_killed", "") {
        return;
    }
    let killed = || {
        let (mut command, writer) = cat();
        drop(command.kill_on_drop(true).spawn().expect("it runs"));
        assert!(!has_children());
        drop(writer);
    };
    killed();
    on(1, || {
        killed();
        let _ = cancelled_before(move || {
            killed();
            Ok(())
        });
        if cfg!(panic = "unwind") {
            let (mut command, _writer) = cat();
            let panics = task::spawn_local(move || {
                let _child = command.kill_on_drop(true).spawn().expect("it runs");
                panic!("it unwinds");
            });
            assert!(panics.join().map(|never: ()| never).is_err());
            assert!(!has_children());
        }
        // One that has output is not killed while somebody waits for that.
        let mut command = sh("echo done");
        command.kill_on_drop(true).stdout(Stdio::piped());
        let output = command.spawn().and_then(Child::wait_with_output).expect("it ends");
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"done\n"[..]));
        let (mut command, writer) = cat();
        let child = command.spawn().expect("it runs");
        drop(command);
        let pid = Pid::from_raw(child.id() as i32).expect("a number");
        drop(child);
        assert!(has_children());
        drop(writer);
        let status = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).expect("it is ours").expect("it ends");
        assert_eq!(status.exit_status(), Some(0));
    });
}

/// One that runs as another user, say, and so for as long as it likes: nobody waits for that.
#[test]
fn a_child_that_may_not_be_killed_is_not_waited_for() {
    if !alone("children::a_child_that_may_not_be_killed_is_not_waited_for", "") {
        return;
    }
    const NOBODY: libc::uid_t = 65534;
    let (mut command, writer) = cat();
    command.kill_on_drop(true);
    let children = [(); 2].map(|()| command.spawn().expect("it runs"));
    drop(command);
    // SAFETY: the process has no other user's rights from here on. It is this test's.
    if rustix::process::getuid().is_root() && unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) } == 0 {
        on(1, || {
            let drops = children.map(|child| task::spawn_local(move || drop(child)));
            for _ in 0..3 {
                task::yield_now().expect("not cancelled");
            }
            assert!(drops.iter().all(task::JoinHandle::is_finished));
        });
        assert!(has_children());
    } else {
        skip("root", "who is not root has no child that is another's");
    }
    drop(writer);
}

#[test]
fn a_thousand_at_once_leave_no_zombie_and_no_descriptor() {
    if !alone("children::a_thousand_at_once_leave_no_zombie_and_no_descriptor", "") {
        return;
    }
    on(1, || {
        // The poller has its descriptors after the first wait.
        assert!(
            task::timeout(Duration::from_micros(1), || io::pipe().and_then(|mut ends| ends.0.read(&mut [0]))).is_err()
        );
        let before = descriptors();
        let count = if SLOW { 30 } else { 1000 };
        let mut all = task::JoinSet::new();
        for _ in 0..count {
            all.spawn(|| Command::new("true").status());
        }
        let ended = all.completed().map(|status| status.expect("no panic").expect("it runs"));
        assert_eq!(ended.filter(|status| status.success()).count(), count);
        assert!(!has_children());
        assert_eq!(descriptors(), before);
        // And those that all wait until they may end.
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut waiting = task::JoinSet::new();
        for _ in 0..count / 10 {
            let mut child = Command::new("cat").stdin(reader.try_clone().expect("a clone")).spawn().expect("it runs");
            waiting.spawn(move || child.wait().map(|status| (status, child)));
        }
        drop(reader);
        task::yield_now().expect("they wait now");
        drop(writer);
        let ended: Vec<_> = waiting.completed().map(|ended| ended.expect("no panic").expect("it runs")).collect();
        assert_eq!(ended.iter().filter(|(status, _)| status.success()).count(), count / 10);
        assert!(!has_children());
        // Also before they are dropped.
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn without_a_descriptor_spawn_says_so_and_nothing_is_lost() {
    if !alone("children::without_a_descriptor_spawn_says_so_and_nothing_is_lost", "ulimit -n 64;") {
        return;
    }
    on(1, || {
        let mut command = sh("cat; echo done");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = descriptors();
        let mut files = all_descriptors();
        // With none, and with too few for all pipes.
        for _ in 0..5 {
            let error = command.spawn().expect_err("none is left");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            assert!(!has_children());
            files.pop();
        }
        drop(files);
        assert_eq!(descriptors(), before);
        let output = command.spawn().and_then(Child::wait_with_output).expect("there are enough");
        assert_eq!(output.stdout, b"done\n");
        assert!(!has_children());
    });
}

/// A wait in a destructor while a panic unwinds does not hold up the worker.
fn is_refused_in_a_panic(mut child: Child) -> Child {
    let (waited, child) = unwinding(move || (child.wait(), child));
    let error = waited.expect_err("nothing waits there");
    assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::Panicking);
    child
}

/// As on systems without them.
#[test]
fn without_a_descriptor_a_thread_waits() {
    if !alone("children::without_a_descriptor_a_thread_waits", "ulimit -n 64;") {
        return;
    }
    let runtime = Runtime::builder().workers(1).offload_threads(2).build().expect("a runtime");
    runtime.run(|| {
        let (mut command, writer) = cat();
        let mut child = command.spawn().expect("it runs");
        let mut other = sh("exit 5").spawn().expect("it runs");
        drop(command);
        let files = all_descriptors();
        if cfg!(panic = "unwind") {
            child = is_refused_in_a_panic(child);
        }
        let waits = task::spawn_local(move || (child.wait(), child));
        for _ in 0..3 {
            task::yield_now().expect("not cancelled");
        }
        assert!(!waits.is_finished());
        waits.cancel();
        let (waited, mut child) = waits.join().expect("no panic");
        assert_refused(waited);
        // With one of the two threads taken, until the other has begun to wait for the child.
        let (end, ends) = channel::<()>();
        let taken = task::spawn(move || offload(move || ends.recv().is_err()));
        task::yield_now().expect("not cancelled");
        let a_while = Duration::from_millis(5);
        while task::timeout(a_while, || task::offload(|| ())).is_ok() {
            assert!(task::timeout(a_while, || child.wait()).is_err());
        }
        drop(end);
        assert!(taken.join().expect("no panic"));
        // Further waits take no further thread.
        for _ in 0..3 {
            assert!(task::timeout(a_while, || child.wait()).is_err());
        }
        assert!(task::timeout(Duration::from_secs(60), || task::offload(|| ())).is_ok());
        assert_eq!(other.wait().expect("it ends").code(), Some(5));
        drop(writer);
        assert!(child.wait().expect("it ends").success());
        drop(files);
        if cfg!(panic = "unwind") {
            // With one it is refused in the same way.
            let (mut command, writer) = cat();
            let mut child = is_refused_in_a_panic(command.spawn().expect("it runs"));
            drop((command, writer));
            assert!(child.wait().expect("it ends").success());
        }
        assert!(!has_children());
    });
}
