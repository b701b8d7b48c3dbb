//! Reports workers that do not switch.
#![forbid(unsafe_code)]

use super::shared::Shared;
use crate::coroutine::{self, Event};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that looks at the workers now and then, as long as this value lives.
pub(super) struct Watchdog {
    over: Arc<Over>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Over {
    is_over: Mutex<bool>,
    changed: Condvar,
}

/// What was seen of a worker: its switch, since when, and whether that was reported.
#[derive(Clone, Copy)]
struct Seen {
    switch: u64,
    since: Instant,
    was_reported: bool,
}

impl Watchdog {
    pub(super) fn start(shared: &Arc<Shared>, longest: Duration) -> io::Result<Self> {
        let over = Arc::new(Over::default());
        let (of_thread, shared) = (Arc::clone(&over), Arc::clone(shared));
        let name = format!("{}watchdog", shared.config.name);
        let thread = thread::Builder::new().name(name).spawn(move || of_thread.watch(&shared, longest))?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.over.is_over.lock() = true;
        self.over.changed.notify_one();
        // It does not panic.
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Over {
    fn watch(&self, shared: &Shared, longest: Duration) {
        let pause = (longest / 4).max(Duration::from_millis(1));
        let mut seen = vec![None; shared.remotes.len()];
        let mut is_over = self.is_over.lock();
        while !*is_over {
            self.changed.wait_for(&mut is_over, pause);
            // Hooks are called without the lock.
            parking_lot::MutexGuard::unlocked(&mut is_over, || {
                for (worker, seen) in seen.iter_mut().enumerate() {
                    look(shared, worker, longest, seen);
                }
            });
        }
    }
}

fn look(shared: &Shared, worker: usize, longest: Duration, seen: &mut Option<Seen>) {
    let Some((switch, task)) = shared.watch.as_ref().and_then(|watch| watch.runs(worker)) else {
        *seen = None;
        return;
    };
    let fresh = Seen { switch, since: Instant::now(), was_reported: false };
    let known = seen.get_or_insert(fresh);
    if known.switch != switch {
        *known = fresh;
    } else if !known.was_reported && known.since.elapsed() >= longest {
        known.was_reported = true;
        coroutine::report(Event::NotSwitching, crate::Description::new(task.name(), task.spawned_at()));
    }
}
