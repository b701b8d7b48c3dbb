//! An example that serves until it is killed.

use crate::program::example;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// When a test gives up that waits for something which has not come.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A process that listens, until this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it says to standard output after that.
    said: Mutex<Receiver<String>>,
    /// What it says to standard error.
    complaints: Mutex<Receiver<String>>,
}

/// The lines of a pipe. A thread reads them: who is not read may wait for that.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    let pipe = BufReader::new(pipe);
    thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

impl Server {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Server {
        Server::of(example(name).args(arguments))
    }

    /// With no more than so many descriptors.
    pub(crate) fn start_with_descriptors(descriptors: u32, name: &str, arguments: &[&str]) -> Server {
        let command = example(name);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
        Server::of(shell.arg(command.get_program()).args(command.get_args()).args(arguments))
    }

    fn of(command: &mut Command) -> Server {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be run");
        let complaints = lines(child.stderr.take().expect("it is piped"));
        let said = lines(child.stdout.take().expect("it is piped"));
        let line = said.recv().unwrap_or_default();
        match line.strip_prefix("listening at ").and_then(|address| address.parse().ok()) {
            Some(address) => Server { child, address, said: Mutex::new(said), complaints: Mutex::new(complaints) },
            None => {
                let _ = child.kill().and_then(|()| child.wait());
                panic!("it does not say where it listens: {line:?} {:?}", complaints.iter().collect::<Vec<_>>());
            }
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        stream.set_read_timeout(Some(LONG)).and_then(|()| stream.set_write_timeout(Some(LONG))).expect("not zero");
        stream.set_nodelay(true).expect("it is a connection");
        stream
    }

    /// Waits until it has complained of that.
    #[track_caller]
    pub(crate) fn wait_for_complaint(&self, words: &str) {
        let complaints = self.complaints.lock().expect("nobody panics with it");
        while let Ok(line) = complaints.recv_timeout(LONG) {
            if line.contains(words) {
                return;
            }
        }
        panic!("no complaint of {words:?}");
    }

    /// Sends it a signal, by name.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill can be run").success(), "{name}");
    }

    /// The next line that it says.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.said.lock().expect("nobody panics with it").recv_timeout(LONG).expect("it says more")
    }

    /// Waits until it has ended by itself: how, and what it has said and complained of.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().expect("it can be waited for");
        let said = self.said.get_mut().expect("nobody has panicked with it");
        let complaints = self.complaints.get_mut().expect("nor with this");
        (status, said.iter().chain(complaints.iter()).collect())
    }

    /// How many descriptors it has open, where the system tells.
    pub(crate) fn descriptors(&self) -> Option<usize> {
        Some(std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?.count())
    }

    /// It still runs, and nothing in it has panicked. What it has complained of.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<String> {
        let ended = self.child.try_wait().expect("it can be looked at");
        self.kill();
        let complaints: Vec<_> = self.complaints.get_mut().expect("nobody has panicked with it").iter().collect();
        assert!(ended.is_none(), "it has ended by itself: {ended:?} {complaints:?}");
        assert!(!complaints.iter().any(|line| line.contains("panicked")), "{complaints:?}");
        complaints
    }

    fn kill(&mut self) {
        // It may have ended, and it may be gone already.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
