//! How many pages are fetched: by so many tasks, each of which takes the next page when it is done with one.

use crate::client::{Answer, fetch};
use crate::report::Report;
use crate::url::Url;
use std::io;
use std::time::{Duration, Instant};
use switchback::sync::{Mutex, mpsc};
use switchback::task;

/// What is not to be exceeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) at_once: usize,
    /// The time for each page.
    pub(crate) each: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { at_once: 16, each: Duration::from_secs(10) }
    }
}

/// What has come of a page.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) url: Url,
    pub(crate) outcome: Result<Answer, Failed>,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) enum Failed {
    TimedOut,
    Error(io::Error),
}

impl Fetched {
    /// It was answered, and not by an error.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.outcome, Ok(Answer { status: ..400, .. }))
    }
}

/// Fetches them all, and tells of each when it has come. Returned are they in that order.
pub(crate) fn fetch_all(urls: Vec<Url>, limits: Limits) -> io::Result<Vec<Fetched>> {
    let began = Instant::now();
    let mut report = Report::new(urls.len());
    let tasks = limits.at_once.min(urls.len());
    let left = Mutex::new(urls.into_iter());
    let mut all = Vec::new();
    let done = task::scope(|s| {
        let (sender, outcomes) = mpsc::channel();
        for _ in 0..tasks {
            let (sender, left) = (sender.clone(), &left);
            s.spawn(move || {
                while let Some(url) = next(left) {
                    // Who receives is there as long as this is not cancelled.
                    let _ = sender.send(fetch_in_time(url, limits.each));
                    task::check_cancelled()?;
                }
                Ok(())
            });
        }
        drop(sender);
        for fetched in outcomes {
            // If that fails, the tasks are cancelled.
            report.tell(&fetched)?;
            all.push(fetched);
        }
        Ok::<_, io::Error>(())
    });
    done.map_err(|errors| errors.into_first())?;
    report.sum_up(&all, began.elapsed())?;
    Ok(all)
}

/// In a function, so that the lock is not kept while the page is fetched.
fn next(left: &Mutex<impl Iterator<Item = Url>>) -> Option<Url> {
    left.lock().ok()?.next()
}

fn fetch_in_time(url: Url, each: Duration) -> Fetched {
    let began = Instant::now();
    let outcome = match task::timeout(each, || fetch(&url)) {
        Ok(done) => done.map_err(Failed::Error),
        Err(_) => Err(Failed::TimedOut),
    };
    Fetched { url, outcome, took: began.elapsed() }
}
