//! A server, and members that see whether they hear everything, and in order.

use crate::member::accept_all;
use crate::room::Room;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use switchback::net::{TcpListener, TcpStream};
use switchback::sync::Barrier;
use switchback::task;

const MEMBERS: usize = 20;
const LINES: usize = 10;
/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn serve_own_members() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let room = Arc::new(Room::new(Duration::from_secs(60)));
    let server = task::spawn(move || accept_all(&listener, &room));
    let all_are_in = Barrier::new(MEMBERS);
    // Where there are too few descriptors for all of them, some wait for ever, and the others for those.
    let talked = task::timeout(LONGEST, || {
        task::join_all((0..MEMBERS).map(|number| {
            let all_are_in = &all_are_in;
            move || talk(number, address, all_are_in)
        }))
    });
    talked.map_err(io::Error::other)?.map_err(io::Error::other)?;
    server.cancel();
    server.join().map_err(|error| io::Error::other(error.to_string()))?;
    let heard = (MEMBERS - 1) * LINES;
    writeln!(io::stdout(), "{MEMBERS} members at once, each has heard {heard} lines of others, in order")
}

/// Comes, says its lines when all are there, and listens until it has heard all of the others'.
fn talk(number: usize, address: SocketAddr, all_are_in: &Barrier) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    writeln!(&mut &stream, "member{number}")?;
    let mut lines = BufReader::new(&stream).lines();
    let welcome = format!("* welcome, member{number};");
    while !lines.next().ok_or(io::ErrorKind::UnexpectedEof)??.starts_with(&welcome) {}
    task::wait_at(all_are_in)?;
    for line in 0..LINES {
        writeln!(&mut &stream, "line {line}")?;
    }
    let mut heard = [0; MEMBERS];
    heard[number] = LINES;
    while heard != [LINES; MEMBERS] {
        let line = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        // What begins with a star is of the server's.
        let Some((name, text)) = line.split_once(": ").filter(|_| !line.starts_with('*')) else { continue };
        let from: usize = name.trim_start_matches("member").parse().map_err(io::Error::other)?;
        if text != format!("line {}", heard[from]) {
            return Err(io::Error::other(format!("member {number} has heard {line:?} out of order")));
        }
        heard[from] += 1;
    }
    // Closed with something unread, the connection would be reset. What is left is who has left.
    stream.shutdown(Shutdown::Write)?;
    lines.try_for_each(|line| line.map(drop))
}
