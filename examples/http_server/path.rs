//! Targets of requests, as paths and back.

use crate::response::Status;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Where a target leads, below the directory that is served.
pub(crate) struct Target<'a> {
    /// The names on the way. None of them is empty, `.` or `..`, or has a slash or a NUL in it.
    pub(crate) names: Vec<OsString>,
    /// It ends in a slash: what it names is a directory.
    pub(crate) is_directory: bool,
    /// With its question mark.
    pub(crate) query: &'a str,
}

impl<'a> Target<'a> {
    /// The target of a request, in origin form or, as proxies are asked, in absolute form.
    pub(crate) fn parse(target: &'a str) -> Result<Self, Status> {
        let target = match target.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
                // Nothing after the host is the root.
                rest.find(['/', '?']).map_or("/", |end| &rest[end..])
            }
            _ if target.starts_with('/') => target,
            _ => return Err(Status::BAD_REQUEST),
        };
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        // Divided first and decoded then: so an encoded slash divides nothing, and what is looked at is what is opened.
        let mut names = Vec::new();
        for part in path.split('/') {
            let name = decode(part)?;
            match &name[..] {
                b"" | b"." => {}
                b".." => return Err(Status::BAD_REQUEST),
                bytes if bytes.iter().any(|byte| matches!(byte, 0 | b'/')) => return Err(Status::BAD_REQUEST),
                _ => names.push(OsString::from_vec(name)),
            }
        }
        Ok(Self { is_directory: path.is_empty() || path.ends_with('/'), names, query })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Status> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit =
                    || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(Status::BAD_REQUEST);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    Ok(decoded)
}

/// A name as a part of a link.
pub(crate) fn encode(name: &[u8]) -> String {
    let mut encoded = String::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
