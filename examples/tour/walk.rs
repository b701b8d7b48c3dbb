//! Every file under a path, from a *recursive generator*: a plain recursive function that yields.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use switchback::{Builder, Generator, Thrown, Yielder};

/// Directories nested deeper than this are skipped, with a message.
const DEEPEST: usize = 128;

/// Room for `DEEPEST` frames of `walk` in a debug build, and for what the standard library needs below them.
const STACK: usize = 1024 * 1024;

/// Something under the path that is not counted, and why.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

/// The files under `root` in sorted order, or `root` itself when it is a file.
pub(crate) fn files(root: PathBuf) -> Result<Generator<Result<PathBuf, Skipped>>, String> {
    let walking = Builder::new().name("walk").stack_size(STACK).create(move |y| {
        // `metadata` follows a link, and the one path that somebody asked for is worth following.
        let kind = fs::metadata(&root).map(|metadata| metadata.file_type());
        walk(y, &root, kind, 0)
    });
    walking.map_err(|error| error.to_string())
}

/// Yields what is at `path`, and below it.
///
/// It stops in the middle of this recursion at every file and goes on from there for the next one. The error
/// type of `walk` speaks of the consumer, who may close the generator; what goes wrong with a file is an item.
fn walk(
    y: &Yielder<Result<PathBuf, Skipped>>,
    path: &Path,
    kind: io::Result<FileType>,
    depth: usize,
) -> Result<(), Thrown> {
    let skip = |why: &str| y.yield_(Err(Skipped { path: path.to_path_buf(), why: why.to_string() }));
    let kind = match kind {
        Ok(kind) => kind,
        Err(error) => return skip(&error.to_string()),
    };
    if kind.is_file() {
        return y.yield_(Ok(path.to_path_buf()));
    }
    if kind.is_symlink() {
        // Links may lead in circles, and to files that are counted elsewhere.
        return skip("a symbolic link, not followed");
    }
    if !kind.is_dir() {
        // Reading a pipe or a device might never end.
        return skip("neither a file nor a directory");
    }
    if depth == DEEPEST {
        return skip(&format!("directories nested deeper than {DEEPEST}"));
    }
    match sorted_entries(path) {
        Ok(entries) => entries.into_iter().try_for_each(|(entry, kind)| walk(y, &entry, kind, depth + 1)),
        Err(error) => skip(&error.to_string()),
    }
}

/// The whole directory is read before the first entry is yielded: a directory handle held open across a yield
/// would stay open for as long as the consumer pleases, one for each level.
fn sorted_entries(directory: &Path) -> io::Result<Vec<(PathBuf, io::Result<FileType>)>> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| (entry.path(), entry.file_type())))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries)
}
