//! `examples/http_server`: what it serves, and what it says of what it does not serve. What it bears is in `hardships.rs`, how it
//! ends in `endings.rs`.

mod endings;
mod hardships;

use crate::client::Client;
use crate::program::{Run, Scratch};
use crate::server::Server;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

/// As long as no client of these tests needs.
const PATIENT: &str = "600";

fn serve(site: &Scratch, patience: &str) -> Server {
    let directory = site.0.to_str().expect("names of temporary directories are UTF-8");
    Server::start("http_server", &["127.0.0.1:0", directory, patience])
}

#[test]
fn http_server_serves_its_own_clients_and_then_ends() {
    let run = Run::quiet("http_server");
    assert_eq!(run.stdout, "50 clients at once, 500 files fetched, all as they are on disk\n", "{}", run.whole);
}

#[test]
fn http_server_refuses_wrong_arguments() {
    let site = Scratch::new("http-arguments");
    let (directory, file) = (site.0.as_os_str(), site.write("file", "no directory"));
    let [absent, port, nowhere] = ["no/such/directory", "127.0.0.1:0", "nowhere"].map(OsStr::new);
    let [one, two, more] = ["1", "2", "more"].map(OsStr::new);
    for arguments in [&[nowhere, directory][..], &[port], &[port, directory, one, two, more]] {
        let run = Run::of("http_server", arguments);
        assert!(run.status == Some(2) && run.stdout.is_empty(), "{}", run.whole);
        run.expect_stderr(&["usage: http_server [ADDR DIR [SECONDS [CONNECTIONS]]]"]);
    }
    for seconds in ["soon", "0", "-1", "nan", "inf"] {
        let run = Run::of("http_server", &[port, directory, OsStr::new(seconds)]);
        assert!(run.status == Some(2) && run.stdout.is_empty(), "{}", run.whole);
        run.expect_stderr(&["SECONDS is no time to wait for"]);
    }
    for connections in ["some", "0", "-1"] {
        let run = Run::of("http_server", &[port, directory, one, OsStr::new(connections)]);
        assert!(run.status == Some(2) && run.stdout.is_empty(), "{}", run.whole);
        run.expect_stderr(&["CONNECTIONS is no number from 1 on"]);
    }
    for (directory, reason) in [(absent, "No such file"), (file.as_os_str(), "not a directory")] {
        let run = Run::of("http_server", &[port, directory]);
        assert!(run.status == Some(1) && run.stdout.is_empty(), "{}", run.whole);
        run.expect_stderr(&["http_server: ", &directory.to_string_lossy(), "cannot be served: ", reason]);
    }
}

/// Follows each link from the root, and has seen every file then, as it is on disk.
#[test]
fn http_server_serves_a_directory_byte_for_byte() {
    let site = Scratch::new("http-bytes");
    let mut files = BTreeMap::new();
    // Around the size of a block, with the head and without it, too.
    for (number, size) in [0, 1, 65_336, 65_536, 65_537, 131_072, 200_000].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|n: usize| (n * 31 + n / 251 + number) as u8).collect();
        files.insert(format!("/sizes/{size}.bin"), bytes);
    }
    for name in
        ["/a.txt", "/below/further/down.rs", "/odd/<b>&\"quoted\" #1?50%+ä.html", "/odd/a:b", "/with/index.html"]
    {
        files.insert(name.into(), format!("this is {name}").into());
    }
    for (name, bytes) in &files {
        site.write(&name[1..], bytes);
    }
    symlink("a.txt", site.0.join("link")).expect("a link can be made");
    files.insert("/link".into(), files["/a.txt"].clone());
    // It is shown instead of a listing, so nothing leads to its own name.
    let index = files.remove("/with/index.html").expect("it was put there");
    files.insert("/with/".into(), index);

    let server = serve(&site, PATIENT);
    let mut client = Client::of(&server);
    let (mut seen, mut directories) = (BTreeMap::new(), vec![String::from("/")]);
    while let Some(directory) = directories.pop() {
        let page = client.get(&directory);
        assert_eq!((page.status, page.header("Content-Type")), (200, "text/html; charset=utf-8"));
        let text = String::from_utf8(page.body.clone()).expect("it says so");
        let links: Vec<_> = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        if links.is_empty() {
            seen.insert(directory, page.body);
            continue;
        }
        for link in links.into_iter().filter(|link| *link != "../") {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
            assert!(link.bytes().all(is_plain), "{link:?}");
            let target = format!("{directory}{link}");
            if link.ends_with('/') {
                directories.push(target);
                continue;
            }
            let file = client.get(&target);
            client.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
            let head = client.answer_without_body();
            assert_eq!((file.status, head.status), (200, 200), "{target}");
            for header in ["Content-Length", "Content-Type"] {
                assert_eq!(file.header(header), head.header(header));
            }
            seen.insert(decode(&target), file.body);
        }
    }
    for (name, bytes) in &files {
        assert!(seen.get(name) == Some(bytes), "{name} is not what came");
    }
    assert!(seen.keys().eq(files.keys()), "{:?}", seen.keys());
    for (name, kind) in [("/a.txt", "text/plain; charset=utf-8"), ("/sizes/1.bin", "application/octet-stream")] {
        assert_eq!(client.get(name).header("content-type"), kind);
    }
    assert_eq!(server.end(), [""; 0]);
}

