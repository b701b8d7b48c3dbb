//! What a program must do, by an interpreter without stacks: a list of levels, each a coroutine that the one before it
//! delegates to, and in each the functions that have been called.
//!
//! It knows the rules as docs tell them, and nothing of how the library keeps them.

use super::program::{Act, Step, Then};

/// Why a body was made to leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    Exit,
    Error(u8),
    /// Its delegate has ignored the exit.
    Ignored,
}

/// What an act leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Yielded(u8),
    Complete(u8),
    Thrown(Why),
    Panicked(u8),
    NotStarted,
    Started,
    Finished,
    /// `close`: it is closed; what it has returned, if it has.
    Closed(Option<u8>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum State {
    Created,
    Suspended,
    Finished,
}

/// A coroutine.
struct Level<'a> {
    /// The functions that run, outermost first, and the step that each is at.
    frames: Vec<(&'a [Step], usize)>,
    sum: u8,
}

pub(crate) struct Model<'a> {
    pub(crate) state: State,
    body: &'a [Step],
    /// Outermost first.
    levels: Vec<Level<'a>>,
    /// While an exit is being answered: the level that answers it.
    answering: Option<usize>,
}

enum Flow {
    /// The innermost function goes on at its step.
    Go,
    Returned(u8),
    Left(Why),
    /// A coroutine ends.
    Ends(Result<u8, Why>),
}

impl<'a> Model<'a> {
    pub(crate) fn new(body: &'a [Step]) -> Self {
        Self { state: State::Created, body, levels: Vec::new(), answering: None }
    }

    pub(crate) fn act(&mut self, act: Act) -> Answer {
        match (self.state, act) {
            (State::Created, Act::Start | Act::Resume) => {
                self.levels.push(Level { frames: vec![(self.body, 0)], sum: 0 });
                self.run(Flow::Go)
            }
            (State::Created, Act::Send(_)) => Answer::NotStarted,
            (State::Created, Act::Throw(error)) => self.end(Answer::Thrown(Why::Error(error))),
            (State::Created, Act::ThrowExit) => self.end(Answer::Thrown(Why::Exit)),
            (State::Created | State::Finished, Act::Close) => self.end(Answer::Closed(None)),
            (State::Finished, _) => Answer::Finished,
            (State::Suspended, Act::Start) => Answer::Started,
            (State::Suspended, Act::Resume) => self.wake(Ok(0)),
            (State::Suspended, Act::Send(value)) => self.wake(Ok(value)),
            (State::Suspended, Act::Throw(error)) => self.wake(Err(Why::Error(error))),
            (State::Suspended, Act::ThrowExit) => self.exit(),
            (State::Suspended, Act::Close) => match self.exit() {
                Answer::Complete(value) => Answer::Closed(Some(value)),
                Answer::Thrown(Why::Exit) => Answer::Closed(None),
                other => other,
            },
        }
    }

    /// Drops the coroutine; returns what it panics with, if it does.
    pub(crate) fn drop_it(&mut self) -> Option<u8> {
        if self.state != State::Suspended {
            return None;
        }
        let answer = self.exit();
        // One that yields is unwound, which no step here can stop or see.
        self.state = State::Finished;
        if let Answer::Panicked(payload) = answer { Some(payload) } else { None }
    }

    fn end(&mut self, answer: Answer) -> Answer {
        self.state = State::Finished;
        self.levels.clear();
        answer
    }

    fn exit(&mut self) -> Answer {
        self.answering = Some(self.levels.len() - 1);
        let answer = self.wake(Err(Why::Exit));
        self.answering = None;
        answer
    }

    /// The innermost function waits in a yield.
    fn wake(&mut self, message: Result<u8, Why>) -> Answer {
        let level = self.levels.last_mut().expect("it is suspended");
        let (steps, at) = level.frames.last_mut().expect("in a function");
        let flow = match (&steps[*at], message) {
            (_, Ok(value)) => {
                level.sum = level.sum.wrapping_add(value);
                *at += 1;
                Flow::Go
            }
            (Step::Yield(_, Then::Stay), Err(_)) => {
                *at += 1;
                Flow::Go
            }
            (Step::Yield(_, Then::Leave), Err(why)) => Flow::Left(why),
            // Past all functions that would have stayed.
            (_, Err(why)) => Flow::Ends(Err(why)),
        };
        self.run(flow)
    }

