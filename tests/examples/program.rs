//! Examples as programs: how one is found, run, and looked at afterwards.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command that runs an example, without its arguments.
pub(crate) fn example(name: &str) -> Command {
    let here = std::env::current_exe().expect("a test knows where it is");
    // …/<profile>/deps/examples-<hash> is this test, …/<profile>/examples/<name> the example.
    let profile = here.parent().and_then(Path::parent).expect("a test lies in <profile>/deps");
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "no example at {}: build it with `cargo build --examples` and the flags of this test run",
        program.display()
    );
    assert_fresh(&program);
    let runner = std::env::var("SWITCHBACK_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        None => Command::new(program),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
    }
}

/// No source of this program has changed since it was built: else what runs is not what is tested.
///
/// Cargo writes the list of its sources beside it: `program: source source …`, with spaces escaped.
fn assert_fresh(program: &Path) {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let list = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources).trim_end().replace("\\ ", "\0");
    for source in sources.split(' ').map(|source| PathBuf::from(source.replace('\0', " "))) {
        // Sources that are not here, because the program was built elsewhere, cannot have changed here.
        assert!(
            modified(&source) <= modified(program),
            "{} is older than {}: build it with `cargo build --examples` and the flags of this test run",
            program.display(),
            source.display()
        );
    }
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) success: bool,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) whole: String,
}

impl Run {
    pub(crate) fn of(name: &str, arguments: &[&OsStr]) -> Run {
        let output = example(name).args(arguments).stdin(Stdio::null()).output();
        Run::from(output.unwrap_or_else(|error| panic!("{name} cannot be run: {error}")))
    }

    /// With this as its standard input.
    pub(crate) fn fed(name: &str, arguments: &[&str], input: impl Into<Vec<u8>>) -> Run {
        let mut command = example(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        let (mut pipe, input) = (child.stdin.take().expect("it is piped"), input.into());
        // On a thread of its own: the example may print before it has read all. It need not read all.
        let feeder = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = child.wait_with_output().expect("it can be waited for");
        feeder.join().expect("writing does not panic");
        Run::from(output)
    }

    /// Ended well and with nothing to complain of.
    pub(crate) fn quiet(name: &str) -> Run {
        let run = Run::of(name, &[]);
        assert!(run.success && run.stderr.is_empty(), "{name} failed: {}", run.whole);
        run
    }

    /// All of these lines are there, in this order. Others may stand between them.
    #[track_caller]
    pub(crate) fn expect_lines(&self, expected: &[&str]) {
        let mut lines = self.stdout.lines();
        for wanted in expected {
            let found = lines.any(|line| line == *wanted);
            assert!(found, "no line {wanted:?}, or not in its place, in {}", self.whole);
        }
    }

    #[track_caller]
    pub(crate) fn expect_stderr(&self, parts: &[&str]) {
        let found = self.stderr.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line with {parts:?} in stderr of {}", self.whole);
    }

    /// The columns of the first line that begins with this word.
    #[track_caller]
    pub(crate) fn columns(&self, first: &str) -> Vec<&str> {
        let mut lines = self.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = lines.find(|columns| columns.first() == Some(&first));
        found.unwrap_or_else(|| panic!("no line begins with {first:?} in {}", self.whole))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let stdout = String::from_utf8(output.stdout).expect("an example prints UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let whole = format!("{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", output.status);
        Run { success: output.status.success(), status: output.status.code(), stdout, stderr, whole }
    }
}

/// A directory that is removed when the test ends, well or not.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("switchback-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory can be made");
        Scratch(path)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("so can one in it");
        fs::write(&path, content).expect("and a file in that");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left behind is no reason to fail a test, still less to panic twice.
        let _ = fs::remove_dir_all(&self.0);
    }
}
