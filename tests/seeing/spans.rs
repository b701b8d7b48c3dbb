//! Spans of `tracing` follow their task. Slots of each subscriber are its thread's, so all is on one worker.

use super::workers;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use switchback::task;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing::{info, info_span, subscriber};
use tracing_core::span::Current;

/// Knows the spans by number, keeps the stack of entered ones, and logs each event with it.
#[derive(Clone, Default)]
struct Log(Arc<Inner>);

#[derive(Default)]
struct Inner {
    names: Mutex<Vec<&'static str>>,
    /// The entered ones, with what is known of each: a span that was entered twice is there twice.
    entered: Mutex<Vec<u64>>,
    lines: Mutex<Vec<String>>,
    metadata: Mutex<Vec<&'static Metadata<'static>>>,
    next: AtomicU64,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("spans")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.0.names.lock().expect("no panic").push(attributes.metadata().name());
        self.0.metadata.lock().expect("no panic").push(attributes.metadata());
        Id::from_u64(self.0.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let names = self.0.names.lock().expect("no panic");
        let entered = self.0.entered.lock().expect("no panic");
        let path: Vec<_> = entered.iter().map(|id| names[*id as usize - 1]).collect();
        let mut message = String::new();
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| message = format!("{value:?}"));
        self.0.lines.lock().expect("no panic").push(format!("{} in {}", message, path.join("/")));
    }

    fn enter(&self, id: &Id) {
        self.0.entered.lock().expect("no panic").push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        let mut entered = self.0.entered.lock().expect("no panic");
        let place = entered.iter().rposition(|entered| *entered == id.into_u64()).expect("it was entered");
        entered.remove(place);
    }

    fn current_span(&self) -> Current {
        let last = self.0.entered.lock().expect("no panic").last().copied();
        let metadata = self.0.metadata.lock().expect("no panic");
        last.map_or_else(Current::none, |id| Current::new(Id::from_u64(id), metadata[id as usize - 1]))
    }
}

/// Two tasks that take turns, each in the span that it was spawned in, main in one of its own.
fn turns(log: &Log) -> Vec<String> {
    subscriber::with_default(log.clone(), || {
        let _around = info_span!("around").entered();
        workers(1).build().expect("a runtime").run(|| {
            let tasks = [info_span!("one"), info_span!("two")].map(|span| {
                let _entered = span.enter();
                task::spawn(|| {
                    info!("begins");
                    task::yield_now().expect("nobody cancels");
                    info!("goes on");
                })
            });
            info!("joins");
            tasks.into_iter().for_each(|task| task.join().expect("it ends"));
            info!("ends");
        });
        info!("after");
    });
    assert_eq!(log.0.entered.lock().expect("no panic").len(), 0, "what was entered was left");
    let mut lines = log.0.lines.lock().expect("no panic").clone();
    lines.sort_unstable();
    lines
}

const EXPECTED: [&str; 7] = [
    "after in around",
    "begins in around/one",
    "begins in around/two",
    "ends in around",
    "goes on in around/one",
    "goes on in around/two",
    "joins in around",
];

#[test]
fn a_task_runs_inside_of_the_span_of_its_spawn() {
    assert_eq!(turns(&Log::default()), EXPECTED);
}

#[test]
fn what_a_task_has_entered_follows_it() {
    let log = Log::default();
    subscriber::with_default(log.clone(), || {
        workers(1).build().expect("a runtime").run(|| {
            let tasks = ["one", "two"].map(|name| {
                task::spawn(move || {
                    let outer = if name == "one" { info_span!("outer of one") } else { info_span!("outer of two") };
                    let _outer = outer.enter();
                    task::yield_now().expect("nobody cancels");
                    info_span!("inner").in_scope(|| {
                        task::yield_now().expect("nobody cancels");
                        info!("{name}");
                    });
                    info!("{name} left");
                })
            });
            tasks.into_iter().for_each(|task| task.join().expect("it ends"));
            info!("main");
        });
    });
    let mut lines = log.0.lines.lock().expect("no panic").clone();
    lines.sort_unstable();
    let expected = [
        "main in ",
        "one in outer of one/inner",
        "one left in outer of one",
        "two in outer of two/inner",
        "two left in outer of two",
    ];
    assert_eq!(lines, expected);
    assert_eq!(log.0.entered.lock().expect("no panic").len(), 0);
}
