//! Reading requests from a connection.

use crate::head::{self, Body, Parsed};
pub(crate) use crate::head::{Method, Request};
use crate::response::Status;
use std::io::{self, Read, Write};
use switchback::net::TcpStream;

/// How long the head of a request may be: request line and headers, in bytes.
const MAX_HEAD: usize = 8 << 10;
/// How long its body may be. Nobody looks at it.
const MAX_BODY: u64 = 64 << 10;
/// How long a line may be that says how long a chunk of a body is.
const MAX_CHUNK_LINE: usize = 1 << 10;

/// Why there is no request.
pub(crate) enum Failure {
    /// What came is none that is served.
    Refused(Status),
    Io(io::Error),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The requests of a connection.
pub(crate) struct Reader<'a> {
    stream: &'a TcpStream,
    unread: Vec<u8>,
    has_begun: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, unread: Vec::new(), has_begun: false }
    }

    /// Whether a part of a request has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether a part of the next request is there. Empty lines before it are none: some clients end a body with one.
    pub(crate) fn is_ahead(&mut self) -> bool {
        let blank = self.unread.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.unread.drain(..blank);
        !self.unread.is_empty()
    }

    /// Waits for the beginning of a request. False when the client has no more.
    pub(crate) fn wait(&mut self) -> io::Result<bool> {
        while self.read_more()? {
            if self.is_ahead() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next request, of which a part is there. Its body has been read and dropped.
    pub(crate) fn next(&mut self) -> Result<Request, Failure> {
        self.has_begun = true;
        let request = self.head()?;
        let is_short = match request.body {
            Body::None => true,
            Body::Length(length) => length <= MAX_BODY,
            Body::Chunked => true,
        };
        if !is_short {
            return Err(Status::CONTENT_TOO_LARGE.into());
        }
        if request.awaits_continue {
            (&mut &*self.stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match request.body {
            Body::None => {}
            Body::Length(length) => self.skip(length)?,
            Body::Chunked => self.skip_chunks()?,
        }
        self.has_begun = false;
        Ok(request)
    }

    fn head(&mut self) -> Result<Request, Failure> {
        self.take(MAX_HEAD, head::parse).map_err(|failure| match failure {
            // Its first line has no end yet, so it is the target that is long.
            Failure::Refused(Status::HEADERS_TOO_LARGE) if !self.unread.contains(&b'\n') => Status::URI_TOO_LONG.into(),
            failure => failure,
        })
    }

    /// Reads until `parse` finds something whole in what is unread, at most so long, and takes that away.
    fn take<T>(&mut self, longest: usize, parse: impl Fn(&[u8]) -> Parsed<T>) -> Result<T, Failure> {
        loop {
            let seen = self.unread.len().min(longest);
            if let Some((length, found)) = parse(&self.unread[..seen])? {
                self.unread.drain(..length);
                return Ok(found);
            }
            if seen == longest {
                return Err(Status::HEADERS_TOO_LARGE.into());
            }
            self.need_more()?;
        }
    }

    fn skip(&mut self, mut length: u64) -> Result<(), Failure> {
        loop {
            let there = self.unread.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            self.unread.drain(..there);
            length -= there as u64;
            if length == 0 {
                return Ok(());
            }
            self.need_more()?;
        }
    }

    fn skip_chunks(&mut self) -> Result<(), Failure> {
        let mut left = MAX_BODY;
        loop {
            let (line, size) = self.take(MAX_CHUNK_LINE, head::parse_chunk)?;
            // The lines count too: else a client could send chunks without a byte in them for ever.
            left = (left.checked_sub(line as u64).and_then(|left| left.checked_sub(size)))
                .ok_or(Status::CONTENT_TOO_LARGE)?;
            if size == 0 {
                return self.take(MAX_HEAD, head::parse_trailers);
            }
            self.skip(size)?;
            self.take(2, head::parse_line_end)?;
        }
    }

    /// Reads what there is, at least a byte. False when there will be no more.
    fn read_more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4 << 10];
        let length = (&mut &*self.stream).read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..length]);
        Ok(length > 0)
    }

    /// In the midst of a request there must be more.
    fn need_more(&mut self) -> Result<(), Failure> {
        if self.read_more()? { Ok(()) } else { Err(Status::BAD_REQUEST.into()) }
    }
}
