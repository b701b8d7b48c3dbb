//! The statements of a body, on the stack of its coroutine.
//!
//! This is an ordinary recursive interpreter. A yield suspends it in the midst of however many loops and handlers it is
//! in, with all that they have on the stack, and nothing in here is written differently for that.

use super::exception::{Error, Exception, class, exception, payload};
use super::machine::{Delegation, Handle, Machine, Outcome};
use super::program::{
    Catch, Class, Condition, Destination, Expression, Handler, Kind, Operation, Source, Statement, Step, Target, Value,
    add, number, subtract,
};
use serde_json::{Value as Json, json};
use std::cell::Cell;
use std::rc::Rc;
use switchback::{Misuse, State, Thrown, Yielder};

/// The generator that a body belongs to.
pub(super) struct Generator<'a> {
    pub(super) id: usize,
    pub(super) function: usize,
    pub(super) argument: Value,
    pub(super) delegation: &'a Cell<Delegation>,
}

/// Why a block is left before its end. `?` passes it on, through handlers and finally blocks that have their say.
#[derive(Clone, Copy)]
enum Leave {
    Return(Value),
    Raise(Exception),
}

impl From<Exception> for Leave {
    fn from(exception: Exception) -> Self {
        Self::Raise(exception)
    }
}

type Flow = Result<(), Leave>;

/// A body's variables, and what they refer to. The order of the fields is the order in which Python releases them, when
/// the body ends and also when its frame is discarded: then the library unwinds the stack that this lies on.
struct Frame<'a> {
    machine: &'a Rc<Machine>,
    y: &'a Yielder<Value, Value, Error>,
    generator: Generator<'a>,
    values: Vec<Value>,
    generators: Vec<Option<Handle>>,
    /// What the body delegates to.
    delegate: Option<Handle>,
}

/// Runs the body of a generator.
pub(super) fn run(
    machine: &Rc<Machine>,
    generator: Generator<'_>,
    y: &Yielder<Value, Value, Error>,
) -> Result<Value, Exception> {
    let id = generator.id;
    let function = &machine.program.functions[generator.function];
    machine.event(json!(["start", id, generator.function]));
    let values = vec![None; function.values];
    let generators = (0..function.generators).map(|_| None).collect();
    let mut frame = Frame { machine, y, generator, values, generators, delegate: None };
    let end = frame.block(&function.body, None);
    machine.event(json!(["exit", id]));
    drop(frame);
    match end {
        Ok(()) => Ok(None),
        Err(Leave::Return(value)) => Ok(value),
        Err(Leave::Raise(Thrown::Error(Error::Raised(Class::StopIteration, _)))) => {
            Err(Thrown::Error(Error::LeftByStopIteration))
        }
        Err(Leave::Raise(exception)) => Err(exception),
    }
}

