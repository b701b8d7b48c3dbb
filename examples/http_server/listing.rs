//! A directory as a page.

use crate::path::encode;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A page with a link to everything in a directory.
pub(crate) fn page(directory: &File, names: &[OsString]) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let is_directory = match entry.file_type() {
            FileType::Directory => true,
            // Of a link, what it leads to.
            FileType::Symlink | FileType::Unknown => statat(directory, entry.file_name(), AtFlags::empty())
                .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory),
            _ => false,
        };
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            entries.push((OsString::from_vec(entry.file_name().to_bytes().to_vec()), is_directory));
        }
    }
    entries.sort();
    let title: String = names.iter().map(|name| format!("/{}", escape(&name.to_string_lossy()))).collect();
    let mut page =
        format!("<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>{title}/</title>\n<h1>{title}/</h1>\n<ul>\n");
    if !names.is_empty() {
        page.push_str("<li><a href=\"../\">..</a>\n");
    }
    for (name, is_directory) in entries {
        let slash = if is_directory { "/" } else { "" };
        let (link, shown) = (encode(name.as_bytes()), escape(&name.to_string_lossy()));
        page.push_str(&format!("<li><a href=\"{link}{slash}\">{shown}{slash}</a>\n"));
    }
    page.push_str("</ul>\n");
    Ok(page)
}

/// Anybody may have named a file.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
