//! A tour of the crate in four parts: the dialogues of a talk on Python's generators, a census of real files, tasks, and the
//! time that one switch takes on this machine.
//!
//! ```text
//! cargo run --release --example tour [PATH]
//! ```
//!
//! PATH is a file or a directory to count words in; without one, the source of this crate is counted.
//! What is found out goes to stdout. Messages about files that had to be skipped go to stderr.

#![forbid(unsafe_code)]

mod census;
mod count;
mod measure;
mod out;
mod talk;
mod tasks;
mod tokens;
mod walk;

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use out::{Out, complain};

const USAGE: &str = "usage: tour [PATH]";

fn main() -> ExitCode {
    match tour(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough (`tour | head`): that is no failure of ours.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("tour: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn tour(arguments: impl Iterator<Item = OsString>) -> Result<(), Box<dyn Error>> {
    // Looked at before anything is printed: a wrong path is worth knowing at once.
    let root = root_from(arguments)?;
    let out = Out::stdout();
    talk::play(&out)?;
    census::take(&out, root)?;
    tasks::run(&out)?;
    measure::compare(&out)?;
    out.check()?;
    Ok(())
}

fn root_from(mut arguments: impl Iterator<Item = OsString>) -> Result<PathBuf, Box<dyn Error>> {
    let given = arguments.next();
    if arguments.next().is_some() {
        return Err(USAGE.into());
    }
    let Some(given) = given else {
        // The path was written into the program when it was compiled; it may have been moved since.
        let source = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        return Ok(if source.is_dir() { source } else { PathBuf::from(".") });
    };
    let root = PathBuf::from(given);
    match root.metadata() {
        Ok(_) => Ok(root),
        Err(error) => Err(format!("cannot look at {}: {error}\n{USAGE}", root.display()).into()),
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
