//! Names that are looked up beside the worker, and connections to several addresses.

use super::on;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::mpsc::channel;
use switchback::net::{ConnectError, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use switchback::{Cancelled, Runtime, offload, task};

/// Two addresses at which nobody listens any more.
fn gone() -> [SocketAddr; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}

#[test]
fn each_address_is_in_the_error() {
    on(1, || {
        let gone = gone();
        let error = TcpStream::connect(&gone[..]).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let each =
            error.get_ref().and_then(|inner| inner.downcast_ref::<ConnectError>()).expect("what has come of each");
        let attempts: Vec<_> = each.attempts().map(|(address, error)| (address, error.kind())).collect();
        assert_eq!(attempts, gone.map(|address| (address, ErrorKind::ConnectionRefused)));
        let text = error.to_string();
        assert!(gone.iter().all(|address| text.contains(&format!("{address}: "))), "{text}");
        let last = each.source().and_then(|last| last.downcast_ref::<io::Error>()).expect("the last one's");
        assert_eq!(last.raw_os_error(), Some(libc::ECONNREFUSED));
        // The kind is the last one's: nobody can connect to this one.
        let mixed = [gone[0], SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 1)];
        let error = TcpStream::connect(&mixed[..]).expect_err("nobody listens");
        assert_ne!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(Cancelled::find_in(&error).is_none());
        // Of one address it is the system's own, as std's.
        let error = TcpStream::connect(gone[0]).expect_err("nobody listens");
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::ConnectionRefused, Some(libc::ECONNREFUSED)));
        let error = TcpStream::connect(&gone[..0]).expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn what_is_an_address_is_not_looked_up() {
    // Without a thread that would look it up.
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let (end, ends) = channel::<()>();
        let taken = task::spawn(move || offload(move || ends.recv().is_err()));
        task::yield_now().expect("it waits now");
        let all = task::spawn(|| {
            let v4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
            let all = [
                v4.to_socket_addrs().map(Iterator::collect::<Vec<_>>),
                SocketAddr::from(v4).to_socket_addrs().map(Iterator::collect),
                (&[SocketAddr::from(v4)][..]).to_socket_addrs().map(Iterator::collect),
                (Ipv4Addr::LOCALHOST, 80).to_socket_addrs().map(Iterator::collect),
                ("127.0.0.1", 80).to_socket_addrs().map(Iterator::collect),
                ("127.0.0.1".to_owned(), 80).to_socket_addrs().map(Iterator::collect),
                "127.0.0.1:80".to_socket_addrs().map(Iterator::collect),
                "127.0.0.1:80".to_owned().to_socket_addrs().map(Iterator::collect),
            ];
            all.into_iter().all(|one| one.expect("an address") == [SocketAddr::from(v4)])
        });
        for _ in 0..5 {
            task::yield_now().expect("not cancelled");
        }
        assert!(all.is_finished());
        drop(end);
        assert!(taken.join().expect("it ends well") && all.join().expect("it ends well"));
    });
}

#[test]
fn names_are_looked_up_beside_the_worker() {
    let runtime = Runtime::builder().workers(1).offload_threads(1).build().expect("a runtime");
    runtime.run(|| {
        let listener = TcpListener::bind("localhost:0").expect("it has an address");
        let address = listener.local_addr().expect("an address");
        let port = address.port();
        let (end, ends) = channel::<()>();
        let taken = task::spawn(move || offload(move || ends.recv().is_err()));
        task::yield_now().expect("it waits now");
        // The only thread is taken, so all of these wait for it, and this task runs.
        let connects = task::spawn(move || TcpStream::connect(("localhost", port)));
        let binds = task::spawn(|| UdpSocket::bind("localhost:0"));
        let cut_short = task::spawn(move || TcpStream::connect(("localhost".to_owned(), port)));
        for _ in 0..5 {
            task::yield_now().expect("not cancelled");
        }
        assert!(!connects.is_finished() && !binds.is_finished());
        assert!(cut_short.cancel());
        let error = cut_short.join().expect("no panic").expect_err("it was cancelled");
        assert!(Cancelled::find_in(&error).is_some());
        drop(end);
        assert!(taken.join().expect("it ends well"));
        let stream = connects.join().expect("no panic").expect("somebody listens");
        assert_eq!(stream.peer_addr().expect("an address"), address);
        // Only one has come.
        assert_eq!(listener.accept().expect("it is there").1, stream.local_addr().expect("an address"));
        let socket = binds.join().expect("no panic").expect("a port");
        assert!(socket.local_addr().expect("an address").ip().is_loopback());
        assert!(TcpStream::connect("no port").is_err());
    });
}
