//! Every state of a coroutine, crossed with every way out of it and everything that a body may answer: what comes out, and
//! that each value is dropped once, in the right order. Then all of it again where the destructors of one or two of those
//! values panic, for all of them in turn.
//!
//! What is expected follows from the rules in `rules.rs`.

use crate::ledger::{self, Counted, Frame, calm};
use crate::rules::{self, Answer, Misuse, Why};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use switchback::{Builder, CloseError, Coroutine, CoroutineState, SendError, Thrown, Yielder};

/// Where the coroutine is when the consumer acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Created,
    FirstYield,
    /// It has received a value and kept it.
    LaterYield,
    YieldAll,
    YieldOrUnwind,
    /// At a first yield, so many levels further in. Each delegator has captured its delegate, or has made it.
    Delegating {
        depth: usize,
        captured: bool,
    },
    /// It is its own consumer.
    Running,
    Finished,
}

/// What the consumer does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    Start,
    /// Until it ends; at most [`PATIENCE`] times.
    Resume,
    Send,
    Throw,
    ThrowExit,
    Close,
    Drop,
    DropDuringAPanic,
    Forget,
}

pub(crate) const PATIENCE: usize = 4;
/// What `yield_all` is given.
pub(crate) const ITEMS: usize = 3;

/// What the innermost body does when it is woken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reaction {
    /// Returns, or passes on what was thrown with `?`.
    Leave,
    /// Yields once more, and leaves after that.
    Yield,
    /// Returns whatever comes.
    Return,
    /// Fails with an error of its own.
    Fail,
    Panic,
    /// Yields for ever.
    Insist,
    /// The same, and catches unwinds.
    Swallow,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) act: Act,
    pub(crate) reaction: Reaction,
}

type Co = Coroutine<Counted, Counted, Counted, Counted>;
type Y = Yielder<Counted, Counted, Counted>;
type Result<T> = std::result::Result<T, Thrown<Counted>>;

impl Case {
    pub(crate) fn depth(self) -> usize {
        if let State::Delegating { depth, .. } = self.state { depth } else { 0 }
    }

    /// Whether it makes sense, and whether the program can do it.
    fn is_possible(self) -> bool {
        let own_consumer =
            self.state != State::Running || !matches!(self.act, Act::Drop | Act::DropDuringAPanic | Act::Forget);
        let unwinds = self.state == State::YieldOrUnwind
            || self.act == Act::DropDuringAPanic
            || matches!(self.reaction, Reaction::Panic | Reaction::Swallow);
        own_consumer && (cfg!(panic = "unwind") || !unwinds)
    }

    fn all() -> Vec<Case> {
        let states = [
            State::Created,
            State::FirstYield,
            State::LaterYield,
            State::YieldAll,
            State::YieldOrUnwind,
            State::Delegating { depth: 1, captured: true },
            State::Delegating { depth: 1, captured: false },
            State::Delegating { depth: 4, captured: true },
            State::Delegating { depth: 4, captured: false },
            State::Running,
            State::Finished,
        ];
        use Act::{Close, Drop, DropDuringAPanic, Forget, Resume, Send, Start, Throw, ThrowExit};
        let acts = [Start, Resume, Send, Throw, ThrowExit, Close, Drop, DropDuringAPanic, Forget];
        use Reaction::{Fail, Insist, Leave, Panic, Return, Swallow, Yield};
        let reactions = [Leave, Yield, Return, Fail, Panic, Insist, Swallow];
        let of = |state| acts.into_iter().flat_map(move |act| reactions.map(|reaction| Case { state, act, reaction }));
        states.into_iter().flat_map(of).filter(|case| case.is_possible()).collect()
    }
}

// ---- bodies

fn named(level: usize, body: impl FnOnce(&Y) -> Result<Counted> + 'static) -> Co {
    Builder::new().name(level.to_string()).create_throwing(body).expect("a stack")
}

