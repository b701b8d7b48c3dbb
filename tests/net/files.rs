//! Files that are sent.

use super::refused::{assert_refused, cancelled, cancelled_before};
use super::{on, pair};
#[cfg(target_os = "linux")]
use crate::process::alone;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use switchback::net::{TcpStream, UnixStream};
use switchback::{Runtime, offload, task};

const MUCH: u64 = 3 << 20;

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

/// A file of that length, which has no name any more.
fn file(name: &str, length: u64) -> File {
    let path = std::env::temp_dir().join(format!("switchback-{name}-{}", std::process::id()));
    fs::write(&path, (0..length).map(byte).collect::<Vec<_>>()).expect("it can be written");
    let file = File::open(&path).expect("it is there");
    fs::remove_file(&path).expect("it is there");
    file
}

/// Sends all of that part, and how often it took a call.
fn send_all(stream: &TcpStream, file: &File, mut from: u64, to: u64) -> io::Result<u32> {
    let mut calls = 0;
    while from < to {
        match stream.send_file(file, from..to)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => from += count,
        }
        calls += 1;
    }
    Ok(calls)
}

#[test]
fn the_part_that_was_meant_arrives() {
    on(1, || {
        let (here, mut there) = pair().expect("a pair");
        let mut file = file("sent", MUCH);
        let sender = task::spawn(move || {
            let calls = send_all(&here, &file, 100, MUCH)?;
            assert_eq!(here.send_file(&file, MUCH..MUCH + 5)?, 0); // the end
            assert_eq!(here.send_file(&file, 5..5)?, 0);
            assert_eq!(file.stream_position()?, 0);
            Ok::<_, io::Error>(calls)
        });
        let mut came = Vec::new();
        there.read_to_end(&mut came).expect("no error");
        assert!(came.len() as u64 == MUCH - 100 && came.iter().zip(100..).all(|(came, at)| *came == byte(at)));
        assert!(sender.join().expect("no panic").expect("no error") > 1);
    });
    // Outside of a runtime too.
    let (here, mut there) = pair().expect("a pair");
    let file = file("outside", 1000);
    assert_eq!(here.send_file(&file, 990..2000).expect("room"), 10);
    there.read_exact(&mut [0; 10]).expect("all of it");
}

#[test]
fn a_cancelled_call_has_sent_nothing() {
    on(1, || {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let (here, file) = (Arc::new(here), Arc::new(file("cut-short", 4096)));
        // Until there is no room.
        here.set_nonblocking(true).expect("always");
        let mut sent = 0;
        let error = loop {
            match here.send_file(&file, 0..4096) {
                Ok(count) => sent += count as usize,
                Err(error) => break error,
            }
        };
        assert!(sent > 0 && error.kind() == ErrorKind::WouldBlock);
        here.set_nonblocking(false).expect("always");
        here.set_write_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        assert_eq!(here.send_file(&file, 0..4096).expect_err("no room").kind(), ErrorKind::TimedOut);
        here.set_write_timeout(None).expect("always");
        let theirs = (Arc::clone(&here), Arc::clone(&file));
        let waits = task::spawn(move || theirs.0.send_file(&theirs.1, 0..4096));
        task::yield_now().expect("it waits now");
        waits.cancel();
        let mut came = vec![0; sent];
        assert_refused(waits.join().expect("no panic"));
        there.read_exact(&mut came).expect("all of it");
        drop(here);
        assert_eq!(there.read(&mut [0]).expect("the end"), 0);
    });
}

/// The disk may be slow: no worker waits for it.
#[test]
fn files_are_read_beside_the_worker() {
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let (here, mut there) = pair().expect("a pair");
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let taken = task::spawn(move || offload(move || ends.recv().is_err()));
        task::yield_now().expect("it waits now");
        let sends = task::spawn(move || here.send_file(&file("beside", 10), 0..10));
        for _ in 0..5 {
            task::yield_now().expect("not cancelled");
        }
        // The only thread is taken.
        assert!(!sends.is_finished());
        drop(end);
        assert_eq!(sends.join().expect("no panic").expect("room"), 10);
        there.read_exact(&mut [0; 10]).expect("all of it");
        assert!(taken.join().expect("no panic"));
    });
}

/// The only thread of its runtime, taken until the sender is dropped.
fn take_thread() -> (Sender<()>, task::JoinHandle<bool>) {
    let (end, ends) = channel::<()>();
    let (begun, has_begun) = channel();
    let taken = task::spawn(move || {
        offload(move || {
            begun.send(()).expect("it is awaited");
            ends.recv().is_err()
        })
    });
    while has_begun.try_recv().is_err() {
        task::yield_now().expect("not cancelled");
    }
    (end, taken)
}

#[test]
fn who_waits_for_a_thread_is_cut_short_and_has_sent_nothing() {
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let (here, file) = (Arc::new(here), Arc::new(file("queued", 10)));
        let send = || {
            let (here, file) = (Arc::clone(&here), Arc::clone(&file));
            move || here.send_file(&file, 0..10)
        };
        let (end, taken) = take_thread();
        assert_refused(cancelled(send(), || ()));
        // There is no thread that has time, or would be waited for.
        assert_refused(cancelled_before(send()));
        assert!(task::timeout(Duration::from_millis(1), send()).is_err());
        here.set_write_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        assert_eq!(send()().expect_err("it is late").kind(), ErrorKind::TimedOut);
        here.set_write_timeout(None).expect("always");
        drop(end);
        assert!(taken.join().expect("no panic"));
        // Those that were cut short do not run any more; nor is this one late, as it finds a thread and room.
        while cancelled_before(send()).is_err() {}
        drop(here);
        let mut came = Vec::new();
        there.read_to_end(&mut came).expect("no error");
        assert_eq!(came, (0..10).map(byte).collect::<Vec<_>>());
    });
}

/// As in programs whose main is not Rust's.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_has_hung_up_is_no_signal() {
    if !alone("files::a_peer_that_has_hung_up_is_no_signal", "") {
        return;
    }
    // SAFETY: it is the default action.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let file = file("hung-up", 10);
    let send = || {
        let (here, _) = UnixStream::pair().expect("a pair");
        assert_eq!(here.send_file(&file, 0..10).expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    };
    send();
    on(1, send);
    send();
}

/// What is made when it is read, of which the kernel hands over nothing, is read and written.
#[cfg(target_os = "linux")]
#[test]
fn what_has_no_place_in_the_cache_is_sent_too() {
    on(1, || {
        let (here, mut there) = pair().expect("a pair");
        let path = "/proc/self/environ";
        let file = File::open(path).expect("it is there");
        let expected = fs::read(path).expect("it is there");
        send_all(&here, &file, 0, expected.len() as u64).expect("no error");
        drop(here);
        let mut came = Vec::new();
        there.read_to_end(&mut came).expect("no error");
        assert!(!came.is_empty() && came == expected);
    });
}
