//! Little programs: what the bodies of coroutines do, and what their consumer does to them.

/// What a body does with an error at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Then {
    /// `?`
    Leave,
    /// It goes on with the next step.
    Stay,
}

/// A step of a body. Each body has a sum, of what it was sent and of what its calls and delegates have returned.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Yields the number and the sum.
    Yield(u8, Then),
    /// Yields the number, without a way to return an error.
    YieldOrUnwind(u8),
    /// Calls a function of these steps.
    Call(Vec<Step>, Then),
    /// Delegates to a new coroutine of these steps.
    Delegate(Vec<Step>, Then),
    /// Fails with an error of its own.
    Fail(u8),
    /// Panics.
    Panic(u8),
    /// Returns the number and the sum.
    Return(u8),
}

/// What the consumer does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Start,
    Resume,
    Send(u8),
    Throw(u8),
    ThrowExit,
    Close,
}

/// A coroutine, and what happens to it until it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) body: Vec<Step>,
    pub(crate) acts: Vec<Act>,
}

/// Numbers out of bytes; without end, as there are zeros behind them.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.next() % limit
    }

    fn then(&mut self) -> Then {
        if self.below(3) == 0 { Then::Stay } else { Then::Leave }
    }

    fn steps(&mut self, depth: u8) -> Vec<Step> {
        let count = self.below(5);
        (0..count).map(|_| self.step(depth)).collect()
    }

    fn step(&mut self, depth: u8) -> Step {
        match self.below(if depth == 0 { 9 } else { 16 }) {
            0..=4 => Step::Yield(self.next(), self.then()),
            5 => Step::YieldOrUnwind(self.next()),
            6 => Step::Fail(self.next()),
            7 => Step::Return(self.next()),
            8 => Step::Panic(self.next()),
            9 | 10 => Step::Call(self.steps(depth - 1), self.then()),
            _ => Step::Delegate(self.steps(depth - 1), self.then()),
        }
    }

    fn act(&mut self) -> Act {
        match self.below(10) {
            0 => Act::Start,
            1..=3 => Act::Resume,
            4 | 5 => Act::Send(self.next()),
            6 | 7 => Act::Throw(self.next()),
            8 => Act::ThrowExit,
            _ => Act::Close,
        }
    }

    /// The program that the bytes stand for.
    pub(crate) fn program(&mut self) -> Program {
        let body = self.steps(4);
        let count = self.below(8);
        Program { body, acts: (0..count).map(|_| self.act()).collect() }
    }
}
