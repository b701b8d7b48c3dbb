// The multi-threaded web server of the Rust book's last chapter, from its description: a pool of workers that share the receiver of a
// channel of jobs, and end when its sender is dropped. Some clients ask, and what they are told is what the program says.

use net::{Shutdown, TcpListener, TcpStream};
use std::io::{BufRead, BufReader, Read, Write};
use sync::{Arc, Mutex, mpsc};

type Job = Box<dyn FnOnce() + Send + 'static>;

struct ThreadPool {
    workers: Vec<thread::JoinHandle<()>>,
    sender: Option<mpsc::Sender<Job>>,
}

impl ThreadPool {
    fn new(size: usize) -> Self {
        let (sender, receiver) = mpsc::channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let worker = |_| {
            let receiver = Arc::clone(&receiver);
            thread::spawn(move || {
                loop {
                    // The lock is free again before the job is run.
                    let job = receiver.lock().unwrap().recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => break,
                    }
                }
            })
        };
        Self { workers: (0..size).map(worker).collect(), sender: Some(sender) }
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.sender.as_ref().unwrap().send(Box::new(job)).unwrap();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        drop(self.sender.take());
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
    }
}

fn handle_connection(mut stream: TcpStream) {
    let request = BufReader::new(&stream).lines().next().unwrap().unwrap();
    let (status, contents) = match &request[..] {
        "GET / HTTP/1.1" => ("HTTP/1.1 200 OK", "Hello!"),
        "GET /sleep HTTP/1.1" => {
            thread::sleep(std::time::Duration::from_millis(5));
            ("HTTP/1.1 200 OK", "Hello, at last!")
        }
        _ => ("HTTP/1.1 404 NOT FOUND", "Oops!"),
    };
    write!(stream, "{status}\r\nContent-Length: {}\r\n\r\n{contents}", contents.len()).unwrap();
}

pub(crate) fn program() -> String {
    let paths = ["/", "/sleep", "/nowhere", "/", "/sleep", "/"];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = |path: &'static str| {
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            format!("{path}: {answer:?}\n")
        })
    };
    let clients: Vec<_> = paths.into_iter().map(client).collect();
    let pool = ThreadPool::new(4);
    for stream in listener.incoming().take(paths.len()) {
        let stream = stream.unwrap();
        pool.execute(|| handle_connection(stream));
    }
    drop(pool);
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}
