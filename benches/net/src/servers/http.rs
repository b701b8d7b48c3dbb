//! A responder of HTTP/1.1: ours by httparse, and hyper's. Both keep connections alive, both answer what has come at once with one
//! write, and both answer with the same bytes ([`crate::load::RESPONSE`]).

use http_body_util::Full;
use httparse::{Request, Status};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::str;
use switchback::net::TcpStream;

const BODY: &str = "Hello, World!";
/// How much is read at once, as by hyper at first.
const READ: usize = 8 << 10;

/// Answers requests, one after another, until the client leaves.
pub(super) fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut unread = Vec::new();
    let mut answers = Vec::new();
    let mut piece = [0; READ];
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        unread.extend_from_slice(&piece[..length]);
        let mut done = 0;
        let mut keep_alive = true;
        while keep_alive && let Some((length, keeps)) = parse(&unread[done..])? {
            answers.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n");
            if !keeps {
                answers.extend_from_slice(b"connection: close\r\n");
            }
            write!(answers, "content-length: {}\r\n\r\n{BODY}", BODY.len())?;
            done += length;
            keep_alive = keeps;
        }
        unread.drain(..done);
        stream.write_all(&answers)?;
        answers.clear();
        if !keep_alive {
            return Ok(());
        }
    }
}

/// The length of the request at the beginning, if it is whole, and whether the connection is kept.
fn parse(bytes: &[u8]) -> io::Result<Option<(usize, bool)>> {
    let mut headers = [const { MaybeUninit::uninit() }; 32];
    let mut request = Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut headers).map_err(io::Error::other)?;
    let Status::Complete(length) = parsed else { return Ok(None) };
    let mut keep_alive = request.version == Some(1);
    for header in request.headers {
        let value = str::from_utf8(header.value).unwrap_or_default();
        if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = !value.eq_ignore_ascii_case("close");
        } else if header.name.eq_ignore_ascii_case("content-length") && value != "0"
            || header.name.eq_ignore_ascii_case("transfer-encoding")
        {
            return Err(io::Error::other("a request with a body"));
        }
    }
    Ok(Some((length, keep_alive)))
}

/// The same by hyper.
pub(super) async fn hyper(stream: tokio::net::TcpStream) -> io::Result<()> {
    let service = service_fn(|_: hyper::Request<Incoming>| async {
        let mut response = hyper::Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok::<_, Infallible>(response)
    });
    let mut server = http1::Builder::new();
    server.auto_date_header(false).pipeline_flush(true);
    server.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}
