//! Part one: the dialogues of a talk on Python's generators, with the outputs that Python prints.
//!
//! What a coroutine itself prints stands at the left margin, as in Python. What its caller did, and got back,
//! is indented.

use std::error::Error;
use std::fmt;

use switchback::CoroutineState::Complete;
use switchback::{Coroutine, CoroutineState, Generator, SendError, Thrown, Yielder};

use crate::out::Out;

/// Plays all three dialogues.
pub(crate) fn play(out: &Out) -> Result<(), Box<dyn Error>> {
    values_and_errors_go_in(out)?;
    a_value_is_returned(out)?;
    one_coroutine_delegates(out)?;
    out.check()?;
    Ok(())
}

/// Python's exception of that name, as far as the talk needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ValueError(&'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueError: {}", self.0)
    }
}

impl Error for ValueError {}

/// Prints an option as Python prints "a value or None".
struct Python<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Python<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("None"),
        }
    }
}

/// One line of a dialogue: what the caller did, and what that gave.
fn told<T: fmt::Debug, E: fmt::Display>(out: &Out, call: &str, result: &Result<T, E>) {
    match result {
        Ok(value) => out.line(format_args!("    {call:<58} -> {value:?}")),
        Err(error) => out.line(format_args!("    {call:<58} -> Err: {error}")),
    }
}

/// `received = yield step`, for ever.
///
/// There is no sign of an error in it, only `?`: what is thrown in comes out of `yield_` and leaves the body.
fn counter(out: Out) -> Coroutine<i32, Option<i32>, (), ValueError> {
    Coroutine::throwing(move |y| {
        let mut step = 0;
        loop {
            let received = y.yield_(step)?;
            step += 1;
            out.line(format_args!("Received: {}", Python(received)));
        }
    })
}

fn values_and_errors_go_in(out: &Out) -> Result<(), Box<dyn Error>> {
    out.heading("1. A counter that is sent values, and into which an error is thrown");
    let mut counter = counter(out.clone());

    // The talk's "important!": before the first yield nothing waits for a value. Python raises TypeError and the
    // value is lost; here it comes back, and the counter is as good as new.
    let too_early = counter.send(Some(100));
    told(out, "send(Some(100)), before start()", &too_early);
    let Err(SendError::NotStarted(value)) = too_early else {
        return Err("a coroutine that was not started took a value".into());
    };

    told(out, "start()", &counter.start());
    told(out, &format!("send({value:?}), which came back"), &counter.send(value));
    told(out, "resume(), which is Python's next()", &counter.resume());
    let thrown = counter.throw(ValueError("not a number I like"));
    told(out, "throw(ValueError), which nobody inside catches", &thrown);
    let Err(SendError::Thrown(Thrown::Error(ValueError(_)))) = thrown else {
        return Err("what was thrown in did not come out".into());
    };
    told(out, "send(Some(1)), now that it is finished", &counter.send(Some(1)));
    Ok(())
}

fn a_value_is_returned(out: &Out) -> Result<(), Box<dyn Error>> {
    out.heading("2. A generator that yields and then returns (Python: StopIteration.value)");
    let mut answer = Generator::new(|y| {
        y.yield_(1)?;
        y.yield_(2)?;
        Ok(42)
    });
    loop {
        let state = answer.resume();
        told(out, "resume()", &state);
        if let Complete(_) = state? {
            break;
        }
    }
    // Once only: a second call finds the coroutine finished, not the value again.
    told(out, "resume(), once more", &answer.resume());
    Ok(())
}

/// What the talk's main coroutine is sent: a text, or nothing.
type Sent = Option<&'static str>;

/// The talk's `internal`. It is no coroutine, only a function that is given the yielder of one.
fn internal(y: &Yielder<i32, Sent>, out: &Out, name: &str, start: i32, end: i32) -> Result<i32, Thrown> {
    for i in start..end {
        let value = y.yield_(i)?;
        out.line(format_args!("{name} got: {}", Python(value)));
    }
    out.line(format_args!("{name} finished at {}", end - 1));
    Ok(end)
}

/// The talk's `general`, with both ways to write `yield from`.
fn general(out: Out) -> Coroutine<i32, Sent, i32> {
    Coroutine::new(move |y| {
        // The plain way: call a function that takes the yielder. Its frames nest on this coroutine's stack.
        let start = internal(y, &out, "first", 1, 5)?;
        // The other way is for a coroutine that exists already and has a stack of its own.
        let mut second = Coroutine::new(move |y| internal(y, &out, "second", start, 10));
        let end = y.yield_from(&mut second)?;
        Ok(end)
    })
}

fn one_coroutine_delegates(out: &Out) -> Result<(), Box<dyn Error>> {
    out.heading("3. A coroutine that delegates to two others (Python: yield from)");
    let mut main = general(out.clone());

    told(out, "start()", &main.start());
    let first = "1st value sent to main coroutine";
    told(out, &format!("send(Some({first:?}))"), &main.send(Some(first)));
    // The second one counts from 5.
    loop {
        let state = main.resume();
        told(out, "resume()", &state);
        match state? {
            CoroutineState::Yielded(5..) => break,
            CoroutineState::Yielded(_) => {}
            Complete(end) => return Err(format!("ended at {end}, too early").into()),
        }
    }
    let second = "value sent to main coroutine";
    told(out, &format!("send(Some({second:?}))"), &main.send(Some(second)));
    told(out, "close(), seen by `second` first, then by `general`", &main.close());
    told(out, "resume(), now that it is closed", &main.resume());
    Ok(())
}
