//! The reports of what went wrong while coroutines were dropped.

use std::sync::Mutex;
use switchback::{Event, set_report_hook};

/// The events reported so far of coroutines with this name. The hook belongs to the process, so tests go by names; the
/// first call sets it.
pub(crate) fn reported(name: &str) -> Vec<Event> {
    static SEEN: Mutex<Vec<(String, Event)>> = Mutex::new(Vec::new());
    set_report_hook(|report| {
        let name = report.coroutine().name().unwrap_or_default().to_owned();
        SEEN.lock().expect("no panic inside").push((name, report.event()));
    });
    let seen = SEEN.lock().expect("no panic inside");
    seen.iter().filter(|(of, _)| of == name).map(|(_, event)| *event).collect()
}
