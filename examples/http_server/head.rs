//! What bytes say, if they are a request. The grammar is httparse's; what headers mean together is decided here.

use crate::response::Status;

const MAX_HEADERS: usize = 64;

/// What matters of a request to a server of files.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    /// Whether another one may follow on the same connection.
    pub(crate) keep_alive: bool,
    pub(crate) body: Body,
    /// The client sends its body when it is told to go on.
    pub(crate) awaits_continue: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Other,
}

/// What follows the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
}

impl Request {
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::Head
    }
}

/// What was found at the beginning of some bytes, with its length; none if they are the beginning of it.
pub(crate) type Parsed<T> = Result<Option<(usize, T)>, Status>;

/// The head of a request.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<Request> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::HEADERS_TOO_LARGE),
        Err(httparse::Error::Version) => return Err(Status::VERSION_NOT_SUPPORTED),
        Err(_) => return Err(Status::BAD_REQUEST),
    };
    let is_newest = head.version == Some(1);
    let headers = Headers::of(head.headers)?;
    // Two bodies, or a host that two servers would understand differently: this is how requests are smuggled.
    let hosts_wanted = if is_newest { 1..=1 } else { 0..=1 };
    if !hosts_wanted.contains(&headers.hosts) || (headers.is_chunked && (headers.length.is_some() || !is_newest)) {
        return Err(Status::BAD_REQUEST);
    }
    let body = match headers.length {
        _ if headers.is_chunked => Body::Chunked,
        None | Some(0) => Body::None,
        Some(length) => Body::Length(length),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => Method::Other,
    };
    let request = Request {
        method,
        target: head.path.unwrap_or_default().into(),
        keep_alive: !headers.close && (is_newest || headers.keep_alive),
        body,
        awaits_continue: headers.awaits_continue && is_newest && body != Body::None,
    };
    Ok(Some((length, request)))
}

/// What the headers say that are understood.
#[derive(Default)]
struct Headers {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    close: bool,
    keep_alive: bool,
    awaits_continue: bool,
}

impl Headers {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Status> {
        let mut told = Self::default();
        for header in headers {
            let value = header.value.trim_ascii();
            match header.name.to_ascii_lowercase().as_str() {
                "host" => told.hosts += 1,
                "content-length" => {
                    let before = told.length.replace(parse_length(value)?);
                    if before.is_some() {
                        return Err(Status::BAD_REQUEST);
                    }
                }
                "transfer-encoding" => {
                    let before = std::mem::replace(&mut told.is_chunked, true);
                    if before || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Status::NOT_IMPLEMENTED);
                    }
                }
                "connection" => {
                    for word in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                        told.close |= word.eq_ignore_ascii_case(b"close");
                        told.keep_alive |= word.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                "expect" => {
                    if !value.eq_ignore_ascii_case(b"100-continue") {
                        return Err(Status::EXPECTATION_FAILED);
                    }
                    told.awaits_continue = true;
                }
                _ => {}
            }
        }
        Ok(told)
    }
}

/// Digits and nothing else: `parse` alone would take a sign, and others may read that in another way.
fn parse_length(value: &[u8]) -> Result<u64, Status> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Status::BAD_REQUEST);
    }
    // More digits than a length has are a length all the same, too large a one.
    Ok(str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX))
}

/// The line before a chunk: its own length, and that of the chunk.
///
/// httparse takes a line without a digit for one that says 0, and an end of line without its CR for a part of an extension. Others
/// read both in another way, so they are refused.
pub(crate) fn parse_chunk(bytes: &[u8]) -> Parsed<(usize, u64)> {
    match httparse::parse_chunk_size(bytes) {
        Ok(httparse::Status::Complete((length, size))) => {
            let (line, _) = bytes[..length].split_at(length - 2);
            match line.first().is_some_and(u8::is_ascii_hexdigit) && !line.contains(&b'\n') {
                true => Ok(Some((length, (length, size)))),
                false => Err(Status::BAD_REQUEST),
            }
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(Status::BAD_REQUEST),
    }
}

/// What ends a chunk.
pub(crate) fn parse_line_end(bytes: &[u8]) -> Parsed<()> {
    match bytes {
        b"" | b"\r" => Ok(None),
        b"\r\n" => Ok(Some((2, ()))),
        _ => Err(Status::BAD_REQUEST),
    }
}

/// What follows the last chunk.
pub(crate) fn parse_trailers(bytes: &[u8]) -> Parsed<()> {
    match httparse::parse_headers(bytes, &mut [httparse::EMPTY_HEADER; MAX_HEADERS]) {
        Ok(httparse::Status::Complete((length, _))) => Ok(Some((length, ()))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(Status::BAD_REQUEST),
    }
}
