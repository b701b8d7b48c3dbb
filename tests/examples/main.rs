//! Every example, run as a program: exit status, and the lines that it is there to print.
//!
//! `cargo test` builds the examples beside the tests. `cargo test --test examples` does not: they may be missing, or
//! older than their sources. Then these tests fail, and `cargo build --examples` (with the same `--release`,
//! `--target`, …) is what to do.
//!
//! For a target that this machine cannot run, `SWITCHBACK_RUNNER` holds the command to run it with, for instance
//! `qemu-aarch64 -L /usr/aarch64-linux-gnu`: words separated by white space.

#![forbid(unsafe_code)]

#[cfg(unix)]
mod bystanders;
#[cfg(unix)]
mod chat_server;
#[cfg(unix)]
mod client;
#[cfg(unix)]
mod echo_server;
#[cfg(unix)]
mod fetch_many;
#[cfg(unix)]
mod http_server;
mod program;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
#[path = "../common/random.rs"]
mod random;
#[cfg(unix)]
mod server;
#[cfg(unix)]
#[path = "../common/slow.rs"]
mod slow;
#[cfg(target_os = "linux")]
#[path = "../common/terminal.rs"]
mod terminal;

use program::{Run, Scratch, example};
use std::ffi::OsStr;
use std::io::Write;
use std::path::MAIN_SEPARATOR;
use std::process::Stdio;

#[test]
fn same_fringe() {
    Run::quiet("same_fringe").expect_lines(&[
        "100000 leaves, 17 levels deep against 27",
        "same leaves, other shape: true, after 399998 nodes",
        "the sixth leaf differs:   false, after 45 nodes",
    ]);
}

#[test]
fn pull_parser() {
    Run::quiet("pull_parser").expect_lines(&[
        "an order of nobody we know: [\"bob\", \"99\"]",
        "orders left over: 1",
        "[\"Lovelace, Ada: 42\", \"Alan Turing: 0\", \"Grace Hopper: 7\"]",
        "a broken file: 1 row, then Err(\"line 2: a quote is never closed\")",
        "one row of a million: Some([\"a\", \"b\"])",
    ]);
}

#[test]
fn pipeline() {
    Run::quiet("pipeline").expect_lines(&[
        "bytes sent: {\"/page/0\": 12000, \"/page/1\": 15000}; 3000 lines dropped",
        "a bad line: Err(\"no size: \\\"/page/1 200 many\\\"\")",
    ]);
}

#[test]
fn scoped_merge() {
    Run::quiet("scoped_merge").expect_lines(&[
        "10000 times of 5 servers merged with 23991 comparisons",
        "99 of 100 take at least Some(47) µs: 245 comparisons",
    ]);
}

#[cfg(unix)]
#[test]
fn sync_over_async() {
    Run::quiet("sync_over_async").expect_lines(&[
        "download 1: 5000 records, all as they were sent",
        "download 2: 5000 records, all as they were sent",
        "download 3: 5000 records, all as they were sent",
        "all three at once, on one thread",
        "the first squares of a stream that is dropped then: [0, 1, 4, 9, 16]",
    ]);
}

