//! Sockets that are not to wait.

use super::refused::cancelled_before;
use super::{emptied, is_non_blocking, on, pair};
use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::task;

#[track_caller]
fn assert_would_block<T>(result: io::Result<T>) {
    assert_eq!(result.map(drop).expect_err("there is nothing").kind(), ErrorKind::WouldBlock);
}

/// Writes until there is no room.
fn fill(mut stream: impl Write) -> io::Error {
    loop {
        if let Err(error) = stream.write(&[0; 65536]) {
            return error;
        }
    }
}

/// What all kinds of sockets refuse when they would have to wait, and do when they need not.
fn try_all() {
    let (tcp, mut other) = pair().expect("a pair");
    tcp.set_nonblocking(true).expect("always");
    assert_would_block((&tcp).read(&mut [0]));
    assert_would_block(tcp.peek(&mut [0]));
    assert_eq!(fill(&tcp).kind(), ErrorKind::WouldBlock);
    other.write_all(b"x").expect("room");
    emptied::await_arrival(&tcp);
    assert_eq!((&tcp).read(&mut [0; 8]).expect("it is there"), 1);
    assert_would_block((&tcp).read(&mut [0; 8]));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("always");
    assert_would_block(listener.accept());
    assert_would_block(listener.incoming().next().expect("no end"));

    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    udp.set_nonblocking(true).expect("always");
    assert_would_block(udp.recv(&mut [0]));
    assert_would_block(udp.recv_from(&mut [0]));
    assert_would_block(udp.peek(&mut [0]));
    assert_would_block(udp.peek_from(&mut [0]));

    let (unix, mut other) = UnixStream::pair().expect("a pair");
    unix.set_nonblocking(true).expect("always");
    assert_would_block((&unix).read(&mut [0]));
    assert_eq!(fill(&unix).kind(), ErrorKind::WouldBlock);
    other.write_all(b"x").expect("room");
    assert_eq!((&unix).read(&mut [0; 8]).expect("it is there"), 1);

    let path = std::env::temp_dir().join(format!("switchback-try-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a socket");
    listener.set_nonblocking(true).expect("always");
    assert_would_block(listener.accept());
    let _client = UnixStream::connect(&path).expect("there is room in line");
    let (accepted, _) = listener.accept().expect("it is there");
    // Who comes in waits again.
    accepted.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
    assert_eq!((&accepted).read(&mut [0]).expect_err("nobody writes").kind(), ErrorKind::TimedOut);
    std::fs::remove_file(&path).expect("it is there");

    let datagrams = UnixDatagram::bind(&path).expect("a socket");
    datagrams.set_nonblocking(true).expect("always");
    assert_would_block(datagrams.recv(&mut [0]));
    assert_would_block(datagrams.recv_from(&mut [0]));
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("always");
    let refused = std::iter::repeat_with(|| sender.send_to(&[0; 100], &path)).find_map(Result::err);
    assert!(refused.is_some_and(|error| [ErrorKind::WouldBlock, ErrorKind::Other].contains(&error.kind())));
    assert_eq!(datagrams.recv(&mut [0; 128]).expect("it is there"), 100);
    std::fs::remove_file(&path).expect("it is there");
}

#[test]
fn a_call_that_would_wait_says_so() {
    // Outside of a runtime, and in a task; in one that is cancelled too.
    try_all();
    on(1, || {
        try_all();
        cancelled_before(|| {
            let (here, _there) = UnixStream::pair()?;
            here.set_nonblocking(true)?;
            assert_would_block((&here).read(&mut [0]));
            Ok(())
        })
        .expect("no error");
    });
}

/// Not even after many calls in a row. (Nor where a listener would pause: see `descriptors`.)
#[test]
fn no_other_task_runs_meanwhile() {
    on(1, || {
        let (here, mut there) = pair().expect("a pair");
        here.set_nonblocking(true).expect("always");
        there.write_all(&[0; 1000]).expect("room");
        emptied::await_arrival(&here);
        let has_run = Rc::new(Cell::new(false));
        let tells = Rc::clone(&has_run);
        let other = task::spawn_local(move || tells.set(true));
        for _ in 0..500 {
            assert_eq!((&here).read(&mut [0]).expect("it is there"), 1);
        }
        assert!(!has_run.get());
        other.join().expect("no panic");
    });
}

#[test]
fn it_belongs_to_the_value_beside_its_timeouts() {
    on(1, || {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        here.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        here.set_nonblocking(true).expect("always");
        assert_would_block((&here).read(&mut [0]));
        // A clone begins as the original is, and goes its own way.
        let mut clone = here.try_clone().expect("a descriptor");
        assert_would_block(clone.read(&mut [0]));
        clone.set_nonblocking(false).expect("always");
        assert_eq!(clone.read(&mut [0]).expect_err("nobody writes").kind(), ErrorKind::TimedOut);
        assert_would_block((&here).read(&mut [0]));
        // Timeouts come and go as if it were not there.
        here.set_read_timeout(None).expect("always");
        assert_would_block((&here).read(&mut [0]));
        clone.set_read_timeout(None).expect("always");
        let waits = task::spawn_local(move || clone.read(&mut [0]));
        task::yield_now().expect("it waits now");
        assert!(!waits.is_finished());
        there.write_all(b"x").expect("room");
        assert_eq!(waits.join().expect("no panic").expect("it is there"), 1);
        here.set_nonblocking(false).expect("always");
        here.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        assert_eq!((&here).read(&mut [0]).expect_err("nobody writes").kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn it_is_kept_by_who_leaves() {
    let leaves = |nonblocking| {
        let (here, _there) = UnixStream::pair().expect("a pair");
        here.set_nonblocking(nonblocking).expect("always");
        assert!(is_non_blocking(&here));
        is_non_blocking(&here.into_std().expect("a socket"))
    };
    assert!(leaves(true) && !leaves(false));
}

/// An answer that an event has not told of yet is not missed by who tries only.
#[test]
fn what_is_there_is_read_although_no_event_has_told_of_it() {
    on(1, || {
        let (mut here, there) = pair().expect("a pair");
        let reader = task::spawn_local(move || {
            assert_eq!((&there).read(&mut [0; 8]).expect("the first"), 1);
            there
        });
        task::yield_now().expect("it waits now");
        here.write_all(b"a").expect("room");
        let there: TcpStream = reader.join().expect("no panic");
        here.write_all(b"b").expect("room");
        emptied::await_arrival(&there);
        there.set_nonblocking(true).expect("always");
        assert_eq!((&there).read(&mut [0; 8]).expect("it is there"), 1);
        // And the other way round: what was read without waiting is not waited for.
        assert_would_block((&there).read(&mut [0; 8]));
        there.set_nonblocking(false).expect("always");
        here.write_all(b"c").expect("room");
        assert_eq!((&there).read(&mut [0; 8]).expect("it comes"), 1);
    });
}
