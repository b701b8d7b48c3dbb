//! Stages connected by `send`, after David Beazley: a producer pushes into a filter, that into a parser and a sink.
//!
//! Each keeps its state in local variables. Sent `None`, it returns its totals, which come out at the other end.
//!
//! Run it with `cargo run --example pipeline`.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use switchback::{Coroutine, CoroutineState, SendError, Thrown, Yielder};

/// A stage is sent `Some(item)`s, then `None`, and returns `R`; or it fails and says why.
type Stage<T, R> = Coroutine<(), Option<T>, R, String>;
type Input<T> = Yielder<(), Option<T>, String>;
type Made<T, R> = Result<Stage<T, R>, String>;

/// Makes a stage and runs it to its first yield, where it waits for an item.
fn stage<T: 'static, R: 'static>(body: impl FnOnce(&Input<T>) -> Result<R, Thrown<String>> + 'static) -> Made<T, R> {
    let mut stage = Stage::throwing(body);
    stage.start().map_err(|why| why.to_string())?;
    Ok(stage)
}

/// Sends an item on, or `None` for "no more": only then is there a result.
fn give<T, R>(next: &mut Stage<T, R>, item: Option<T>) -> Result<Option<R>, String> {
    match next.send(item) {
        Ok(CoroutineState::Yielded(())) => Ok(None),
        Ok(CoroutineState::Complete(result)) => Ok(Some(result)),
        Err(SendError::Thrown(Thrown::Error(why))) => Err(why),
        Err(_) => Err("a stage was sent more than it wanted".into()),
    }
}

/// Tells a stage that there is no more, and gives what it returns.
fn finish<T, R>(mut next: Stage<T, R>) -> Result<R, String> {
    give(&mut next, None)?.ok_or_else(|| "a stage waits for more than there is".into())
}

/// Passes on the lines with this text in them. Returns how many had it not, and what the next stage returns.
fn grep<R: 'static>(text: &'static str, mut next: Stage<String, R>) -> Made<String, (u64, R)> {
    stage(move |y: &Input<String>| {
        let mut dropped = 0;
        while let Some(line) = y.yield_(())? {
            if line.contains(text) {
                give(&mut next, Some(line))?;
            } else {
                dropped += 1;
            }
        }
        Ok((dropped, finish(next)?))
    })
}

/// Takes lines of a web server's log apart: the path first, the size last.
fn parse<R: 'static>(mut next: Stage<(String, u64), R>) -> Made<String, R> {
    stage(move |y: &Input<String>| {
        while let Some(line) = y.yield_(())? {
            let mut words = line.split(' ');
            let path = words.next().unwrap_or_default().to_string();
            let size = words.next_back().and_then(|size| size.parse().ok());
            let size = size.ok_or_else(|| format!("no size: {line:?}"))?;
            give(&mut next, Some((path, size)))?;
        }
        Ok(finish(next)?)
    })
}

/// The sink: adds up the sizes by path.
fn sum() -> Made<(String, u64), BTreeMap<String, u64>> {
    stage(|y| {
        let mut sizes = BTreeMap::new();
        while let Some((path, size)) = y.yield_(())? {
            *sizes.entry(path).or_default() += size;
        }
        Ok(sizes)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let mut first = grep(" 200 ", parse(sum()?)?)?;
    // The producer is whoever has something to send. A third of the pages asked for are not there.
    for n in 0..9_000 {
        let line = format!("/page/{} {} {}", n % 2, [200, 200, 404][n % 3], n % 10);
        give(&mut first, Some(line))?;
    }
    let (dropped, sizes) = finish(first)?;
    writeln!(out, "bytes sent: {sizes:?}; {dropped} lines dropped")?;
    let sent: u64 = (0..9_000).filter(|n| n % 3 != 2).map(|n| n % 10).sum();
    assert_eq!((dropped, sizes.values().sum::<u64>()), (3_000, sent));

    // What a stage fails with passes through those before it, which end as well.
    let mut first = grep(" 200 ", parse(sum()?)?)?;
    let failed = give(&mut first, Some("/page/1 200 many".into()));
    writeln!(out, "a bad line: {failed:?}")?;
    assert!(failed.is_err_and(|why| why == "no size: \"/page/1 200 many\""));
    Ok(())
}