    fn run(&mut self, mut flow: Flow) -> Answer {
        loop {
            let step = match flow {
                Flow::Go => self.step(),
                Flow::Returned(value) => Ok(self.leave_function(Ok(value))),
                Flow::Left(why) => Ok(self.leave_function(Err(why))),
                Flow::Ends(end) => self.leave_coroutine(end),
            };
            flow = match step {
                Ok(flow) => flow,
                Err(Answer::Yielded(value)) => match self.yielded(value) {
                    Ok(flow) => flow,
                    Err(answer) => return answer,
                },
                Err(answer) => return answer,
            };
        }
    }

    /// Does the next step. An error is what the consumer hears.
    fn step(&mut self) -> Result<Flow, Answer> {
        let level = self.levels.last_mut().expect("somebody runs");
        let (steps, at) = level.frames.last().expect("a function");
        let Some(step) = steps.get(*at) else { return Ok(Flow::Returned(level.sum)) };
        match step {
            Step::Yield(value, _) => return Err(Answer::Yielded(value.wrapping_add(level.sum))),
            Step::YieldOrUnwind(value) => return Err(Answer::Yielded(*value)),
            Step::Call(steps, _) => level.frames.push((steps, 0)),
            Step::Delegate(steps, _) => self.levels.push(Level { frames: vec![(steps, 0)], sum: 0 }),
            Step::Fail(error) => return Ok(Flow::Left(Why::Error(*error))),
            Step::Return(value) => return Ok(Flow::Returned(value.wrapping_add(level.sum))),
            Step::Panic(payload) => return Err(self.end(Answer::Panicked(*payload))),
        }
        Ok(Flow::Go)
    }

    fn leave_function(&mut self, end: Result<u8, Why>) -> Flow {
        let level = self.levels.last_mut().expect("somebody runs");
        level.frames.pop();
        if level.frames.is_empty() { Flow::Ends(end) } else { self.arrive(end) }
    }

    /// The innermost function gets the end of what it has called or delegated to.
    fn arrive(&mut self, end: Result<u8, Why>) -> Flow {
        let level = self.levels.last_mut().expect("somebody runs");
        let (steps, at) = level.frames.last_mut().expect("a function");
        let (Step::Call(_, then) | Step::Delegate(_, then)) = &steps[*at] else { unreachable!("it waits for an end") };
        match end {
            Err(why) if *then == Then::Leave => return Flow::Left(why),
            Err(_) => {}
            Ok(value) => level.sum = level.sum.wrapping_add(value),
        }
        *at += 1;
        Flow::Go
    }

    fn leave_coroutine(&mut self, end: Result<u8, Why>) -> Result<Flow, Answer> {
        self.levels.pop();
        let Some(delegator) = self.levels.len().checked_sub(1) else {
            return Err(self.end(end.map_or_else(Answer::Thrown, Answer::Complete)));
        };
        let mut end = end;
        if self.answering == Some(delegator + 1) {
            // It has answered the exit, and its delegator is the next to do so. A value is no answer to that one.
            self.answering = Some(delegator);
            end = end.and(Err(Why::Exit));
        }
        Ok(self.arrive(end))
    }

    /// A value goes to the consumer; unless it is the answer to an exit by somebody who delegates no longer, then.
    fn yielded(&mut self, value: u8) -> Result<Flow, Answer> {
        self.state = State::Suspended;
        let Some(level) = self.answering.filter(|level| *level > 0) else { return Err(Answer::Yielded(value)) };
        // Whoever has ignored it is given back to its delegator, with all further in, and dropped there.
        let mut ignorant =
            Model { state: State::Suspended, body: self.body, levels: self.levels.split_off(level), answering: None };
        self.answering = Some(level - 1);
        match ignorant.drop_it() {
            None => Ok(self.arrive(Err(Why::Ignored))),
            Some(payload) => Err(self.end(Answer::Panicked(payload))),
        }
    }
}
