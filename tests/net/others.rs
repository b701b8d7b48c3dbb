//! Unix sockets, UDP, and sockets outside of a runtime.

use super::{on, pair};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;
use switchback::net::{TcpStream, UdpSocket, UnixListener, UnixStream};
use switchback::task;

#[test]
fn unix_sockets() {
    on(1, || {
        let path = std::env::temp_dir().join(format!("switchback-net-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let server = task::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        });
        UnixStream::connect(&path).and_then(|mut stream| stream.write_all(b"by name")).expect("no error");
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!(server.join().expect("no panic").expect("no error"), "by name");
        assert_eq!(UnixStream::connect(&path).expect_err("gone").kind(), ErrorKind::NotFound);
    });
}

#[test]
fn datagrams() {
    on(1, || {
        let one = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let other = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = one.local_addr().expect("an address");
        let receiver = task::spawn(move || {
            let mut bytes = [0; 16];
            let (_, from) = one.peek_from(&mut bytes)?;
            let (count, again) = one.recv_from(&mut bytes)?;
            assert_eq!(from, again);
            one.connect(from)?;
            one.send(&bytes[..count])
        });
        task::yield_now().expect("it waits now");
        other.send_to(b"a datagram", address).expect("room");
        let mut bytes = [0; 16];
        assert_eq!(other.recv(&mut bytes).expect("it comes back"), 10);
        assert_eq!(&bytes[..10], b"a datagram");
        assert_eq!(receiver.join().expect("no panic").expect("no error"), 10);
    });
}

#[test]
fn outside_of_a_runtime_the_thread_blocks() {
    let (mut here, mut there) = pair().expect("a pair");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        there.read_to_string(&mut text).map(|_| text)
    });
    here.write_all(b"blocks").expect("room");
    let (mut alone, _other) = UnixStream::pair().expect("a pair");
    alone.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    assert_eq!(alone.read(&mut [0]).expect_err("nobody writes").kind(), ErrorKind::TimedOut);
    drop(here);
    assert_eq!(reader.join().expect("no panic").expect("no error"), "blocks");
}

#[test]
fn from_and_into_stds() {
    let (here, mut there) = pair().expect("a pair");
    let mut blocking = here.into_std().expect("it blocks");
    let reader = std::thread::spawn(move || {
        let mut byte = [0];
        blocking.read_exact(&mut byte).map(|()| blocking)
    });
    there.write_all(b"xy").expect("room");
    let blocking = reader.join().expect("no panic").expect("a byte");
    let mut here = TcpStream::from_std(blocking).expect("it does not block");
    on(1, || assert_eq!(here.read(&mut [0; 4]).expect("a byte"), 1));
    drop(OwnedFd::from(here));
    assert_eq!(there.read(&mut [0]).expect("the end"), 0);
}
