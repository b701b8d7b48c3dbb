//! SIGQUIT prints a dump, and then does what it did before.

use super::process::{Outside, inside};
use super::{until, workers};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use switchback::task;

static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn the_handler_before(_: i32) {
    BEFORE.fetch_add(1, Ordering::Relaxed);
}

fn raise() {
    // SAFETY: it sends this process a signal that it handles.
    assert_eq!(unsafe { libc::raise(libc::SIGQUIT) }, 0);
}

/// Reads what is written to standard error from now on, up to a line with these words.
fn on_standard_error(words: &'static str) -> thread::JoinHandle<String> {
    let (reader, writer) = io::pipe().expect("a pipe");
    // SAFETY: both are descriptors of this process.
    assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), 2) }, 2);
    thread::spawn(move || {
        let mut text = String::new();
        let mut reader = BufReader::new(reader);
        while !text.contains(words) {
            assert_ne!(reader.read_line(&mut text).expect("text"), 0);
        }
        text
    })
}

#[test]
fn sigquit_prints_what_tasks_are_at() {
    if inside().is_none() {
        let ended = Outside::default().run("sigquit::sigquit_prints_what_tasks_are_at", "inside");
        ended.assert_code(61);
        let text = ended.text();
        assert!(text.contains(" on 1 worker\n") && text.contains("\"a task in a dump\" spawned at "), "{text}");
        assert!(text.contains("waiting for unpark"), "{text}");
        return;
    }
    // SAFETY: the handler counts.
    unsafe { libc::signal(libc::SIGQUIT, the_handler_before as *const () as libc::sighandler_t) };
    let runtime = workers(1).dump_on_sigquit(true).build().expect("a runtime");
    runtime.run(|| {
        let parked = task::Builder::new().name("a task in a dump").spawn_local(task::park).expect("a task");
        task::yield_now().expect("nobody cancels");
        let printed = on_standard_error("waiting for unpark");
        raise();
        // The dump is asked for by a thread, and answered here.
        until(|| printed.is_finished());
        print!("{}", printed.join().expect("no panic"));
        parked.cancel();
    });
    raise();
    assert_eq!(BEFORE.load(Ordering::Relaxed), 2, "the handler from before is called as ever");
    exit(61);
}
