//! The servers, each in a process of its own.

mod http;
mod may;
mod raw;
mod switchback;
mod tokio;

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};

/// How much a server reads at once. A message is shorter, so a read that brings less has emptied its socket.
const BUFFER: usize = 1 << 10;

/// Who serves, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Ours, with stacks of so many bytes, or of the default size.
    Switchback(Option<usize>),
    Tokio,
    /// An epoll loop without anything else.
    Raw,
    May,
    /// Ours with httparse.
    SwitchbackHttp,
    /// hyper on tokio.
    Hyper,
}

impl Server {
    /// What `--serve` is told.
    pub(crate) fn to_argument(self) -> String {
        match self {
            Self::Switchback(Some(stack)) => format!("switchback:{stack}"),
            Self::Switchback(None) => "switchback".into(),
            Self::Tokio => "tokio".into(),
            Self::Raw => "raw".into(),
            Self::May => "may".into(),
            Self::SwitchbackHttp => "switchback-http".into(),
            Self::Hyper => "hyper".into(),
        }
    }

    pub(crate) fn from_argument(argument: &str) -> Option<Self> {
        let server = match argument {
            "switchback" => Self::Switchback(None),
            "tokio" => Self::Tokio,
            "raw" => Self::Raw,
            "may" => Self::May,
            "switchback-http" => Self::SwitchbackHttp,
            "hyper" => Self::Hyper,
            other => Self::Switchback(Some(other.strip_prefix("switchback:")?.parse().ok()?)),
        };
        Some(server)
    }

    /// Serves on that many threads until the process is killed. The port is on the first line of standard output.
    pub(crate) fn serve(self, workers: usize) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
        match self {
            Self::Switchback(stack) => switchback::serve(listener, workers, stack, switchback::echo),
            Self::Tokio => tokio::serve(listener, workers, tokio::echo),
            Self::Raw => raw::serve(listener, workers),
            Self::May => may::serve(listener, workers),
            Self::SwitchbackHttp => switchback::serve(listener, workers, None, http::answer),
            Self::Hyper => tokio::serve(listener, workers, http::hyper),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switchback(_) | Self::SwitchbackHttp => "switchback",
            Self::Tokio => "tokio",
            Self::Raw => "raw epoll",
            Self::May => "may",
            Self::Hyper => "hyper",
        })
    }
}
