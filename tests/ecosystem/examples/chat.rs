//! A chat over WebSockets and TLS: tungstenite and rustls, which know nothing of tasks, over `switchback::net`.
//!
//! ```text
//! cargo run --manifest-path tests/ecosystem/Cargo.toml --example chat            # serves twenty members of its own, and ends
//! cargo run .. --example chat serve 127.0.0.1:7777 /tmp/chat.pem                 # serves until it is killed
//! cargo run .. --example chat join 127.0.0.1:7777 /tmp/chat.pem ada              # says what is typed, and prints what is heard
//! ```
//!
//! `serve` makes a certificate authority for itself and writes its certificate to that file, by which `join` knows the server.

use ecosystem::Shared;
use ecosystem::tls::{self, Authority, NAME, ServerStream};
use rustls::{ClientConfig, ServerConfig};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use switchback::io::stdin;
use switchback::net::{TcpListener, TcpStream};
use switchback::sync::mpsc::{Receiver, SyncSender, sync_channel};
use switchback::sync::{Barrier, Mutex};
use switchback::task::{self, Errors};
use tungstenite::{Message, WebSocket};

type AnyError = Box<dyn Error + Send + Sync>;

/// How many lines a member may be behind, and how long it is waited for where it reads none of them.
const BACKLOG: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a handshake may take, of TLS and of the WebSocket.
const HANDSHAKE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match &words[..] {
        [] => switchback::run(serve_own_members),
        ["serve", address, file] => switchback::run(|| serve_all(address, file)),
        ["join", address, file, name] => switchback::run(|| join(address, file, name)),
        _ => {
            complain(format_args!("usage: chat [serve ADDR FILE | join ADDR FILE NAME]"));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

// --- the server ---

/// Who is there, by number: what each is to hear.
#[derive(Default)]
struct Room(Mutex<BTreeMap<usize, SyncSender<Message>>>);

impl Room {
    /// Lets somebody in. None of the others is behind so far that it cannot be told.
    fn enter(&self) -> (usize, Receiver<Message>) {
        let (hears, heard) = sync_channel(BACKLOG);
        let mut members = self.0.lock().expect("nobody panics with it");
        let number = members.last_key_value().map_or(0, |(last, _)| last + 1);
        members.insert(number, hears);
        (number, heard)
    }

    /// To all but one. Who is too far behind hears no more, and its connection ends.
    fn say(&self, from: usize, text: String) {
        let text = tungstenite::Utf8Bytes::from(text);
        let mut members = self.0.lock().expect("nobody panics with it");
        members.retain(|to, hears| *to == from || hears.try_send(Message::Text(text.clone())).is_ok());
    }

    fn leave(&self, number: usize) {
        self.0.lock().expect("nobody panics with it").remove(&number);
    }
}

fn serve_all(address: &str, file: &str) -> Result<(), AnyError> {
    let authority = Authority::new("chat")?;
    let config = authority.server().map_err(|error| error.to_string())?;
    std::fs::write(file, authority.pem())?;
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listening at {}", listener.local_addr()?)?;
    accept_all(&listener, &config);
    Ok(())
}

/// Serves each connection in a task, until the calling task is cancelled.
fn accept_all(listener: &TcpListener, config: &Arc<ServerConfig>) {
    let room = Arc::new(Room::default());
    for stream in listener.incoming() {
        let (room, config) = (Arc::clone(&room), Arc::clone(config));
        let serve = move |stream: io::Result<TcpStream>| serve(&room, &config, stream?);
        task::spawn(move || {
            if let Err(error) = serve(stream) {
                complain(format_args!("a member is gone: {error}"));
            }
        });
    }
}

fn serve(room: &Room, config: &Arc<ServerConfig>, stream: TcpStream) -> Result<(), AnyError> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let connection = stream.try_clone()?;
    let socket = task::timeout(HANDSHAKE, || Ok::<_, AnyError>(tungstenite::accept(tls::accept(config, stream)?)?))??;
    let socket = Shared::new(socket, connection);
    let (number, heard) = room.enter();
    let ended = talk(room, number, heard, &socket);
    room.leave(number);
    ended?;
    // TLS has an end of its own.
    let mut socket = socket.into_inner();
    socket.get_mut().conn.send_close_notify();
    Ok(socket.get_mut().flush()?)
}

/// Until the member closes: one task reads what it says, another writes what it hears.
fn talk(room: &Room, number: usize, heard: Receiver<Message>, socket: &Shared<ServerStream>) -> Result<(), AnyError> {
    let mut name = None;
    let ended = task::scope(|s| {
        let writer = s.spawn(move || {
            for message in heard.iter() {
                match socket.send(message) {
                    Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
                    sent => sent?,
                }
            }
            // Otherwise it was too far behind.
            task::check_cancelled()?;
            Ok(socket.connection().shutdown(std::net::Shutdown::Both)?)
        });
        let read = loop {
            match (socket.read(), &name) {
                (Ok(Message::Text(text)), Some(name)) => room.say(number, format!("{name}: {text}")),
                // Its first words are its name.
                (Ok(Message::Text(text)), None) => {
                    name = Some(text.to_string());
                    socket.send(Message::text(format!("* welcome, {text}")))?;
                    room.say(number, format!("* {text} has come"));
                }
                (Ok(_), _) => {}
                (Err(tungstenite::Error::ConnectionClosed), _) => break Ok(()),
                (Err(error), _) => break Err(AnyError::from(error)),
            }
        };
        writer.cancel();
        read
    });
    name.into_iter().for_each(|name| room.say(number, format!("* {name} has left")));
    ended.map_err(Errors::into_first)
}

// --- members ---

fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Result<Shared<tls::ClientStream>, AnyError> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let connection = stream.try_clone()?;
    let stream = tls::connect(config, NAME, stream)?;
    let (socket, _answer): (WebSocket<_>, _) = tungstenite::client(format!("wss://{NAME}/"), stream)?;
    Ok(Shared::new(socket, connection))
}