/// The items of a `yield_all`, with a value of its own.
struct Items(#[allow(dead_code)] Counted, usize);

impl Iterator for Items {
    type Item = Counted;

    fn next(&mut self) -> Option<Counted> {
        self.1 += 1;
        (self.1 <= ITEMS).then(|| Counted::new("item"))
    }
}

/// The innermost coroutine.
fn innermost(case: Case, me: Rc<Cell<*mut Co>>) -> Co {
    let level = case.depth();
    let captured = Counted::at(level, 0);
    named(level, move |y| {
        let _captured = &captured;
        let _first = Counted::at(level, 1);
        let _second = Counted::at(level, 2);
        match (case.state, case.reaction) {
            (State::Finished, Reaction::Fail) => Err(Thrown::Error(Counted::new("own error"))),
            (State::Finished, Reaction::Panic) => resume_unwind(Box::new(Counted::new("payload"))),
            (State::Finished, _) => Ok(Counted::new("returned")),
            _ => steps(case, y, &me),
        }
    })
}

fn steps(case: Case, y: &Y, me: &Cell<*mut Co>) -> Result<Counted> {
    let level = case.depth();
    let mut kept = None;
    let frame = Frame::new(level);
    let message = match case.state {
        State::Running => {
            act_from_inside(case, me);
            Ok(Counted::default())
        }
        State::YieldAll => y.yield_all(Items(Counted::at(level, 3), 0)).map(|()| Counted::new("no message")),
        State::YieldOrUnwind => match catch_unwind(AssertUnwindSafe(|| y.yield_or_unwind(Counted::new("yielded")))) {
            Ok(sent) => Ok(sent),
            Err(payload) if case.reaction == Reaction::Leave => resume_unwind(payload),
            Err(payload) => {
                calm(level);
                ledger::is_bombs(&*payload);
                Err(Thrown::Exit)
            }
        },
        State::LaterYield => {
            let sent = y.yield_(Counted::new("yielded"))?;
            sent.settle(level, 3);
            kept = Some(sent);
            y.yield_(Counted::new("yielded"))
        }
        _ => y.yield_(Counted::new("yielded")),
    };
    let end = react(case, y, message);
    frame.returns();
    drop(kept);
    end
}

fn react(case: Case, y: &Y, message: Result<Counted>) -> Result<Counted> {
    match case.reaction {
        Reaction::Leave => drop(message?),
        Reaction::Return => drop(message),
        Reaction::Fail => {
            drop(message);
            return Err(Thrown::Error(Counted::new("own error")));
        }
        Reaction::Panic => {
            drop(message);
            resume_unwind(Box::new(Counted::new("payload")))
        }
        Reaction::Yield => {
            drop(message);
            y.yield_(Counted::new("again"))?;
        }
        Reaction::Insist => {
            drop(message);
            loop {
                drop(y.yield_(Counted::new("again")));
            }
        }
        Reaction::Swallow => {
            drop(message);
            loop {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(y.yield_(Counted::new("again"))))) {
                    calm(case.depth());
                    ledger::is_bombs(&*payload);
                }
            }
        }
    }
    Ok(Counted::new("returned"))
}

/// A coroutine that delegates, at `level`.
fn delegator(case: Case, level: usize) -> Co {
    let captured = Counted::at(level, 0);
    let State::Delegating { depth, captured: is_captured } = case.state else { return innermost(case, Rc::default()) };
    let make = move || {
        if level + 1 < depth { delegator(case, level + 1) } else { innermost(case, Rc::default()) }
    };
    let mut given = is_captured.then(make);
    named(level, move |y| {
        let _captured = &captured;
        let _first = Counted::at(level, 1);
        let mut made = None;
        let inner = given.as_mut().unwrap_or_else(|| made.insert(make()));
        let _second = Counted::at(level, 2);
        let frame = Frame::new(level);
        let end = y.yield_from(inner);
        calm(level);
        frame.returns();
        end
    })
}

// ---- the consumer

