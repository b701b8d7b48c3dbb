//! tungstenite: its blocking API over our stream, and over rustls over that.

use crate::{assert_threads, listen, on_one_and_two, with_virtual_clock};
use ecosystem::Shared;
use ecosystem::tls::{self, Authority, NAME};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use switchback::Cancelled;
use switchback::net::TcpStream;
use switchback::sync::mpsc::{Sender, channel};
use switchback::sync::{Barrier, Mutex};
use switchback::task::{self, Errors};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::{Error, Message, WebSocket};

const HOUR: Duration = Duration::from_secs(3600);

/// tungstenite's errors cannot be made of a [`Cancelled`].
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The server's end. That a handshake fails is an error like any other.
fn accept<S: Read + Write>(stream: S) -> Result<WebSocket<S>, Error> {
    tungstenite::accept(stream).map_err(|error| match error {
        tungstenite::HandshakeError::Failure(error) => error,
        tungstenite::HandshakeError::Interrupted(_) => unreachable!("the stream has said WouldBlock"),
    })
}

fn connect<S: Read + Write>(stream: S) -> WebSocket<S> {
    tungstenite::client("ws://localhost/talk", stream).expect("a handshake").0
}

/// Sends back what comes, until the other end has closed; then returns why.
fn echo(stream: TcpStream) -> Result<(usize, Option<CloseFrame>), Error> {
    let mut socket = accept(stream)?;
    let (mut count, mut why) = (0, None);
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => why = frame,
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                count += 1;
                socket.send(message)?;
            }
            // tungstenite answers pings by itself.
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok((count, why)),
            Err(error) => return Err(error),
        }
    }
}

/// Closes it, and reads until it is closed.
fn close<S: Read + Write>(mut socket: WebSocket<S>) {
    socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "enough".into() })).expect("room");
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return,
            Err(error) => panic!("not closed as it should be: {error:?}"),
        }
    }
}

#[test]
fn messages_and_a_close_with_its_reason() {
    on_one_and_two("websocket::messages_and_a_close_with_its_reason", || {
        let server = listen(echo);
        let mut socket = connect(server.connect());
        for length in [0, 1, 125, 126, 65_535, 65_536, 5 << 20] {
            let message = Message::binary((0..length).map(|n| (n % 253) as u8).collect::<Vec<_>>());
            socket.send(message.clone()).expect("room");
            assert!(socket.read().expect("it comes back") == message, "{length} bytes");
        }
        close(socket);
        let (count, why) = server.end_of_one().expect("no error");
        let why = why.expect("a reason");
        assert_eq!((count, why.code, why.reason.as_str()), (7, CloseCode::Away, "enough"));
    });
}

#[test]
fn fragments_are_one_message() {
    on_one_and_two("websocket::fragments_are_one_message", || {
        let server = listen(echo);
        let mut socket = connect(server.connect());
        let part = |number: usize| format!("part {number};").repeat(20_000);
        for number in 0..4 {
            let what = if number == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(part(number), OpCode::Data(what), number == 3);
            socket.send(Message::Frame(frame)).expect("room");
            // A control frame may come between them.
            socket.send(Message::Ping(vec![number as u8].into())).expect("room");
        }
        let mut pongs = Vec::new();
        let whole = loop {
            match socket.read().expect("an answer") {
                Message::Pong(payload) => pongs.push(payload[0]),
                other => break other,
            }
        };
        assert!(whole == Message::text((0..4).map(part).collect::<String>()));
        // The last may come after the message.
        if pongs.len() < 4 {
            let Message::Pong(last) = socket.read().expect("a pong") else { panic!("another message") };
            pongs.push(last[0]);
        }
        assert_eq!(pongs.last(), Some(&3), "{pongs:?}");
        close(socket);
        assert_eq!(server.end_of_one().expect("no error").0, 1);
    });
}

