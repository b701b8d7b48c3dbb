//! One descriptor and several workers, each of which has a poller of its own.

use super::{all_descriptors, descriptors, on, pair};
use crate::process::alone;
use crate::slow::SLOW;
use std::io::{self, Read, Write};
use std::net::Shutdown;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use switchback::{Runtime, task};

/// Calls `f` on that worker, and waits for it.
fn there<T: Send + 'static>(worker: usize, f: impl FnOnce() -> T + Send + 'static) -> T {
    task::spawn_on(worker, f).join().expect("no panic")
}

/// Reads a byte on that worker, in vain.
#[cfg(target_os = "linux")]
fn read_in_vain(worker: usize, stream: &Arc<UnixStream>) {
    let stream = Arc::clone(stream);
    let read = there(worker, move || task::timeout(Duration::from_micros(10), || (&*stream).read(&mut [0])).map(drop));
    assert!(read.is_err(), "nobody has written");
}

/// In how many pollers a descriptor is, where the system tells.
#[cfg(target_os = "linux")]
fn watchers(fd: &impl AsRawFd) -> usize {
    let watched = format!("tfd:{:>9} ", fd.as_raw_fd());
    let files = std::fs::read_dir("/proc/self/fdinfo").expect("Linux tells");
    let texts = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
    texts.filter(|text| text.lines().any(|line| line.starts_with(&watched))).count()
}

#[test]
fn readers_and_writers_of_one_stream_are_on_different_workers() {
    const SIZE: usize = 1 << 20;
    on(3, || {
        let (here, there) = pair().expect("a pair");
        let (here, there) = (Arc::new(here), Arc::new(there));
        // Both directions at once, and more than there is room for: each end is waited for by two workers.
        let tasks = [(0, &here, 1), (1, &there, 2)].map(|(worker, end, byte)| {
            let (reads, writes) = (Arc::clone(end), Arc::clone(end));
            let writer = task::spawn_on(worker, move || {
                (&*writes).write_all(&vec![byte; SIZE])?;
                writes.shutdown(Shutdown::Write)
            });
            let reader = task::spawn_on((worker + 1) % 3, move || {
                let mut all = Vec::new();
                (&*reads).read_to_end(&mut all)?;
                Ok::<_, io::Error>(all == vec![3 - byte; SIZE])
            });
            (writer, reader)
        });
        for (writer, reader) in tasks {
            writer.join().expect("no panic").expect("no error");
            assert!(reader.join().expect("no panic").expect("no error"));
        }
    });
}

#[test]
fn several_workers_wait_for_one_socket() {
    let rounds = if SLOW { 20 } else { 200 };
    on(3, || {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let servers: Vec<_> = (0..3)
            .map(|worker| {
                let (socket, listener) = (Arc::clone(&socket), Arc::clone(&listener));
                let answers = task::spawn_on(worker, move || {
                    loop {
                        let (length, from) = socket.recv_from(&mut [0; 8])?;
                        socket.send_to(&[length as u8], from)?;
                    }
                });
                let accepts = task::spawn_on(worker, move || {
                    loop {
                        listener.accept()?.0.write_all(b"x")?;
                    }
                });
                [answers, accepts] as [task::JoinHandle<io::Result<()>>; 2]
            })
            .collect();
        let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for round in 0..rounds {
            let length = 1 + round % 8;
            client.send_to(&[0; 8][..length], socket.local_addr().expect("an address")).expect("room");
            let mut bytes = [0; 8];
            assert_eq!(client.recv(&mut bytes).expect("an answer"), 1);
            assert_eq!(usize::from(bytes[0]), length);
            let address = listener.local_addr().expect("an address");
            let mut stream = TcpStream::connect(address).expect("somebody accepts");
            assert_eq!(stream.read(&mut [0; 2]).expect("a byte"), 1);
        }
        for server in servers.into_iter().flatten() {
            server.cancel();
            match server.join() {
                Ok(ended) => assert!(ended.is_err()),
                // The others were quicker, and it has not begun.
                Err(error) => assert!(error.cancelled().is_some(), "{error}"),
            }
        }
    });
}

