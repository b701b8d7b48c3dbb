//! What is different where a panic aborts: what can only be ended by unwinding is leaked, and told.
#![cfg(panic = "abort")]

use crate::common::Log;
use crate::reports::reported;
use switchback::{Builder, CloseError, Event, Generator, SendError, State, Thrown, Yielder};

fn named(name: &str, body: impl FnOnce(&Yielder<i32>) -> Result<(), Thrown> + 'static) -> Generator<i32> {
    reported(name);
    Builder::new().name(name).generator(body).expect("a stack")
}

#[test]
fn a_body_that_leaves_by_itself_is_dropped_as_ever() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("leaves", move |y| {
        let _local = inside.dropper("local");
        y.yield_(1)?;
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "local");
    assert_eq!(reported("leaves"), []);
}

#[test]
fn a_body_that_ignores_the_exit_is_leaked_and_reported() {
    let log = Log::new();
    let inside = log.clone();
    let mut co = named("ignores", move |y| {
        let _local = inside.dropper("local");
        let _ = y.yield_(1);
        let _ = y.yield_(2);
        Ok(())
    });
    co.next();
    drop(co);
    assert_eq!(log.take(), "", "nothing is freed under it");
    assert_eq!(reported("ignores"), [Event::ExitIgnored, Event::Leaked]);
}

#[test]
fn an_unwinding_yield_that_cannot_unwind_is_leaked_and_reported() {
    let body = |y: &Yielder<i32>| {
        y.yield_or_unwind(1);
        Ok(())
    };
    let mut dropped = named("dropped", body);
    dropped.next();
    drop(dropped);
    assert_eq!(reported("dropped"), [Event::Leaked]);

    let mut closed = named("closed", body);
    closed.next();
    assert_eq!(closed.close(), Err(CloseError::Leaked));
    assert_eq!(closed.state(), State::Finished);
    drop(closed);
    assert_eq!(reported("closed"), [Event::Leaked]);

    let mut asked = Generator::new(move |y| y.yield_from(&mut named("inner", body)));
    asked.next();
    assert_eq!(asked.throw_exit(), Err(SendError::Abandoned(())));
    assert_eq!(asked.resume(), Err(SendError::Abandoned(())));
}
