//! What goes there comes back, and ends where it is to end.

use super::{on, pair};
#[cfg(target_os = "linux")]
use crate::process::alone;
use crate::slow::SLOW;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use switchback::net::{TcpListener, TcpStream, UnixStream};
use switchback::task;

const CLIENTS: usize = if SLOW { 10 } else { 100 };
const ROUNDS: usize = 20;

#[test]
fn many_clients() {
    for workers in [1, 2] {
        on(workers, || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address");
            let server = task::spawn(move || {
                let mut served = task::JoinSet::new();
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a connection");
                    served.spawn(move || io::copy(&mut &stream.try_clone().expect("a clone"), &mut stream));
                }
                task::shield(|| served.completed().map(|end| end.expect("no panic").expect("no error")).sum::<u64>())
            });
            let clients = (0..CLIENTS).map(|client| {
                move || {
                    let mut stream = TcpStream::connect(address)?;
                    for round in 0..ROUNDS {
                        let sent = [client as u8 ^ round as u8; 64];
                        stream.write_all(&sent)?;
                        let mut came = [0; 64];
                        stream.read_exact(&mut came)?;
                        assert_eq!(sent, came);
                    }
                    stream.shutdown(Shutdown::Write)?;
                    assert_eq!(stream.read(&mut [0])?, 0);
                    Ok::<_, io::Error>(())
                }
            });
            for client in task::join_all_settled(clients) {
                client.expect("no panic").expect("no error");
            }
            server.cancel();
            assert_eq!(server.join().expect("it ends"), (CLIENTS * ROUNDS * 64) as u64);
        });
    }
}

#[test]
fn more_than_fits_goes_on_when_there_is_room() {
    on(1, || {
        let (mut here, mut there) = pair().expect("a pair");
        let all: Vec<u8> = (0..1 << 22).map(|n: u32| (n % 251) as u8).collect();
        let expected = all.clone();
        let writer = task::spawn(move || here.write_all(&all));
        let mut came = Vec::new();
        there.read_to_end(&mut came).expect("no error");
        assert!(came == expected);
        writer.join().expect("no panic").expect("no error");
    });
}

#[test]
fn data_and_the_end_in_one_event() {
    on(1, || {
        let (mut here, mut there) = pair().expect("a pair");
        let reader = task::spawn(move || {
            let mut text = String::new();
            there.read_to_string(&mut text).map(|_| text)
        });
        task::yield_now().expect("it waits now");
        here.write_all(b"the last words").expect("room");
        drop(here);
        assert_eq!(reader.join().expect("no panic").expect("no error"), "the last words");
    });
}

/// As in programs whose main is not Rust's.
#[cfg(target_os = "linux")]
#[test]
fn a_write_after_the_end_is_an_error_and_no_signal() {
    fn write(mut stream: impl Write) {
        let some = [IoSlice::new(b"x")];
        for written in [stream.write(b"x"), stream.write_all(b"x").map(|()| 1), stream.write_vectored(&some)] {
            assert_eq!(written.expect_err("it is over").kind(), ErrorKind::BrokenPipe);
        }
    }
    if !alone("echo::a_write_after_the_end_is_an_error_and_no_signal", "") {
        return;
    }
    // SAFETY: it is the default action.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    on(1, || {
        let (tcp, _there) = pair().expect("a pair");
        tcp.shutdown(Shutdown::Write).expect("it is connected");
        write(tcp);
        let (unix, _) = UnixStream::pair().expect("a pair");
        write(unix);
    });
}

#[test]
fn more_buffers_than_the_system_takes() {
    fn write(mut from: impl Write, mut to: impl Read) {
        let written = from.write_vectored(&[IoSlice::new(b"x"); 3_000]).expect("room");
        assert!((1..=3_000).contains(&written));
        to.read_exact(&mut vec![0; written]).expect("so much has come");
    }
    on(1, || {
        let (here, there) = pair().expect("a pair");
        write(here, there);
        let (here, there) = UnixStream::pair().expect("a pair");
        write(here, there);
    });
}

#[test]
fn a_reset_is_told_to_who_waits() {
    on(1, || {
        let (here, mut there) = pair().expect("a pair");
        let reader = task::spawn(move || there.read(&mut [0]));
        task::yield_now().expect("it waits now");
        socket2::SockRef::from(&here).set_linger(Some(std::time::Duration::ZERO)).expect("a linger");
        drop(here);
        assert_eq!(reader.join().expect("no panic").expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn several_read_and_write_one_socket() {
    on(2, || {
        let (here, there) = pair().expect("a pair");
        let total = std::sync::atomic::AtomicUsize::new(0);
        task::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let mut bytes = [0; 7];
                    loop {
                        match (&there).read(&mut bytes)? {
                            0 => return Ok::<(), io::Error>(()),
                            some => total.fetch_add(some, std::sync::atomic::Ordering::Relaxed),
                        };
                    }
                });
            }
            task::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| (0..100).try_for_each(|_| (&here).write_all(&[1; 10])));
                }
                Ok::<_, io::Error>(())
            })
            .expect("no error");
            here.shutdown(Shutdown::Write)
        })
        .expect("no error");
        assert_eq!(total.into_inner(), 4000);
    });
}

#[test]
fn who_always_has_data_does_not_starve_the_others() {
    on(1, || {
        let (here, there) = pair().expect("a pair");
        let is_over = std::rc::Rc::new(std::cell::Cell::new(false));
        let ends = std::rc::Rc::clone(&is_over);
        let other = task::spawn_local(move || ends.set(true));
        // Never waits, as each byte is there before it is read.
        while !is_over.get() {
            (&here).write_all(b"x").expect("room");
            (&there).read_exact(&mut [0]).expect("a byte");
        }
        other.join().expect("it ends");
    });
}

#[test]
fn nobody_listens() {
    on(1, || {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        assert_eq!(TcpStream::connect(address).expect_err("nobody").kind(), ErrorKind::ConnectionRefused);
        // The next address is tried.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let both = [address, listener.local_addr().expect("an address")];
        let stream = TcpStream::connect(&both[..]).expect("the second");
        assert_eq!(stream.peer_addr().expect("an address"), both[1]);
        assert_eq!(TcpStream::connect(&[][..]).expect_err("none").kind(), ErrorKind::InvalidInput);
    });
}
