//! Which file a request means, and what is answered. All of this waits for the disk: it is for `switchback::offload`.

use crate::listing;
use crate::path::{Target, encode};
use crate::request::{Method, Request};
use crate::response::{Response, Status};
use crate::root::Root;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is served.
pub(crate) struct Site {
    root: Root,
}

/// What a path leads to.
enum Found {
    /// And how long it is.
    File(File, u64),
    Directory(File),
}

impl Site {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        Ok(Self { root: Root::new(directory)? })
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        if request.method == Method::Other {
            return Response::plain(Status::METHOD_NOT_ALLOWED).with("Allow", "GET, HEAD");
        }
        self.find(&request.target).unwrap_or_else(Response::plain)
    }

    fn find(&self, target: &str) -> Result<Response, Status> {
        let target = Target::parse(target)?;
        match self.open(&target.names)? {
            Found::File(..) if target.is_directory => Err(Status::NOT_FOUND),
            Found::File(file, length) => Ok(Response::file(file, length, kind(target.names.last()))),
            Found::Directory(directory) if target.is_directory => self.directory(&directory, target.names),
            // Else the links of its page would lead elsewhere. Made of the names, so that it leads to nobody else's server.
            Found::Directory(_) => {
                let path: String = target.names.iter().map(|name| format!("/{}", encode(name.as_bytes()))).collect();
                Ok(Response::plain(Status::MOVED).with("Location", format!("{path}/{}", target.query)))
            }
        }
    }

    fn directory(&self, directory: &File, mut names: Vec<OsString>) -> Result<Response, Status> {
        names.push("index.html".into());
        match self.open(&names) {
            Ok(Found::File(file, length)) => Ok(Response::file(file, length, kind(names.last()))),
            Ok(Found::Directory(_)) | Err(Status::NOT_FOUND) => {
                names.pop();
                listing::page(directory, &names).map(Response::html).map_err(|error| status(&error))
            }
            Err(status) => Err(status),
        }
    }

    fn open(&self, names: &[OsString]) -> Result<Found, Status> {
        let file = self.root.open(names).map_err(|error| status(&error))?;
        let metadata = file.metadata().map_err(|error| status(&error))?;
        match metadata.file_type() {
            kind if kind.is_dir() => Ok(Found::Directory(file)),
            kind if kind.is_file() => Ok(Found::File(file, metadata.len())),
            _ => Err(Status::NOT_FOUND),
        }
    }
}

fn status(error: &io::Error) -> Status {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ELOOP | libc::ENXIO | libc::EXDEV) => {
            Status::NOT_FOUND
        }
        Some(libc::EACCES | libc::EPERM) => Status::FORBIDDEN,
        // The last: somebody changes the directory at this moment.
        Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN) => Status::UNAVAILABLE,
        _ => Status::SERVER_ERROR,
    }
}

/// The media type, by the name.
fn kind(name: Option<&OsString>) -> &'static str {
    let extension = name.and_then(|name| Path::new(name).extension()).and_then(OsStr::to_str).unwrap_or_default();
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
