//! Tests in processes of their own: the test program runs itself again, for one test.
#![allow(dead_code)] // no test uses all of it

use std::ffi::OsString;
use std::process::{Command, Output};

const INSIDE: &str = "SWITCHBACK_TEST_INSIDE";

/// The word that [`Outside::run`] was given, if this is the process that it has started.
pub(crate) fn inside() -> Option<String> {
    std::env::var(INSIDE).ok()
}

/// Runs the rest of the test called `name`, with its module, in a process of its own, after what a shell does first. Returns whether
/// this is that.
#[track_caller]
pub(crate) fn alone(name: &str, prelude: &str) -> bool {
    if inside().is_some() {
        return true;
    }
    Outside { prelude, ..Default::default() }.run(name, "inside").assert_success();
    false
}

/// How to start a test in a process of its own.
#[derive(Default)]
pub(crate) struct Outside<'a> {
    /// What a shell does first, in the same process: `ulimit` for instance. Without it no shell is needed.
    pub(crate) prelude: &'a str,
    /// Environment variables.
    pub(crate) env: &'a [(&'a str, &'a str)],
}

impl Outside<'_> {
    /// Runs the test called `name`, with the modules that it is in, again, where [`inside`] is `word`.
    pub(crate) fn run(&self, name: &str, word: &str) -> Ended {
        let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
        let mut words: Vec<OsString> = runner.split_whitespace().map(OsString::from).collect();
        if !self.prelude.is_empty() {
            words = ["sh".into(), "-c".into(), format!("{} exec {runner} \"$0\" \"$@\"", self.prelude).into()].into();
        }
        words.push(std::env::current_exe().expect("a path").into());
        let mut command = Command::new(&words[0]);
        // A sanitizer would take faults for its own, and end the process in another way.
        for options in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
            let before = std::env::var(options).unwrap_or_default();
            command.env(options, format!("{before}:handle_segv=0:handle_sigbus=0"));
        }
        let output = command
            .args(&words[1..])
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(INSIDE, word)
            .envs(self.env.iter().copied())
            .output();
        Ended(output.expect("it runs"))
    }
}

/// A process that has ended.
pub(crate) struct Ended(Output);

impl Ended {
    /// What it wrote, to standard output and then to standard error.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.0.stdout), String::from_utf8_lossy(&self.0.stderr))
    }

    /// It exited with this status, which is none of the harness's own.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        let exited = if cfg!(panic = "unwind") {
            self.0.status.code() == Some(code)
        } else {
            // As in `assert_signal`: the harness tells how the test's own process ended.
            self.text().contains(&format!("got unexpected return code {code}\n"))
        };
        assert!(exited, "{:?} {}", self.0.status, self.text());
    }

    /// It ended well, and one test passed.
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.0.status.success() && self.text().contains("1 passed"), "{:?} {}", self.0.status, self.text());
    }

    /// It was ended by this signal.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn assert_signal(&self, signal: i32) {
        use std::os::unix::process::ExitStatusExt;
        let ended = if cfg!(panic = "unwind") {
            self.0.status.signal() == Some(signal)
        } else {
            // A harness whose panics abort runs a test in a process of its own, and tells how that one ended. To it an
            // abort (6 everywhere) is a failed test.
            let told = if signal == 6 { "FAILED".into() } else { format!("exited with signal {signal}") };
            self.text().contains(&told)
        };
        assert!(ended, "{:?} {}", self.0.status, self.text());
    }
}
