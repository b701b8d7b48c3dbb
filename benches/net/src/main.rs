//! Network servers of switchback beside those of its peers: `cargo run --release --manifest-path benches/net/Cargo.toml`.
//!
//! | row | what is served |
//! |---|---|
//! | echo | messages of 64 bytes, one on its way on each connection, by one thread; "two": by two |
//! | http | a short answer to a short request, kept alive; "16 at once": sixteen requests in one write |
//! | memory | nothing: what a connection that waits in `read` takes |
//!
//! Each server has a process of its own, on one CPU, and the clients, the same for all, are in this one, on another. So the
//! server's CPU time is its own, in user mode and in the kernel, and that is what is compared: how many requests there are in a
//! second is also up to the clients. These never sleep, so that no server has to wake them. Where a server has two threads it shares
//! both CPUs with the clients, which sleep then, and the figures vary by more than they differ.
//!
//! Each byte of each answer is asserted. With `--test` there are few requests, and nothing is timed; a word chooses the rows with it
//! in their names; `--rounds N` and `--requests N` say how long it takes.

mod child;
mod load;
mod memory;
mod servers;
mod table;

use load::Talk;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use servers::Server;
use std::env;
use std::error::Error;
use std::io::{self, Read};
use std::process;
use std::thread;
use table::{Effort, Row};

const ECHO: &[(Server, Option<f64>)] = &[(Server::Tokio, Some(1.0)), (Server::Raw, Some(1.1)), (Server::May, None)];
const HTTP: &[(Server, Option<f64>)] = &[(Server::Hyper, Some(1.0))];

const fn echo(name: &'static str, connections: usize, workers: usize) -> Row {
    Row { name, talk: Talk::Echo, connections, workers, ours: Server::Switchback(None), peers: ECHO }
}

const fn http(name: &'static str, connections: usize, depth: usize) -> Row {
    Row { name, talk: Talk::Http(depth), connections, workers: 1, ours: Server::SwitchbackHttp, peers: HTTP }
}

const ROWS: [Row; 7] = [
    echo("echo, 100 connections", 100, 1),
    echo("echo, 1,000 connections", 1_000, 1),
    echo("echo, 100 connections, two threads", 100, 2),
    echo("echo, 1,000 connections, two threads", 1_000, 2),
    http("http, 100 connections", 100, 1),
    http("http, 1,000 connections", 1_000, 1),
    http("http, 100 connections, 16 at once", 100, 16),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    raise_limit()?;
    if let [option, server, workers, cpu] = &arguments[..]
        && option == "--serve"
    {
        return serve(server, workers.parse()?, cpu);
    }
    let mut effort = Effort { rounds: 15, requests: 30_000, is_timed: true };
    let mut filter = None;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--test" => effort = Effort { rounds: 1, requests: 2_000, is_timed: false },
            "--rounds" => effort.rounds = arguments.next().ok_or("how many rounds?")?.parse()?,
            "--requests" => effort.requests = arguments.next().ok_or("how many requests?")?.parse()?,
            word => filter = Some(word.to_owned()),
        }
    }
    if effort.is_timed && cfg!(debug_assertions) {
        return Err("a debug build is not worth timing: --release, or --test".into());
    }
    let is_name = filter.as_deref().is_some_and(|filter| ROWS.iter().any(|row| row.name == filter));
    let is_chosen = |name: &str| {
        filter.as_deref().is_none_or(|filter| if is_name { name == filter } else { name.contains(filter) })
    };
    if effort.is_timed && ROWS.iter().any(|row| is_chosen(row.name)) {
        table::header(effort);
    }
    let mut missed = 0;
    for row in ROWS.iter().filter(|row| is_chosen(row.name)) {
        if row.workers == 1 {
            child::pin(1).or_else(|_| child::pin(0))?;
        } else {
            child::pin_nowhere()?;
        }
        missed += row.run(effort)?;
    }
    if is_chosen("memory") {
        memory::print(effort.is_timed)?;
    }
    if effort.is_timed {
        println!("\nmissed targets: {missed}");
    }
    Ok(())
}

/// What a server's process does.
fn serve(server: &str, workers: usize, cpu: &str) -> Result<(), Box<dyn Error>> {
    // So none is left behind, whatever ends the other process.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    if let Ok(cpu) = cpu.parse() {
        child::pin(cpu)?;
    }
    let server = Server::from_argument(server).ok_or("no such server")?;
    Ok(server.serve(workers)?)
}

/// As many descriptors as there can be.
fn raise_limit() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
