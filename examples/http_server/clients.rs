//! A server, and clients that see whether each file arrives as it is on disk.

use crate::server::{CONNECTIONS, PATIENCE, Server, accept_all};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use switchback::net::{TcpListener, TcpStream};
use switchback::task;

const CLIENTS: usize = 50;
/// How many files each of them fetches.
const EACH: usize = 10;

/// Serves the crate's sources to clients of its own. If one of these fails, the others are cancelled.
pub(crate) fn serve_own_clients() -> io::Result<()> {
    // The path was written into the program when it was compiled; it may have been moved since.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let root = if root.is_dir() { root } else { Path::new(".") };
    let files = files_below(root)?;
    if files.is_empty() {
        return Err(io::Error::other(format!("there is nothing to serve in {}", root.display())));
    }
    let server = Arc::new(Server::new(root, PATIENCE, CONNECTIONS)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = task::spawn(move || accept_all(&listener, &server));
    let clients = (0..CLIENTS).map(|number| {
        let mine: Vec<&PathBuf> = files.iter().cycle().skip(number * EACH).take(EACH).collect();
        move || fetch(root, &mine, address)
    });
    task::join_all(clients).map_err(io::Error::other)?;
    server.cancel();
    server.join().map_err(|error| io::Error::other(error.to_string()))?;
    writeln!(io::stdout(), "{CLIENTS} clients at once, {} files fetched, all as they are on disk", CLIENTS * EACH)
}

/// All files below a directory.
fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// Fetches files, one after another on one connection.
fn fetch(root: &Path, files: &[&PathBuf], address: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    let mut answers = BufReader::new(&stream);
    for file in files {
        let path = file.strip_prefix(root).map_err(io::Error::other)?;
        write!(&mut &stream, "GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", path.display())?;
        let mut length = None;
        loop {
            let mut line = String::new();
            answers.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().ok(),
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut came = vec![0; length.ok_or_else(|| io::Error::other("an answer without a length"))?];
        answers.read_exact(&mut came)?;
        if came != fs::read(file)? {
            return Err(io::Error::other(format!("{} is not what came", file.display())));
        }
    }
    Ok(())
}