#[test]
fn pings_are_answered_and_broken_peers_are_told() {
    on_one_and_two("websocket::pings_are_answered_and_broken_peers_are_told", || {
        let server = listen(echo);
        let mut socket = connect(server.connect());
        socket.send(Message::Ping("are you there".into())).expect("room");
        assert_eq!(socket.read().expect("an answer"), Message::Pong("are you there".into()));
        close(socket);

        // One that goes without a word.
        drop(connect(server.connect()));
        // One that does not mask its frames, as a client must.
        let mut socket = connect(server.connect());
        let mut bytes = Vec::new();
        let header = FrameHeader { is_final: true, opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        header.format(5, &mut bytes).expect("room");
        socket.get_mut().write_all(&bytes).and_then(|()| socket.get_mut().write_all(b"plain")).expect("room");
        assert!(socket.read().is_err());
        drop(socket);
        // One that does not speak the protocol at all.
        let mut stream = server.connect();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("room");
        assert!(io::read_to_string(stream).is_ok(), "it is closed");

        let mut ends: Vec<_> = server.end().into_iter().map(|end| end.map_err(|error| format!("{error:?}"))).collect();
        ends.sort_by_key(Result::is_err);
        let broken = [ProtocolError::ResetWithoutClosingHandshake, ProtocolError::UnmaskedFrameFromClient];
        let broken = broken.map(|error| Err(format!("{:?}", Error::Protocol(error))));
        let [closed, rest @ ..] = &ends[..] else { panic!("nobody came") };
        assert!(matches!(closed, Ok((0, Some(_)))), "{ends:?}");
        assert!(rest.len() == 3 && broken.iter().all(|error| rest.contains(error)), "{ends:?}");
    });
}

/// A message comes in pieces, with an hour between them; who reads has half of that time at once, and tries again.
#[test]
fn a_read_out_of_time_loses_nothing() {
    with_virtual_clock("websocket::a_read_out_of_time_loses_nothing", || {
        let server = listen(|stream| {
            let mut socket = accept(stream)?;
            let mut waits = 0;
            loop {
                match task::timeout(HOUR / 2, || socket.read()).unwrap_or_else(task::Elapsed::into_value) {
                    Ok(message) => {
                        let answer = format!("{message} after {waits} waits");
                        socket.send(Message::text(answer))?;
                        return Ok(waits);
                    }
                    Err(Error::Io(error)) if Cancelled::find_in(&error).is_some() => waits += 1,
                    Err(error) => return Err(error),
                }
            }
        });
        let stream = server.connect();
        // The system would wait with the second piece, until the first is acknowledged, and the clock would jump meanwhile.
        stream.set_nodelay(true).expect("it is TCP");
        let mut socket = connect(stream);
        let mut bytes = Vec::new();
        Frame::message("slowly", OpCode::Data(Data::Text), true).format(&mut bytes).expect("room");
        // It is not masked, but its mask may be zero.
        bytes[1] |= 0x80;
        bytes.splice(2..2, [0; 4]);
        assert_eq!(bytes.len(), 12);
        for piece in bytes.chunks(5) {
            task::sleep(HOUR).expect("not cancelled");
            socket.get_mut().write_all(piece).expect("room");
        }
        let Message::Text(answer) = socket.read().expect("an answer") else { panic!("another message") };
        let waits = server.end_of_one().expect("no error");
        assert_eq!(answer.as_str(), format!("slowly after {waits} waits"));
        assert!(waits >= 3, "{waits} waits");
    });
}

/// A room: each hears what the others say. Each member is two tasks, of which one reads while the other writes.
#[derive(Default)]
struct Room(Mutex<Vec<(usize, Sender<Message>)>>);

impl Room {
    fn serve(&self, stream: TcpStream, config: Option<&Arc<rustls::ServerConfig>>) -> Result<usize, AnyError> {
        stream.set_nodelay(true)?;
        let connection = stream.try_clone()?;
        match config {
            Some(config) => {
                let socket = Shared::new(accept(tls::accept(config, stream)?)?, connection);
                let said = self.talk(&socket)?;
                // The client waits for the end of the connection, and TLS tells whether it is one.
                let mut socket = socket.into_inner();
                socket.get_mut().conn.send_close_notify();
                socket.get_mut().flush()?;
                Ok(said)
            }
            None => self.talk(&Shared::new(accept(stream)?, connection)),
        }
    }

    fn talk(&self, socket: &Shared<impl Read + Write + Send>) -> Result<usize, AnyError> {
        let (hears, heard) = channel();
        let (mut said, mut number) = (0, None);
        task::scope(|s| {
            let writer = s.spawn(move || Ok(heard.iter().try_for_each(|message| socket.send(message))?));
            let ended = loop {
                match socket.read() {
                    Ok(message @ Message::Text(_)) => {
                        said += 1;
                        let mut members = self.0.lock().expect("no panic");
                        let number = *number.get_or_insert_with(|| {
                            let next = members.len();
                            members.push((next, hears.clone()));
                            let _ = hears.send(Message::text("welcome"));
                            next
                        });
                        for (_, hears) in members.iter().filter(|(other, _)| *other != number) {
                            // One that is gone does not mind.
                            let _ = hears.send(message.clone());
                        }
                    }
                    Ok(_) => {}
                    Err(Error::ConnectionClosed) => break Ok(said),
                    Err(error) => break Err(error.into()),
                }
            };
            writer.cancel();
            ended
        })
        .map_err(Errors::into_first)
    }
}

/// Says its lines once all are there, while it hears the others.
fn member(
    number: usize,
    address: SocketAddr,
    config: Option<&Arc<rustls::ClientConfig>>,
    all: &Barrier,
) -> Result<usize, AnyError> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let connection = stream.try_clone()?;
    match config {
        Some(config) => converse(number, &Shared::new(connect(tls::connect(config, NAME, stream)?), connection), all),
        None => converse(number, &Shared::new(connect(stream), connection), all),
    }
}

