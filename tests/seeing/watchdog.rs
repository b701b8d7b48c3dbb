//! A worker that does not switch is reported.

use super::reports::reported;
use super::workers;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use switchback::{Event, task};

#[test]
fn a_task_that_blocks_its_worker_is_reported_once() {
    let runtime = workers(2).watchdog(Duration::from_millis(5)).build().expect("a runtime");
    runtime.run(|| {
        assert_eq!(reported("blocks its worker"), []);
        let (end, ended) = mpsc::channel::<()>();
        let blocks = move || ended.recv().expect("main sends");
        let blocker = task::Builder::new().name("blocks its worker").spawn_on(1, blocks).expect("a task");
        while reported("blocks its worker").is_empty() {
            task::sleep(Duration::from_millis(1)).expect("nobody cancels");
        }
        // It would be reported again by now.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(reported("blocks its worker"), [Event::NotSwitching]);
        end.send(()).expect("it waits");
        blocker.join().expect("it ends");
    });
}
