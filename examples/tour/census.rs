//! Part two: files to tokens to totals, three coroutines that know nothing of one another.

use std::cmp::Reverse;
use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use switchback::Coroutine;
use switchback::CoroutineState::{Complete, Yielded};

use crate::count::{self, Event, Row, Totals};
use crate::out::{Out, complain};
use crate::tokens::{self, Kind};
use crate::walk::{self, Skipped};

/// How many extensions have a line of their own, those with the most files.
const EXTENSIONS: usize = 12;

/// How many of the most frequent words are shown.
const WORDS: usize = 10;

type Sink = Coroutine<(), Option<Event>, Totals>;

/// Counts the words of every file under `root` and prints what it found.
pub(crate) fn take(out: &Out, root: PathBuf) -> Result<(), Box<dyn Error>> {
    out.heading(format_args!("Census of {}, every file read as if it were Rust", root.display()));
    let mut progress = Progress::new();
    let mut skipped = 0u64;
    let mut sink = count::counter();
    sink.start()?;
    // Here two generators are pulled from and a third coroutine is pushed into, in one plain loop.
    for found in walk::files(root)? {
        let counted = found.and_then(|path| {
            progress.at(&path);
            read(path)
        });
        match counted {
            Ok((path, text)) => count_file(&mut sink, &mut progress, &path, text)?,
            Err(Skipped { path, why }) => {
                skipped += 1;
                progress.complain(format_args!("skipped {}: {why}", path.display()));
            }
        }
    }
    let totals = match sink.send(None)? {
        Complete(totals) => totals,
        Yielded(()) => return Err("the sink was told that there is no more, and wants more".into()),
    };
    drop(progress);
    print_rows(out, &totals);
    out.line(format_args!("skipped {skipped}"));
    print_words(out, &totals);
    out.check()?;
    Ok(())
}

/// A file that is text, or why it is skipped.
fn read(path: PathBuf) -> Result<(PathBuf, String), Skipped> {
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Err(Skipped { path, why: error.to_string() });
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(Skipped { path, why: format!("not UTF-8: {}", error.utf8_error()) }),
    }
}

fn count_file(sink: &mut Sink, progress: &mut Progress, path: &Path, text: String) -> Result<(), Box<dyn Error>> {
    let extension = match path.extension() {
        Some(extension) => format!(".{}", extension.to_string_lossy()),
        None => "(none)".to_string(),
    };
    let text: Rc<str> = text.into();
    send(sink, Event::File { extension, text: Rc::clone(&text) })?;
    let mut told = false;
    for token in tokens::tokens(text)? {
        if token.kind == Kind::TooDeep && !told {
            told = true;
            let deepest = tokens::DEEPEST;
            progress.complain(format_args!("{}: nested deeper than {deepest}, not followed further", path.display()));
        }
        send(sink, Event::Token(token))?;
    }
    Ok(())
}

fn send(sink: &mut Sink, event: Event) -> Result<(), Box<dyn Error>> {
    match sink.send(Some(event))? {
        Yielded(()) => Ok(()),
        Complete(_) => Err("the sink ended before its input".into()),
    }
}

fn print_rows(out: &Out, totals: &Totals) {
    let mut rows: Vec<(&str, Row)> = totals.rows.iter().map(|(extension, row)| (extension.as_str(), *row)).collect();
    rows.sort_by_key(|&(extension, row)| (Reverse(row.files), extension));
    let sum = |rows: &[(&str, Row)]| rows.iter().fold(Row::default(), |sum, (_, row)| sum.and(row));
    let total = sum(&rows);
    if rows.len() > EXTENSIONS {
        let others = sum(&rows.split_off(EXTENSIONS));
        rows.push(("(others)", others));
    }
    rows.push(("total", total));

    let headings = ["extension", "files", "lines", "words in code", "in comments", "in strings", "numbers", "nesting"];
    let [extension, files, lines, code, comments, strings, numbers, nesting] = headings;
    // The headings are as wide as their columns; only an extension may be wider.
    let wide = rows.iter().map(|(extension, _)| extension.chars().count()).fold(extension.len(), usize::max);
    out.line(format_args!(
        "{extension:<wide$} {files:>7} {lines:>9} {code:>14} {comments:>12} {strings:>11} {numbers:>9} {nesting:>8}"
    ));
    for (extension, row) in rows {
        let Row { files, lines, code_words, comment_words, text_words, numbers, deepest } = row;
        let nesting = match deepest {
            ..=tokens::DEEPEST => deepest.to_string(),
            _ => format!(">{}", tokens::DEEPEST),
        };
        out.line(format_args!(
            "{extension:<wide$} {files:>7} {lines:>9} {code_words:>14} {comment_words:>12} {text_words:>11} \
             {numbers:>9} {nesting:>8}"
        ));
    }
}

fn print_words(out: &Out, totals: &Totals) {
    let mut words: Vec<_> = totals.words.iter().collect();
    // Equal counts are put in the order of the words: the same files always print the same lines.
    words.sort_by_key(|&(word, &count)| (Reverse(count), word));
    out.line(format_args!("{} different words, the most frequent:", words.len()));
    for (word, count) in words.into_iter().take(WORDS) {
        out.line(format_args!("{count:>9}  {word}"));
    }
}

/// One line on stderr that is written over and over, and wiped at the end. Silent unless stderr is a terminal.
struct Progress {
    shown: bool,
    files: u64,
}

impl Progress {
    fn new() -> Self {
        Progress { shown: io::stderr().is_terminal(), files: 0 }
    }

    fn at(&mut self, path: &Path) {
        self.files += 1;
        // A terminal is slow: it is told of one file in sixteen.
        if self.shown && self.files % 16 == 1 {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A name may hold anything, the terminal's own commands included.
            let name: String = name.chars().filter(|next| !next.is_control()).take(40).collect();
            self.show(format_args!("{} files: {name}", self.files));
        }
    }

    fn complain(&self, line: impl std::fmt::Display) {
        self.wipe();
        complain(line);
    }

    fn wipe(&self) {
        if self.shown {
            self.show(format_args!(""));
        }
    }

    /// To the start of the line, the new text, and nothing of the old one after it. Progress that cannot be
    /// shown is no reason to stop.
    fn show(&self, text: std::fmt::Arguments<'_>) {
        let _ = write!(io::stderr(), "\r{text}\x1b[K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}
