//! Which file a request means, and whether it may be seen.
//!
//! Files are read by `std::fs`, on the worker: for as long as a disk needs, the other tasks of that worker wait. What is served
//! often is in the system's cache; for slow disks there is `switchback::offload`.

use crate::listing;
use crate::path::{Target, encode};
use crate::request::{Method, Request};
use crate::response::{Response, Status};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is served, and how patiently.
pub(crate) struct Site {
    root: PathBuf,
    patience: Duration,
}

impl Site {
    pub(crate) fn new(directory: &Path, patience: Duration) -> io::Result<Self> {
        let root = directory.canonicalize()?;
        if !root.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { root, patience })
    }

    /// How long a client may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        if request.method == Method::Other {
            return Response::plain(Status::METHOD_NOT_ALLOWED).with("Allow", "GET, HEAD");
        }
        self.find(&request.target).unwrap_or_else(Response::plain)
    }

    fn find(&self, target: &str) -> Result<Response, Status> {
        let target = Target::parse(target)?;
        let path = self.inside(&target.names)?;
        match self.open(&path)? {
            Some(_) if target.is_directory => Err(Status::NOT_FOUND),
            Some((file, length)) => Ok(Response::file(file, length, kind(&path))),
            None if target.is_directory => self.directory(&path, &target.names),
            // Else the links of its page would lead elsewhere. Made of the names, so that it leads to nobody else's server.
            None => {
                let path: String = target.names.iter().map(|name| format!("/{}", encode(name.as_bytes()))).collect();
                Ok(Response::plain(Status::MOVED).with("Location", format!("{path}/{}", target.query)))
            }
        }
    }

    fn directory(&self, path: &Path, names: &[OsString]) -> Result<Response, Status> {
        let index = [names, &["index.html".into()]].concat();
        match self.inside(&index).and_then(|index| self.open(&index)) {
            Ok(Some((file, length))) => Ok(Response::file(file, length, "text/html; charset=utf-8")),
            Ok(None) | Err(Status::NOT_FOUND) => {
                listing::page(path, names).map(Response::html).map_err(|error| status(&error))
            }
            Err(status) => Err(status),
        }
    }

    /// The path of these names, without links in it; not found if it leads out of the directory. (Who may change the directory
    /// while it is served can still make it lead out, between this look and the opening.)
    fn inside(&self, names: &[OsString]) -> Result<PathBuf, Status> {
        let path = self.root.join(names.iter().collect::<PathBuf>());
        let path = path.canonicalize().map_err(|error| status(&error))?;
        if path.starts_with(&self.root) { Ok(path) } else { Err(Status::NOT_FOUND) }
    }

    /// The file and its length, or none if that is a directory.
    fn open(&self, path: &Path) -> Result<Option<(File, u64)>, Status> {
        // Opening a pipe would wait for somebody to write to it, and the worker with it.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| status(&error))?;
        let metadata = file.metadata().map_err(|error| status(&error))?;
        match metadata.file_type() {
            kind if kind.is_dir() => Ok(None),
            kind if kind.is_file() => Ok(Some((file, metadata.len()))),
            _ => Err(Status::NOT_FOUND),
        }
    }
}

fn status(error: &io::Error) -> Status {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ELOOP | libc::ENXIO) => Status::NOT_FOUND,
        Some(libc::EACCES | libc::EPERM) => Status::FORBIDDEN,
        Some(libc::EMFILE | libc::ENFILE) => Status::UNAVAILABLE,
        _ => Status::SERVER_ERROR,
    }
}

/// The media type, by the name.
fn kind(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "md" | "rs" | "toml" | "log" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