impl Frame<'_> {
    /// Runs statements. `caught` is what the innermost handler around them has caught.
    fn block(&mut self, statements: &[Statement], caught: Option<Exception>) -> Flow {
        for statement in statements {
            self.machine.count()?;
            self.step(statement.site, &statement.step, caught)?;
        }
        Ok(())
    }

    /// What recurses is apart from what does not, so that its frames are small: there may be many.
    fn step(&mut self, site: i64, step: &Step, caught: Option<Exception>) -> Flow {
        match step {
            Step::Try(body, handlers, last) => self.attempt(site, body, handlers, last.as_deref(), caught),
            Step::If(condition, then, otherwise) => {
                self.block(if self.holds(condition) { then } else { otherwise }, caught)
            }
            // Only statements are counted, so nothing else would end it.
            Step::Loop(_, body) if body.is_empty() => Ok(()),
            Step::Loop(count, body) => (0..*count).try_for_each(|_| self.block(body, caught)),
            Step::Reraise => Err(caught.expect("it is in a handler").into()),
            simple => self.simple(site, simple),
        }
    }

    fn attempt(
        &mut self,
        site: i64,
        body: &[Statement],
        handlers: &[Handler],
        last: Option<&[Statement]>,
        caught: Option<Exception>,
    ) -> Flow {
        let mut end = self.block(body, caught);
        if let Err(Leave::Raise(exception)) = end
            && let Some(handler) = handlers.iter().find(|handler| catches(&handler.catches, exception))
        {
            self.trace("catch", site, [self.machine.shown(exception)]);
            self.assign(handler.payload, payload(exception));
            end = self.block(&handler.body, Some(exception));
        }
        if let Some(last) = last {
            self.trace("fin", site, []);
            // What leaves a finally block replaces what was on its way.
            self.block(last, caught)?;
        }
        end
    }

    fn simple(&mut self, site: i64, step: &Step) -> Flow {
        match step {
            Step::Log(expression) => self.trace("log", site, [json!(self.value(expression))]),
            Step::Set(variable, expression) => self.values[*variable] = self.value(expression),
            Step::Yield(expression, destination) => {
                let sent = self.y.yield_(self.value(expression))?;
                self.trace("recv", site, [json!(sent)]);
                self.assign(*destination, sent);
            }
            Step::YieldFrom(source, destination) => self.yield_from(site, source, *destination)?,
            Step::Return(expression) => return Err(Leave::Return(self.value(expression))),
            Step::Raise(class, expression) => return Err(exception(*class, self.value(expression)).into()),
            Step::New { variable, function, argument } => {
                let handle = self.machine.create(*function, self.value(argument))?;
                let (new, target) = (handle.id, Target::Variable(*variable));
                self.store(target, Some(handle));
                self.trace("new", site, [json!(name(target)), json!(new)]);
            }
            Step::Drive { operation, target, destination, raw } => {
                self.drive(site, operation, *target, *destination, *raw)?;
            }
            Step::Delete(target) => self.delete(site, *target),
            Step::State(target) => {
                let state = self.machine.observe(self.get(*target).as_ref());
                self.trace("state", site, [json!(name(*target))].into_iter().chain(state));
            }
            Step::Try(..) | Step::If(..) | Step::Loop(..) | Step::Reraise => unreachable!("`step` has seen to it"),
        }
        Ok(())
    }

    /// An event that tells of this generator.
    fn trace(&self, name: &str, site: i64, rest: impl IntoIterator<Item = Json>) {
        let beginning = [json!(name), json!(self.generator.id), json!(site)];
        self.machine.event(beginning.into_iter().chain(rest).collect());
    }

    fn drive(
        &mut self,
        site: i64,
        operation: &Operation<Expression>,
        target: Target,
        destination: Destination,
        raw: bool,
    ) -> Flow {
        let operation = match operation {
            Operation::Next => Operation::Next,
            Operation::Send(expression) => Operation::Send(self.value(expression)),
            Operation::Throw(class, expression) => Operation::Throw(*class, self.value(expression)),
            Operation::Close => Operation::Close,
        };
        let beginning = [json!("in"), json!(self.generator.id), json!(site)];
        let generator = self.get(target);
        let outcome = self.machine.operate_traced(&beginning, operation, &name(target), generator.as_ref())?;
        drop(generator);
        let value = match outcome {
            Some(Outcome::Raised(exception)) if raw => return Err(exception.into()),
            Some(Outcome::Returned(value)) if raw => return Err(exception(Class::StopIteration, value).into()),
            Some(Outcome::Yielded(value) | Outcome::Returned(value)) => value,
            _ => None,
        };
        self.assign(destination, value);
        Ok(())
    }

    fn delete(&mut self, site: i64, target: Target) {
        let what = match self.get(target) {
            None => "empty",
            Some(generator) if generator.coroutine.try_borrow().is_err() => "running",
            Some(_) => "ok",
        };
        self.store(target, None);
        self.trace("del", site, [json!(name(target)), json!(what)]);
    }

    // --- delegation ---

    fn yield_from(&mut self, site: i64, source: &Source, destination: Destination) -> Flow {
        let result = match source {
            Source::Call(function, argument) => {
                let argument = self.value(argument);
                self.trace("yfrom", site, [json!("call")]);
                let made = self.machine.create(*function, argument)?;
                self.delegate(made, Self::delegate_to_owned)
            }
            Source::List(items) => {
                self.trace("yfrom", site, [json!("list")]);
                let items: Vec<Value> = items.iter().map(|item| self.value(item)).collect();
                self.generator.delegation.set(Delegation::Items);
                let end = self.y.yield_all(items);
                self.generator.delegation.set(Delegation::None);
                end.map(|()| None)
            }
            Source::Variable(target) => {
                let Some(generator) = self.get(*target) else {
                    self.trace("yfrom", site, [json!(name(*target)), json!("empty")]);
                    self.assign(destination, None);
                    return Ok(());
                };
                self.trace("yfrom", site, [json!(name(*target))]);
                match target {
                    Target::Variable(_) => self.delegate(generator, Self::delegate_to_owned),
                    Target::Slot(_) => self.delegate(generator, Self::delegate_to_shared),
                }
            }
        };
        let value = result?;
        self.trace("yf", site, [json!(value)]);
        self.assign(destination, value);
        Ok(())
    }

    /// Delegates in one of two ways, and releases the generator at the end.
    fn delegate(
        &mut self,
        generator: Handle,
        how: fn(&Self, &Handle) -> Result<Value, Exception>,
    ) -> Result<Value, Exception> {
        if self.machine.program.kind == Kind::Coroutines
            && generator.coroutine.try_borrow().is_ok_and(|coroutine| coroutine.state() == State::Suspended)
        {
            return Err(Thrown::Error(Error::AlreadyAwaited));
        }
        // In the frame, so that it goes last if that is discarded.
        let delegate = self.delegate.insert(generator).clone();
        let end = how(self, &delegate);
        drop(delegate);
        self.delegate = None;
        end
    }

    /// The library's `yield_from`: what the consumer sends and throws goes straight to the innermost generator.
    ///
    /// It has the generator to itself until the delegation ends. So it can be used where nobody else has it: a generator
    /// that a call has made just now, or one in a variable of this body, which cannot run meanwhile.
    fn delegate_to_owned(&self, generator: &Handle) -> Result<Value, Exception> {
        match self.y.yield_from(&mut *generator.coroutine.borrow_mut()) {
            // Python's generators end silently again.
            Err(Thrown::Misuse(Misuse::Finished)) if self.machine.program.kind == Kind::Generators => Ok(None),
            end => end,
        }
    }

    /// `yield from` step by step, as PEP 380 spells it out.
    ///
    /// A generator in a slot is everybody's: while this body waits for it, the driver or another body may resume it, close
    /// it, delegate to it as well, or be what resumes this body while *it* runs. A typed delegation cannot be like that:
    /// `yield_from` borrows the coroutine mutably until it ends, so that nobody else can do these things to it.
    fn delegate_to_shared(&self, generator: &Handle) -> Result<Value, Exception> {
        let mut outcome = self.machine.operate(generator, Operation::Next);
        loop {
            let yielded = match outcome {
                Outcome::Yielded(value) => value,
                Outcome::Returned(value) => return Ok(value),
                // Thrown at a generator that has finished meanwhile, it comes back, and means what it always means.
                Outcome::Raised(Thrown::Error(Error::Raised(Class::StopIteration, value))) => return Ok(value),
                Outcome::Raised(exception) => return Err(exception),
                // It was asked to exit, and so is this body.
                Outcome::Closed(_) => return Err(Thrown::Exit),
            };
            self.generator.delegation.set(Delegation::Shared(generator.id));
            let sent = self.y.yield_(yielded);
            self.generator.delegation.set(Delegation::None);
            let operation = match sent {
                Ok(value) => Operation::Send(value),
                Err(Thrown::Exit) => Operation::Close,
                Err(Thrown::Error(Error::Raised(class, payload))) => Operation::Throw(class, payload),
                Err(other) => return Err(other),
            };
            outcome = self.machine.operate(generator, operation);
        }
    }

    // --- variables and expressions ---

    fn get(&self, target: Target) -> Option<Handle> {
        match target {
            Target::Variable(variable) => self.generators[variable].clone(),
            Target::Slot(slot) => self.machine.slot(slot),
        }
    }

    /// Stores a handle; what was there is released after that.
    fn store(&mut self, target: Target, handle: Option<Handle>) {
        match target {
            Target::Variable(variable) => drop(std::mem::replace(&mut self.generators[variable], handle)),
            Target::Slot(slot) => self.machine.store(slot, handle),
        }
    }

    fn assign(&mut self, destination: Destination, value: Value) {
        if let Some(variable) = destination {
            self.values[variable] = value;
        }
    }

    fn value(&self, expression: &Expression) -> Value {
        match expression {
            Expression::Literal(value) => *value,
            Expression::Variable(variable) => self.values[*variable],
            Expression::Argument => self.generator.argument,
            Expression::Add(terms) => add(self.value(&terms[0]), self.value(&terms[1])),
            Expression::Subtract(terms) => subtract(self.value(&terms[0]), self.value(&terms[1])),
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Null(a) => self.value(a).is_none(),
            Condition::Equal(a, b) => self.value(a) == self.value(b),
            Condition::Less(a, b) => number(self.value(a)) < number(self.value(b)),
        }
    }
}

fn catches(handler: &[Catch], exception: Exception) -> bool {
    class(exception).is_some_and(|class| handler.iter().any(|catch| catch.matches(class)))
}

/// A target as programs name it.
fn name(target: Target) -> String {
    match target {
        Target::Variable(variable) => format!("a{variable}"),
        Target::Slot(slot) => format!("s{slot}"),
    }
}
