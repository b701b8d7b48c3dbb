//! Crates that block, in tasks: each test on one worker and on two, with the threads of its process counted.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

#[path = "../../../common/process.rs"]
mod process;
#[allow(dead_code)] // other examples take more of it
#[path = "../../../examples/program.rs"]
mod program;
#[allow(dead_code)] // likewise
#[path = "../../../examples/server.rs"]
mod server;

mod chat;
mod http;
mod redis;
mod tls;
mod websocket;

use process::{Outside, inside};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use switchback::net::{TcpListener, TcpStream};
use switchback::task::{self, JoinHandle, JoinSet};
use switchback::{Runtime, RuntimeBuilder};

static WORKERS: OnceLock<usize> = OnceLock::new();

/// How many threads `offload` has at most, in the one test that uses it.
const OFFLOAD_THREADS: usize = 10;
static OFFLOADS: AtomicBool = AtomicBool::new(false);

/// Runs `main` on one worker and on two, each time in a process of its own. `name` is the test's.
fn on_one_and_two(name: &str, main: impl FnOnce()) {
    on_one_and_two_of(Runtime::builder(), name, main);
}

/// The same with a clock that jumps when all wait for a time.
fn with_virtual_clock(name: &str, main: impl FnOnce()) {
    on_one_and_two_of(Runtime::builder().virtual_clock(true), name, main);
}

fn on_one_and_two_of(builder: RuntimeBuilder, name: &str, main: impl FnOnce()) {
    let Some(workers) = inside() else {
        for workers in ["1", "2"] {
            // A thousand connections take two thousand descriptors.
            Outside { prelude: "ulimit -n 4096;", ..Default::default() }.run(name, workers).assert_success();
        }
        return;
    };
    let workers = *WORKERS.get_or_init(|| workers.parse().expect("a number"));
    // For whoever reads of a failure.
    println!("on {workers} workers");
    builder.workers(workers).offload_threads(OFFLOAD_THREADS).build().expect("a runtime").run(|| {
        main();
        assert_threads();
    });
}

/// What waits now are tasks: there are no threads but the workers, and those of the test harness.
#[track_caller]
fn assert_threads() {
    let threads = std::fs::read_dir("/proc/self/task").expect("on Linux").count();
    let workers = WORKERS.get().expect("inside of a test");
    let beside = if OFFLOADS.load(Ordering::Relaxed) { OFFLOAD_THREADS } else { 0 };
    assert!(threads <= workers + 2 + beside, "{threads} threads on {workers} workers, with {beside} beside them");
}

/// A server that runs: where, and its task.
struct Server<T: Send + 'static> {
    address: SocketAddr,
    task: JoinHandle<Vec<T>>,
}

/// Serves each connection in a task of its own.
fn listen<T: Send + 'static>(serve: impl Fn(TcpStream) -> T + Clone + Send + 'static) -> Server<T> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = task::spawn(move || {
        let mut served = JoinSet::new();
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.expect("a connection"));
            served.spawn(move || serve(stream));
        }
        task::shield(|| served.completed().map(|end| end.expect("no panic")).collect())
    });
    Server { address, task }
}

impl<T: Send + 'static> Server<T> {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it listens")
    }

    /// Accepts no more, and waits for those that are served. What has come of each, in the order of their ends.
    fn end(self) -> Vec<T> {
        self.task.cancel();
        self.task.join().expect("it ends well")
    }

    /// The same where one connection was served.
    fn end_of_one(self) -> T {
        let mut ends = self.end();
        assert_eq!(ends.len(), 1);
        ends.remove(0)
    }
}