/// Says the lines of standard input, and prints what it hears, until one of the two ends.
fn join(address: &str, file: &str, name: &str) -> Result<(), AnyError> {
    let config = tls::client_of_pem(&std::fs::read(file)?).map_err(|error| error.to_string())?;
    let socket = &connect(&config, address.parse()?)?;
    socket.send(Message::text(name))?;
    let ended = task::scope(|s| {
        let speaker = s.spawn(move || {
            for line in stdin().lines() {
                socket.send(Message::text(line?))?;
            }
            Ok(socket.close()?)
        });
        let heard = loop {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    // What a terminal would obey is left out.
                    let text: String = text.chars().filter(|c| !c.is_control()).collect();
                    writeln!(io::stdout(), "{text}")?;
                }
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => break Ok(()),
                Err(error) => break Err(AnyError::from(error)),
            }
        };
        speaker.cancel();
        heard
    });
    ended.map_err(Errors::into_first)
}

const MEMBERS: usize = 20;
const LINES: usize = 10;

fn serve_own_members() -> Result<(), AnyError> {
    let authority = Authority::new("chat")?;
    let config = authority.server().map_err(|error| error.to_string())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = task::spawn(move || accept_all(&listener, &config));
    let (config, all_are_in) = (authority.client()?, Barrier::new(MEMBERS));
    let members = (0..MEMBERS).map(|number| {
        let (config, all_are_in) = (&config, &all_are_in);
        move || talk_and_listen(&connect(config, address)?, number, all_are_in)
    });
    task::join_all(members).map_err(Errors::into_first)?;
    server.cancel();
    server.join().map_err(|error| error.to_string())?;
    println!("{MEMBERS} members at once, each has heard {} lines of others, in order", (MEMBERS - 1) * LINES);
    Ok(())
}

/// Says its lines when all are there, and listens until it has heard all of the others'.
fn talk_and_listen(
    socket: &Shared<impl Read + Write + Send>,
    number: usize,
    all_are_in: &Barrier,
) -> Result<(), AnyError> {
    socket.send(Message::text(number.to_string()))?;
    while socket.read()?.to_text()? != format!("* welcome, {number}") {}
    task::wait_at(all_are_in)?;
    let mut heard = [0; MEMBERS];
    heard[number] = LINES;
    for line in 0..LINES {
        socket.send(Message::text(line.to_string()))?;
    }
    while heard != [LINES; MEMBERS] {
        let message = socket.read()?;
        // What begins with a star is of the server's.
        let Some((from, line)) = message.to_text()?.split_once(": ") else { continue };
        let from: usize = from.parse()?;
        if line != heard[from].to_string() {
            return Err(format!("member {number} has heard {message} out of order").into());
        }
        heard[from] += 1;
    }
    socket.close()?;
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A message for whoever runs it. `eprintln!` would panic where standard error is closed.
fn complain(message: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "chat: {message}");
}
