//! `examples/fetch_many`.

use crate::program::Run;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

fn run(arguments: &[&str]) -> Run {
    Run::of("fetch_many", &arguments.iter().map(OsStr::new).collect::<Vec<_>>())
}

#[test]
fn fetch_many_fetches_its_own_pages_and_then_ends() {
    let run = Run::quiet("fetch_many");
    let pages: Vec<Vec<&str>> = run
        .stdout
        .lines()
        .filter(|line| line.contains("/page/"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(pages.len(), 100, "{}", run.whole);
    let with = |first: &str| pages.iter().filter(|columns| columns[0] == first).count();
    assert_eq!([with("200"), with("404"), with("500"), with("failed")], [96, 1, 1, 2], "{}", run.whole);
    // Page 0 has one line of 16 bytes.
    let first = pages.iter().find(|columns| columns.last().is_some_and(|url| url.ends_with("/page/0")));
    assert_eq!(first.map(|columns| columns[1]), Some("16"), "{}", run.whole);
    assert!(run.stdout.contains("the answer ends after 9707 bytes of 9708"), "{}", run.whole);
    run.expect_lines(&["of these 10 were slow, and 4 failed; 0 were not as they should be"]);
    assert!(run.stdout.contains(": 96 well, 4 failed, "), "{}", run.whole);
}

#[test]
fn fetch_many_refuses_what_it_does_not_understand() {
    for (arguments, words) in [
        (&["--limit"][..], "--limit takes a number"),
        (&["--limit", "0"], "--limit takes a number"),
        (&["--limit", "-3"], "--limit takes a number"),
        (&["--timeout", "soon"], "--timeout takes seconds"),
        (&["--timeout", "-1"], "--timeout takes seconds"),
        (&["--timeout", "nan"], "--timeout takes seconds"),
        (&["--verbose"], "\"--verbose\" is no option"),
        (&["page"], "\"page\" does not begin with http://"),
        (&["http://127.0.0.1/", "https://127.0.0.1/"], "nothing else is spoken here"),
        (&["http:///page"], "has no host"),
        (&["http://[::1/"], "a bracket that is not closed"),
        (&["http://127.0.0.1:0/"], "has no port"),
        (&["http://127.0.0.1:+80/"], "has no port"),
        (&["http://127.0.0.1:65536/"], "has no port"),
        (&["http://me@127.0.0.1/"], "has a user's name"),
        (&["http://127.0.0.1/a page"], "without blanks"),
        (&["http://127.0.0.1/\r\nX: y"], "without blanks"),
    ] {
        let wrong = run(arguments);
        assert!(wrong.status == Some(2) && wrong.stdout.is_empty(), "{arguments:?} {}", wrong.whole);
        assert!(wrong.stderr.starts_with("fetch_many: ") && wrong.stderr.contains(words), "{}", wrong.whole);
        assert!(wrong.stderr.contains("usage: fetch_many [--limit N] [--timeout SECONDS] [URL..]"), "{}", wrong.whole);
    }
}

/// Answers each connection with these bytes and closes it, one after another, and returns what each was asked for.
fn serve(listener: TcpListener, answers: Vec<&'static [u8]>) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().expect("somebody comes");
            let mut from = BufReader::new(&stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(from.read_line(&mut head).expect("text"), 0, "{head:?}");
            }
            asked.push(head);
            (&stream).write_all(answer).expect("it reads");
        }
        asked
    })
}

#[test]
fn fetch_many_tells_of_each_answer_as_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answers: [(&[u8], &str); 11] = [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodyrest", "200 4 bytes"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
            "302 5 bytes"),
        (b"HTTP/1.0 200 OK\n\nto the end", "200 10 bytes"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204 0 bytes"),
        (b"", "failed - there is no answer"),
        (b"HTTP/1.1 200 OK\r\nX: ", "failed - the answer ends in its head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", "failed - the answer's length is no number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "failed - the answer ends after 2 bytes of 3"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "failed - a chunk of the answer has no size"),
        // It might be taken for the last one.
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n\r\n\r\n",
            "failed - a chunk of the answer has no size"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc", "failed - the answer has two lengths"),
    ];
    let server = serve(listener, answers.iter().map(|(bytes, _)| *bytes).collect());
    let mut arguments = vec!["--limit".to_owned(), "1".into()];
    arguments.extend((0..answers.len()).map(|number| format!("HTTP://{address}?n={number}#part")));
    let run = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // Some have failed.
    assert!(run.status == Some(1) && run.stderr.is_empty(), "{}", run.whole);
    for ((_, expected), line) in answers.iter().zip(run.stdout.lines()) {
        let mut words = expected.splitn(3, ' ');
        let columns: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words.next(), words.next()), (Some(columns[0]), Some(columns[1])), "{}", run.whole);
        assert!(line.contains(words.next().expect("a third")), "{expected:?} {}", run.whole);
    }
    assert!(run.stdout.contains(": 4 well, 7 failed, 19 bytes"), "{}", run.whole);
    let asked = server.join().expect("all have come");
    assert!(asked[3].starts_with("GET /?n=3 HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[3].contains(&format!("\r\nHost: {address}\r\n")), "{asked:?}");
}

#[test]
fn fetch_many_gives_up_what_takes_too_long_and_is_well_if_all_is() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let silent = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        // Until it has gone.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let late = run(&["--timeout", "0.1", &format!("http://{address}/")]);
    assert!(late.status == Some(1) && late.stdout.contains(": the time is over\n"), "{}", late.whole);
    silent.join().expect("it has gone");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = serve(listener, vec![b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"; 3]);
    let url = format!("http://localhost:{}/", address.port());
    let well = run(&["--timeout", "60", &url, &url, &url]);
    assert!(well.success && well.stdout.contains("3 pages in "), "{}", well.whole);
    server.join().expect("all have come");
}

/// On a terminal, a bar that is written over and over, and wiped at the end; and standard output has the lines alone.
#[cfg(target_os = "linux")]
#[test]
fn fetch_many_has_a_bar_on_a_terminal() {
    use std::process::Stdio;

    let (mut here, there) = crate::terminal::terminal();
    let mut command = crate::program::example("fetch_many");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(there).spawn().expect("it can be run");
    // Its end of the terminal is the child's alone now.
    drop(command);
    let screen = thread::spawn(move || {
        let mut screen = Vec::new();
        // The end of a terminal is an error.
        let _ = here.read_to_end(&mut screen);
        String::from_utf8(screen).expect("text")
    });
    let output = child.wait_with_output().expect("it ends");
    let screen = screen.join().expect("no panic");
    assert!(output.status.success(), "{screen}");
    assert!(!output.stdout.contains(&b'\r'));
    let bars = (0..=100).map(|told| format!("] {told} of 100\r\x1b[K"));
    assert!(bars.into_iter().all(|bar| screen.contains(&bar)), "{screen:?}");
    assert!(screen.starts_with("\r[........................................] 0 of 100"), "{screen:?}");
    assert!(screen.ends_with("\r[########################################] 100 of 100\r\x1b[K"), "{screen:?}");
}
