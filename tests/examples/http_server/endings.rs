//! How it ends: what becomes of those that are connected. And how many they may be.

use super::{PATIENT, serve};
use crate::client::Client;
use crate::program::Scratch;
use crate::server::{LONG, Server};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

const REQUEST: &str = "GET /file HTTP/1.1\r\nHost: test\r\n\r\n";

fn site(name: &str) -> Scratch {
    let site = Scratch::new(name);
    site.write("file", "a file");
    site
}

/// A client that has sent the beginning of a request, of which the server knows.
fn in_the_midst(server: &Server) -> Client {
    let mut client = Client::of(server);
    // It has read the first one, and both have come in one piece.
    client.send(format!("{REQUEST}{}", &REQUEST[..20]));
    assert_eq!(client.answer().body, b"a file");
    client
}

#[test]
fn http_server_ends_gracefully() {
    for signal in ["INT", "TERM"] {
        let site = site("http-graceful");
        let server = serve(&site, PATIENT);
        let mut idle = Client::of(&server);
        assert_eq!(idle.get("/file").header("Connection"), "keep-alive");
        let mut busy = in_the_midst(&server);
        server.signal(signal);
        assert_eq!(server.line(), format!("SIG{signal}: nobody is accepted any more, 2 connections are to be ended"));
        let refused = TcpStream::connect(server.address).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        idle.assert_closed();
        busy.send(&REQUEST[20..]);
        let answer = busy.answer();
        assert_eq!((answer.header("Connection"), &answer.body[..]), ("close", &b"a file"[..]));
        busy.assert_closed();
        // Else it would wait for them to close their ends.
        drop((idle, busy));
        let (status, said) = server.wait();
        assert!(status.success(), "{status} {said:?}");
        assert_eq!(said, ["all connections have ended"]);
    }
}

#[test]
fn http_server_waits_no_longer_than_a_client_may_take() {
    let site = site("http-cut-off");
    let endless = fs::File::create(site.0.join("endless")).expect("a file can be made");
    endless.set_len(1 << 36).expect("a file may have a hole");
    let server = serve(&site, "0.5");
    let mut slow = Client::of(&server);
    slow.send(REQUEST.replace("file", "endless"));
    slow.stream().read_exact(&mut [0; 1_000]).expect("the beginning of an answer");
    server.signal("TERM");
    assert!(server.line().ends_with(", 1 connection is to be ended"));
    // It does read, and would for hours.
    let reading = thread::spawn(move || {
        let (start, mut piece) = (Instant::now(), [0; 100_000]);
        while slow.stream().read(&mut piece).is_ok_and(|length| length > 0) {
            assert!(start.elapsed() < LONG, "nobody stops it");
            thread::sleep(Duration::from_millis(10));
        }
    });
    let (status, said) = server.wait();
    assert!(status.success(), "{status} {said:?}");
    reading.join().expect("it was cut off in time");
    // On a machine that has much to do, it may have been left for its slowness before that.
    let words = ["1 connection is cut off", "the client does not read its answer"];
    assert!(said.iter().any(|line| words.iter().any(|words| line.ends_with(words))), "{said:?}");
}

#[test]
fn http_server_ends_at_once_at_the_second_signal() {
    let site = site("http-second");
    let server = serve(&site, PATIENT);
    let _busy = in_the_midst(&server);
    server.signal("TERM");
    assert!(server.line().starts_with("SIGTERM: "));
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!((status.signal(), status.code()), (Some(libc::SIGTERM), None), "{said:?}");
}

#[test]
fn http_server_lets_those_wait_for_whom_there_is_no_place() {
    let site = site("http-places");
    let directory = site.0.to_str().expect("names of temporary directories are UTF-8");
    let server = Server::start("http_server", &["127.0.0.1:0", directory, PATIENT, "2"]);
    let (mut one, mut two, mut three) = (Client::of(&server), Client::of(&server), Client::of(&server));
    three.send(REQUEST);
    for _ in 0..2 {
        assert_eq!((one.get("/file").status, two.get("/file").status), (200, 200));
    }
    // A server that had accepted it would have answered by now, most often.
    three.stream().set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");
    let nothing = three.stream().read(&mut [0]).expect_err("it has no place");
    assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
    three.stream().set_read_timeout(Some(LONG)).expect("not zero");
    drop(two);
    assert_eq!(three.answer().body, b"a file");
    server.end();
}
