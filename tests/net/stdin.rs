//! Standard input. It is the process's, so each test has one of its own, and puts there what it reads.

use super::refused::{assert_refused, cancelled, cancelled_before};
use super::{all_descriptors, is_non_blocking, on};
use crate::process::alone;
use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;
use switchback::io::{self, BufRead, ErrorKind, Read, Write, stdin};
use switchback::process::{Child, Command, Stdio};
use switchback::{Runtime, task};

/// Makes that the standard input.
fn put(fd: impl AsFd) {
    rustix::stdio::dup2_stdin(fd).expect("both are open");
}

/// Makes a pipe the standard input.
fn put_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    put(reader);
    writer
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    stdin().read_line(&mut line).map(|_| line)
}

#[test]
fn lines_of_a_pipe_while_other_tasks_run() {
    if !alone("stdin::lines_of_a_pipe_while_other_tasks_run", "") {
        return;
    }
    let mut writer = put_pipe();
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let reads = task::spawn_local(line);
        for _ in 0..3 {
            task::yield_now().expect("not cancelled");
        }
        assert!(!reads.is_finished());
        // It takes no thread while there is nothing to read.
        assert!(task::timeout(Duration::from_secs(60), || task::offload(|| ())).is_ok());
        writer.write_all(b"one\ntwo\nthree").expect("room");
        assert_eq!(reads.join().expect("no panic").expect("a line"), "one\n");
        // Nobody else's reads are changed.
        assert!(!is_non_blocking(&stdin()) && !stdin().is_terminal());
        let mut three = [0; 3];
        stdin().read_exact(&mut three).expect("they are there");
        assert_eq!(&three, b"two");
        // While one has it, others wait.
        let mut lock = stdin().lock();
        let reads = task::spawn_local(line);
        task::yield_now().expect("it waits now");
        assert_eq!(lock.fill_buf().expect("it is there"), b"\nthree");
        lock.consume(1);
        drop(lock);
        writer.write_all(b"!\n").expect("room");
        assert_eq!(reads.join().expect("no panic").expect("a line"), "three!\n");
    });
}

#[test]
fn a_cancelled_read_of_standard_input_loses_nothing() {
    if !alone("stdin::a_cancelled_read_of_standard_input_loses_nothing", "") {
        return;
    }
    let mut writer = put_pipe();
    on(1, || {
        let mut byte = [0];
        assert_refused(cancelled(move || stdin().read(&mut byte), || writer.write_all(b"half a ").expect("room")));
        // There is some, and not all that is asked for.
        assert_eq!(stdin().lock().fill_buf().expect("it is there"), b"half a ");
        assert_refused(cancelled(line, || ()));
        assert_refused(cancelled(|| stdin().lock().read_until(b'\n', &mut Vec::new()), || ()));
        assert_refused(cancelled(|| stdin().lines().next().expect("not the end"), || ()));
        // What is in the buffer is taken, cancelled or not.
        assert_eq!(cancelled_before(move || stdin().read(&mut byte)).expect("it is there"), 1);
        writer.write_all(b"line\nand another\n").expect("room");
        assert_eq!(line().expect("a line"), "alf a line\n");
        assert_eq!(cancelled_before(line).expect("it is there"), "and another\n");
        assert_refused(cancelled_before(line));
        // Who waits for its turn is told too.
        let lock = stdin().lock();
        assert_refused(cancelled(line, || ()));
        drop(lock);
        writer.write_all(b"caf\xe9\n").expect("room");
        assert_eq!(line().expect_err("not UTF-8").kind(), ErrorKind::InvalidData);
        drop(writer);
        assert_eq!(line().expect("the end"), "");
    });
}

