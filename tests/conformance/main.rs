//! Programs of Python's generators and coroutines, run by the interpreter of `examples/replay` in this process: the trace of
//! each must be CPython's, byte for byte.
//!
//! `README.md` beside this file says where the programs and the traces come from.
#![forbid(unsafe_code)]

#[path = "../../examples/replay/interpreter/mod.rs"]
mod interpreter;
mod refusals;

use flate2::read::GzDecoder;
use std::io::Read;

/// A program, and its trace by CPython. Both are text as it stands in the files.
struct Case<'a> {
    program: &'a str,
    trace: &'a str,
}

impl Case<'_> {
    fn id(&self) -> &str {
        self.trace.lines().next().unwrap_or_default()
    }

    /// Whether a frame is discarded: its body has ignored the exit of a drop, and is not heard of again.
    fn discards_a_frame(&self) -> bool {
        let events = |name: &str| self.trace.lines().filter(|line| line.starts_with(name)).count();
        events(r#"["start","#) != events(r#"["exit","#)
    }

    /// Where the trace of the interpreter differs, in words.
    fn difference(&self, close_value: bool) -> Option<String> {
        let ran = interpreter::parse(self.program)
            .and_then(|program| interpreter::run(program, close_value).map_err(|why| why.to_string()));
        let trace = match ran {
            Ok(trace) => String::from_utf8(trace).expect("it is ASCII"),
            Err(why) => return Some(format!("{}: {why}", self.id())),
        };
        if trace == self.trace {
            return None;
        }
        let end = ["(the end)"];
        let pairs = self.trace.lines().chain(end).zip(trace.lines().chain(end));
        let (event, (theirs, ours)) = pairs.enumerate().find(|(_, (theirs, ours))| theirs != ours)?;
        Some(format!("{}: event {event} is {theirs} and here {ours}", self.id()))
    }
}

/// The parts of `text` that each begin with a line that begins so.
fn parts<'a>(mut text: &'a str, beginning: &str) -> Vec<&'a str> {
    let next = format!("\n{beginning}");
    let mut parts = Vec::new();
    while !text.is_empty() {
        let part;
        (part, text) = text.split_at(text.find(&next).map_or(text.len(), |end| end + 1));
        parts.push(part);
    }
    parts
}

/// Runs them all and names those that differ.
#[track_caller]
fn assert_all_agree(cases: &[Case<'_>], count: usize, close_value: bool) {
    assert_eq!(cases.len(), count, "programs are missing");
    // To discard a frame takes unwinding, which a program whose panics abort cannot: all others are run there as well.
    let cases = cases.iter().filter(|case| cfg!(panic = "unwind") || !case.discards_a_frame());
    let differences: Vec<String> = cases.filter_map(|case| case.difference(close_value)).collect();
    assert!(differences.is_empty(), "{} of {count} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Those of a file in `generated`, which has each program followed by its trace.
#[track_caller]
fn assert_generated_agree(compressed: &[u8], count: usize, close_value: bool) {
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).expect("the file is whole");
    let cases = parts(&text, "{").into_iter().filter_map(|part| part.split_once('\n'));
    let cases: Vec<_> = cases.map(|(program, trace)| Case { program, trace }).collect();
    assert_all_agree(&cases, count, close_value);
}

/// The programs of `classic.jsonl`: those of talks, PEPs and CPython's own tests, written by hand.
#[test]
fn classic() {
    let programs = include_str!("classic.jsonl").lines();
    let traces = parts(include_str!("classic.trace"), "[\"prog\",");
    let cases: Vec<_> = programs.zip(traces).map(|(program, trace)| Case { program, trace }).collect();
    assert_all_agree(&cases, 82, false);
}

#[test]
fn level_1_generators() {
    assert_generated_agree(include_bytes!("generated/level1-gen.gz"), 1300, false);
}

#[test]
fn level_1_coroutines() {
    assert_generated_agree(include_bytes!("generated/level1-coro.gz"), 300, false);
}

/// From here on bodies own generators.
#[test]
fn level_2_generators() {
    assert_generated_agree(include_bytes!("generated/level2-gen.gz"), 900, false);
}

#[test]
fn level_2_coroutines() {
    assert_generated_agree(include_bytes!("generated/level2-coro.gz"), 200, false);
}

/// From here on handles are shared, and a generator can be reached while it runs.
#[test]
fn level_3_generators() {
    assert_generated_agree(include_bytes!("generated/level3-gen.gz"), 1300, false);
}

#[test]
fn level_3_coroutines() {
    assert_generated_agree(include_bytes!("generated/level3-coro.gz"), 300, false);
}

/// `close` returns what the body returns, as from CPython 3.13 on.
#[test]
fn what_close_returns() {
    assert_generated_agree(include_bytes!("generated/closed.gz"), 42, true);
}
