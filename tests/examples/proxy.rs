//! `examples/proxy.rs`.

use crate::program::Run;
use crate::server::{LONG, Server};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn proxy_passes_on_for_its_own_clients_and_then_ends() {
    let run = Run::quiet("proxy");
    let expected = "50 clients at once, each was answered after it had ended: 10000000 bytes there and back\n";
    assert_eq!(run.stdout, expected, "{}", run.whole);
    for arguments in [&["127.0.0.1:0"][..], &["127.0.0.1:0", "nowhere"], &["127.0.0.1:0", "127.0.0.1:1", "more"]] {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let wrong = Run::of("proxy", &arguments);
        assert!(wrong.status == Some(2) && wrong.stdout.is_empty(), "{}", wrong.whole);
        assert!(wrong.stderr.starts_with("usage: proxy [LISTEN TARGET]"), "{}", wrong.whole);
    }
}

/// Either side may be the first to end what it says, and hears the rest of the other; and who breaks off breaks both.
#[test]
fn proxy_passes_ends_on_one_by_one() {
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = target.local_addr().expect("an address").to_string();
    let proxy = Server::start("proxy", &["127.0.0.1:0", &address]);
    let pair = || -> [TcpStream; 2] {
        let client = proxy.connect();
        let (server, _) = target.accept().expect("the proxy connects");
        server.set_read_timeout(Some(LONG)).expect("not zero");
        [client, server]
    };
    for first in [0, 1] {
        let pair = pair();
        let (mut one, mut other) = (&pair[first], &pair[1 - first]);
        let mut text = String::new();
        one.write_all(b"all that I say").and_then(|()| one.shutdown(Shutdown::Write)).expect("it is connected");
        other.read_to_string(&mut text).expect("an end");
        other.write_all(b", and the answer").and_then(|()| other.shutdown(Shutdown::Write)).expect("it is connected");
        one.read_to_string(&mut text).expect("an end");
        assert_eq!(text, "all that I say, and the answer");
    }
    for first in [0, 1] {
        let [client, server] = pair();
        let (gone, mut left) = if first == 0 { (client, server) } else { (server, client) };
        socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).expect("it is a socket");
        drop(gone);
        // It is not left to wait: ended or reset.
        assert!(matches!(left.read(&mut [0]), Ok(0) | Err(_)));
        proxy.wait_for_complaint("a connection has ended");
    }
    drop(target);
    assert!(matches!(proxy.connect().read(&mut [0]), Ok(0) | Err(_)));
    proxy.wait_for_complaint("refused");
    proxy.end();
}