#[test]
fn a_file_is_read_to_its_end() {
    if !alone("stdin::a_file_is_read_to_its_end", "") {
        return;
    }
    // Longer than what is read at once.
    let long = "x".repeat(100_000);
    let path = std::env::temp_dir().join(format!("switchback-stdin-{}", std::process::id()));
    std::fs::write(&path, format!("one\n{long}\n\nlast")).expect("it can be written");
    put(File::open(&path).expect("it is there"));
    std::fs::remove_file(&path).expect("it is there");
    on(1, || {
        let lines: Vec<_> = stdin().lines().map(|line| line.expect("text")).collect();
        assert_eq!(lines, ["one", &long, "", "last"]);
        let mut rest = Vec::new();
        assert_eq!(stdin().read_to_end(&mut rest).expect("the end"), 0);
    });
}

#[test]
fn children_have_it_too_unless_their_output_is_asked_for() {
    if !alone("stdin::children_have_it_too_unless_their_output_is_asked_for", "") {
        return;
    }
    let mut writer = put_pipe();
    on(1, || {
        writer.write_all(b"for the second").expect("room");
        assert_eq!(Command::new("cat").output().expect("it ends").stdout, b"");
        drop(writer);
        let child = Command::new("cat").stdout(Stdio::piped()).spawn();
        assert_eq!(child.and_then(Child::wait_with_output).expect("it ends").stdout, b"for the second");
    });
}

#[test]
fn outside_of_a_runtime_standard_input_blocks_the_thread() {
    if !alone("stdin::outside_of_a_runtime_standard_input_blocks_the_thread", "") {
        return;
    }
    let mut writer = put_pipe();
    let reads = std::thread::spawn(line);
    writer.write_all(b"here\n").expect("room");
    assert_eq!(reads.join().expect("no panic").expect("a line"), "here\n");
    drop(writer);
    assert_eq!(io::read_to_string(stdin()).expect("the end"), "");
}

/// Nothing would ever come: the read says so.
#[test]
fn what_is_open_for_writes_is_not_read() {
    if !alone("stdin::what_is_open_for_writes_is_not_read", "") {
        return;
    }
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    put(writer);
    // With a clock that jumps when everybody waits.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    let read = runtime.run(|| task::timeout(Duration::from_secs(3600), line));
    assert_eq!(read.expect("it does not wait").expect_err("nobody reads here").raw_os_error(), Some(libc::EBADF));
}

/// A terminal's end is no end for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal() {
    if !alone("stdin::a_terminal", "") {
        return;
    }
    let (mut keys, there) = crate::terminal::terminal();
    put(there);
    on(1, || {
        assert!(stdin().is_terminal());
        assert_refused(cancelled(line, || keys.write_all(b"typed").expect("room")));
        // It is told of a line when that is complete.
        assert_refused(cancelled(line, || keys.write_all(b" at last\n").expect("room")));
        assert_eq!(line().expect("a line"), "typed at last\n");
        let reads = task::spawn_local(line);
        task::yield_now().expect("it waits now");
        keys.write_all(b"\x04").expect("room");
        assert_eq!(reads.join().expect("no panic").expect("the end"), "");
        keys.write_all(b"more\n").expect("room");
        assert_eq!(line().expect("a line"), "more\n");
        assert!(!is_non_blocking(&stdin()));
    });
}

/// Where it cannot be watched, a thread reads, and is not stopped by a cancellation. So is one that was second to another process.
#[test]
fn what_a_thread_has_read_for_nobody_is_kept() {
    if !alone("stdin::what_a_thread_has_read_for_nobody_is_kept", "ulimit -n 64;") {
        return;
    }
    let mut writer = put_pipe();
    writer.write_all(b"first\n").expect("room");
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        // There is no reactor yet, and then no descriptor for one.
        assert_eq!(line().expect("a line"), "first\n");
        let files = all_descriptors();
        assert_refused(cancelled(line, || ()));
        // Until the thread has begun to read, and is not to be had for anything else.
        let a_while = Duration::from_millis(5);
        while task::timeout(a_while, || task::offload(|| ())).is_ok() {
            assert!(task::timeout(a_while, line).is_err());
        }
        assert_refused(cancelled(line, || ()));
        drop(files);
        writer.write_all(b"second\n").expect("room");
        assert_eq!(line().expect("a line"), "second\n");
        writer.write_all(b"third\n").expect("room");
        assert_eq!(line().expect("a line"), "third\n");
    });
}
