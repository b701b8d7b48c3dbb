//! rustls: `StreamOwned` over our stream, at both ends.

use crate::{assert_threads, listen, on_one_and_two, with_virtual_clock};
use ecosystem::tls::{self, Authority, ClientStream, NAME, ServerStream};
use rustls::{AlertDescription, CertificateError, ServerConfig};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use switchback::net::TcpStream;
use switchback::sync::{Barrier, Event};
use switchback::{CancelReason, Cancelled, task};

const HOUR: Duration = Duration::from_secs(3600);

fn authority() -> (Authority, Arc<ServerConfig>) {
    let authority = Authority::new("ours").expect("chance");
    let config = authority.server().expect("a certificate");
    (authority, config)
}

fn client(authority: &Authority, stream: TcpStream) -> ClientStream {
    tls::connect(&authority.client().expect("a root"), NAME, stream).expect("a name")
}

/// Sends back what comes, and returns how much that was.
fn echo(mut stream: ServerStream) -> io::Result<usize> {
    let (mut count, mut buffer) = (0, [0; 4096]);
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            read => {
                stream.write_all(&buffer[..read])?;
                count += read;
            }
        }
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(count)
}

/// What rustls says, inside of an error of I/O.
#[track_caller]
fn reason(error: &io::Error) -> &rustls::Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("not of rustls: {error:?}"))
}

#[test]
fn a_thousand_connections_at_once() {
    const CLIENTS: usize = 1000;
    on_one_and_two("tls::a_thousand_connections_at_once", || {
        let (authority, config) = authority();
        let server = listen(move |stream| echo(tls::accept(&config, stream)?));
        let all_are_in = Barrier::new(CLIENTS);
        // One configuration for all, as a program has it.
        let config = authority.client().expect("a root");
        let sums = task::join_all((0..CLIENTS).map(|number| {
            let (server, all_are_in, config) = (&server, &all_are_in, &config);
            move || {
                let mut stream = tls::connect(config, NAME, TcpStream::connect(server.address)?)?;
                stream.conn.complete_io(&mut stream.sock)?;
                if task::wait_at(all_are_in)?.is_leader() {
                    assert_threads();
                }
                let said = number.to_string().repeat(10);
                stream.write_all(said.as_bytes())?;
                stream.conn.send_close_notify();
                stream.flush()?;
                let mut heard = String::new();
                stream.read_to_string(&mut heard)?;
                assert_eq!(heard, said);
                Ok::<_, io::Error>(heard.len())
            }
        }));
        let sum: usize = sums.expect("all are served").into_iter().sum();
        let counts: usize = server.end().into_iter().map(|end| end.expect("it is served")).sum();
        assert_eq!((sum, counts), (28_900, 28_900));
    });
}

/// More than all buffers hold, and both ends are busy with it.
#[test]
fn megabytes_there_and_back() {
    const SIZE: usize = 3 << 20;
    on_one_and_two("tls::megabytes_there_and_back", || {
        let (authority, config) = authority();
        let server = listen(move |stream| {
            let mut stream = tls::accept(&config, stream)?;
            let mut came = Vec::new();
            stream.read_to_end(&mut came)?;
            came.reverse();
            stream.write_all(&came)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            Ok::<_, io::Error>(came.len())
        });
        let mut stream = client(&authority, server.connect());
        let sent: Vec<u8> = (0..SIZE).map(|n| ((n * n) >> 7) as u8).collect();
        stream.write_all(&sent).expect("room");
        stream.conn.send_close_notify();
        stream.flush().expect("room");
        let mut came = Vec::new();
        stream.read_to_end(&mut came).expect("all of it");
        came.reverse();
        assert!(came == sent);
        assert_eq!(server.end_of_one().expect("no error"), SIZE);
    });
}

