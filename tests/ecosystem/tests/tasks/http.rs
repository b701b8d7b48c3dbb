//! ureq: agents whose connections are ours, over TLS too.

use crate::{assert_threads, listen, on_one_and_two};
use ecosystem::http::agent;
use ecosystem::tls::{self, Authority};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use switchback::net::TcpStream;
use switchback::sync::{Barrier, Event};
use switchback::{CancelReason, Cancelled, task};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Answers requests until the client closes. How many there were.
fn serve(stream: impl Read + Write) -> io::Result<usize> {
    serve_and_tell(stream, &Event::new())
}

/// The same; `waits` is set when a client has to wait for ever.
fn serve_and_tell(stream: impl Read + Write, waits: &Event) -> io::Result<usize> {
    let mut stream = BufReader::new(stream);
    for count in 0.. {
        let (mut request, mut length) = (String::new(), 0);
        if stream.read_line(&mut request)? == 0 {
            return Ok(count);
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((_, value)) =
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let to = stream.get_mut();
        match request.split(' ').nth(1) {
            Some("/echo") => {
                write!(to, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
                to.write_all(&body)?;
            }
            Some("/chunks") => {
                write!(to, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                for chunk in 0..100 {
                    let text = format!("chunk {chunk};");
                    write!(to, "{:x}\r\n{text}\r\n", text.len())?;
                    to.flush()?;
                    task::yield_now()?;
                }
                write!(to, "0\r\n\r\n")?;
            }
            // Half an answer, and then nothing.
            Some("/never") => {
                write!(to, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
                to.flush()?;
                waits.set();
                // It goes, perhaps without having read all.
                let _ = stream.read(&mut [0]);
                return Ok(count + 1);
            }
            _ => write!(to, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
        stream.get_mut().flush()?;
    }
    unreachable!("usize is large")
}

fn trusting(authority: &Authority) -> Agent {
    let root = Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![root])))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    agent(Agent::config_builder().tls_config(tls).build())
}

fn plain() -> Agent {
    agent(Agent::config_builder().build())
}

#[test]
fn many_tasks_share_an_agent() {
    const TASKS: usize = 100;
    on_one_and_two("http::many_tasks_share_an_agent", || {
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let server = listen(move |stream: TcpStream| {
            count.fetch_add(1, Ordering::Relaxed);
            serve(stream)
        });
        let (agent, all) = (plain(), Barrier::new(TASKS));
        let url = |path: &str| format!("http://{}{path}", server.address);
        let done = task::join_all((0..TASKS).map(|number| {
            let (agent, all, url) = (&agent, &all, &url);
            move || {
                let mut chunks = agent.get(url("/chunks")).call()?.into_body().into_reader();
                let mut first = [0; 8];
                chunks.read_exact(&mut first)?;
                // All have the half of an answer.
                if task::wait_at(all)?.is_leader() {
                    assert_threads();
                }
                let mut rest = String::new();
                chunks.read_to_string(&mut rest)?;
                assert!(rest.starts_with("chunk 1;") && rest.ends_with("chunk 99;"), "{rest}");
                let body = number.to_string().repeat(10_000);
                let echo = agent.post(url("/echo")).send(&body)?.body_mut().read_to_string()?;
                assert!(echo == body);
                Ok::<_, AnyError>(())
            }
        }));
        done.expect("no error");
        assert!(matches!(agent.get(url("/nowhere")).call(), Err(Error::StatusCode(404))));
        // What nobody uses is closed with the agent.
        drop(agent);
        let requests: usize = server.end().into_iter().map(|end| end.expect("no error")).sum();
        assert_eq!(requests, 2 * TASKS + 1);
        // Each connection has served several.
        assert!((TASKS..2 * TASKS).contains(&connections.load(Ordering::Relaxed)), "{connections:?}");
    });
}

#[test]
fn over_tls() {
    on_one_and_two("http::over_tls", || {
        let authority = Authority::new("ours").expect("chance");
        let config = authority.server().expect("a certificate");
        let server = listen(move |stream| serve(tls::accept(&config, stream)?));
        // Its name is looked up.
        let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
        let agent = trusting(&authority);
        for _ in 0..3 {
            let text = agent.get(url("/chunks")).call().expect("an answer").body_mut().read_to_string();
            assert!(text.expect("a text").ends_with("chunk 99;"));
        }
        let others = trusting(&Authority::new("others").expect("chance"));
        let error = others.get(url("/chunks")).call().expect_err("nobody it knows");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    });
}

#[test]
fn answers_that_never_come() {
    on_one_and_two("http::answers_that_never_come", || {
        let waits = Arc::new(Event::new());
        let tell = Arc::clone(&waits);
        let server = listen(move |stream: TcpStream| serve_and_tell(stream, &tell));
        let url = format!("http://{}/never", server.address);

        // By the agent's own clock.
        let limit = Some(Duration::from_millis(5));
        let impatient = agent(Agent::config_builder().timeout_recv_body(limit).build());
        let mut answer = impatient.get(&url).call().expect("half of one");
        let error = answer.body_mut().read_to_string().expect_err("it does not come");
        assert!(matches!(error, Error::Timeout(ureq::Timeout::RecvBody)), "{error:?}");

        // And cancelled from outside.
        waits.clear();
        let (patient, theirs) = (plain(), url.clone());
        let agent = patient.clone();
        let called = task::spawn(move || agent.get(&theirs).call()?.body_mut().read_to_string());
        waits.wait().expect("not cancelled");
        called.cancel();
        let error = called.join().expect("no panic").expect_err("it is cut short");
        let Error::Io(error) = error else { panic!("another error: {error:?}") };
        assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::Requested);

        // Neither of these connections is used again.
        let text = patient
            .post(url.replace("never", "echo"))
            .send("once more")
            .expect("an answer")
            .body_mut()
            .read_to_string();
        assert_eq!(text.expect("a text"), "once more");
        drop((answer, impatient, patient));
        let mut counts: Vec<_> = server.end().into_iter().map(|end| end.expect("no error")).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 1]);
    });
}
