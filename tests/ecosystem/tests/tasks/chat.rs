//! The example, as a program.

use crate::program::{Run, Scratch, example};
use crate::server::Server;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A member that talks by its standard input.
struct Member {
    child: Child,
    says: ChildStdin,
    hears: BufReader<ChildStdout>,
}

impl Member {
    fn of(server: &Server, certificate: &str, name: &str) -> Self {
        let mut command = example("chat");
        command.args(["join", &server.address.to_string(), certificate, name]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be run");
        let (says, hears) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, says, hears: BufReader::new(hears) }
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        let mut heard = String::new();
        self.hears.read_line(&mut heard).expect("a line");
        assert_eq!(heard.trim_end(), line);
    }

    /// Nobody types any more.
    #[track_caller]
    fn end(mut self) {
        drop(self.says);
        assert!(self.child.wait().expect("it is ours").success());
    }
}

#[test]
fn twenty_members_of_its_own() {
    Run::quiet("chat").expect_lines(&["20 members at once, each has heard 190 lines of others, in order"]);
}

#[test]
fn two_members_in_processes_of_their_own() {
    let directory = Scratch::new("chat");
    let certificate = directory.0.join("chat.pem").display().to_string();
    let server = Server::start("chat", &["serve", "127.0.0.1:0", &certificate]);
    let mut ada = Member::of(&server, &certificate, "ada");
    ada.expect("* welcome, ada");
    let mut bob = Member::of(&server, &certificate, "bob");
    bob.expect("* welcome, bob");
    ada.expect("* bob has come");
    writeln!(ada.says, "hello").expect("it reads");
    bob.expect("ada: hello");
    writeln!(bob.says, "\u{1b}[2J").expect("it reads");
    // Without what a terminal would obey.
    ada.expect("bob: [2J");
    bob.end();
    ada.expect("* bob has left");
    ada.end();

    // Somebody whom the certificate is not of.
    let other = Server::start("chat", &["serve", "127.0.0.1:0", &directory.0.join("other.pem").display().to_string()]);
    let run = Run::of("chat", &["join", &other.address.to_string(), &certificate, "eve"].map(AsRef::as_ref));
    assert_eq!(run.status, Some(1), "{}", run.whole);
    run.expect_stderr(&["chat: ", "invalid peer certificate"]);
    other.wait_for_complaint("received fatal alert");
    assert_eq!(server.end(), [""; 0]);
}

#[test]
fn it_says_how_it_is_used() {
    let run = Run::of("chat", &["host".as_ref()]);
    assert_eq!((run.status, &run.stdout[..]), (Some(2), ""), "{}", run.whole);
    assert_eq!(run.stderr, "chat: usage: chat [serve ADDR FILE | join ADDR FILE NAME]\n");
}