fn decode(target: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = target.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(*first);
        if *first == b'%' {
            let digits = str::from_utf8(&tail[..2]).expect("digits");
            *bytes.last_mut().expect("pushed") = u8::from_str_radix(digits, 16).expect("hexadecimal");
            rest = &tail[2..];
        }
    }
    String::from_utf8(bytes).expect("names are UTF-8 here")
}

#[test]
fn http_server_answers_one_after_another_and_many_sent_at_once() {
    let site = Scratch::new("http-alive");
    for n in 0..10 {
        site.write(&format!("{n}"), format!("number {n}"));
    }
    let server = serve(&site, PATIENT);
    let mut client = Client::of(&server);
    for n in 0..10 {
        let answer = client.get(&format!("/{n}"));
        assert_eq!((answer.body, answer.status), (format!("number {n}").into_bytes(), 200));
    }

    // All in one write, some with bodies, which must not be taken for requests. Some say more in a chunk than is theirs.
    let body = "GET /9 HTTP/1.1\r\nHost: test\r\n\r\n";
    let length = body.len();
    let mut all = String::new();
    for n in 0..50 {
        let (path, head) = (n % 11, "HTTP/1.1\r\nHost: test\r\n");
        all += &match n % 5 {
            0 => format!("HEAD /{path} {head}\r\n"),
            1 => format!("POST /{path} {head}Content-Length: {length}\r\n\r\n{body}"),
            2 => format!(
                "GET /{path} {head}Transfer-Encoding: chunked\r\n\r\n{length:x};x=y\r\n{body}\r\n1\r\n\n\r\n0\r\nA: b\r\n\r\n"
            ),
            _ => format!("GET /{path}?query http/1.1\r\nHost: test\r\n\r\n").replace("http", "HTTP"),
        };
    }
    client.send(all + "GET http://test/3 HTTP/1.1\r\nHost: test\r\nConnection: x, Close\r\n\r\n" + body);
    for n in 0..50 {
        let expected = if n % 11 < 10 { (200, format!("number {}", n % 11)) } else { (404, "404 Not Found\n".into()) };
        match n % 5 {
            0 => assert_eq!(client.answer_without_body().status, expected.0, "{n}"),
            1 => assert_eq!(client.answer().status, 405, "{n}"),
            _ => {
                let answer = client.answer();
                assert_eq!((answer.status, String::from_utf8(answer.body).expect("text")), expected, "{n}");
            }
        }
    }
    let last = client.answer();
    assert_eq!((&last.body[..], last.header("Connection")), (&b"number 3"[..], "close"));
    client.assert_closed();

    // An older client must ask for what a newer one must decline; and a request may come byte by byte.
    let mut client = Client::of(&server);
    for byte in b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().header("Connection"), "keep-alive");
    client.send("GET /1 HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().header("Connection"), "close");
    client.assert_closed();
    assert_eq!(server.end(), [""; 0]);
}

/// A request, the status of its answer, and whether the connection goes on.
type Row<'a> = (&'a str, u16, bool);

