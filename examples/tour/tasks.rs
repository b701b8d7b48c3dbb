//! Part three: tasks. Errands are run at the same time by code that reads as if each were alone: they are spawned, borrow from
//! the one who waits for them, are cancelled, and are given no more than so much time.
//!
//! The clock is a virtual one, which jumps when all are waiting: the day below takes no time, and prints the same each time.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use switchback::{CancelReason, Cancelled, Runtime, task};

use crate::out::Out;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs the day.
pub(crate) fn run(out: &Out) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().workers(1).virtual_clock(true).build()?;
    out.heading("A day of errands, as tasks");
    runtime.run(|| {
        errands_at_once(out)?;
        a_list_that_is_lent(out)?;
        one_that_is_called_back(out)?;
        one_that_takes_too_long(out)?;
        Ok(())
    })
}

/// An errand: a function like any other, that waits, and may be asked to leave meanwhile.
fn errand(name: &'static str, hours: u32) -> Result<&'static str, Cancelled> {
    task::sleep(HOUR * hours)?;
    Ok(name)
}

/// `spawn`: three at the same time take as long as the longest.
fn errands_at_once(out: &Out) -> Result<(), Box<dyn Error>> {
    let start = task::now();
    let errands =
        [("baker", 1), ("bank", 3), ("barber", 2)].map(|(name, hours)| task::spawn(move || errand(name, hours)));
    for errand in errands {
        out.line(format_args!("back from the {}", errand.join()??));
    }
    out.line(format_args!("three errands of 6 hours took {}", hours_since(start)));
    Ok(())
}

#[derive(Debug)]
struct SoldOut(&'static str);

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is sold out", self.0)
    }
}

impl Error for SoldOut {}

/// `scope`: the tasks borrow the list from this function's stack, on whatever worker they run. When one fails, the others are
/// cancelled, and have left before the scope is left.
fn a_list_that_is_lent(out: &Out) -> Result<(), Box<dyn Error>> {
    let list = ["bread", "milk", "tea"].map(str::to_owned);
    let start = task::now();
    let bought = task::join_all(list.iter().zip(1..).map(|(item, hours)| {
        move || {
            errand("shop", hours)?;
            Ok::<_, Cancelled>(item.as_str())
        }
    }));
    out.line(format_args!("bought {:?}, in {}", bought?, hours_since(start)));

    let start = task::now();
    let failed = task::scope(|s| {
        for item in &list {
            s.spawn(move || match item.as_str() {
                "tea" => Err(Box::<dyn Error + Send + Sync>::from(SoldOut("tea"))),
                _ => Ok(errand("shop", 5)?),
            });
        }
        Ok(())
    });
    let told = failed.map_or_else(|errors| errors.to_string(), |()| "all bought".to_owned());
    out.line(format_args!("{told}: the others are home after {}", hours_since(start)));
    Ok(())
}

/// `cancel`: each call that waits tells of it. What has to wait while it cleans up is shielded.
fn one_that_is_called_back(out: &Out) -> Result<(), Box<dyn Error>> {
    let start = task::now();
    let swim = task::spawn(|| {
        let cancelled = errand("lake", 10).err();
        task::shield(|| errand("home", 1))?;
        Ok::<_, Cancelled>(cancelled.map(|cancelled| cancelled.reason().clone()))
    });
    errand("letter box", 2)?;
    swim.cancel_with("it rains");
    match swim.join()?? {
        Some(CancelReason::Message(reason)) => {
            out.line(format_args!("called back ({reason}): home after {}", hours_since(start)))
        }
        other => return Err(format!("it was not called back, but {other:?}").into()),
    }
    Ok(())
}

/// `timeout`: whatever is called inside has no more time than that.
fn one_that_takes_too_long(out: &Out) -> Result<(), Box<dyn Error>> {
    let start = task::now();
    let queue = task::timeout(4 * HOUR, || errand("passport office", 9));
    match queue {
        Ok(name) => return Err(format!("the {} has been quick", name?).into()),
        Err(elapsed) => out.line(format_args!("passport: {elapsed}, after {}", hours_since(start))),
    }
    Ok(())
}

fn hours_since(start: std::time::Instant) -> String {
    let seconds = (task::now() - start).as_secs();
    format!("{} h", seconds / 3600)
}