const MEMBERS: usize = 30;
const LINES: usize = 20;

fn converse(number: usize, socket: &Shared<impl Read + Write + Send>, all: &Barrier) -> Result<usize, AnyError> {
    // With the first line the room knows it, and says so; who comes later is heard.
    socket.send(Message::text(format!("{number} 0")))?;
    assert_eq!(socket.read()?, Message::text("welcome"));
    let heard = task::scope(|s| {
        let speaker = s.spawn(move || {
            if task::wait_at(all)?.is_leader() {
                assert_threads();
            }
            for line in 1..=LINES {
                socket.send(Message::text(format!("{number} {line}")))?;
                task::yield_now()?;
            }
            Ok::<_, AnyError>(())
        });
        let mut next = [None; MEMBERS];
        next[number] = Some(LINES);
        while !next.iter().all(|last| *last == Some(LINES)) {
            let text = socket.read()?.into_text()?;
            let (from, line) = text.split_once(' ').expect("two numbers");
            let (from, line): (usize, usize) = (from.parse().expect("one"), line.parse().expect("one"));
            assert!(line == 0 || next[from].map_or(line == 1, |last| line == last + 1), "{text} after {next:?}");
            next[from] = Some(line);
        }
        speaker.join()?;
        Ok(next.iter().flatten().sum())
    });
    let heard = heard.map_err(Errors::into_first)?;
    socket.close()?;
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(heard),
            Err(error) => return Err(error.into()),
        }
    }
}

fn all_hear_each_other(authority: Option<Authority>) {
    let room = Arc::new(Room::default());
    let config = authority.as_ref().map(|authority| authority.server().expect("a certificate"));
    let server = listen(move |stream| room.serve(stream, config.as_ref()));
    let config = authority.map(|authority| authority.client().expect("a root"));
    let (all, address) = (Barrier::new(MEMBERS), server.address);
    let heard = task::join_all((0..MEMBERS).map(|number| {
        let (all, config) = (&all, config.as_ref());
        move || member(number, address, config, all)
    }));
    assert_eq!(heard.expect("no error"), [MEMBERS * LINES; MEMBERS]);
    let said: Vec<_> = server.end().into_iter().map(|end| end.expect("closed as it should be")).collect();
    assert_eq!(said, [LINES + 1; MEMBERS]);
}

#[test]
fn many_broadcast_to_each_other() {
    on_one_and_two("websocket::many_broadcast_to_each_other", || all_hear_each_other(None));
}

#[test]
fn many_broadcast_to_each_other_over_tls() {
    on_one_and_two("websocket::many_broadcast_to_each_other_over_tls", || {
        all_hear_each_other(Some(Authority::new("ours").expect("chance")));
    });
}
