//! A chat by lines of text: each member has a name, and hears what the others say.
//!
//! ```text
//! cargo run --release --example chat_server                       # serves twenty members of its own, and ends
//! cargo run --release --example chat_server -- 127.0.0.1:7777     # serves until it is killed; try it with netcat
//! cargo run --release --example chat_server -- 127.0.0.1:7777 5   # and waits 5 seconds for who does not read, not 1
//! ```
//!
//! A member is two tasks (`member.rs`): one reads what it says, the other writes what it hears, from a channel between them.
//! The channel has room for some lines, so a member may be slow for a while. Who is slow for longer holds the others up,
//! once, and is dropped (`room.rs`).

#![forbid(unsafe_code)]

#[cfg(unix)]
mod member;
#[cfg(unix)]
mod own;
#[cfg(unix)]
mod room;

#[cfg(not(unix))]
fn main() {
    println!("chat_server: there are no sockets here yet, but on Unix");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use std::io::Write;
    use std::process::ExitCode;
    use std::time::Duration;

    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let address = arguments.first().map(|address| address.to_str()?.parse().ok());
    let seconds = arguments.get(1).map_or(Some(1.0), |seconds| seconds.to_str()?.parse().ok());
    let patience = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let done = match (address, patience) {
        (None, _) => switchback::run(own::serve_own_members),
        (Some(Some(address)), Some(patience)) if arguments.len() <= 2 => {
            switchback::run(|| member::serve_all(address, patience))
        }
        _ => {
            let _ = writeln!(std::io::stderr(), "usage: chat_server [ADDR [SECONDS]], such as 127.0.0.1:7777 1");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            member::complain(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}
