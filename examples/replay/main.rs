//! Replays programs of Python's generators: reads one on each line of standard input, as JSON, runs it on coroutines of
//! this crate, and prints what happens, in the form in which CPython's trace of the same program was written.
//!
//! ```text
//! cargo run --example replay <tests/conformance/classic.jsonl
//! ```
//!
//! `tests/conformance/LANGUAGE.md` has the language and the trace. With `--close-value` the trace also tells what `close`
//! returns, as from CPython 3.13 on. Empty lines and lines that begin with `#` are skipped. The first line that is no
//! program ends the run with status 2, and nothing of it is run; a program that cannot be run to its end, with status 1.

#![forbid(unsafe_code)]

mod interpreter;

use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: replay [--close-value] <PROGRAMS";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let close_value = match arguments.as_slice() {
        [] => false,
        [option] if option == "--close-value" => true,
        _ => return fail(2, USAGE),
    };
    let mut output = io::stdout().lock();
    for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
        let program = match line {
            Ok(line) if is_empty(&line) => continue,
            Ok(line) => match str::from_utf8(&line) {
                Ok(line) => interpreter::parse(line),
                Err(error) => Err(format!("it is not UTF-8: {error}")),
            },
            Err(error) => Err(error.to_string()),
        };
        let program = match program {
            Ok(program) => program,
            Err(wrong) => return fail(2, format_args!("line {number}: {wrong}")),
        };
        let trace = match interpreter::run(program, close_value) {
            Ok(trace) => trace,
            Err(why) => return fail(1, format_args!("line {number}: {why}")),
        };
        // Whole lines are written at once: the traces of earlier programs are there whatever happens to a later one.
        match output.write_all(&trace) {
            Ok(()) => {}
            // Whoever read our output has seen enough (`replay | head`): that is no failure of ours.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Err(error) => return fail(1, error),
        }
    }
    ExitCode::SUCCESS
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start(), [] | [b'#', ..])
}

fn fail(status: u8, why: impl Display) -> ExitCode {
    // Nothing can be done about a standard error that cannot be written.
    let _ = writeln!(io::stderr(), "replay: {why}");
    ExitCode::from(status)
}