#[test]
fn http_server_has_a_status_for_each_error() {
    let site = Scratch::new("http-errors");
    site.write("file", "a file");
    site.write("evil.example/page", "a page");
    let server = serve(&site, PATIENT);
    let long = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(9_000));
    let long_header = format!("GET / HTTP/1.1\r\nHost: test\r\nA: {}\r\n\r\n", "x".repeat(9_000));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "A: b\r\n".repeat(70));
    // The server answers before all of it has come.
    let large = format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 65537\r\n\r\n{}", "x".repeat(65_537));
    let chunk = format!("8001\r\n{}\r\n", "x".repeat(0x8001));
    let chunks = format!("GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    // Little in them, but no end of them.
    let thin = format!("1;{}\r\nx\r\n", "x".repeat(900)).repeat(80);
    let thin = format!("GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{thin}0\r\n\r\n");
    let (many, name) = ("9".repeat(40), "x".repeat(300));
    let rows: &[Row<'_>] = &[
        ("GET /none HTTP/1.1\r\nHost: t\r\n\r\n", 404, true),
        ("GET /file/ HTTP/1.1\r\nHost: t\r\n\r\n", 404, true),
        ("GET /file/x HTTP/1.1\r\nHost: t\r\n\r\n", 404, true),
        (&format!("GET /{name} HTTP/1.1\r\nHost: t\r\n\r\n"), 404, true),
        ("GET /%4 HTTP/1.1\r\nHost: t\r\n\r\n", 400, true),
        ("GET /%+1 HTTP/1.1\r\nHost: t\r\n\r\n", 400, true),
        ("GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400, true),
        ("GET file HTTP/1.1\r\nHost: t\r\n\r\n", 400, true),
        ("DELETE /file HTTP/1.1\r\nHost: t\r\n\r\n", 405, true),
        ("CONNECT t:1 HTTP/1.1\r\nHost: t\r\n\r\n", 405, true),
        ("nonsense\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost : t\r\n\r\n", 400, false),
        ("GET / HTTP/1.1\r\nHost: t\r\n A: folded\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: +1\r\n\r\nx", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1, 1\r\n\r\nx", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n;x=y\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n \r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1;\nx\r\nx\r\n0\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n", 400, false),
        ("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, false),
        ("GET / HTTP/1.1\r\nHost: t\r\nExpect: a miracle\r\n\r\n", 417, false),
        ("GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505, false),
        (&format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {many}\r\n\r\n"), 413, false),
        (&large, 413, false),
        (&chunks, 413, false),
        (&thin, 413, false),
        (&long, 414, false),
        (&long_header, 431, false),
        (&many_headers, 431, false),
    ];
    for &(request, status, goes_on) in rows {
        let mut client = Client::of(&server);
        client.send(request);
        let answer = client.answer();
        let start = &request[..request.len().min(100)];
        assert_eq!((answer.status, answer.header("Connection") == "keep-alive"), (status, goes_on), "{start:?}");
        assert!(answer.body.starts_with(format!("{status} ").as_bytes()), "{answer:?}");
        if status == 405 {
            assert_eq!(answer.header("Allow"), "GET, HEAD");
        }
        if goes_on {
            assert_eq!(client.get("/file").body, b"a file", "after {start:?}");
        } else {
            client.assert_closed();
        }
    }

    let mut client = Client::of(&server);
    client.send("POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("all");
    assert_eq!(client.answer().status, 405);
    // Who sends all the same, and then reads, is told too: the connection is not reset.
    let mut stubborn = Client::of(&server);
    stubborn.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 16777216\r\n\r\n");
    stubborn.stream().write_all(&vec![b'x'; 16 << 20]).expect("somebody reads it");
    stubborn.finish();
    assert_eq!(stubborn.answer().status, 413);
    stubborn.assert_closed();
    // To a directory of that name, and not to a server.
    let moved = client.get("//evil.example?q=1");
    assert_eq!((moved.status, moved.header("Location")), (301, "/evil.example/?q=1"));
    assert_eq!(server.end(), [""; 0]);
}

#[test]
fn http_server_shows_nothing_outside_of_its_directory() {
    let scratch = Scratch::new("http-outside");
    let secret = scratch.write("site-secret/secret", "SECRET");
    scratch.write("secret", "SECRET");
    scratch.write("site/inner/file", "a file");
    let site = scratch.0.join("site");
    for (target, name) in [("../secret", "up"), ("../site-secret", "sibling"), ("..", "parent"), ("loop", "loop")] {
        symlink(target, site.join(name)).expect("a link can be made");
    }
    symlink(&secret, site.join("absolute")).expect("a link can be made");
    symlink("../up", site.join("inner/index.html")).expect("a link can be made");
    symlink("inner/file", site.join("within")).expect("a link can be made");
    let made = std::process::Command::new("mkfifo").arg(site.join("pipe")).status().expect("mkfifo can be run");
    assert!(made.success());

    let server = Server::start("http_server", &["127.0.0.1:0", site.to_str().expect("UTF-8"), PATIENT]);
    let mut client = Client::of(&server);
    for (target, status) in [
        ("/../secret", 400),
        ("/inner/../../secret", 400),
        ("/..", 400),
        ("/%2e%2e/secret", 400),
        ("/.%2E/secret", 400),
        ("/..%2fsecret", 400),
        ("/%2e%2e%2fsecret", 400),
        ("/%2fetc%2fpasswd", 400),
        ("/inner%2f..%2f..%2fsecret", 400),
        ("http://test/../secret", 400),
        ("/inner/file%00.html", 400),
        ("/%00", 400),
        ("/up%00", 400),
        // Decoded once, and not again.
        ("/%252e%252e/secret", 404),
        ("/..%5csecret", 404),
        ("/...", 404),
        ("//etc/passwd", 404),
        ("/up", 404),
        ("/absolute", 404),
        ("/sibling/secret", 404),
        ("/sibling/", 404),
        ("/parent/secret", 404),
        ("/loop", 404),
        // It would wait for somebody to write to it.
        ("/pipe", 404),
        ("/within", 200),
        ("/./inner//file", 200),
    ] {
        let answer = client.get(target);
        assert_eq!(answer.status, status, "{target}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("SECRET"), "{target}");
        assert_eq!(status == 200, answer.body == b"a file", "{target}");
    }
    // Its index leads out, so there is a listing.
    let listing = client.get("/inner/");
    assert!(String::from_utf8_lossy(&listing.body).contains("<a href=\"file\">"), "{listing:?}");
    assert_eq!(fs::read(secret).expect("it is there"), b"SECRET");
    assert_eq!(server.end(), [""; 0]);
}
