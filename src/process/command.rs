//! How a process is to be started.

use super::child::Child;
use core::fmt;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

/// How a process is to be started: [`std::process::Command`] whose children are waited for by the task. See the [module](super).
///
/// # Examples
///
/// ```
/// use switchback::process::Command;
///
/// switchback::run(|| {
///     let output = Command::new("sh").args(["-c", "echo $GREETING; exit 7"]).env("GREETING", "hello").output()?;
///     assert_eq!((output.status.code(), &output.stdout[..]), (Some(7), &b"hello\n"[..]));
///     Ok::<_, std::io::Error>(())
/// }).unwrap();
/// ```
pub struct Command {
    std: process::Command,
    /// What is not set is different for `output`: of standard input, output and error.
    is_set: [bool; 3],
    kill_on_drop: bool,
}

impl Command {
    /// One for that program, which is looked for in `PATH`, without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { std: process::Command::new(program), is_set: [false; 3], kill_on_drop: false }
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.std.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, value);
        self
    }

    /// Sets variables of its environment.
    pub fn envs(&mut self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Takes all variables out of its environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Sets its working directory.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(directory);
        self
    }

    /// Sets its standard input. If it is not set, it is the program's own; with [`output`](Self::output) there is none.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.is_set[0] = true;
        self.std.stdin(stdin);
        self
    }

    /// Sets its standard output. If it is not set, it is the program's own; with [`output`](Self::output) it is piped.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.is_set[1] = true;
        self.std.stdout(stdout);
        self
    }

    /// Sets its standard error, as [`stdout`](Self::stdout).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.is_set[2] = true;
        self.std.stderr(stderr);
        self
    }

    /// The first of its arguments, which is its name otherwise.
    pub fn arg0(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg0(argument);
        self
    }

    /// Sets the user that it runs as.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// Sets the group that it runs as.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// Sets its process group: one of its own, if that is 0.
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.std.process_group(group);
        self
    }

    /// Whether a [`Child`] that is dropped is killed, and waited for. A panic that unwinds does that too. It is not unless this says so,
    /// nor where the system does not allow it: of a child that runs as another user.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::process::Command;
    ///
    /// switchback::run(|| {
    ///     let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    ///     drop(child); // no process is left, nor a zombie
    ///     Ok::<_, std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// When there is no such program, or the system refuses, as for want of descriptors: then nothing has been started, nothing is
    /// left of it, and this can be called again.
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(self.std.spawn()?, self.kill_on_drop)
    }

    /// Starts it, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn); and when the task is cancelled, after it was killed and waited for.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait_and_end()
    }

    /// Starts it, and waits until it has ended; returns what it has written to its standard output and standard error.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub fn output(&mut self) -> io::Result<Output> {
        self.set_unset([Stdio::null, Stdio::piped, Stdio::piped]);
        let child = self.spawn();
        // As what was never set.
        self.set_unset([Stdio::inherit; 3]);
        child?.wait_with_output()
    }

    fn set_unset(&mut self, to: [fn() -> Stdio; 3]) {
        type Set = fn(&mut process::Command, Stdio) -> &mut process::Command;
        let all: [Set; 3] = [process::Command::stdin, process::Command::stdout, process::Command::stderr];
        for (set, to) in all.into_iter().zip(to).zip(self.is_set).filter_map(|(each, is_set)| (!is_set).then_some(each))
        {
            set(&mut self.std, to());
        }
    }

    /// Becomes that program, in place of this one, with all of its tasks. It returns if that fails.
    #[must_use]
    pub fn exec(&mut self) -> io::Error {
        self.std.exec()
    }

    /// The program that was given to [`new`](Self::new).
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.std.get_program()
    }

    /// The arguments.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.std.get_args()
    }

    /// The variables that were set, and, without a value, those that were taken out.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.std.get_envs()
    }

    /// The working directory, if it was set.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.std.get_current_dir()
    }

    /// std's, for what this has no name for: `pre_exec` for one.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }
}

impl From<process::Command> for Command {
    /// What it is set to cannot be asked. [`output`](Command::output) leaves its standard input as it is, and has its standard output and
    /// standard error piped, unless they are set after this.
    fn from(std: process::Command) -> Self {
        Self { std, is_set: [true, false, false], kill_on_drop: false }
    }
}

impl fmt::Debug for Command {
    /// As std's: the program and its arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
