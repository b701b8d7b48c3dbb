//! What it bears: noise, clients that vanish, are slow, or many, and no descriptor left.

use super::{PATIENT, serve};
use crate::client::Client;
use crate::program::Scratch;
use crate::random::random;
use crate::server::{LONG, Server};
use crate::slow::SLOW;
use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

/// A file that no socket has room for. It takes no place on disk.
const HUGE: u64 = 64 << 20;

const ASK_FOR_HUGE: &str = "GET /huge HTTP/1.1\r\nHost: test\r\n\r\n";

fn site(name: &str) -> Scratch {
    let site = Scratch::new(name);
    site.write("file", "a file");
    let huge = fs::File::create(site.0.join("huge")).expect("a file can be made");
    huge.set_len(HUGE).expect("a file may have a hole");
    site
}

#[track_caller]
fn assert_serves(server: &Server) {
    assert_eq!(Client::of(server).get("/file").body, b"a file");
}

#[test]
fn http_server_bears_what_is_no_request() {
    let site = site("http-noise");
    let server = serve(&site, PATIENT);
    let request = "GET /file HTTP/1.1\r\nHost: test\r\nAccept: */*\r\nContent-Length: 5\r\n\r\n12345";
    let mut corpus: Vec<Vec<u8>> = [
        "",
        "\0",
        "\r\n\r\n\r\n",
        "GET",
        "GET /file",
        "GET /file\r\n\r\n",
        "GET /file HTTP/1.1\r\n",
        "GET  /file HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /fi le HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /file HTTP/1.1\rHost: test\r\r",
        "GET /file HTTP/1.1\r\nHost: test\r\nA\r\n\r\n",
        "GET /file HTTP/1.1\r\nHost: test\r\n: a\r\n\r\n",
        "GET /file HTTP/1.1\r\nHost: test\r\nA: \0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0x5\r\n\r\n12345",
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let endless_line =
        format!("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;{}", "x".repeat(9_000));
    corpus.push(endless_line.into_bytes());
    // Cut off anywhere, with bytes replaced anywhere, and noise.
    let mut seed = 7;
    for round in 0..if SLOW { 30 } else { 300 } {
        let mut bytes = request.as_bytes().to_vec();
        match round % 3 {
            0 => bytes.truncate(random(&mut seed) as usize % bytes.len()),
            1 => {
                for _ in 0..=random(&mut seed) % 3 {
                    let place = random(&mut seed) as usize % bytes.len();
                    bytes[place] = random(&mut seed) as u8;
                }
            }
            _ => bytes = (0..random(&mut seed) % 200).map(|_| random(&mut seed) as u8).collect(),
        }
        corpus.push(bytes);
    }
    for bytes in &corpus {
        let mut client = Client::of(&server);
        client.send(bytes);
        client.finish();
        // It ends the connection in any case, and what it has said before are whole answers.
        let mut answers = Vec::new();
        while let Some(answer) = client.next_answer(true) {
            answers.push(answer.status);
        }
        let is_blank = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        let expected = if is_blank { 0 } else { 1 };
        assert!(answers.len() >= expected, "no answer to {:?}", String::from_utf8_lossy(bytes));
    }
    assert_serves(&server);
    server.end();
}

#[test]
fn http_server_forgets_clients_that_vanish() {
    let site = site("http-vanish");
    let server = serve(&site, PATIENT);
    assert_serves(&server);
    let vanish = |client: Client, at_once: bool| {
        let linger = at_once.then_some(Duration::ZERO);
        socket2::SockRef::from(client.stream()).set_linger(linger).expect("it is a socket");
    };
    for round in 0..20 {
        // In the midst of a head, of a body, of an answer; and before anything. With a goodbye, and by a reset.
        for sent in
            ["", "GET /file HT", "POST /file HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n12", ASK_FOR_HUGE]
        {
            let mut client = Client::of(&server);
            client.send(sent);
            if sent == ASK_FOR_HUGE {
                client.stream().read_exact(&mut [0; 1_000]).expect("the beginning of a file");
            }
            vanish(client, round % 2 == 0);
        }
    }
    // What it could not write, it tells of.
    for _ in 0..20 {
        server.wait_for_complaint("a connection has ended: ");
    }
    assert_serves(&server);
    // None of them is kept: without them, and without the file each has asked for, few descriptors are open.
    if cfg!(target_os = "linux") {
        let start = Instant::now();
        while server.descriptors().expect("Linux tells") >= 20 {
            assert!(start.elapsed() < LONG, "{:?} descriptors are open", server.descriptors());
            thread::sleep(Duration::from_millis(1));
        }
    }
    server.end();
}

#[test]
fn http_server_cuts_slow_clients_off() {
    let site = site("http-slow");
    let server = serve(&site, "0.2");
    let timed_out = |sent: &str| {
        let mut client = Client::of(&server);
        client.send(sent);
        assert_eq!(client.answer().status, 408, "{sent:?}");
        client.assert_closed();
    };
    thread::scope(|s| {
        s.spawn(|| timed_out("GET /file HT"));
        s.spawn(|| timed_out("POST /file HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n12"));
        s.spawn(|| timed_out("GET /file HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"));
        // Who asks for nothing is told nothing.
        s.spawn(|| Client::of(&server).assert_closed());
        // Nor who asks for nothing more.
        s.spawn(|| assert!((0..100).any(|_| is_served_and_left(&server))));
        // An empty line is no beginning of anything.
        s.spawn(|| {
            let mut client = Client::of(&server);
            client.send("\r\nGET /file HTTP/1.1\r\nHost: test\r\n\r\n\r\n");
            assert_eq!(client.answer().body, b"a file");
            client.send("\n\r\n");
            client.assert_closed();
        });
        // Always about to say more: each byte is in time, and the request is not.
        s.spawn(|| {
            let mut stream = server.connect();
            stream.set_read_timeout(Some(Duration::from_millis(10))).expect("not zero");
            stream.write_all(b"GET /file HTTP/1.1\r\nA: ").expect("room");
            let mut answer = [0; 12];
            // Fewer than there is room for in a head, so that is not what it is refused for.
            for _ in 0..6_000 {
                if stream.read_exact(&mut answer).is_ok() {
                    break;
                }
                let _ = stream.write_all(b"x");
            }
            assert_eq!(answer, *b"HTTP/1.1 408");
        });
        // Asks, and does not read.
        s.spawn(|| {
            let mut stream = server.connect();
            stream.write_all(ASK_FOR_HUGE.as_bytes()).expect("room");
            server.wait_for_complaint("the client does not read its answer");
            let mut came = Vec::new();
            // Reset or ended, but not whole.
            let _ = stream.read_to_end(&mut came);
            assert!(came.starts_with(b"HTTP/1.1 200 OK\r\n") && (came.len() as u64) < HUGE, "{} bytes", came.len());
        });
    });
    assert!((0..100).any(|_| is_served_and_left(&server)));
    server.end();
}

/// Asks once and waits. False if nothing came: on a machine that has much to do, who means well may be late, too.
fn is_served_and_left(server: &Server) -> bool {
    let mut client = Client::of(server);
    client.send("GET /file HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut all = String::new();
    let _ = client.stream().read_to_string(&mut all);
    assert!(all.is_empty() || (all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with("\r\n\r\na file")), "{all:?}");
    !all.is_empty()
}

/// Each is in the midst of a request while the others are.
#[test]
fn http_server_serves_two_hundred_at_once() {
    let site = site("http-many");
    let server = serve(&site, PATIENT);
    let (first, second) = "GET /file HTTP/1.1\r\nHost: test\r\n\r\n".split_at(20);
    let mut clients: Vec<_> = (0..200)
        .map(|_| {
            let mut client = Client::of(&server);
            client.send(first);
            client
        })
        .collect();
    for _ in 0..2 {
        for client in clients.iter_mut().rev() {
            client.send(second);
            assert_eq!(client.answer().body, b"a file");
            client.send(first);
        }
    }
    assert_eq!(server.end(), [""; 0]);
}

/// Not under Valgrind, which keeps the limit of descriptors to itself.
#[test]
#[cfg(not(switchback_valgrind))]
fn http_server_goes_on_when_there_was_no_descriptor_left() {
    let site = site("http-descriptors");
    let directory = site.0.to_str().expect("names of temporary directories are UTF-8");
    let server = Server::start_with_descriptors(40, "http_server", &["127.0.0.1:0", directory, PATIENT]);
    let clients: Vec<_> = (0..64).map(|_| server.connect()).collect();
    server.wait_for_complaint("Too many open files");
    drop(clients);
    let start = Instant::now();
    // While the others are on their way out there may be one for a connection, and none for a file.
    loop {
        let answer = Client::of(&server).get("/file");
        if answer.status != 503 {
            assert_eq!((answer.status, &answer.body[..]), (200, &b"a file"[..]));
            break;
        }
        assert!(start.elapsed() < LONG, "there is never a descriptor again");
    }
    server.end();
}