#[test]
fn one_end_closes_and_still_hears() {
    on_one_and_two("tls::one_end_closes_and_still_hears", || {
        let (authority, config) = authority();
        let server = listen(move |stream| {
            let mut stream = tls::accept(&config, stream)?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            write!(stream, "{} bytes", text.len())?;
            stream.conn.send_close_notify();
            stream.flush()?;
            Ok::<_, io::Error>(text)
        });
        let mut stream = client(&authority, server.connect());
        stream.write_all(b"that is all").expect("room");
        stream.conn.send_close_notify();
        stream.flush().expect("room");
        stream.sock.shutdown(Shutdown::Write).expect("it is open");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it is closed as it should be");
        assert_eq!(text, "11 bytes");
        assert_eq!(server.end_of_one().expect("no error"), "that is all");
    });
}

#[test]
fn an_end_without_a_notice_is_an_error() {
    on_one_and_two("tls::an_end_without_a_notice_is_an_error", || {
        let (authority, config) = authority();
        let server = listen(move |stream| echo(tls::accept(&config, stream)?));
        let mut stream = client(&authority, server.connect());
        stream.write_all(b"and then").expect("room");
        stream.sock.shutdown(Shutdown::Write).expect("it is open");
        let mut text = String::new();
        let error = stream.read_to_string(&mut text).expect_err("the other end gives up");
        assert_eq!((error.kind(), &text[..]), (ErrorKind::UnexpectedEof, "and then"));
        assert_eq!(server.end_of_one().expect_err("cut off").kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn clients_that_vanish_in_the_handshake() {
    on_one_and_two("tls::clients_that_vanish_in_the_handshake", || {
        let (authority, config) = authority();
        let server = listen(move |stream| echo(tls::accept(&config, stream)?));
        let mut hello = Vec::new();
        client(&authority, server.connect()).conn.write_tls(&mut hello).expect("memory has room");
        // In the midst of the first message; and after it, without a look at the answer.
        for part in [&hello[..hello.len() / 2], &hello] {
            let mut stream = server.connect();
            stream.write_all(part).expect("room");
            // Read up to its end, or the system would send a reset.
            stream.shutdown(Shutdown::Write).expect("it is open");
            stream.read_to_end(&mut Vec::new()).expect("it gives up");
        }
        // Nobody else is any the worse.
        let mut stream = client(&authority, server.connect());
        stream.write_all(b"here").expect("room");
        stream.conn.send_close_notify();
        assert_eq!(io::read_to_string(&mut stream).expect("an echo"), "here");
        let mut ends: Vec<_> = server.end().into_iter().map(|end| end.map_err(|error| error.kind())).collect();
        ends.sort_by_key(Result::is_ok);
        // The first is the client that has made the message.
        assert_eq!(ends, [Err(ErrorKind::UnexpectedEof); 3].into_iter().chain([Ok(4)]).collect::<Vec<_>>());
    });
}

#[test]
fn wrong_certificates_are_errors_at_both_ends() {
    on_one_and_two("tls::wrong_certificates_are_errors_at_both_ends", || {
        let (authority, config) = authority();
        let server = listen(move |stream| echo(tls::accept(&config, stream)?));
        let others = Authority::new("others").expect("chance");
        let mut of_nobody = client(&others, server.connect());
        let error = of_nobody.write_all(b"a secret").expect_err("nobody it knows");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(reason(&error), &rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        let trusts = authority.client().expect("a root");
        let mut misnamed = tls::connect(&trusts, "elsewhere", server.connect()).expect("a name");
        let error = misnamed.write_all(b"a secret").expect_err("another's name");
        assert!(
            matches!(
                reason(&error),
                rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                )
            ),
            "{error:?}"
        );
        let alerts: Vec<_> = server.end().into_iter().map(|end| end.expect_err("no handshake")).collect();
        let alerts: Vec<_> = alerts.iter().map(reason).collect();
        assert!(alerts.contains(&&rustls::Error::AlertReceived(AlertDescription::UnknownCA)), "{alerts:?}");
        assert!(alerts.contains(&&rustls::Error::AlertReceived(AlertDescription::BadCertificate)), "{alerts:?}");
    });
}

#[test]
fn a_handshake_out_of_time_ends_at_both_ends() {
    with_virtual_clock("tls::a_handshake_out_of_time_ends_at_both_ends", || {
        let (authority, config) = authority();
        // A server that never answers.
        let mute = listen(|mut stream| stream.read_to_end(&mut Vec::new()));
        let mut stream = client(&authority, mute.connect());
        let start = task::now();
        let shaken = task::timeout(HOUR, || stream.conn.complete_io(&mut stream.sock));
        let error = shaken.expect_err("nobody answers").into_value().expect_err("it is cut short");
        assert_eq!(task::now() - start, HOUR);
        assert_eq!(Cancelled::find_in(&error).expect("the reason").reason(), &CancelReason::TimedOut);
        drop(stream);
        assert!(mute.end_of_one().expect("the client has closed") > 100);

        // A client that never speaks.
        let server = listen(move |stream| {
            let mut stream = tls::accept(&config, stream)?;
            let shaken = task::timeout(HOUR, || stream.conn.complete_io(&mut stream.sock));
            shaken.expect_err("nobody speaks").into_value().map(drop)
        });
        let mut silent = server.connect();
        assert_eq!(silent.read(&mut [0]).expect("the server has closed"), 0);
        assert_eq!(task::now() - start, 2 * HOUR);
        assert!(Cancelled::find_in(&server.end_of_one().expect_err("it is cut short")).is_some());
    });
}

/// Between the calls there are records, half of one perhaps, in rustls: they stay there.
#[test]
fn reads_and_writes_out_of_time_lose_nothing() {
    with_virtual_clock("tls::reads_and_writes_out_of_time_lose_nothing", || {
        let (authority, config) = authority();
        let may_read = Arc::new(Event::new());
        let theirs = Arc::clone(&may_read);
        let server = listen(move |stream| {
            let mut stream = tls::accept(&config, stream)?;
            stream.conn.complete_io(&mut stream.sock)?;
            theirs.wait()?;
            let (mut came, mut waits, mut buffer) = (Vec::new(), 0, [0; 1 << 12]);
            loop {
                // It may have been cut short where rustls would have read more, and return what there was.
                let read = task::timeout(Duration::ZERO, || stream.read(&mut buffer));
                match read.unwrap_or_else(task::Elapsed::into_value) {
                    Ok(0) => break,
                    Ok(read) => came.extend_from_slice(&buffer[..read]),
                    Err(error) if Cancelled::find_in(&error).is_none() => return Err(error),
                    Err(_) => waits += stream.sock.peek(&mut [0])?,
                }
            }
            stream.write_all(&came.len().to_le_bytes())?;
            Ok::<_, io::Error>((came, waits))
        });
        let pattern = |from: usize| -> Vec<u8> { (from..from + 1000).map(|n| (n % 251) as u8).collect() };
        let mut stream = client(&authority, server.connect());
        stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        let mut sent = 0;
        let write = task::timeout(HOUR, || {
            loop {
                match stream.write(&pattern(sent)) {
                    Ok(count) => sent += count,
                    Err(error) => break error,
                }
            }
        });
        let error = write.expect_err("nobody reads").into_value();
        assert!(Cancelled::find_in(&error).is_some(), "{error:?}");
        assert!(sent > 1 << 16);
        may_read.set();
        for _ in 0..100 {
            stream.write_all(&pattern(sent)).expect("there is room again");
            sent += 1000;
            // So that the other end finds nothing, now and then.
            task::sleep(Duration::from_millis(1)).expect("not cancelled");
        }
        stream.conn.send_close_notify();
        let mut length = [0; 8];
        stream.read_exact(&mut length).expect("an answer");
        assert_eq!(usize::from_le_bytes(length), sent);
        drop(stream);
        let (came, waits) = server.end_of_one().expect("no error");
        assert!(came.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
        assert!(came.len() == sent && waits > 0, "{waits} waits");
    });
}
