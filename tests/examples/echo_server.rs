//! `examples/echo_server.rs`.

use crate::program::Run;
use crate::server::Server;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;

#[test]
fn echo_server_serves_its_own_clients_and_then_ends() {
    let run = Run::quiet("echo_server");
    assert_eq!(run.stdout, "100 clients at once, 1000000 bytes sent and come back\n", "{}", run.whole);
    for arguments in [&["nowhere"][..], &["127.0.0.1:0", "more"]] {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let wrong = Run::of("echo_server", &arguments);
        assert!(wrong.status == Some(2) && wrong.stdout.is_empty(), "{}", wrong.whole);
        assert!(wrong.stderr.starts_with("usage: echo_server [ADDR]"), "{}", wrong.whole);
    }
}

/// It serves others until it is killed.
#[test]
fn echo_server_serves_others() {
    let server = Server::start("echo_server", &["127.0.0.1:0"]);
    for _ in 0..2 {
        let mut stream = server.connect();
        stream.write_all(b"there and back").expect("room");
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an end");
        assert_eq!(text, "there and back");
    }
    assert_eq!(server.end(), [""; 0]);
}
