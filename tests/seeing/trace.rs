//! The trace of a run.

use super::workers;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switchback::task;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nanoseconds.
fn time(event: &Value, field: &str) -> u64 {
    (event[field].as_f64().unwrap_or_else(|| panic!("no {field} in {event}")) * 1e3).round() as u64
}

fn traced(workers_: usize, main: impl FnOnce()) -> Vec<Value> {
    let written = Shared::default();
    let runtime = workers(workers_).trace(written.clone()).build().expect("a runtime");
    runtime.run(main);
    let first = written.0.lock().expect("no panic").clone();
    runtime.run(|| ());
    assert_eq!(*written.0.lock().expect("no panic"), first, "a second run is not in it");
    if let Some(path) = std::env::var_os("SWITCHBACK_TRACE_FILE") {
        std::fs::write(path, &first).expect("the file can be written");
    }
    serde_json::from_slice(&first).expect("a list of JSON")
}

#[test]
fn slices_of_a_lane_do_not_overlap_and_each_arrow_has_both_ends_in_slices() {
    let events = traced(2, || {
        let ping_pong = |name: &str, other: Option<task::Task>| {
            let body = move || {
                for round in 0..10 {
                    match &other {
                        Some(other) => {
                            other.unpark();
                            drop(task::sleep(Duration::from_micros(200 * round)));
                        }
                        None => drop(task::park()),
                    }
                }
            };
            task::Builder::new().name(name).spawn_on(usize::from(name == "pong"), body).expect("a task")
        };
        let ping = ping_pong("ping \"x\"", None);
        let pong = ping_pong("pong", Some(ping.task()));
        let workers: Vec<_> =
            (0..8_u32).map(|n| task::spawn(move || (0..n).map(|_| drop(task::yield_now())).count())).collect();
        pong.join().expect("it ends");
        ping.cancel();
        ping.join().expect("it ends");
        workers.into_iter().for_each(|worker| drop(worker.join()));
    });
    let of = |kind: &'static str| events.iter().filter(move |event| event["ph"] == kind);
    let lanes: Vec<_> = of("M").filter(|event| event["name"] == "thread_name").map(|event| &event["tid"]).collect();
    assert_eq!(lanes, [0, 1]);
    assert!(of("X").any(|slice| slice["name"] == "ping \"x\""));
    assert!(of("X").any(|slice| slice["name"].as_str().is_some_and(|name| name.contains("trace.rs:"))));

    let mut slices: HashMap<u64, Vec<(u64, u64, u64)>> = HashMap::new();
    for slice in of("X") {
        let (begin, task) = (time(slice, "ts"), slice["args"]["task"].as_u64().expect("a number"));
        let lane = slices.entry(slice["tid"].as_u64().expect("a number")).or_default();
        lane.push((begin, begin + time(slice, "dur"), task));
    }
    for lane in slices.values_mut() {
        lane.sort_unstable();
        assert!(lane.is_sorted_by(|one, next| one.1 <= next.0), "they overlap: {lane:?}");
    }
    let holds = |event: &Value| {
        let (at, lane) = (time(event, "ts"), event["tid"].as_u64().expect("a number"));
        slices[&lane].iter().any(|(begin, end, _)| (*begin..=*end).contains(&at))
    };
    let mut arrows: HashMap<&str, [usize; 2]> = HashMap::new();
    for (kind, end) in [("s", 0), ("f", 1)] {
        for event in of(kind) {
            assert!(holds(event), "an arrow into nothing: {event}");
            arrows.entry(event["id"].as_str().expect("an id")).or_default()[end] += 1;
        }
    }
    assert!(arrows.len() >= 2, "main is woken by those that it joins: {events:?}");
    assert!(arrows.values().all(|ends| *ends == [1, 1]), "{arrows:?}");
}

/// A writer that cannot be written to.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_trace_that_cannot_be_written_stops_nobody() {
    let runtime = workers(1).trace(Broken).build().expect("a runtime");
    assert_eq!(runtime.run(|| task::spawn(|| 5).join().expect("it runs")), 5);
}

/// A writer that panics: when it is written to, flushed, or dropped.
#[cfg(panic = "unwind")]
struct Panics(&'static str);

#[cfg(panic = "unwind")]
impl Panics {
    fn at(&self, what: &str) {
        assert_ne!(self.0, what, "in a writer, as planned");
    }
}

#[cfg(panic = "unwind")]
impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at("write");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.at("flush");
        Ok(())
    }
}

#[cfg(panic = "unwind")]
impl Drop for Panics {
    fn drop(&mut self) {
        self.at("drop");
    }
}

#[cfg(panic = "unwind")]
#[test]
fn a_writer_that_panics_stops_nobody() {
    for what in ["write", "flush", "drop"] {
        let runtime = workers(1).trace(Panics(what)).build().expect("a runtime");
        assert_eq!(runtime.run(|| task::spawn(|| 5).join().expect("it runs")), 5);
    }
}
