//! `examples/chat_server`.

use crate::program::Run;
use crate::server::Server;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;

/// A member, which has been asked for its name.
struct Member(BufReader<TcpStream>);

impl Member {
    fn of(server: &Server) -> Member {
        let mut member = Member(BufReader::new(server.connect()));
        assert_eq!(member.hear(), "* your name?");
        member
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it is connected");
    }

    /// The next line; empty if there is none.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("lines of text");
        line.trim_end_matches('\n').to_string()
    }
}

#[test]
fn chat_server_serves_its_own_members_and_then_ends() {
    let run = Run::quiet("chat_server");
    assert_eq!(run.stdout, "20 members at once, each has heard 190 lines of others, in order\n", "{}", run.whole);
    for arguments in [&["nowhere"][..], &["127.0.0.1:0", "soon"], &["127.0.0.1:0", "1", "more"]] {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let wrong = Run::of("chat_server", &arguments);
        assert!(wrong.status == Some(2) && wrong.stdout.is_empty(), "{}", wrong.whole);
        assert!(wrong.stderr.starts_with("usage: chat_server [ADDR [SECONDS]]"), "{}", wrong.whole);
    }
}

#[test]
fn chat_server_tells_each_what_the_others_say() {
    let server = Server::start("chat_server", &["127.0.0.1:0", "600"]);
    let [mut ada, mut bob] = [Member::of(&server), Member::of(&server)];
    ada.say("ada");
    assert_eq!(ada.hear(), "* welcome, ada; here are: ");
    for name in ["ada", "", "two words", "ada\r", "a name of more than twenty letters"] {
        bob.say(name);
        assert_eq!(
            (bob.hear(), bob.hear()),
            ("* no name, or one that is taken".into(), "* your name?".into()),
            "{name}"
        );
    }
    bob.say("bob\r");
    assert_eq!(bob.hear(), "* welcome, bob; here are: ada");
    assert_eq!(ada.hear(), "* bob has come");
    ada.say("hello, \x1b[2Jbob");
    bob.say("hello, ada");
    // One's own lines do not come back.
    assert_eq!(bob.hear(), "ada: hello, [2Jbob");
    assert_eq!(ada.hear(), "bob: hello, ada");
    drop(ada);
    assert_eq!(bob.hear(), "* ada has left");
    // The name is free again.
    let mut other = Member::of(&server);
    other.say("ada");
    assert_eq!(other.hear(), "* welcome, ada; here are: bob");
    assert_eq!(server.end(), [""; 0]);
}

/// No clock gets as far as that.
#[test]
fn chat_server_may_be_told_to_wait_for_ever() {
    let server = Server::start("chat_server", &["127.0.0.1:0", "1e19"]);
    let [mut ada, mut bob] = [Member::of(&server), Member::of(&server)];
    ada.say("ada");
    assert_eq!(ada.hear(), "* welcome, ada; here are: ");
    bob.say("bob");
    assert_eq!(bob.hear(), "* welcome, bob; here are: ada");
    assert_eq!(ada.hear(), "* bob has come");
    assert_eq!(server.end(), [""; 0]);
}

#[test]
fn chat_server_drops_who_does_not_read() {
    let server = Server::start("chat_server", &["127.0.0.1:0", "0.1"]);
    let [mut slow, mut talker] = [Member::of(&server), Member::of(&server)];
    // The less room there is for what it does not read, the sooner it is behind.
    socket2::SockRef::from(slow.0.get_ref()).set_recv_buffer_size(256 << 10).expect("it is a socket");
    slow.say("slow");
    assert_eq!(slow.hear(), "* welcome, slow; here are: ");
    talker.say("talker");
    assert_eq!(talker.hear(), "* welcome, talker; here are: slow");
    let mut says = talker.0.get_ref().try_clone().expect("a descriptor");
    thread::scope(|s| {
        // Until the other one is dropped: then nobody listens, and this is as if it were gone.
        s.spawn(move || {
            let line = format!("{}\n", "blah ".repeat(150));
            while says.write_all(line.as_bytes()).is_ok() {}
        });
        assert_eq!(talker.hear(), "* slow was too slow");
        talker.0.get_ref().shutdown(std::net::Shutdown::Both).expect("it is connected");
    });
    // It may read what has come until then, and no more.
    let mut last = slow.hear();
    assert_eq!(last, "* talker has come");
    while !last.is_empty() {
        last = slow.hear();
        assert!(last.is_empty() || last.starts_with("talker: ") || "talker: ".starts_with(&last), "{last:?}");
    }
    // Nor is it listened to any more.
    let mut is_closed = false;
    for _ in 0..10_000 {
        is_closed |= slow.0.get_mut().write_all(b"still here\n").is_err();
        if is_closed {
            break;
        }
    }
    assert!(is_closed, "it may still talk");
    let mut other = Member::of(&server);
    other.say("slow");
    assert!(other.hear().starts_with("* welcome, slow; here are: "));
    server.end();
}