fn thrown(thrown: Thrown<Counted>) -> Why {
    match thrown {
        Thrown::Exit => Why::Exit,
        Thrown::Error(error) => Why::Error(error.label()),
        Thrown::Misuse(switchback::Misuse::Ignored) => Why::Misuse(Misuse::Ignored),
        Thrown::Misuse(switchback::Misuse::Sent) => Why::Misuse(Misuse::Sent),
        other => panic!("nothing here comes to {other:?}"),
    }
}

fn answer<T>(
    end: std::result::Result<CoroutineState<Counted, Counted>, SendError<T, Counted>>,
    label: fn(&T) -> &'static str,
) -> Answer {
    match end {
        Ok(CoroutineState::Yielded(value)) => Answer::Yielded(value.label()),
        Ok(CoroutineState::Complete(value)) => Answer::Complete(value.label()),
        Err(SendError::Thrown(why)) => Answer::Thrown(thrown(why)),
        Err(SendError::NotStarted(value)) => Answer::NotStarted(label(&value)),
        Err(SendError::Started(value)) => Answer::Started(label(&value)),
        Err(SendError::Finished(value)) => Answer::Finished(label(&value)),
        Err(SendError::Running(value)) => Answer::Running(label(&value)),
        Err(other) => panic!("nothing here comes to {other:?}"),
    }
}

fn call(co: &mut Co, act: Act) -> Answer {
    match act {
        Act::Start => answer(co.start(), |()| ""),
        Act::Resume => {
            let mut last = answer(co.resume(), |()| "");
            for _ in 1..PATIENCE {
                if !matches!(last, Answer::Yielded(_)) {
                    break;
                }
                last = answer(co.resume(), |()| "");
            }
            last
        }
        Act::Send => answer(co.send(Counted::new("sent")), Counted::label),
        Act::Throw => answer(co.throw(Counted::new("thrown")), Counted::label),
        Act::ThrowExit => answer(co.throw_exit(), |()| ""),
        Act::Close => match co.close() {
            Ok(value) => Answer::Closed(value.as_ref().map(Counted::label)),
            Err(CloseError::Ignored(value)) => Answer::Ignored(value.label()),
            Err(CloseError::Error(error)) => Answer::Thrown(Why::Error(error.label())),
            Err(CloseError::Misuse(misuse)) => Answer::Thrown(thrown(Thrown::Misuse(misuse))),
            Err(CloseError::Running) => Answer::Running(""),
            Err(other) => panic!("nothing here comes to {other:?}"),
        },
        Act::Drop | Act::DropDuringAPanic | Act::Forget => unreachable!("they take the handle"),
    }
}

thread_local!(static INSIDE: Cell<Option<Answer>> = const { Cell::new(None) });

fn act_from_inside(case: Case, me: &Cell<*mut Co>) {
    // SAFETY: the handle is alive while its body runs. Two `&mut` to it exist, which a handle of one word that is only
    // read and refused survives; a program should not do it.
    let me = unsafe { &mut *me.get() };
    INSIDE.set(Some(call(me, case.act)));
}

/// Runs `f`; a panic of the program's becomes an answer.
fn caught(f: impl FnOnce() -> Answer) -> Answer {
    let boom = |payload: Box<dyn Any + Send>| {
        if ledger::is_bombs(&*payload) { Answer::Boom } else { resume_unwind(payload) }
    };
    let end = catch_unwind(AssertUnwindSafe(f));
    calm(0);
    end.unwrap_or_else(|payload| match payload.downcast::<Counted>() {
        Ok(value) => catch_unwind(AssertUnwindSafe(move || Answer::Panicked(value.label()))).unwrap_or_else(boom),
        Err(payload) => boom(payload),
    })
}

fn caught_drop(co: Co) -> Answer {
    caught(|| {
        drop(co);
        Answer::Dropped
    })
}

/// Brings a coroutine into its state; a destructor that panics on the way is the answer.
fn bring(case: Case, co: &mut Co) -> Option<Answer> {
    let acts: &[Act] = match case.state {
        State::Created | State::Running => &[],
        State::LaterYield => &[Act::Start, Act::Send],
        _ => &[Act::Start],
    };
    acts.iter().map(|act| caught(|| call(co, *act))).find(|answer| *answer == Answer::Boom)
}