#[cfg(unix)]
#[test]
fn async_host() {
    let run = Run::of("async_host", &[OsStr::new("400")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    run.expect_lines(&[
        "400 scripts at once, on one thread: total 1596400, up to 400 in the midst of a call",
        "400 scripts one by one: total 1596400",
        "a script without an end: timed out and dropped, and the interpreter has left it",
    ]);
    let wrong = Run::of("async_host", &[OsStr::new("many")]);
    assert!(!wrong.success && wrong.stderr.contains("usage: async_host [SCRIPTS]"), "{}", wrong.whole);
}

/// The tour as it is run without a path, which counts the source of the crate.
#[test]
fn million_holds_as_many_as_it_is_told() {
    let run = Run::of("million", &[OsStr::new("3000")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    run.expect_lines(&["guarded stacks in the process: 3000", "sum of what they have yielded: 4501500"]);
    let wrong = Run::of("million", &[OsStr::new("many")]);
    assert!(!wrong.success && wrong.stderr.starts_with("usage: million [N]"), "{}", wrong.whole);
}

#[test]
fn asleep_wakes_each_at_its_time() {
    let run = Run::of("asleep", &[OsStr::new("2000")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    assert!(run.stdout.contains("virtual clock: 2000 tasks have slept, in 24.0 hours"), "{}", run.whole);
    assert!(run.stdout.contains("real clock: 2000 tasks have slept"), "{}", run.whole);
    let wrong = Run::of("asleep", &[OsStr::new("0")]);
    assert!(!wrong.success && wrong.stderr.starts_with("usage: asleep [N]"), "{}", wrong.whole);
}

/// Those for which there is no stack would begin when others end, and those sleep until all have begun.
///
/// Not where a tool or an emulator has the address space.
#[test]
#[cfg(all(target_os = "linux", not(any(switchback_asan, switchback_tsan, switchback_valgrind))))]
fn asleep_says_when_there_are_not_stacks_for_all() {
    if std::env::var_os("SWITCHBACK_RUNNER").is_some() {
        return;
    }
    let program = example("asleep");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v 1000000; exec \"$0\" 5000"]).arg(program.get_program()).stdin(Stdio::null());
    let run = Run::from(shell.output().expect("there is a shell"));
    assert_eq!(run.status, Some(1), "{}", run.whole);
    run.expect_stderr(&["of 5000 are asleep, and there is no stack for another"]);
    assert!(!run.stderr.contains("panicked"), "{}", run.whole);
}

#[test]
fn skynet_sums_its_leaves_on_one_worker_and_on_all() {
    let run = Run::of("skynet", &[OsStr::new("10000")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    assert_eq!(run.stdout.lines().filter(|line| *line == "49995000").count(), 2, "{}", run.whole);
    let wrong = Run::of("skynet", &[OsStr::new("11")]);
    assert!(!wrong.success && wrong.stderr.starts_with("usage: skynet"), "{}", wrong.whole);
}

#[test]
fn ring_goes_round_on_one_worker_and_on_all() {
    let run = Run::of("ring", &[OsStr::new("50"), OsStr::new("1000")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    assert_eq!(run.stdout.lines().filter(|line| line.contains(": 1000 steps, ")).count(), 2, "{}", run.whole);
    let wrong = Run::of("ring", &[OsStr::new("none")]);
    assert!(!wrong.success && wrong.stderr.starts_with("usage: ring"), "{}", wrong.whole);
}

#[test]
fn latency_counts_every_sample_in_its_histograms() {
    let run = Run::of("latency", &[OsStr::new("1000")]);
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    for what in [
        "a switch (",
        "a wake, one worker (",
        "a wake, from a thread, worker busy",
        "a wake, from a thread, worker asleep",
    ] {
        let mut lines = run.stdout.lines().skip_while(|line| !line.starts_with(what));
        let heading = lines.next().unwrap_or_else(|| panic!("no {what:?} in {}", run.whole));
        let words = heading.strip_suffix(" samples, ns each").and_then(|words| words.rsplit_once(": "));
        let samples: u64 = words.and_then(|(_, samples)| samples.parse().ok()).expect("a number of samples");
        assert!(samples > 0, "{}", run.whole);
        let quantiles: Vec<&str> = lines.next().expect("a line of quantiles").split_whitespace().collect();
        let names: Vec<&str> = quantiles.iter().copied().step_by(2).collect();
        assert_eq!(names, ["min", "p50", "p99", "p99.9", "max"], "{}", run.whole);
        let values: Vec<f64> =
            quantiles.iter().skip(1).step_by(2).map(|value| value.parse().expect("a time")).collect();
        assert!(values.is_sorted() && values[4] > 0.0, "{}", run.whole);
        // `low to high count bar`, the last one `above high count bar`.
        let count = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words[if words[0] == "above" { 2 } else { 3 }].parse::<u64>().expect("a count")
        };
        assert_eq!(lines.take(17).map(count).sum::<u64>(), samples, "{what} in {}", run.whole);
    }
    let wrong = Run::of("latency", &[OsStr::new("0")]);
    assert!(!wrong.success && wrong.stderr.starts_with("usage: latency [SAMPLES]"), "{}", wrong.whole);
}

#[test]
fn tour_plays_the_talk() {
    let run = Run::quiet("tour");
    run.expect_lines(&["Received: 100", "Received: None"]);
    // What Python prints for the same program, line for line.
    let printed = |line: &&str| line.starts_with("first ") || line.starts_with("second ");
    let printed: Vec<&str> = run.stdout.lines().filter(printed).collect();
    let python = [
        "first got: 1st value sent to main coroutine",
        "first got: None",
        "first got: None",
        "first got: None",
        "first finished at 4",
        "second got: value sent to main coroutine",
    ];
    assert_eq!(printed, python, "{}", run.whole);

    // What start, send, throw and close gave, in the order of the calls.
    let results = run.stdout.lines().filter(|line| line.starts_with("    "));
    let results: Vec<&str> = results.filter_map(|line| Some(line.split_once(" -> ")?.1)).collect();
    let thrown = "Err: ValueError: not a number I like";
    assert_eq!(results[4], thrown, "{}", run.whole);
    // The words of other errors are the library's business.
    let results: Vec<&str> = results.iter().map(|result| result.split(':').next().unwrap_or(result)).collect();
    let counter = ["Err", "Yielded(0)", "Yielded(1)", "Yielded(2)", "Err", "Err"];
    let answer = ["Yielded(1)", "Yielded(2)", "Complete(42)", "Err"];
    let general = ["Yielded(1)", "Yielded(2)", "Yielded(3)", "Yielded(4)", "Yielded(5)", "Yielded(6)", "None", "Err"];
    assert_eq!(results, [&counter[..], &answer, &general].concat(), "{}", run.whole);

    run.expect_lines(&[
        "back from the baker",
        "three errands of 6 hours took 3 h",
        "bought [\"bread\", \"milk\", \"tea\"], in 3 h",
        "tea is sold out: the others are home after 0 h",
        "called back (it rains): home after 3 h",
        "passport: the time is over, after 4 h",
    ]);

    // The other two parts: something was counted, and every contender was measured.
    assert_eq!(run.columns("skipped"), ["skipped", "0"], "{}", run.whole);
    assert_eq!(run.columns("total").len(), 8, "{}", run.whole);
    for contender in ["indirect", "switchback,", "corosensei,"] {
        run.columns(contender);
    }
}

#[test]
fn tour_counts_files_and_says_which_it_skipped() {
    let scratch = Scratch::new("census");
    let code = "fn one() {\n    two(\"three four\", '\"', 5.5); // six /* seven\n}\n/* a /* b */ c */ fn\n";
    scratch.write("code.rs", code);
    scratch.write("below/more.rs", "let x = [[1], [2]];\n");
    scratch.write("plain", "only words here");
    let latin = scratch.write(&format!("below{MAIN_SEPARATOR}latin1.txt"), b"caf\xe9\n");
    // Far deeper than any stack would bear. What follows the brackets is counted all the same.
    let brackets = 200_000;
    let deep = scratch.write("deep.nest", format!("{}{} after", "(".repeat(brackets), ")".repeat(brackets)));
    let comments = scratch.write("deep.comments", "/* inside ".repeat(brackets));
    #[cfg(not(unix))]
    let skipped = 1;
    #[cfg(unix)]
    let skipped = {
        // Two ways to walk for ever, and a file that is not ours to read; root may read any.
        std::os::unix::fs::symlink("..", scratch.0.join("below/up")).expect("a link can be made");
        std::os::unix::fs::symlink("self", scratch.0.join("self")).expect("a link can be made");
        3 + u64::from(make_unreadable(&scratch.write("secret.rs", "never seen")))
    };

    let run = Run::of("tour", &[scratch.0.as_os_str()]);
    assert!(run.success, "{}", run.whole);
    run.expect_stderr(&["skipped", &latin.to_string_lossy(), "not UTF-8"]);
    run.expect_stderr(&[&deep.to_string_lossy(), "nested deeper than 200"]);
    run.expect_stderr(&[&comments.to_string_lossy(), "nested deeper than 200"]);
    assert_eq!(run.columns("skipped"), ["skipped", &skipped.to_string()], "{}", run.whole);
    // Columns: files, lines, words in code, in comments and in strings, numbers, nesting.
    assert_eq!(run.columns(".rs"), [".rs", "2", "5", "6", "5", "2", "3", "2"], "{}", run.whole);
    assert_eq!(run.columns("(none)"), ["(none)", "1", "1", "3", "0", "0", "0", "0"], "{}", run.whole);
    assert_eq!(run.columns(".nest"), [".nest", "1", "1", "1", "0", "0", "0", ">200"], "{}", run.whole);
    let inside = brackets.to_string();
    assert_eq!(run.columns(&inside), [&inside, "inside"], "{}", run.whole);
    // Stderr is no terminal here: no progress, and nothing to wipe.
    assert!(!run.stderr.contains(['\r', '\x1b']), "{}", run.whole);
}

/// Takes the permissions away and says whether that keeps us out.
#[cfg(unix)]
fn make_unreadable(path: &std::path::Path) -> bool {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("the file is ours");
    let kept_out = fs::File::open(path).is_err();
    if !kept_out {
        fs::remove_file(path).expect("the file is ours");
    }
    kept_out
}

#[test]
fn tour_skips_directories_that_are_too_deep() {
    let scratch = Scratch::new("deep");
    scratch.write(&format!("{}near.rs", "d/".repeat(100)), "counted");
    scratch.write(&format!("{}far.rs", "d/".repeat(150)), "not counted");
    let run = Run::of("tour", &[scratch.0.as_os_str()]);
    assert!(run.success, "{}", run.whole);
    run.expect_stderr(&["skipped", "nested deeper than 128"]);
    assert_eq!(run.columns("total")[..2], ["total", "1"], "{}", run.whole);
}

#[test]
fn tour_fails_where_there_is_nothing() {
    let scratch = Scratch::new("absent");
    let absent = scratch.0.join("no such file");
    let run = Run::of("tour", &[absent.as_os_str()]);
    assert!(!run.success && run.stdout.is_empty(), "{}", run.whole);
    run.expect_stderr(&["tour: cannot look at", &absent.to_string_lossy()]);
    assert!(!run.stderr.contains("panicked"), "{}", run.whole);

    let two = Run::of("tour", &[OsStr::new("."), OsStr::new(".")]);
    assert!(!two.success && two.stderr.contains("usage: tour [PATH]"), "{}", two.whole);
}

/// `tour | head -0`: whoever read has gone before anything is written.
#[test]
fn tour_minds_no_closed_pipe() {
    let mut command = example("tour");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tour can be run");
    drop(child.stdout.take());
    let run = Run::from(child.wait_with_output().expect("the tour can be waited for"));
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
}

/// A program of a generator with this body, of which the driver does these things.
fn program(body: &str, main: &str) -> String {
    let function = format!(r#"{{"ints":0,"gens":0,"body":[{body}]}}"#);
    let head = r#""id":"é","kind":"gen","level":1,"profile":"by hand","slots":1"#;
    format!(r#"{{{head},"funcs":[{function}],"main":[["new",0,0,null],["next",0],{main}]}}"#)
}

/// One that yields 1 and returns 42.
fn answer() -> String {
    program(r#"["yield",1,1,null],["return",2,42]"#, r#"["next",0]"#)
}

/// What CPython prints for it.
const ANSWER: &str = r#"["prog","\u00e9"]
["op",0,"new","s0","gen",0]
["start",0,0]
["op",1,"next","s0","yielded",1]
["recv",0,1,null]
["exit",0]
["op",2,"next","s0","returned",42]
["dropped",0]
["op",3,"drop","s0","end"]
["end","\u00e9",8]
"#;

#[test]
fn replay_prints_what_cpython_prints() {
    let run = Run::fed("replay", &[], format!("{}\n{}", answer(), answer()));
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    assert_eq!(run.stdout, ANSWER.repeat(2));
}

/// CPython 3.13 tells what the body returns when it is closed, and 3.12 does not.
#[test]
fn replay_tells_what_close_returns_when_it_is_asked_to() {
    let returns =
        program(r#"["try",1,[["yield",2,0,null]],[[["GeneratorExit"],null,[["return",3,7]]]],null]"#, r#"["close",0]"#);
    Run::fed("replay", &[], &*returns).expect_lines(&[r#"["op",2,"close","s0","closed",null]"#]);
    Run::fed("replay", &["--close-value"], &*returns).expect_lines(&[r#"["op",2,"close","s0","closed",7]"#]);
}

#[test]
fn replay_stops_at_the_first_line_that_is_no_program() {
    let program = answer();
    let half = &program[..program.len() / 2];
    let unknown = program.replace("\"yield\"", "\"yell\"");
    let latin = [program.as_bytes(), b"\xe9"].concat();
    let deep = "[".repeat(1_000_000);
    for (bad, words) in [
        (half.as_bytes(), "EOF while parsing"),
        (unknown.as_bytes(), "function 0: yell 1: \"yell\" is unknown"),
        (&latin, "it is not UTF-8"),
        (deep.as_bytes(), "recursion limit exceeded"),
        (b"{}", "there is no \"kind\""),
    ] {
        let input = [program.as_bytes(), b"\n\n# a remark\n", bad, b"\n", program.as_bytes(), b"\n"].concat();
        let run = Run::fed("replay", &[], input);
        assert_eq!(run.status, Some(2), "{}", run.whole);
        // The first one's trace stays, nothing of the bad one's is there, and the last is not run.
        assert_eq!(run.stdout, ANSWER, "{}", run.whole);
        run.expect_stderr(&["replay: line 4: ", words]);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.whole);
    }
}

/// However often it goes round, whatever is in it: nothing, or what is counted.
#[test]
fn replay_comes_to_the_end_of_every_loop() {
    let often = i64::MAX;
    let empty = program(&format!(r#"["loop",1,{often},[]],["yield",2,1,null]"#), r#"["drop",0]"#);
    let nested = program(&format!(r#"["loop",1,{often},[["loop",2,{often},[]]]]"#), r#"["drop",0]"#);
    let run = Run::fed("replay", &[], format!("{empty}\n{nested}\n"));
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
    run.expect_lines(&[r#"["op",1,"next","s0","yielded",1]"#, r#"["limit"]"#]);
}

#[test]
fn replay_takes_no_other_arguments() {
    for arguments in [&["--close"][..], &["--close-value", "--close-value"], &["file"]] {
        let run = Run::fed("replay", arguments, answer());
        assert!(run.status == Some(2) && run.stdout.is_empty(), "{}", run.whole);
        assert_eq!(run.stderr, "replay: usage: replay [--close-value] <PROGRAMS\n");
    }
    let run = Run::quiet("replay");
    assert!(run.stdout.is_empty(), "nothing in, nothing out: {}", run.whole);
}

#[test]
fn replay_minds_no_closed_pipe() {
    let mut command = example("replay");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    drop(child.stdout.take());
    let mut input = child.stdin.take().expect("it is piped");
    // It ends at the first trace that nobody reads, and does not read the rest.
    while writeln!(input, "{}", answer()).is_ok() {}
    let run = Run::from(child.wait_with_output().expect("it can be waited for"));
    assert!(run.success && run.stderr.is_empty(), "{}", run.whole);
}

/// A frame can only be discarded by unwinding.
#[test]
#[cfg(panic = "abort")]
fn replay_says_which_program_takes_unwinding() {
    let ignores = r#"["try",1,[["yield",2,0,null]],[[["GeneratorExit"],null,[["yield",3,1,null]]]],null]"#;
    // Closed, it is suspended again, and then leaves as it should.
    let closed = program(ignores, r#"["close",0],["next",0]"#);
    let dropped = program(ignores, r#"["drop",0]"#);
    let run = Run::fed("replay", &[], format!("{}\n{closed}\n{dropped}\n{}\n", answer(), answer()));
    assert!(run.status == Some(1) && run.stdout.starts_with(ANSWER), "{}", run.whole);
    run.expect_lines(&[r#"["op",2,"close","s0","raised",["RuntimeError","generator ignored GeneratorExit"]]"#]);
    assert_eq!(run.stdout.matches("prog").count(), 2, "{}", run.whole);
    run.expect_stderr(&["replay: line 3: a frame is to be discarded, which takes unwinding"]);
}
