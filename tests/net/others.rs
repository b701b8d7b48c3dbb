//! Unix sockets, UDP, and sockets outside of a runtime.

use super::{is_non_blocking, on, pair};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net;
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::{Runtime, task};

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

/// What std refuses: of a path with a NUL in it the system would take the part before that.
#[test]
fn a_path_with_a_nul_in_it_names_no_socket() {
    on(1, || {
        let path = std::env::temp_dir().join(format!("switchback-nul-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let name = path.to_str().expect("text");
        for path in [format!("{name}\0"), format!("{name}\0more"), format!("\0{name}")] {
            let error = UnixStream::connect(&path).expect_err("it is no path");
            let std = std::os::unix::net::UnixStream::connect(&path).expect_err("it is no path");
            assert_eq!((error.kind(), std.kind()), (ErrorKind::InvalidInput, ErrorKind::InvalidInput), "{path:?}");
        }
        std::fs::remove_file(&path).expect("it is there");
        listener.set_nonblocking(true).expect("always");
        assert_eq!(listener.accept().map(drop).expect_err("nobody has come").kind(), ErrorKind::WouldBlock);
        let long = "x".repeat(200);
        assert_eq!(UnixStream::connect(long).expect_err("too long").kind(), ErrorKind::InvalidInput);
    });
}

/// By what std's sockets call an address, which may be a name that is no path, on Linux.
#[test]
fn unix_sockets_by_address() {
    on(1, || {
        let path = std::env::temp_dir().join(format!("switchback-address-{}", std::process::id()));
        #[cfg_attr(not(target_os = "linux"), expect(unused_mut, reason = "there are no others"))]
        let mut addresses = vec![net::SocketAddr::from_pathname(&path).expect("a path")];
        #[cfg(target_os = "linux")]
        for name in [format!("switchback-{}", std::process::id()), format!("with a\0NUL {}", std::process::id())] {
            use std::os::linux::net::SocketAddrExt;
            addresses.push(net::SocketAddr::from_abstract_name(name).expect("a name"));
        }
        for address in &addresses {
            let error = UnixStream::connect_addr(address).expect_err("nobody listens yet");
            let std = net::UnixStream::connect_addr(address).expect_err("nobody listens yet");
            assert_eq!(error.kind(), std.kind(), "{address:?}");
            let listener = UnixListener::bind_addr(address).expect("a socket");
            // An emulator may have made the name a byte longer.
            let real = listener.local_addr().expect("an address");
            let mut streams = (&listener).into_iter();
            for address in [address, &real] {
                let stream = UnixStream::connect_addr(address).expect("somebody listens");
                assert_eq!(format!("{:?}", stream.peer_addr().expect("an address")), format!("{real:?}"));
                streams.next().expect("it goes on").expect("a connection");
            }
            assert_eq!(UnixListener::bind_addr(address).map(drop).expect_err("taken").kind(), ErrorKind::AddrInUse);
        }
        std::fs::remove_file(&path).expect("it is there");
        let (one, _other) = UnixStream::pair().expect("two sockets");
        let nameless = one.local_addr().expect("an address");
        assert_eq!(UnixStream::connect_addr(&nameless).expect_err("no name").kind(), ErrorKind::InvalidInput);
    });
}

/// What the system does about groups it does by these as by std's.
#[test]
fn multicast() {
    let (group, here) = (Ipv4Addr::new(224, 0, 0, 251), Ipv4Addr::LOCALHOST);
    let ours = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let std = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    assert_eq!(ours.join_multicast_v4(&group, &here).is_ok(), std.join_multicast_v4(&group, &here).is_ok());
    assert_eq!(ours.leave_multicast_v4(&group, &here).is_ok(), std.leave_multicast_v4(&group, &here).is_ok());
    ours.leave_multicast_v4(&group, &here).expect_err("it is no member");
    for on in [false, true] {
        ours.set_multicast_loop_v4(on).expect("always");
        assert_eq!(ours.multicast_loop_v4().expect("always"), on);
    }
    ours.set_multicast_ttl_v4(7).expect("always");
    assert_eq!(ours.multicast_ttl_v4().expect("always"), 7);
    // It is none of IPv6.
    ours.set_multicast_loop_v6(true).and(ours.multicast_loop_v6().map(drop)).expect_err("another family");
    let group = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0xFB);
    ours.join_multicast_v6(&group, 0).and(ours.leave_multicast_v6(&group, 0)).expect_err("another family");
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
fn unix_datagrams() {
    on(1, || {
        let path = |name: &str| std::env::temp_dir().join(format!("switchback-{name}-{}", std::process::id()));
        let (ours, theirs) = (path("one"), path("other"));
        let one = UnixDatagram::bind(&ours).expect("a socket");
        let other = UnixDatagram::bind(&theirs).expect("a socket");
        let receiver = task::spawn(move || {
            let mut bytes = [0; 16];
            let (count, from) = one.recv_from(&mut bytes)?;
            one.connect_addr(&from)?;
            one.send(&bytes[..count])?;
            one.send_to_addr(&bytes[..1], &from)
        });
        task::yield_now().expect("it waits now");
        assert_eq!(other.send_to(b"a datagram", &ours).expect("room"), 10);
        let mut bytes = [0; 16];
        assert_eq!(other.recv(&mut bytes).expect("it comes back"), 10);
        assert_eq!(&bytes[..10], b"a datagram");
        let (count, from) = other.recv_from(&mut bytes).expect("and another");
        assert_eq!((count, from.as_pathname()), (1, Some(&*ours)));
        assert_eq!(receiver.join().expect("no panic").expect("no error"), 1);
        for path in [&ours, &theirs] {
            std::fs::remove_file(path).expect("it is there");
        }
        let unbound = UnixDatagram::unbound().expect("a socket");
        assert_eq!(unbound.send_to(b"x", &ours).expect_err("gone").kind(), ErrorKind::NotFound);
        assert_eq!(unbound.connect(&theirs).expect_err("gone").kind(), ErrorKind::NotFound);
    });
}

/// As of std's that block: who receives from a socket that is shut comes to an end, after what was there before.
#[test]
fn datagrams_of_a_socket_that_is_shut_have_an_end() {
    // With a clock that jumps when everybody waits.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    let hour = Duration::from_secs(3600);
    let shut = || {
        let (here, there) = UnixDatagram::pair().expect("a pair");
        here.send(b"before").expect("room");
        there.shutdown(Shutdown::Read).expect("it is open");
        there
    };
    runtime.run(|| {
        let (here, there) = UnixDatagram::pair().map(|(here, there)| (here, Arc::new(there))).expect("a pair");
        let theirs = Arc::clone(&there);
        let reader = task::spawn_local(move || task::timeout(hour, || theirs.recv(&mut [0; 8])));
        task::yield_now().expect("it waits now");
        there.shutdown(Shutdown::Read).expect("it is open");
        assert_eq!(reader.join().expect("no panic").expect("nothing comes").expect("the end"), 0);
        here.send(b"x").expect_err("nobody receives");
        let there = shut();
        assert_eq!(there.recv(&mut [0; 8]).expect("it is there"), 6);
        let (count, from) = task::timeout(hour, || there.recv_from(&mut [0; 8])).expect("no more").expect("the end");
        assert!(count == 0 && from.is_unnamed());
    });
    let there = shut();
    there.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
    assert_eq!(there.recv_from(&mut [0; 8]).expect("it is there").0, 6);
    assert_eq!(there.recv(&mut [0; 8]).expect("the end"), 0);
    there.set_nonblocking(true).expect("always");
    assert_eq!(there.recv(&mut [0; 8]).expect_err("it does not look").kind(), ErrorKind::WouldBlock);
    let std = shut().into_std().expect("it blocks");
    assert_eq!([0, 1].map(|_| std.recv(&mut [0; 8]).expect("no error")), [6, 0]);
}

#[test]
fn datagrams_wait_for_room() {
    // With a virtual clock the pauses of the one that is not connected take no time.
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build().expect("a runtime");
    runtime.run(|| {
        const SIZE: usize = 100;
        // More than there is room for anywhere.
        let count = 600;
        let path = std::env::temp_dir().join(format!("switchback-room-{}", std::process::id()));
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let senders = [0, 1].map(|_| UnixDatagram::unbound().expect("a socket"));
        senders[0].connect(&path).expect("it is there");
        let [connected, alone] = senders;
        let one = task::spawn(move || (0..count).try_for_each(|_| connected.send(&[1; SIZE]).map(drop)));
        let to = path.clone();
        let other = task::spawn(move || (0..count).try_for_each(|_| alone.send_to(&[2; SIZE], &to).map(drop)));
        for _ in 0..5 {
            task::yield_now().expect("they wait now");
        }
        assert!(!one.is_finished() && !other.is_finished());
        let mut came = [0; 3];
        let mut bytes = [0; SIZE];
        while came[1] + came[2] < 2 * count {
            assert_eq!(receiver.recv(&mut bytes).expect("a datagram"), SIZE);
            came[usize::from(bytes[0])] += 1;
        }
        assert_eq!(came, [0, count, count]);
        for sender in [one, other] {
            sender.join().expect("no panic").expect("room");
        }
        // Without anybody who reads, the time is over some time.
        let alone = UnixDatagram::unbound().expect("a socket");
        let (start, second) = (task::now(), Duration::from_secs(1));
        alone.set_write_timeout(Some(second)).expect("a timeout");
        let full = loop {
            if let Err(error) = alone.send_to(&[0; SIZE], &path) {
                break error;
            }
        };
        assert_eq!((full.kind(), task::now() - start), (ErrorKind::TimedOut, second));
        std::fs::remove_file(&path).expect("it is there");
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

/// Takes a socket out by its descriptor, and in again.
macro_rules! there_and_back {
    ($type:ty, $socket:expr) => {{
        let socket: $type = $socket;
        let number = socket.into_raw_fd();
        // SAFETY: it was the socket's, which has given it up.
        let owned = unsafe { OwnedFd::from_raw_fd(number) };
        let socket = <$type>::try_from(owned).expect("it does not block");
        let blocking = socket.into_std().expect("it blocks");
        assert!(!is_non_blocking(&blocking));
        let socket = <$type>::try_from(blocking).expect("it does not block");
        assert!(is_non_blocking(&socket));
        assert_eq!(socket.as_raw_fd(), number);
        socket
    }};
}

#[test]
fn descriptors_come_in_and_go_out() {
    on(1, || {
        let (here, there) = UnixDatagram::pair().expect("a pair");
        let (here, there) = (there_and_back!(UnixDatagram, here), there_and_back!(UnixDatagram, there));
        let receiver = task::spawn(move || there.recv(&mut [0; 8]));
        task::yield_now().expect("it waits now");
        here.send(b"still connected").expect("room");
        assert_eq!(receiver.join().expect("no panic").expect("a datagram"), 8);
        let listener = there_and_back!(TcpListener, TcpListener::bind("127.0.0.1:0").expect("a port"));
        let address = listener.local_addr().expect("an address");
        there_and_back!(TcpStream, TcpStream::connect(address).expect("it listens"))
            .shutdown(Shutdown::Both)
            .expect("connected");
        there_and_back!(UdpSocket, UdpSocket::bind("127.0.0.1:0").expect("a port"));
        there_and_back!(UnixStream, UnixStream::pair().expect("a pair").0);
        let path = std::env::temp_dir().join(format!("switchback-fd-{}", std::process::id()));
        there_and_back!(UnixListener, UnixListener::bind(&path).expect("a socket"));
        std::fs::remove_file(&path).expect("it is there");
    });
}
