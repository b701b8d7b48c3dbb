//! A client of HTTP that minds everything.

use crate::server::Server;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            _ => panic!("not one {name} in {self:?}"),
        }
    }
}

impl Client {
    pub(crate) fn of(server: &Server) -> Client {
        Client(BufReader::new(server.connect()))
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Sends bytes. The server may have gone: then there is no answer, and that will tell.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
    }

    /// Says that there is no more to come.
    pub(crate) fn finish(&mut self) {
        // What was refused may be closed already.
        let _ = self.stream().shutdown(Shutdown::Write);
    }

    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.next_answer(true).expect("an answer")
    }

    /// The answer to HEAD.
    #[track_caller]
    pub(crate) fn answer_without_body(&mut self) -> Answer {
        self.next_answer(false).expect("an answer")
    }

    /// The next answer, or none if there is no more. Anything else fails the test.
    #[track_caller]
    pub(crate) fn next_answer(&mut self, has_body: bool) -> Option<Answer> {
        let first = self.line()?;
        let mut words = first.splitn(3, ' ');
        assert_eq!(words.next(), Some("HTTP/1.1"), "{first:?}");
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no status: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line().expect("a head has an end");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
            headers.push((name.to_string(), value.to_string()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        // One that goes on is followed by another.
        if status != 100 {
            assert!(answer.header("Date").ends_with(" GMT"), "{answer:?}");
            assert!(!answer.header("Content-Type").is_empty());
            let length = answer.header("Content-Length").parse().expect("a length is a number");
            answer.body = vec![0; if has_body { length } else { 0 }];
            self.0.read_exact(&mut answer.body).expect("all of the body");
        }
        Some(answer)
    }

    /// A line without its end; none if the server has no more.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("lines of text");
        if line.is_empty() {
            return None;
        }
        Some(line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no line: {line:?}")).to_string())
    }

    /// The server has closed the connection, and has said no more.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an end and no error");
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }
}
