//! What a member does.

use crate::room::Room;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream};
use switchback::{Cancelled, task};

/// How long a line may be, in bytes. What is longer is two lines.
const MAX_LINE: u64 = 1_000;

const MAX_NAME: usize = 20;

/// How long one that has left, but does not read, is waited for.
const GOODBYE: Duration = Duration::from_secs(60);

/// Serves until the process is killed.
pub(crate) fn serve_all(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listening at {}", listener.local_addr()?)?;
    accept_all(&listener, &Arc::new(Room::new(patience)));
    Ok(())
}

/// Spawns a task for each connection, until the calling task is cancelled.
pub(crate) fn accept_all(listener: &TcpListener, room: &Arc<Room>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let room = Arc::clone(room);
                drop(task::spawn(move || match serve(&room, &Arc::new(stream)) {
                    // That the server ends is no news.
                    Err(error) if Cancelled::find_in(&error).is_none() => {
                        complain(format_args!("a member is gone: {error}"));
                    }
                    _ => {}
                }));
            }
            // No descriptor is left, or whoever came has gone again: the next one may do better.
            Err(error) => complain(format_args!("{error}")),
        }
    }
}

fn serve(room: &Room, stream: &Arc<TcpStream>) -> io::Result<()> {
    stream.set_write_timeout(Some(GOODBYE))?;
    let mut lines = BufReader::new(&**stream);
    let (name, heard) = loop {
        (&mut &**stream).write_all(b"* your name?\n")?;
        let Some(name) = next_line(&mut lines)? else { return Ok(()) };
        let is_name = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(char::is_alphanumeric);
        match is_name.then(|| room.enter(&name, stream)).flatten() {
            Some(heard) => break (name, heard),
            None => (&mut &**stream).write_all(b"* no name, or one that is taken\n")?,
        }
    };
    let to = Arc::clone(stream);
    // It ends when the member has left the room, and has been told all; or when nobody listens.
    task::spawn(move || {
        for line in heard.iter() {
            if (&mut &*to).write_all(line.as_bytes()).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let ended = loop {
        match next_line(&mut lines) {
            Ok(Some(text)) => room.say(&name, &text),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    room.leave(&name, stream);
    ended
}

/// The next line, without its end and without what a terminal would obey.
fn next_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    lines.take(MAX_LINE).read_until(b'\n', &mut line)?;
    let text = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
    Ok((!line.is_empty()).then_some(text))
}

/// A message for whoever runs the server. `eprintln!` would panic where standard error is closed.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "chat_server: {message}");
}
