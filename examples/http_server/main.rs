//! A server of static files over HTTP/1.1, with one task for each connection.
//!
//! ```text
//! cargo run --release --example http_server                                # serves fifty clients of its own, and ends
//! cargo run --release --example http_server -- 127.0.0.1:8080 target/doc   # serves that directory until Ctrl-C or SIGTERM
//! cargo run --release --example http_server -- 127.0.0.1:8080 . 2.5        # and waits 2.5 seconds for a slow client, not 10
//! cargo run --release --example http_server -- 127.0.0.1:8080 . 2.5 64     # of at most 64 clients at once, not 512
//! ```
//!
//! What a connection does is written down in the order in which it happens (`server.rs`): read a request, answer it, read the
//! next one. Its limits are calls around calls: `task::timeout` around the reading of a whole request, however slowly it
//! drips in, and around each block that is written. Files are read in `offload`, so that a slow disk holds up one connection.
//!
//! The first signal ends it gracefully: nobody is accepted any more, who waits for nothing but another request is left, and what
//! was asked is answered, if that takes no longer than a slow client may. Then the status is 0. The second ends it at once.
//!
//! | file | what it answers |
//! |---|---|
//! | `server.rs` | what does a connection do, and when does it end? |
//! | `connections.rs` | how many are there, and how do all of them end? |
//! | `request.rs`, `head.rs` | what does the client want, and is that a request at all? |
//! | `site.rs`, `path.rs`, `root.rs` | which file is that, and may it be seen? |
//! | `listing.rs`, `response.rs` | how is it told? |
//! | `clients.rs` | does each file arrive as it is on disk? |

#![forbid(unsafe_code)]

#[cfg(unix)]
mod clients;
#[cfg(unix)]
mod connections;
#[cfg(unix)]
mod head;
#[cfg(unix)]
mod listing;
#[cfg(unix)]
mod path;
#[cfg(unix)]
mod request;
#[cfg(unix)]
mod response;
#[cfg(unix)]
mod root;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod site;

#[cfg(not(unix))]
fn main() {
    println!("http_server: there are no sockets here yet, but on Unix");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let done = match arguments(std::env::args_os().skip(1)) {
        Ok(None) => switchback::run(clients::serve_own_clients),
        Ok(Some((address, directory, patience, connections))) => switchback::run(|| {
            server::Server::new(&directory, patience, connections).and_then(|server| server::serve_all(address, server))
        }),
        Err(wrong) => {
            server::complain(format_args!(
                "{wrong}\nusage: http_server [ADDR DIR [SECONDS [CONNECTIONS]]], such as 127.0.0.1:8080 ."
            ));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            server::complain(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// What the program is to do, if it is not to show itself.
#[cfg(unix)]
type Task = (std::net::SocketAddr, std::path::PathBuf, std::time::Duration, usize);

#[cfg(unix)]
fn arguments(mut given: impl Iterator<Item = std::ffi::OsString>) -> Result<Option<Task>, String> {
    let Some(address) = given.next() else { return Ok(None) };
    let address = address.to_str().and_then(|text| text.parse().ok());
    let address = address.ok_or("ADDR is no address with a port")?;
    let directory = given.next().ok_or("DIR is missing")?;
    let patience = match given.next() {
        None => server::PATIENCE,
        Some(seconds) => {
            let seconds = seconds.to_str().and_then(|text| text.parse().ok());
            let patience = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
            patience.filter(|patience| !patience.is_zero()).ok_or("SECONDS is no time to wait for")?
        }
    };
    let connections = match given.next() {
        None => server::CONNECTIONS,
        Some(count) => {
            let count = count.to_str().and_then(|text| text.parse().ok());
            count.filter(|&count| count > 0).ok_or("CONNECTIONS is no number from 1 on")?
        }
    };
    match given.next() {
        None => Ok(Some((address, directory.into(), patience, connections))),
        Some(_) => Err("there are more arguments than four".into()),
    }
}
