//! How one page is fetched. It reads as if there were no other.

use crate::url::Url;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write, sink};
use switchback::net::TcpStream;

/// How many bytes a head may have, and a line of a body.
const LONGEST_HEAD: u64 = 64 * 1024;
const LONGEST_LINE: u64 = 1024;
const MAX_HEADERS: usize = 128;

/// What a server has answered, all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of the body, without what it was packed in.
    pub(crate) bytes: u64,
}

/// How long a body is.
enum Body {
    None,
    Length(u64),
    Chunked,
    UntilTheEnd,
}

pub(crate) fn fetch(url: &Url) -> io::Result<Answer> {
    let mut stream = TcpStream::connect((url.host.as_str(), url.port))?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: switchback-fetch_many\r\nConnection: close\r\n\r\n",
        url.target, url.authority
    );
    stream.write_all(request.as_bytes())?;
    let mut from = BufReader::new(stream);
    let (status, body) = loop {
        match read_head(&mut from)? {
            // It says only that there is more to come.
            (100..=199, _) => {}
            head => break head,
        }
    };
    let bytes = match body {
        Body::None => 0,
        Body::Length(length) => read_exactly(&mut from, length)?,
        Body::Chunked => read_chunks(&mut from)?,
        Body::UntilTheEnd => io::copy(&mut from, &mut sink())?,
    };
    Ok(Answer { status, bytes })
}

fn read_head(from: &mut impl BufRead) -> io::Result<(u16, Body)> {
    let mut head = Vec::new();
    let mut left = from.take(LONGEST_HEAD);
    loop {
        let before = head.len();
        left.read_until(b'\n', &mut head)?;
        match &head[before..] {
            b"\r\n" | b"\n" => break,
            line if line.ends_with(b"\n") => {}
            _ if left.limit() == 0 => return Err(wrong("the answer's head is too long")),
            b"" if before == 0 => return Err(wrong("there is no answer")),
            _ => return Err(wrong("the answer ends in its head")),
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let (Ok(httparse::Status::Complete(_)), Some(status)) = (parsed.parse(&head), parsed.code) else {
        return Err(wrong("the answer is no HTTP"));
    };
    let mut body = Body::UntilTheEnd;
    for header in parsed.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(wrong("the answer is packed in a way that was not asked for"));
            }
            body = Body::Chunked;
        } else if header.name.eq_ignore_ascii_case("content-length") && !matches!(body, Body::Chunked) {
            let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|digits| digits.parse().ok());
            let length = length.ok_or_else(|| wrong("the answer's length is no number"))?;
            if matches!(body, Body::Length(before) if before != length) {
                return Err(wrong("the answer has two lengths"));
            }
            body = Body::Length(length);
        }
    }
    Ok((status, if matches!(status, 204 | 304) { Body::None } else { body }))
}

fn read_exactly(from: &mut impl BufRead, length: u64) -> io::Result<u64> {
    match io::copy(&mut from.take(length), &mut sink())? {
        came if came == length => Ok(length),
        came => Err(wrong(&format!("the answer ends after {came} bytes of {length}"))),
    }
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<u64> {
    let mut bytes = 0_u64;
    loop {
        let line = read_line(from)?;
        let size = match httparse::parse_chunk_size(&line) {
            // Without a digit it would be taken for 0, and what has come until then for all of it.
            Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => size,
            _ => return Err(wrong("a chunk of the answer has no size")),
        };
        if size == 0 {
            break;
        }
        bytes = bytes.saturating_add(read_exactly(from, size)?);
        if read_line(from)? != b"\r\n" {
            return Err(wrong("a chunk of the answer does not end where it should"));
        }
    }
    // What follows the last chunk is of no interest.
    while read_line(from)? != b"\r\n" {}
    Ok(bytes)
}

fn read_line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    match line.ends_with(b"\n") {
        true => Ok(line),
        false => Err(wrong("the answer ends in the midst of its chunks")),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