/// Brings a coroutine into the state, acts, and drops what is left; the answers to the last two.
fn run(case: Case) -> [Answer; 2] {
    let place = Rc::new(Cell::new(std::ptr::null_mut()));
    let mut co = if case.depth() == 0 { innermost(case, place.clone()) } else { delegator(case, 0) };
    let early = bring(case, &mut co);
    let answer = match case.act {
        Act::Drop => return [caught_drop(co), Answer::Dropped],
        Act::DropDuringAPanic => {
            ledger::drop_during_a_panic(co);
            return [Answer::Dropped; 2];
        }
        // One that has ended has nothing to leak but its name, for which LeakSanitizer would find us guilty.
        Act::Forget if co.state() != switchback::State::Finished => {
            ledger::leak(|_| true);
            std::mem::forget(co);
            return [Answer::Dropped; 2];
        }
        Act::Forget => Answer::Dropped,
        _ if case.state == State::Running => {
            place.set(&raw mut co);
            // SAFETY: as in `act_from_inside`.
            let co = unsafe { &mut *place.get() };
            let outside = caught(|| call(co, Act::Start));
            if outside == Answer::Boom { outside } else { INSIDE.take().expect("it has acted") }
        }
        act => caught(|| call(&mut co, act)),
    };
    [early.unwrap_or(answer), caught_drop(co)]
}

// ---- the properties

#[test]
fn whatever_happens_in_whatever_state_each_value_is_dropped_once_and_in_order() {
    for case in Case::all() {
        ledger::open(&[]);
        let answers = run(case);
        let page = ledger::close();
        let expected = rules::run(case);
        assert_eq!(answers, expected.answers, "{case:?}");
        assert_eq!(page.reports, expected.reports, "{case:?}");
        page.assert_dropped_once(&case);
        page.assert_order(!expected.was_ignored, &case);
    }
}

/// Returns how many of the bombs have gone off.
#[cfg(panic = "unwind")]
fn assert_survives(case: Case, bombs: &[usize]) -> usize {
    use switchback::Event;
    ledger::open(bombs);
    let answers = run(case);
    let page = ledger::close();
    assert!(!std::thread::panicking());
    page.assert_dropped_once(&(case, bombs));
    page.assert_order(false, &(case, bombs));
    // A panic is not lost without a word, if it is not the second one of the same end.
    let is_told = |event: Event| page.reports.iter().any(|(_, report)| *report == event);
    let another = answers.iter().any(|answer| matches!(answer, Answer::Panicked(_)));
    let is_known = page.has_been_caught || another || is_told(Event::PanicLost) || is_told(Event::Leaked);
    assert!(page.gone_off.is_empty() || is_known, "{case:?} {bombs:?} {page:#?}");
    page.gone_off.len()
}

#[test]
#[cfg(panic = "unwind")]
fn the_same_where_the_destructors_of_one_or_two_of_the_values_panic() {
    let slow = crate::SLOW;
    let (mut singles, mut pairs) = (0, 0);
    for case in Case::all() {
        ledger::open(&[]);
        run(case);
        let count = ledger::close().len();
        // A stack that is leaked has gone for good, and there are only so many.
        let (step, leap) = match case {
            Case { act: Act::Forget, .. } => (if slow { 3 } else { 1 }, count),
            Case { reaction: Reaction::Swallow, .. } => (if slow { 3 } else { 1 }, 7),
            _ => (1, if slow { 7 } else { 1 }),
        };
        for first in (0..count).step_by(step) {
            singles += assert_survives(case, &[first]);
            for second in (first + 1..count).step_by(leap) {
                pairs += usize::from(assert_survives(case, &[first, second]) == 2);
            }
        }
    }
    println!("bombs that have gone off: {singles} alone, {pairs} times two");
    assert!(singles > 2_000 && pairs > 1_000);
}
