//! Standard output and standard error. They are the process's, so each test has one of its own, and reads what it puts there.

use super::refused::{assert_cancelled_writes_write_nothing, assert_refused, cancelled};
use super::{all_descriptors, is_non_blocking, on};
use crate::process::alone;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use switchback::io::{self, BufRead, BufReader, ErrorKind, PipeReader, Read, Write, stderr, stdout};
use switchback::process::{Command, Stdio};
use switchback::task;

/// More than a pipe holds.
const MUCH: usize = 1 << 20;

/// Something else in the place of standard output, which the harness gets back in the end.
struct Put(OwnedFd);

impl Put {
    fn new(fd: impl AsFd) -> Self {
        let before = rustix::stdio::stdout().try_clone_to_owned().expect("a descriptor");
        rustix::stdio::dup2_stdout(fd).expect("both are open");
        Self(before)
    }

    /// A pipe, of which this is the end that is read.
    fn pipe() -> (Self, PipeReader) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        (Self::new(writer), PipeReader::from_std(reader).expect("a pipe"))
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        rustix::stdio::dup2_stdout(&self.0).expect("both are open");
    }
}

/// Reads what is there: where there is no more it says that this is the end.
struct SoFar<T>(T);

impl<T: Read> Read for SoFar<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            done => done,
        }
    }
}

#[test]
fn who_writes_to_a_full_pipe_lets_others_run() {
    if !alone("output::who_writes_to_a_full_pipe_lets_others_run", "") {
        return;
    }
    let (put, mut reader) = Put::pipe();
    on(1, || {
        let sent: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writes = task::spawn_local(move || stdout().write_all(&sent));
        task::yield_now().expect("it waits now");
        assert!(!writes.is_finished());
        // Nobody else's writes are changed.
        assert!(!is_non_blocking(&stdout()) && !stdout().is_terminal());
        let mut came = vec![0; MUCH];
        reader.read_exact(&mut came).expect("all of it");
        assert!(came == expected);
        writes.join().expect("no panic").expect("it is read");
        // A child gets the same.
        let child = Command::new("echo").arg("a child").stdout(stdout()).status().expect("it ends");
        assert!(child.success());
        assert_eq!(reader.read(&mut came).expect("a line"), 8);
    });
    drop(put);
}

#[test]
fn what_is_formatted_comes_in_one_piece() {
    if !alone("output::what_is_formatted_comes_in_one_piece", "") {
        return;
    }
    let (put, reader) = Put::pipe();
    on(1, || {
        // Each more than a pipe holds, so that each waits in its midst.
        let lines = ["a", "b", "c"].map(|letter| letter.repeat(100_000));
        let expected = lines.clone();
        let tellers = lines.map(|line| task::spawn_local(move || writeln!(stdout(), "{}{}", &line[..1], &line[1..])));
        let mut reader = BufReader::new(reader);
        let mut came = [const { String::new() }; 3].map(|mut line| {
            reader.read_line(&mut line).expect("a line");
            line.truncate(line.len() - 1);
            line
        });
        came.sort();
        assert!(came == expected);
        tellers.into_iter().for_each(|teller| teller.join().expect("no panic").expect("it is read"));
        // While one has it, others wait.
        let mut lock = stdout().lock();
        let writes = task::spawn_local(|| stdout().write_all(b"second\n"));
        let refused = || cancelled(|| stdout().write(b"never"), || ());
        assert_refused(refused());
        assert!(!writes.is_finished());
        writeln!(lock, "first").expect("room");
        drop(lock);
        writes.join().expect("no panic").expect("room");
        assert_eq!(reader.by_ref().lines().take(2).map_while(Result::ok).collect::<Vec<_>>(), ["first", "second"]);
        // What cannot be formatted writes nothing.
        struct Refuses;
        impl std::fmt::Display for Refuses {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                Err(std::fmt::Error)
            }
        }
        assert_eq!(write!(stdout(), "x{Refuses}").expect_err("it refuses").kind(), ErrorKind::Other);
        stdout().write_all(b"y").expect("room");
        assert_eq!(reader.bytes().next().expect("no end").expect("a byte"), b'y');
    });
    drop(put);
}

