//! The rules by which `table.rs` knows what comes of a case.
//!
//! - What is sent, thrown or asked comes to the innermost coroutine, and what that does comes to the consumer: a value at
//!   once, an end by way of each delegator, which here passes it on.
//! - To an exit a value is no answer. A coroutine that returns one leaves its delegator to answer; one that yields is left
//!   where it is, and its delegator is told that it has misbehaved.
//! - A coroutine that has not started ends with what was thrown at it. One that has finished, or runs, refuses, and hands
//!   back what it was given.
//! - Dropping asks for an exit. A body that yields in answer is unwound; if it cannot be, it is leaked. What it ends with
//!   otherwise is reported if it is an error; if it is a panic, it goes on, or is reported where it cannot.

use crate::table::{Act, Case, ITEMS, PATIENCE, Reaction, State};
use std::mem;
use switchback::Event;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Misuse {
    Ignored,
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    Exit,
    Error(&'static str),
    Misuse(Misuse),
}

/// What an act leads to. The words are the labels of the values in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Yielded(&'static str),
    Complete(&'static str),
    Thrown(Why),
    Panicked(&'static str),
    NotStarted(&'static str),
    Started(&'static str),
    Finished(&'static str),
    Running(&'static str),
    Closed(Option<&'static str>),
    Ignored(&'static str),
    Dropped,
    /// A destructor has panicked.
    Boom,
}

pub(crate) struct Expected {
    pub(crate) answers: [Answer; 2],
    /// By level.
    pub(crate) reports: Vec<(String, Event)>,
    /// Whether somebody further in ignored an exit, and so outlived part of its delegator's frame.
    pub(crate) was_ignored: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Message {
    Next,
    Sent,
    Thrown,
    Exit,
}

/// What the innermost coroutine does.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Yields(&'static str),
    Returns(&'static str),
    Fails(Why),
    Panics(&'static str),
}

struct Rules {
    case: Case,
    state: Standing,
    /// How many items of an iterator have been yielded.
    items: usize,
    has_reacted: bool,
    expected: Expected,
}

#[derive(PartialEq)]
enum Standing {
    Created,
    Suspended,
    Finished,
}

pub(crate) fn run(case: Case) -> Expected {
    let state = match case.state {
        State::Created | State::Running => Standing::Created,
        State::Finished => Standing::Finished,
        _ => Standing::Suspended,
    };
    let expected = Expected { answers: [Answer::Dropped; 2], reports: Vec::new(), was_ignored: false };
    let mut rules = Rules { case, state, items: 1, has_reacted: false, expected };
    if case.state == State::Running {
        rules.expected.answers[0] = refused(case.act, Answer::Running);
        // It is woken by nobody, and goes on as if it had been sent something.
        let end = rules.react(Ok(()));
        rules.ends(end);
    } else {
        rules.expected.answers[0] = rules.act();
    }
    if matches!(case.act, Act::Drop | Act::DropDuringAPanic | Act::Forget) {
        rules.state = Standing::Finished;
    }
    let last = rules.drop_it(false);
    rules.expected.answers[1] = last;
    rules.expected
}

fn refused(act: Act, how: fn(&'static str) -> Answer) -> Answer {
    how(match act {
        Act::Send => "sent",
        Act::Throw => "thrown",
        _ => "",
    })
}

impl Rules {
    fn act(&mut self) -> Answer {
        let act = self.case.act;
        match act {
            Act::Forget => return Answer::Dropped,
            Act::Drop => return self.drop_it(false),
            Act::DropDuringAPanic => return self.drop_it(true),
            _ => {}
        }
        match self.state {
            Standing::Finished if act == Act::Close => Answer::Closed(None),
            Standing::Finished => refused(act, Answer::Finished),
            Standing::Created => {
                match act {
                    Act::Send => return Answer::NotStarted("sent"),
                    Act::Start => {
                        self.state = Standing::Suspended;
                        return Answer::Yielded("yielded");
                    }
                    Act::Resume => {
                        self.state = Standing::Suspended;
                        return self.resume(PATIENCE - 1);
                    }
                    _ => self.state = Standing::Finished,
                }
                match act {
                    Act::Close => Answer::Closed(None),
                    Act::Throw => Answer::Thrown(Why::Error("thrown")),
                    _ => Answer::Thrown(Why::Exit),
                }
            }
            Standing::Suspended => match act {
                Act::Start => Answer::Started(""),
                Act::Resume => self.resume(PATIENCE),
                Act::Send => self.wake(Message::Sent),
                Act::Throw => self.wake(Message::Thrown),
                _ => {
                    let answer = self.wake(Message::Exit);
                    match answer {
                        Answer::Complete(value) if act == Act::Close => Answer::Closed(Some(value)),
                        Answer::Thrown(Why::Exit) if act == Act::Close => Answer::Closed(None),
                        Answer::Yielded(value) if act == Act::Close => Answer::Ignored(value),
                        answer => answer,
                    }
                }
            },
        }
    }

    fn resume(&mut self, times: usize) -> Answer {
        let mut last = Answer::Yielded("yielded");
        for _ in 0..times {
            last = self.wake(Message::Next);
            if !matches!(last, Answer::Yielded(_)) {
                break;
            }
        }
        last
    }

    fn wake(&mut self, message: Message) -> Answer {
        let end = self.chain(message);
        self.ends(end)
    }

    fn ends(&mut self, end: End) -> Answer {
        self.state = if let End::Yields(_) = end { Standing::Suspended } else { Standing::Finished };
        match end {
            End::Yields(value) => Answer::Yielded(value),
            End::Returns(value) => Answer::Complete(value),
            End::Fails(why) => Answer::Thrown(why),
            End::Panics(value) => Answer::Panicked(value),
        }
    }

    /// What comes out at the outermost.
    fn chain(&mut self, message: Message) -> End {
        let mut end = self.innermost(message);
        if message == Message::Exit {
            for level in (1..=self.case.depth()).rev() {
                end = match end {
                    End::Yields(_) => {
                        self.expected.was_ignored = true;
                        // Its delegator leaves, and drops it.
                        self.drop_innermost(level);
                        End::Fails(Why::Misuse(Misuse::Ignored))
                    }
                    End::Returns(_) => End::Fails(Why::Exit),
                    end => end,
                };
            }
        }
        end
    }

    fn innermost(&mut self, message: Message) -> End {
        if self.case.state == State::YieldAll && !self.has_reacted {
            self.items += 1;
            match message {
                Message::Next if self.items <= ITEMS => return End::Yields("item"),
                Message::Sent => return self.react(Err(Why::Misuse(Misuse::Sent))),
                _ => {}
            }
        }
        self.react(match message {
            Message::Next | Message::Sent => Ok(()),
            Message::Thrown => Err(Why::Error("thrown")),
            Message::Exit => Err(Why::Exit),
        })
    }

    fn react(&mut self, received: Result<(), Why>) -> End {
        let is_first = !mem::replace(&mut self.has_reacted, true);
        match self.case.reaction {
            Reaction::Insist | Reaction::Swallow => End::Yields("again"),
            Reaction::Yield if is_first => End::Yields("again"),
            Reaction::Leave | Reaction::Yield => received.map_or_else(End::Fails, |()| End::Returns("returned")),
            Reaction::Return => End::Returns("returned"),
            Reaction::Fail => End::Fails(Why::Error("own error")),
            Reaction::Panic => End::Panics("payload"),
        }
    }

    fn drop_it(&mut self, is_during_a_panic: bool) -> Answer {
        if self.state != Standing::Suspended {
            return Answer::Dropped;
        }
        self.state = Standing::Finished;
        match self.chain(Message::Exit) {
            End::Yields(_) => self.unwind(0),
            End::Fails(Why::Error(_) | Why::Misuse(_)) => self.report(0, Event::ErrorLost),
            End::Panics(_) if is_during_a_panic => self.report(0, Event::PanicLost),
            End::Panics(value) => return Answer::Panicked(value),
            End::Fails(Why::Exit) | End::Returns(_) => {}
        }
        Answer::Dropped
    }

    /// What a delegator does whose delegate has yielded in answer to an exit.
    fn drop_innermost(&mut self, level: usize) {
        if let End::Yields(_) = self.innermost(Message::Exit) {
            self.unwind(level);
        }
    }

    fn unwind(&mut self, level: usize) {
        self.report(level, Event::ExitIgnored);
        if self.case.reaction == Reaction::Swallow || cfg!(not(panic = "unwind")) {
            self.report(level, Event::Leaked);
        }
    }

    fn report(&mut self, level: usize, event: Event) {
        self.expected.reports.push((level.to_string(), event));
    }
}
