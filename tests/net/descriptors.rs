//! Descriptors: closed, reused, used up, and taken to other runtimes.

use super::{all_descriptors, descriptors, on};
use crate::process::alone;
use crate::slow::SLOW;
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use switchback::net::{TcpListener, TcpStream, UnixStream};
use switchback::task::{self, JoinError, Resumer, WorkerState};
use switchback::{CancelReason, Handle, Runtime};

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

/// Two ends, of which each has been waited for.
fn waited_for() -> (UnixStream, UnixStream) {
    let (mut here, mut there) = UnixStream::pair().expect("a pair");
    let reader = task::spawn(move || there.read_exact(&mut [0]).map(|()| there));
    assert!(task::timeout(Duration::from_micros(1), || here.read(&mut [0])).is_err());
    here.write_all(b"x").expect("room");
    (here, reader.join().expect("no panic").expect("a byte"))
}

/// A runtime's own descriptors are closed with it, whatever somebody keeps of it.
#[cfg(target_os = "linux")]
#[test]
fn of_a_runtime_that_has_ended_none_is_open() {
    if !alone("descriptors::of_a_runtime_that_has_ended_none_is_open", "") {
        return;
    }
    for workers in [1, 3] {
        let before = descriptors().expect("/proc is there");
        let count = || descriptors().expect("/proc is there") - before;
        let runtime = Runtime::builder().workers(workers).grace(Duration::ZERO).build().expect("a runtime");
        let (place, resumer) = channel();
        let ((mut here, mut there), handle, main, ended, leaked) = runtime.run(|| {
            let ends = waited_for();
            assert!(count() > 2);
            // One that does not end, and waits for I/O at the last.
            let never = task::spawn(move || {
                let _ends = waited_for();
                task::shield(|| {
                    loop {
                        let waited = task::suspend(|resumer: Resumer<()>| _ = place.send(resumer));
                        assert!(waited.is_ok());
                    }
                })
            });
            let resumer = loop {
                match resumer.try_recv() {
                    Ok(resumer) => break resumer,
                    Err(_) => task::yield_now().expect("not cancelled"),
                }
            };
            let ended = task::spawn(|| 5);
            (ends, Handle::current().expect("a runtime"), task::current(), ended, (never, resumer))
        });
        // The pair, and the one of the task that was leaked. A thread that is late was given up, and closes what it has when it ends.
        let all_have_ended = || handle.dump().workers().iter().all(|worker| matches!(worker, WorkerState::Ended));
        let begun = Instant::now();
        while count() != 4 || !all_have_ended() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} are open", count());
            std::thread::yield_now();
        }
        // What was kept is of some use still.
        assert!(main.is_some_and(|main| main.is_finished()) && leaked.0.is_finished());
        assert_eq!(ended.join().map_err(|error| error.to_string()).unwrap_or(5), 5);
        let refused = handle.spawn(|| ()).join();
        let Err(JoinError::Cancelled(why)) = refused else { panic!("{refused:?}") };
        assert_eq!(why.reason(), &CancelReason::Shutdown);
        assert!(handle.tasks().is_empty() && handle.workers() == workers);
        // The sockets go on, on a thread and in other runtimes.
        here.write_all(b"x").expect("room");
        there.read_exact(&mut [0]).expect("a byte");
        for _ in 0..3 {
            (here, there) = on(1, || {
                let reader = task::spawn(move || there.read_exact(&mut [0]).map(|()| there));
                task::yield_now().expect("it waits now");
                here.write_all(b"x").expect("room");
                (here, reader.join().expect("no panic").expect("a byte"))
            });
            assert_eq!(count(), 4);
        }
        drop((here, there));
        assert_eq!(count(), 2);
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
    if !alone("descriptors::without_one_left_accept_says_so_and_recovers", "ulimit -n 64;") {
        return;
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
