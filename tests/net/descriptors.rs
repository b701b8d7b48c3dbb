//! Descriptors: closed, reused, used up, and taken to other runtimes.

use super::{all_descriptors, on};
use crate::process::{Outside, inside};
use crate::slow::SLOW;
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use switchback::net::{TcpListener, TcpStream, UnixStream};
use switchback::task;

#[test]
fn one_that_is_closed_is_used_again() {
    on(1, || {
        let mut numbers = Vec::new();
        for round in 0..if SLOW { 20 } else { 200 } {
            let (mut here, mut there) = UnixStream::pair().expect("a pair");
            numbers.push(there.as_raw_fd());
            let reader = task::spawn(move || {
                let mut byte = [0];
                there.read_exact(&mut byte).map(|()| byte[0])
            });
            task::yield_now().expect("it waits now");
            here.write_all(&[round as u8]).expect("room");
            if round % 2 == 0 {
                // An event that is on its way when it is closed.
                reader.cancel();
                let _ = reader.join();
            } else {
                assert_eq!(reader.join().expect("no panic").expect("a byte"), round as u8);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.len() < 20, "they are not closed");
    });
}

#[test]
fn one_outlives_its_runtime() {
    let (mut here, mut there) = UnixStream::pair().expect("a pair");
    for workers in [1, 2, 1] {
        (here, there) = on(workers, || {
            let writer = task::spawn(move || here.write_all(b"x").map(|()| here));
            assert_eq!(there.read(&mut [0]).expect("a byte"), 1);
            (writer.join().expect("no panic").expect("room"), there)
        });
    }
}

#[test]
fn two_runtimes_share_one() {
    let (here, there) = UnixStream::pair().expect("a pair");
    let read_all =
        |stream: &UnixStream| on(1, || std::io::copy(&mut &*stream, &mut std::io::sink()).expect("no error"));
    std::thread::scope(|s| {
        let readers = [0, 1].map(|_| s.spawn(|| read_all(&there)));
        on(1, || (&here).write_all(&[0; 100_000]).expect("room"));
        drop(here);
        assert_eq!(readers.map(|reader| reader.join().expect("no panic")).iter().sum::<u64>(), 100_000);
    });
}

#[test]
fn without_one_left_accept_says_so_and_recovers() {
    if inside().is_none() {
        let ended = Outside { prelude: "ulimit -n 64;", ..Default::default() }
            .run("descriptors::without_one_left_accept_says_so_and_recovers", "inside");
        return ended.assert_success();
    }
    on(1, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        // The poller has its descriptors by now.
        let waiting = task::timeout(std::time::Duration::from_micros(1), || client.read(&mut [0]));
        assert!(waiting.is_err());
        let mut files = all_descriptors();
        let error = listener.accept().map(drop).expect_err("none is left");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        // One that is not to wait does not pause either.
        let has_run = Rc::new(Cell::new(false));
        let tells = Rc::clone(&has_run);
        let other = task::spawn_local(move || tells.set(true));
        listener.set_nonblocking(true).expect("always");
        let error = listener.accept().map(drop).expect_err("none is left");
        assert!(error.raw_os_error() == Some(libc::EMFILE) && !has_run.get());
        listener.set_nonblocking(false).expect("always");
        other.join().expect("no panic");
        files.truncate(files.len() - 4);
        let (mut server, _) = listener.accept().expect("one is left");
        server.write_all(b"x").expect("room");
        assert_eq!(client.read(&mut [0]).expect("a byte"), 1);
    });
}
