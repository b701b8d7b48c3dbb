//! Spans of `tracing` follow their task. Slots of each subscriber are its thread's, so all is on one worker.

use super::workers;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use switchback::task;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing::{dispatcher, info, info_span, subscriber};
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

/// Has one span, and asks the thread's default about it, as older releases of `tracing-subscriber` do when a span is left.
#[derive(Clone, Default)]
struct Asks {
    metadata: Arc<OnceLock<&'static Metadata<'static>>>,
    was_another: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
    /// How many know the span.
    count: Arc<AtomicUsize>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

impl Asks {
    fn ask(&self) {
        let is_default = dispatcher::get_default(|dispatch| dispatch.is::<Self>());
        self.was_another.fetch_or(!is_default, Ordering::Relaxed);
    }
}

impl Subscriber for Asks {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("spans")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.metadata.get_or_init(|| attributes.metadata());
        self.clone_span(&Id::from_u64(1))
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.count.fetch_add(1, Ordering::Relaxed);
        id.clone()
    }

    fn try_close(&self, _: Id) -> bool {
        self.count.fetch_sub(1, Ordering::Relaxed) == 1
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        assert!(!self.panics.load(Ordering::Relaxed), "on purpose");
        self.ask();
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
    }

    fn exit(&self, id: &Id) {
        self.ask();
        ENTERED.with_borrow_mut(|entered| assert_eq!(entered.pop().as_ref(), Some(id)));
    }

    fn current_span(&self) -> Current {
        let last = ENTERED.with_borrow(|entered| entered.last().cloned());
        last.map_or_else(Current::none, |id| Current::new(id, self.metadata.get().expect("there is a span")))
    }
}

#[test]
fn on_another_worker_a_span_is_entered_and_left_with_its_subscriber_for_the_default() {
    let asks = Asks::default();
    let entered = subscriber::with_default(asks.clone(), || {
        workers(2).build().expect("a runtime").run(|| {
            let task = info_span!("one").in_scope(|| {
                task::spawn_on(1, || {
                    let entered = || ENTERED.with_borrow(Vec::len);
                    let before = entered();
                    task::yield_now().expect("nobody cancels");
                    // What follows the task is not the default of its worker.
                    (before, entered(), dispatcher::get_default(|dispatch| dispatch.is::<Asks>()))
                })
            });
            task.join().expect("it ends")
        })
    });
    assert_eq!(entered, (1, 1, false));
    assert!(!asks.was_another.load(Ordering::Relaxed));
}

/// As a hook that panics.
#[cfg(panic = "unwind")]
#[test]
fn a_subscriber_that_panics_is_ignored() {
    let asks = Asks::default();
    let entered = subscriber::with_default(asks.clone(), || {
        workers(1).build().expect("a runtime").run(|| {
            let task = info_span!("one").in_scope(|| task::spawn(|| ENTERED.with_borrow(Vec::len)));
            asks.panics.store(true, Ordering::Relaxed);
            task.join()
        })
    });
    assert_eq!(entered.expect("it ends"), 0);
}

#[test]
fn the_span_of_a_task_that_has_ended_is_closed_although_its_handle_is_kept() {
    let asks = Asks::default();
    let count = || asks.count.load(Ordering::Relaxed);
    subscriber::with_default(asks.clone(), || {
        workers(1).build().expect("a runtime").run(|| {
            let [mut one, mut other] = [(); 2].map(|()| info_span!("one").in_scope(|| task::spawn(|| ())));
            assert_eq!(count(), 2);
            assert!(other.cancel(), "it has not begun, and never does");
            one.wait().expect("it ends");
            other.wait().expect("it is ended");
            assert_eq!(count(), 0);
        });
    });
}
