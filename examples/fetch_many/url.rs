//! What is to be fetched.

use std::fmt;
use std::str::FromStr;

/// An address of a page, as far as this program needs to understand it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    text: String,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the server is to be called.
    pub(crate) authority: String,
    /// The path and what follows it.
    pub(crate) target: String,
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        // What else may be in it goes into the request and to the terminal as it is.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has to be written in ASCII, without blanks");
        }
        let (scheme, rest) = text.split_once("://").ok_or("does not begin with http://")?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err("does not begin with http://, and nothing else is spoken here");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err("has a user's name, which is not sent");
        }
        let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(None) => return Err("has a bracket that is not closed"),
            Some(Some((host, port))) => (host, port),
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err("has no host");
        }
        let port = match port {
            "" | ":" => 80,
            // `parse` alone would take a sign.
            _ => port
                .strip_prefix(':')
                .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0)
                .ok_or("has no port where one should be")?,
        };
        let target = if target.starts_with('/') { target.into() } else { format!("/{target}") };
        Ok(Self { text: text.into(), host: host.into(), port, authority: authority.into(), target })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
