//! Answers.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::time::{Duration, SystemTime};
use switchback::net::TcpStream;
use switchback::task;

/// How much of a file is sent at a time. A client must take so much within the time that it has.
const BLOCK: u64 = 64 << 10;

/// A code, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u16, &'static str);

impl Status {
    pub(crate) const OK: Self = Self(200, "OK");
    pub(crate) const MOVED: Self = Self(301, "Moved Permanently");
    pub(crate) const BAD_REQUEST: Self = Self(400, "Bad Request");
    pub(crate) const FORBIDDEN: Self = Self(403, "Forbidden");
    pub(crate) const NOT_FOUND: Self = Self(404, "Not Found");
    pub(crate) const METHOD_NOT_ALLOWED: Self = Self(405, "Method Not Allowed");
    pub(crate) const REQUEST_TIMEOUT: Self = Self(408, "Request Timeout");
    pub(crate) const CONTENT_TOO_LARGE: Self = Self(413, "Content Too Large");
    pub(crate) const URI_TOO_LONG: Self = Self(414, "URI Too Long");
    pub(crate) const EXPECTATION_FAILED: Self = Self(417, "Expectation Failed");
    pub(crate) const HEADERS_TOO_LARGE: Self = Self(431, "Request Header Fields Too Large");
    pub(crate) const SERVER_ERROR: Self = Self(500, "Internal Server Error");
    pub(crate) const NOT_IMPLEMENTED: Self = Self(501, "Not Implemented");
    pub(crate) const UNAVAILABLE: Self = Self(503, "Service Unavailable");
    pub(crate) const VERSION_NOT_SUPPORTED: Self = Self(505, "HTTP Version Not Supported");
}

/// What a client is sent.
pub(crate) struct Response {
    status: Status,
    kind: &'static str,
    extra: Option<(&'static str, String)>,
    body: Body,
}

enum Body {
    Bytes(Vec<u8>),
    /// So many bytes from the beginning.
    File(File, u64),
}

impl Response {
    /// A status, in words.
    pub(crate) fn plain(status: Status) -> Self {
        let body = Body::Bytes(format!("{} {}\n", status.0, status.1).into());
        Self { status, kind: "text/plain; charset=utf-8", extra: None, body }
    }

    pub(crate) fn html(text: String) -> Self {
        Self { status: Status::OK, kind: "text/html; charset=utf-8", extra: None, body: Body::Bytes(text.into()) }
    }

    pub(crate) fn file(file: File, length: u64, kind: &'static str) -> Self {
        Self { status: Status::OK, kind, extra: None, body: Body::File(file, length) }
    }

    /// With this header.
    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { extra: Some((name, value.into())), ..self }
    }

    /// Its head, with the first block of its body, unless only the head is wanted. This reads from the disk.
    pub(crate) fn begin(self, head_only: bool, keep_alive: bool) -> io::Result<Begun> {
        let mut begun = Begun { block: self.head(keep_alive).into_bytes(), rest: None };
        match self.body {
            _ if head_only => {}
            Body::Bytes(bytes) => begun.block.extend(bytes),
            Body::File(file, length) => {
                // With the head before it, so a small file takes one write.
                let first = length.min(BLOCK.saturating_sub(begun.block.len() as u64));
                if (&file).take(first).read_to_end(&mut begun.block)? as u64 != first {
                    return Err(shorter());
                }
                begun.rest = Some((file, first..length));
            }
        }
        Ok(begun)
    }

    fn head(&self, keep_alive: bool) -> String {
        let Status(code, reason) = self.status;
        let length = match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, length) => *length,
        };
        let date = httpdate::fmt_http_date(SystemTime::now());
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut head = format!(
            "HTTP/1.1 {code} {reason}\r\nDate: {date}\r\nContent-Type: {}\r\nContent-Length: {length}\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: {connection}\r\n",
            self.kind
        );
        if let Some((name, value)) = &self.extra {
            let _ = write!(head, "{name}: {value}\r\n"); // a string takes what it is given
        }
        head + "\r\n"
    }
}

/// A response of which a block is there to be written.
pub(crate) struct Begun {
    block: Vec<u8>,
    /// What is still to be sent.
    rest: Option<(File, Range<u64>)>,
}

impl Begun {
    /// Writes all of it.
    pub(crate) fn send(self, stream: &TcpStream, patience: Duration) -> io::Result<()> {
        in_time(patience, || (&mut &*stream).write_all(&self.block))?;
        let Some((file, mut rest)) = self.rest else { return Ok(()) };
        while !rest.is_empty() {
            in_time(patience, || send_block(stream, &file, &mut rest))?;
        }
        Ok(())
    }
}

fn in_time(patience: Duration, send: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let late = || io::Error::new(ErrorKind::TimedOut, "the client does not read its answer");
    task::timeout(patience, send).unwrap_or_else(|_| Err(late()))
}

/// Sends a block of what is left, straight from the file.
fn send_block(stream: &TcpStream, file: &File, rest: &mut Range<u64>) -> io::Result<()> {
    let end = rest.end.min(rest.start + BLOCK);
    while rest.start < end {
        match stream.send_file(file, rest.start..end)? {
            0 => return Err(shorter()),
            count => rest.start += count,
        }
    }
    Ok(())
}

/// The client has been told another length, or is about to be, and can only be left.
fn shorter() -> io::Error {
    io::Error::other("a file has become shorter")
}
