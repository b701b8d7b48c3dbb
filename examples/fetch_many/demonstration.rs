//! A server whose pages are slow now and then, or fail, and a look at whether each is told of as it is.

use crate::client::Answer;
use crate::many::{Failed, Fetched, Limits, fetch_all};
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream};
use switchback::task;

const PAGES: usize = 100;
/// How long a slow page takes.
const SLOW: Duration = Duration::from_millis(200);

/// What a page is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    WithLength,
    InChunks,
    UntilTheEnd,
    Slow,
    Missing,
    Broken,
    CutShort,
    NoHttp,
}

impl Page {
    fn of(number: usize) -> Self {
        match number {
            7 => Self::Missing,
            32 => Self::Broken,
            57 => Self::CutShort,
            82 => Self::NoHttp,
            _ if number % 10 == 3 => Self::Slow,
            _ => [Self::InChunks, Self::UntilTheEnd, Self::WithLength][number % 3],
        }
    }

    /// Whether that is what comes of it.
    fn is(self, number: usize, page: &Fetched) -> bool {
        let well = Answer { status: 200, bytes: text(number).len() as u64 };
        match (self, &page.outcome) {
            (Self::Missing, Ok(answer)) => answer.status == 404,
            (Self::Broken, Ok(answer)) => answer.status == 500,
            (Self::CutShort | Self::NoHttp, Err(Failed::Error(_))) => true,
            // It depends on the limit.
            (Self::Slow, Err(Failed::TimedOut)) => true,
            (Self::Missing | Self::Broken | Self::CutShort | Self::NoHttp, _) => false,
            (_, Ok(answer)) => *answer == well,
            (_, Err(_)) => false,
        }
    }
}

/// Returns whether each page was told of as it is.
pub(crate) fn fetch_own_pages(limits: Limits) -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = task::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who has gone has gone.
            task::spawn(move || serve(&stream));
        }
    });
    let urls = (0..PAGES).map(|number| format!("http://{address}/page/{number}").parse());
    let fetched = fetch_all(urls.collect::<Result<_, _>>().map_err(io::Error::other)?, limits)?;
    server.cancel();
    server.join().map_err(|error| io::Error::other(error.to_string()))?;

    let numbered = fetched.iter().flat_map(|page| Some((number_in(&page.url.target)?, page)));
    let (mut slow, mut failed, mut strange) = (0, 0, PAGES);
    for (number, page) in numbered {
        let kind = Page::of(number);
        strange -= usize::from(kind.is(number, page));
        slow += usize::from(kind == Page::Slow);
        failed += usize::from(!page.is_well());
    }
    writeln!(io::stdout(), "of these {slow} were slow, and {failed} failed; {strange} were not as they should be")?;
    Ok(strange == 0)
}

fn number_in(target: &str) -> Option<usize> {
    target.strip_prefix("/page/")?.parse().ok()
}

/// What is on a page.
fn text(number: usize) -> String {
    format!("This is page {number}.\n").repeat(number * 10 + 1)
}

/// Answers one request.
fn serve(mut stream: &TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut from = BufReader::new(stream);
    while !head.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(&head);
    let Some(number) = parsed.ok().and(request.path).and_then(number_in) else {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    };
    let text = text(number);
    let length = text.len();
    let kind = Page::of(number);
    let whole = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{text}");
    let answer = match kind {
        Page::WithLength => whole("200 OK"),
        Page::Slow => {
            task::sleep(SLOW)?;
            whole("200 OK")
        }
        Page::Missing => whole("404 Not Found"),
        Page::Broken => whole("500 Internal Server Error"),
        Page::UntilTheEnd => format!("HTTP/1.1 200 OK\r\n\r\n{text}"),
        Page::CutShort => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", length + 1),
        Page::NoHttp => text,
        Page::InChunks => {
            let (one, other) = text.split_at(length / 2);
            let chunks = [one, other].map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()));
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunks.concat())
        }
    };
    stream.write_all(answer.as_bytes())
}
