//! What may befall any of the examples: nobody reads what it says, or its arguments are none.

use crate::program::{Run, example};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::pipe;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

/// Each example, with arguments by which it takes little time.
const ALL: [(&str, &[&str]); 18] = [
    ("asleep", &["200"]),
    ("async_host", &["20"]),
    ("chat_server", &[]),
    ("echo_server", &[]),
    ("fetch_many", &[]),
    ("http_server", &[]),
    ("latency", &["1000"]),
    ("million", &["200"]),
    ("pipeline", &[]),
    ("proxy", &[]),
    ("pull_parser", &[]),
    ("replay", &[]),
    ("ring", &["10", "100"]),
    ("same_fringe", &[]),
    ("scoped_merge", &[]),
    ("skynet", &["100"]),
    ("sync_over_async", &[]),
    ("tour", &["Cargo.toml"]),
];

#[test]
fn all_examples_are_among_these() {
    let entries = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let names: BTreeSet<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(names, ALL.iter().map(|(name, _)| (*name).to_owned()).collect());
}

/// As by `| head -0`, and from the beginning.
#[test]
fn none_panics_where_nobody_reads_its_output() {
    for (name, arguments) in ALL {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = example(name).args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output();
        let run = Run::from(output.expect("it can be run"));
        assert!(matches!(run.status, Some(0 | 1)) && !run.stderr.contains("panicked"), "{name}: {}", run.whole);
        // Either that is no failure, or it is told.
        let is_told = run.stderr.contains("roken pipe") || name == "fetch_many";
        assert!(run.success || is_told, "{name}: {}", run.whole);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn each_that_says_something_tells_that_its_output_is_full() {
    for (name, arguments) in ALL.into_iter().filter(|(name, _)| *name != "replay") {
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = example(name).args(arguments).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output();
        let run = Run::from(output.expect("it can be run"));
        assert_eq!(run.status, Some(1), "{name}: {}", run.whole);
        assert!(run.stderr.contains("No space left") && !run.stderr.contains("panicked"), "{name}: {}", run.whole);
    }
}

#[test]
fn arguments_that_are_no_text_and_too_many_are_refused() {
    let no_text = OsStr::from_bytes(b"\xff\xfe");
    let lines = [OsStr::new("1000"); 3];
    for (name, status) in [
        ("asleep", 2),
        ("async_host", 1),
        ("chat_server", 2),
        ("echo_server", 2),
        ("fetch_many", 2),
        ("http_server", 2),
        ("latency", 2),
        ("million", 2),
        ("proxy", 2),
        ("replay", 2),
        ("ring", 2),
        ("skynet", 2),
        ("tour", 1),
    ] {
        for arguments in [&[no_text][..], &lines] {
            let wrong = Run::of(name, arguments);
            assert!(wrong.status == Some(status) && wrong.stdout.is_empty(), "{name} {arguments:?}: {}", wrong.whole);
            assert!(wrong.stderr.contains("usage: "), "{name} {arguments:?}: {}", wrong.whole);
        }
        // And where nobody is there to be told.
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let ended = example(name).arg(no_text).stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer).status();
        assert_eq!(ended.expect("it can be run").code(), Some(status), "{name}");
    }
}

/// Numbers of which it would make something that is none.
#[test]
fn numbers_that_are_too_large_are_refused() {
    for (name, number) in [
        ("latency", "18446744073709551615"),
        ("skynet", "10000000000"),
        ("ring", "1000001"),
        ("asleep", "4294967296"),
        ("async_host", "-1"),
    ] {
        let wrong = Run::of(name, &[OsStr::new(number)]);
        assert!(!wrong.success && wrong.stdout.is_empty(), "{name}: {}", wrong.whole);
        assert!(wrong.stderr.contains("usage: "), "{name}: {}", wrong.whole);
    }
}