/// Each wait is on another worker than the last, and another end has waited in between.
#[test]
fn a_stream_goes_from_worker_to_worker() {
    on(3, || {
        let (here, other) = pair().expect("a pair");
        let (mut here, mut other) = (Some(here), Some(other));
        for round in 0..if SLOW { 30 } else { 300 } {
            let (mut reads, mut writes) = (here.take().expect("it came back"), other.take().expect("it came back"));
            let reader = task::spawn_on(round % 3, move || {
                let mut byte = [0; 2];
                let length = reads.read(&mut byte).expect("a byte");
                (byte[..length] == [round as u8]).then_some(reads)
            });
            task::yield_now().expect("it waits now, perhaps");
            let writer = task::spawn_on((round / 2) % 3, move || writes.write_all(&[round as u8]).map(|()| writes));
            // The other direction the next time.
            here = Some(writer.join().expect("no panic").expect("room"));
            other = Some(reader.join().expect("no panic").expect("that byte"));
        }
    });
}

/// A poller whose worker's tasks do not wait for a descriptor any more would be woken by each of its events.
#[test]
#[cfg(target_os = "linux")]
fn only_those_watch_it_whose_tasks_wait_or_were_the_last_to() {
    on(3, || {
        let (mut here, stream) = UnixStream::pair().expect("a pair");
        let kept = stream.try_clone().expect("a clone");
        let stream = Arc::new(stream);
        assert_eq!(watchers(&*stream), 0);
        for worker in [0, 1, 2, 1, 1] {
            read_in_vain(worker, &stream);
            assert_eq!(watchers(&*stream), 1, "{worker}");
        }
        // While one waits, its worker watches.
        let theirs = Arc::clone(&stream);
        let waits = task::spawn_on(2, move || (&*theirs).read(&mut [0]));
        there(2, || ());
        read_in_vain(0, &stream);
        assert_eq!(watchers(&*stream), 2);
        here.write_all(b"x").expect("room");
        assert_eq!(waits.join().expect("no panic").expect("a byte"), 1);
        read_in_vain(1, &stream);
        assert_eq!(watchers(&*stream), 1);
        // And nobody when it is closed, although it is open by another descriptor.
        let number = stream.as_raw_fd();
        drop(stream);
        assert_eq!(watchers(&number), 0);
        drop(kept);
    });
}

/// Neither one for a connection, nor those for pollers. Who accepts has no end by itself, and must hear of its cancellation.
#[test]
fn without_descriptors_incoming_ends_all_the_same() {
    const FOR_EVER: usize = 1_000;
    if !alone("workers::without_descriptors_incoming_ends_all_the_same", "ulimit -n 64;") {
        return;
    }
    for comes in [true, false] {
        let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
        runtime.run(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address");
            let client = comes.then(|| std::net::TcpStream::connect(address).expect("there is room in the line"));
            let files = all_descriptors();
            let server = task::spawn(move || {
                let mut refused = 0;
                for stream in listener.incoming().take(FOR_EVER) {
                    stream.map(drop).expect_err("there is no descriptor");
                    refused += 1;
                }
                refused
            });
            task::yield_now().expect("it pauses now");
            server.cancel();
            let refused = server.join().expect("no panic");
            assert!(refused < FOR_EVER, "it goes on although it was cancelled");
            drop((client, files));
        });
    }
}

#[test]
fn without_descriptors_for_all_pollers_the_first_wait_says_so() {
    if !alone("workers::without_descriptors_for_all_pollers_the_first_wait_says_so", "ulimit -n 64;") {
        return;
    }
    let runtime = Runtime::builder().workers(2).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        let (here, mut there) = UnixStream::pair().expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut files = all_descriptors();
        files.pop();
        let before = descriptors();
        let error = there.read(&mut [0]).expect_err("there is no poller");
        let source = error.get_ref().and_then(|inner| inner.source()).expect("what the system has said");
        let source = source.downcast_ref::<io::Error>().expect("an error of the system");
        assert_eq!((source.raw_os_error(), source.kind()), (Some(libc::EMFILE), error.kind()));
        // Fewer than 64 where a tool that watches keeps some for itself.
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.expect("a limit");
        let limit = format!("the process may have {most} descriptors (RLIMIT_NOFILE)");
        assert!(error.to_string().ends_with(&limit), "{error}");
        assert_eq!(descriptors(), before);
        // Who accepts in a loop does not spin.
        let start = task::now();
        listener.accept().map(drop).expect_err("nor is there one for this");
        assert!(task::now() > start);
        drop(files);
        let reader = task::spawn_on(1, move || there.read(&mut [0]));
        task::yield_now().expect("it waits now, perhaps");
        (&here).write_all(b"x").expect("room");
        assert_eq!(reader.join().expect("no panic").expect("a byte"), 1);
    });
}