#[test]
fn a_cancelled_write_to_a_pipe_has_written_nothing() {
    if !alone("output::a_cancelled_write_to_a_pipe_has_written_nothing", "") {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let put = Put::new(writer);
    rustix::io::ioctl_fionbio(&reader, true).expect("it is a pipe");
    on(1, || assert_cancelled_writes_write_nothing(stdout(), SoFar(reader), |_| ()));
    drop(put);
}

#[test]
fn a_cancelled_write_to_a_socket_has_written_nothing() {
    if !alone("output::a_cancelled_write_to_a_socket_has_written_nothing", "") {
        return;
    }
    let (here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let put = Put::new(here);
    there.set_nonblocking(true).expect("a socket");
    on(1, || {
        assert_cancelled_writes_write_nothing(stdout(), SoFar(there), |_| ());
        assert!(!is_non_blocking(&stdout()));
    });
    drop(put);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_nobody_looks_at() {
    if !alone("output::a_terminal_that_nobody_looks_at", "") {
        return;
    }
    let (here, there) = crate::terminal::terminal();
    let put = Put::new(&there);
    on(1, || assert_others_run(here, 0, MUCH));
    drop(put);
}

/// Of another user, say: it can have no description of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_cannot_be_opened_again() {
    if !alone("output::a_terminal_that_cannot_be_opened_again", "ulimit -n 64;") {
        return;
    }
    let (here, there) = crate::terminal::terminal();
    let put = Put::new(&there);
    let mut files = all_descriptors();
    files.pop();
    stdout().write_all(&[b'x'; 99]).expect("room");
    drop(files);
    on(1, || assert_others_run(here, 99, MUCH / 8));
    drop(put);
}

/// While a terminal has no room for so many after those that it has been given; nobody reads from `here` until then.
#[cfg(target_os = "linux")]
fn assert_others_run(mut here: std::fs::File, before: usize, count: usize) {
    let writes = task::spawn_local(move || {
        [b'x'; 1_000].chunks(1_000).cycle().take(count / 1_000).try_for_each(|some| stdout().write_all(some))
    });
    task::yield_now().expect("it waits now");
    assert!(!writes.is_finished());
    assert!(stdout().is_terminal() && !is_non_blocking(&stdout()));
    let reads = std::thread::spawn(move || {
        let mut came = vec![0; before + count / 1_000 * 1_000];
        here.read_exact(&mut came).map(|()| (here, came.iter().all(|byte| *byte == b'x')))
    });
    writes.join().expect("no panic").expect("it is read");
    assert!(reads.join().expect("no panic").expect("all of it").1);
}

/// A pipe could be opened again, for writes. std's standard output drops what it is given then.
#[test]
fn what_is_open_for_reads_is_not_written_to() {
    if !alone("output::what_is_open_for_reads_is_not_written_to", "") {
        return;
    }
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let put = Put::new(&reader);
    let written = on(1, || stdout().write(b"x"));
    drop(put);
    assert_eq!(written.expect_err("it is told").raw_os_error(), Some(libc::EBADF));
}

/// Where it can have no description of its own, it is asked whether there is room.
#[test]
fn a_cancelled_write_to_what_is_asked_has_written_nothing() {
    if !alone("output::a_cancelled_write_to_what_is_asked_has_written_nothing", "ulimit -n 64;") {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let put = Put::new(writer);
    rustix::io::ioctl_fionbio(&reader, true).expect("it is a pipe");
    let mut files = all_descriptors();
    // Without any descriptor there is a way, which is not kept.
    stdout().write_all(b"x").expect("room");
    files.pop();
    stdout().write_all(b"y").expect("room");
    drop(files);
    on(1, || {
        assert_eq!((&reader).read(&mut [0; 8]).expect("they are there"), 2);
        assert_cancelled_writes_write_nothing(stdout(), SoFar(reader), |_| ());
        assert!(!is_non_blocking(&stdout()));
    });
    drop(put);
}

#[test]
fn a_file_is_written_to_where_others_have_left_off() {
    if !alone("output::a_file_is_written_to_where_others_have_left_off", "") {
        return;
    }
    let path = std::env::temp_dir().join(format!("switchback-stdout-{}", std::process::id()));
    let put = Put::new(File::create(&path).expect("it can be made"));
    on(1, || {
        stdout().write_all(b"ours, ").expect("room");
        Command::new("printf").arg("a child's, ").stdin(Stdio::null()).status().expect("it ends");
        // All at once, however much.
        assert_eq!(stdout().write(&[b'x'; MUCH]).expect("room"), MUCH);
    });
    drop(put);
    let text = std::fs::read_to_string(&path).expect("it is there");
    std::fs::remove_file(&path).expect("it is there");
    assert!(text.starts_with("ours, a child's, xxx") && text.len() == 17 + MUCH);
}

#[test]
fn outside_of_a_runtime_the_thread_waits() {
    if !alone("output::outside_of_a_runtime_the_thread_waits", "") {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let put = Put::new(writer);
    let writes = std::thread::spawn(|| stdout().write_all(&[b'x'; MUCH]));
    let mut came = vec![0; MUCH];
    (&reader).read_exact(&mut came).expect("all of it");
    writes.join().expect("no panic").expect("it is read");
    // When nobody reads any more it says so.
    drop(reader);
    assert_eq!(stdout().write_all(b"x").expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    drop(put);
}

/// Where there is no descriptor for a reactor a thread waits.
#[test]
fn what_cannot_be_watched_is_waited_for_all_the_same() {
    if !alone("output::what_cannot_be_watched_is_waited_for_all_the_same", "ulimit -n 64;") {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let put = Put::new(writer);
    on(1, || {
        stdout().write_all(b"x").expect("room");
        let files = all_descriptors();
        let writes = task::spawn_local(|| stdout().write_all(&[b'x'; MUCH - 1]));
        task::yield_now().expect("it waits now");
        assert!(!writes.is_finished());
        assert_refused(cancelled(|| stdout().write_all(b"never"), || ()));
        let reads = std::thread::spawn(move || {
            let mut came = vec![0; MUCH];
            (&reader).read_exact(&mut came).map(|()| came.iter().all(|byte| *byte == b'x'))
        });
        writes.join().expect("no panic").expect("it is read");
        assert!(reads.join().expect("no panic").expect("all of it"));
        drop(files);
    });
    drop(put);
}

#[test]
fn standard_error_is_another() {
    if !alone("output::standard_error_is_another", "") {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let before = rustix::stdio::stderr().try_clone_to_owned().expect("a descriptor");
    rustix::stdio::dup2_stderr(writer).expect("both are open");
    on(1, || {
        let _lock = stdout().lock();
        let writes = task::spawn_local(|| stderr().write_all(&[b'x'; MUCH]));
        task::yield_now().expect("it waits now");
        assert!(!writes.is_finished() && !is_non_blocking(&stderr()));
        let mut came = vec![0; MUCH];
        PipeReader::from_std(reader).and_then(|mut reader| reader.read_exact(&mut came)).expect("all of it");
        assert!(came.iter().all(|byte| *byte == b'x'));
        writes.join().expect("no panic").expect("it is read");
    });
    rustix::stdio::dup2_stderr(before).expect("both are open");
}
