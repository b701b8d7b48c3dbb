//! A run in the trace event format of Chrome, which Perfetto reads: a lane for each worker, a slice for each run of a task,
//! arrows from where a task was woken to where it went on.
#![forbid(unsafe_code)]

use super::handle::Task;
use super::life::drop_quietly;
use super::print::quote;
use core::fmt::Write as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

/// How much is kept until it is written, in bytes.
const BUFFER: usize = 64 << 10;

/// Where a trace goes: to be taken by the first run.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Mutex<Option<Box<dyn Write + Send>>>>);

impl Sink {
    pub(crate) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(writer)))))
    }
}

/// A writer of others: what it panics with has been printed, and is not the worker's.
struct Writer(Option<Box<dyn Write + Send>>);

impl Writer {
    /// Whether it could be written.
    fn put(&mut self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> bool {
        let Some(writer) = &mut self.0 else { return false };
        match panic::catch_unwind(AssertUnwindSafe(|| f(writer))) {
            Ok(written) => written.is_ok(),
            Err(payload) => {
                drop_quietly(Some(payload));
                false
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

/// Writes the trace of a run.
pub(super) struct Recorder {
    start: Instant,
    /// None when the trace has ended, or could not be written.
    writer: Mutex<Option<Writer>>,
    lanes: Vec<Mutex<String>>,
    /// Who was woken and has not run since.
    wakes: Mutex<HashMap<u64, Wake>>,
}

struct Wake {
    lane: usize,
    time: u64,
}

/// Nanoseconds as the format wants them: microseconds, with a fraction.
struct Micros(u64);

impl core::fmt::Display for Micros {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

impl Recorder {
    /// None if another run has the writer.
    pub(super) fn new(sink: &Sink, workers: usize, thread_name: &str) -> Option<Self> {
        let mut writer = Writer(sink.0.lock().take());
        writer.0.as_ref()?;
        let mut head = String::from("[\n");
        head += r#"{"ph":"M","pid":1,"name":"process_name","args":{"name":"switchback"}}"#;
        for lane in 0..workers {
            let name = quote(&format!("{thread_name}{lane}"));
            // Of a string, which nothing can fail to be written to.
            let _ = write!(head, ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{lane},\"name\":\"thread_name\",");
            let _ = write!(head, "\"args\":{{\"name\":{name}}}}}");
        }
        let writer = writer.put(|writer| writer.write_all(head.as_bytes())).then_some(writer);
        Some(Self {
            start: Instant::now(),
            writer: Mutex::new(writer),
            lanes: (0..workers).map(|_| Mutex::default()).collect(),
            wakes: Mutex::default(),
        })
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX)
    }

    /// A task goes on. Returns the time.
    pub(super) fn begin(&self, lane: usize, task: &Task) -> u64 {
        let wake = self.wakes.lock().remove(&task.number());
        let now = self.now();
        if let Some(wake) = wake {
            let mut events = self.lanes[lane].lock();
            // Both ends at once, when both are known: no arrow without one. A task runs once at a time, and so it is known by
            // its number and the time.
            let id = format_args!("\"id\":\"{}.{}\"", task.number(), wake.time);
            let (from, to) = (Micros(wake.time), Micros(now));
            let head = r#""pid":1,"cat":"wake","name":"wake""#;
            let _ = write!(events, ",\n{{\"ph\":\"s\",{head},{id},\"tid\":{},\"ts\":{from}}}", wake.lane);
            let _ = write!(events, ",\n{{\"ph\":\"f\",\"bp\":\"e\",{head},{id},\"tid\":{lane},\"ts\":{to}}}");
        }
        now
    }

    /// It has stopped.
    pub(super) fn end(&self, lane: usize, task: &Task, began: u64) {
        let now = self.now();
        let mut events = self.lanes[lane].lock();
        let place = task.spawned_at();
        let name = task.name().map_or_else(|| format!("{}:{}", place.file(), place.line()), str::to_owned);
        let (ts, dur) = (Micros(began), Micros(now - began));
        let _ =
            write!(events, ",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":{lane},\"ts\":{ts},\"dur\":{dur},\"cat\":\"task\",");
        let _ = write!(events, "\"name\":{},\"args\":{{\"task\":{},", quote(&name), task.number());
        let _ = write!(events, "\"spawned_at\":{}}}}}", quote(&place.to_string()));
        if events.len() > BUFFER {
            self.write(&mut events);
        }
    }

    /// A task that runs in that lane has woken another.
    pub(super) fn wake(&self, lane: usize, task: u64) {
        let wake = Wake { lane, time: self.now() };
        self.wakes.lock().insert(task, wake);
    }

    fn write(&self, events: &mut String) {
        let mut writer = self.writer.lock();
        if let Some(open) = &mut *writer
            && !open.put(|writer| writer.write_all(events.as_bytes()))
        {
            *writer = None;
        }
        events.clear();
    }

    /// The run is over.
    pub(super) fn finish(&self) {
        for lane in &self.lanes {
            self.write(&mut lane.lock());
        }
        if let Some(mut writer) = self.writer.lock().take() {
            writer.put(|writer| writer.write_all(b"\n]\n").and_then(|()| writer.flush()));
        }
    }
}
