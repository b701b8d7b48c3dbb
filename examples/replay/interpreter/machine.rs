//! Generators as coroutines: handles, operations, the driver, and what happens when the last handle goes.

use super::body;
use super::exception::{Error, Exception, exception, shown};
use super::program::{Act, Class, Kind, Operation, Program, Value};
use super::trace::Trace;
use serde_json::{Value as Json, json};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Once;
use switchback::{
    Builder, CloseError, Coroutine, CoroutineState, Event, Misuse, Report, SendError, State, Thrown, Yielder,
};

/// What a generator of a program is: it yields, is sent and returns values, and errors can be thrown at it.
pub(super) type Body = Coroutine<Value, Value, Value, Error>;

/// What this many statements have not ended is given up.
const MOST_STATEMENTS: u32 = 200_000;

/// A counted reference to a generator. Python's variables hold such.
pub(super) type Handle = Rc<Generator>;

/// A generator. Its drop is Python's finalisation: that of the coroutine inside closes it.
pub(super) struct Generator {
    pub(super) id: usize,
    pub(super) delegation: Rc<Cell<Delegation>>,
    machine: Rc<Machine>,
    /// Borrowed while the generator runs. So a borrow that fails is Python's "already executing": what `&mut self` makes
    /// the compiler see to elsewhere is seen at run time where handles are shared.
    pub(super) coroutine: RefCell<Body>,
}

/// What a generator waits in, as far as the library cannot tell: [`Coroutine::delegate`] knows of the coroutines that
/// `yield_from` delegates to.
#[derive(Clone, Copy)]
pub(super) enum Delegation {
    None,
    Items,
    Shared(usize),
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.machine.event(json!(["dropped", self.id]));
        let state = self.coroutine.get_mut().state();
        if self.machine.program.kind == Kind::Coroutines && state == State::Created {
            self.machine.event(json!(["never_awaited", self.id]));
        }
        // What follows is the drop of the coroutine. If that is suspended it is asked to exit; what it fails with, or that
        // it yields instead, is reported to `unraisable`; and if it has yielded, its frames are unwound. No statement of
        // it runs then, but their destructors do, which are those of `body::Frame`'s variables.
    }
}

/// What an operation on a generator leads to.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Yielded(Value),
    Returned(Value),
    Raised(Exception),
    Closed(Value),
}

/// Why a program was not run to its end.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    TooManyStatements,
    /// No stack for another coroutine. The text says why.
    NoStack(String),
    /// A frame was to be discarded, and this build of the interpreter cannot unwind.
    CannotUnwind,
    /// Never: the interpreter has a fault.
    Failed(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyStatements => write!(f, "it does not end within {MOST_STATEMENTS} statements"),
            Self::NoStack(why) => write!(f, "no stack for a coroutine: {why}"),
            Self::Failed(how) => write!(f, "the interpreter has a fault: {how}"),
            Self::CannotUnwind => {
                f.write_str("a frame is to be discarded, which takes unwinding, and here a panic aborts")
            }
        }
    }
}

/// A program that runs.
pub(super) struct Machine {
    pub(super) program: Program,
    trace: Trace,
    slots: RefCell<Vec<Option<Handle>>>,
    generators: Cell<usize>,
    statements: Cell<u32>,
    close_value: bool,
    /// What the last body that failed has failed with. The library's report of a lost error says whose, but not which.
    failure: Cell<Option<Exception>>,
    stop: RefCell<Option<Stop>>,
}

thread_local! {
    /// Where reports go: whose program runs on this thread.
    static RUNNING: RefCell<Option<Rc<Machine>>> = const { RefCell::new(None) };
}

/// Runs a program. Returns its trace, or says why there is none. With `close_value` the trace tells what a body returns
/// when it is closed, which Python's `close` does since 3.13.
pub(crate) fn run(program: Program, close_value: bool) -> Result<Vec<u8>, Stop> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| switchback::set_report_hook(unraisable));

    let slots = RefCell::new((0..program.slots).map(|_| None).collect());
    let machine = Rc::new(Machine {
        program,
        trace: Trace::default(),
        slots,
        generators: Cell::new(0),
        statements: Cell::new(0),
        close_value,
        failure: Cell::new(None),
        stop: RefCell::new(None),
    });
    let outer = RUNNING.replace(Some(machine.clone()));
    let end = machine.drive();
    // What a run that was given up has left is put away unseen.
    machine.trace.close();
    drop(machine.slots.take());
    RUNNING.set(outer);
    end.map(|()| machine.trace.take())
}

/// Python's `sys.unraisablehook`, as the library's report hook: what went wrong in the drop of a coroutine.
fn unraisable(report: &Report<'_>) {
    let Some(machine) = RUNNING.with_borrow(Clone::clone) else { return };
    let name = report.coroutine().name().unwrap_or_default();
    match report.event() {
        Event::ExitIgnored => machine.lost(name, Thrown::Misuse(Misuse::Ignored)),
        Event::ErrorLost => machine.lost(name, machine.failure.get().expect("a body has failed")),
        Event::Leaked => drop(machine.give_up(Stop::CannotUnwind)),
        _ => drop(machine.give_up(Stop::Failed(report.to_string()))),
    }
}

impl Machine {
    pub(super) fn event(&self, event: Json) {
        self.trace.push(&event);
    }

    fn lost(&self, name: &str, failure: Exception) {
        if failure == Thrown::Error(Error::Stop) {
            return;
        }
        self.event(json!(["unraisable", generator_of(name), self.shown(failure)]));
    }

    pub(super) fn shown(&self, exception: Exception) -> Json {
        shown(exception, self.program.kind)
    }

    /// A body has ended.
    pub(super) fn ended(&self, end: Result<Value, Exception>) -> Result<Value, Exception> {
        if let Err(failure) = end {
            self.failure.set(Some(failure));
        }
        end
    }

    /// To be called before each statement.
    pub(super) fn count(&self) -> Result<(), Exception> {
        if self.stop.borrow().is_some() {
            return Err(Thrown::Error(Error::Stop));
        }
        self.statements.set(self.statements.get() + 1);
        if self.statements.get() > MOST_STATEMENTS {
            return Err(self.give_up(Stop::TooManyStatements));
        }
        Ok(())
    }

    fn give_up(&self, why: Stop) -> Exception {
        self.stop.borrow_mut().get_or_insert(why);
        Thrown::Error(Error::Stop)
    }

    // --- handles ---

    /// Makes a generator, of which no statement runs yet.
    pub(super) fn create(self: &Rc<Self>, function: usize, argument: Value) -> Result<Handle, Exception> {
        let id = self.generators.get();
        self.generators.set(id + 1);
        let delegation = Rc::new(Cell::new(Delegation::None));
        let (machine, inside) = (self.clone(), delegation.clone());
        let made = Builder::new().name(id.to_string()).create_throwing(move |y: &Yielder<Value, Value, Error>| {
            let generator = body::Generator { id, function, argument, delegation: &inside };
            machine.ended(body::run(&machine, generator, y))
        });
        match made {
            Ok(coroutine) => {
                let coroutine = RefCell::new(coroutine);
                Ok(Rc::new(Generator { id, delegation, machine: self.clone(), coroutine }))
            }
            Err(refused) => Err(self.give_up(Stop::NoStack(refused.error().to_string()))),
        }
    }

    pub(super) fn slot(&self, slot: usize) -> Option<Handle> {
        self.slots.borrow()[slot].clone()
    }

    /// Stores a handle; what was there is released after that.
    pub(super) fn store(&self, slot: usize, handle: Option<Handle>) {
        let old = std::mem::replace(&mut self.slots.borrow_mut()[slot], handle);
        drop(old);
    }

    // --- operations ---

    pub(super) fn operate(&self, generator: &Generator, operation: Operation<Value>) -> Outcome {
        let Ok(mut coroutine) = generator.coroutine.try_borrow_mut() else {
            return Outcome::Raised(Thrown::Misuse(Misuse::Running));
        };
        match operation {
            Operation::Next | Operation::Send(None) => self.outcome(coroutine.resume(), None),
            Operation::Send(value) => self.outcome(coroutine.send(value), None),
            Operation::Throw(class, payload) => match exception(class, payload) {
                Thrown::Error(error) => self.outcome(coroutine.throw(error), Some(Thrown::Error(error))),
                exit => self.outcome(coroutine.throw_exit(), Some(exit)),
            },
            Operation::Close => match coroutine.close() {
                Ok(value) => Outcome::Closed(if self.close_value { value.flatten() } else { None }),
                Err(CloseError::Ignored(_)) => Outcome::Raised(Thrown::Misuse(Misuse::Ignored)),
                Err(CloseError::Error(error)) => Outcome::Raised(Thrown::Error(error)),
                Err(CloseError::Misuse(misuse)) => Outcome::Raised(Thrown::Misuse(misuse)),
                Err(other) => unreachable!("a generator that is not running can be closed: {other:?}"),
            },
        }
    }

    /// What resuming has led to, where `thrown` was thrown or nothing was.
    fn outcome<T>(
        &self,
        result: Result<CoroutineState<Value, Value>, SendError<T, Error>>,
        thrown: Option<Exception>,
    ) -> Outcome {
        match result {
            Ok(CoroutineState::Yielded(value)) => Outcome::Yielded(value),
            Ok(CoroutineState::Complete(value)) => Outcome::Returned(value),
            Err(SendError::Thrown(exception)) => Outcome::Raised(exception),
            Err(SendError::NotStarted(_)) => Outcome::Raised(Thrown::Misuse(Misuse::NotStarted)),
            // A finished coroutine may not be used again. A generator has nothing more, and what is thrown at it comes
            // back.
            Err(SendError::Finished(_)) if self.program.kind == Kind::Coroutines => {
                Outcome::Raised(Thrown::Misuse(Misuse::Finished))
            }
            Err(SendError::Finished(_)) => thrown.map_or(Outcome::Returned(None), Outcome::Raised),
            Err(other) => unreachable!("a coroutine that is not running can be resumed: {other:?}"),
        }
    }

    /// [`operate`](Self::operate) with its event, whose beginning is given. `None` if there is no generator.
    pub(super) fn operate_traced(
        &self,
        beginning: &[Json],
        operation: Operation<Value>,
        name: &str,
        generator: Option<&Handle>,
    ) -> Result<Option<Outcome>, Exception> {
        let outcome = generator.map(|generator| self.operate(generator, operation));
        // A StopIteration is how Python's operations say that a generator has returned, also one that was only thrown.
        let outcome = outcome.map(|outcome| match outcome {
            Outcome::Raised(Thrown::Error(Error::Raised(Class::StopIteration, value))) => Outcome::Returned(value),
            other => other,
        });
        let end = match outcome {
            None => vec![json!("empty")],
            Some(Outcome::Yielded(value)) => vec![json!("yielded"), json!(value)],
            Some(Outcome::Returned(value)) => vec![json!("returned"), json!(value)],
            Some(Outcome::Closed(value)) => vec![json!("closed"), json!(value)],
            Some(Outcome::Raised(Thrown::Error(Error::Stop))) => return Err(Thrown::Error(Error::Stop)),
            Some(Outcome::Raised(exception)) => vec![json!("raised"), self.shown(exception)],
        };
        let middle = [json!(operation.name()), json!(name)];
        self.event(Json::Array([beginning, &middle, &end].concat()));
        Ok(outcome)
    }

    /// Python's `inspect.getgeneratorstate` and `gi_yieldfrom`; or "empty".
    pub(super) fn observe(&self, generator: Option<&Handle>) -> Vec<Json> {
        let Some(generator) = generator else { return vec![json!("empty")] };
        let Ok(coroutine) = generator.coroutine.try_borrow() else { return vec![json!("RUNNING"), Json::Null] };
        let state = match coroutine.state() {
            State::Created => "CREATED",
            State::Suspended => "SUSPENDED",
            _ => return vec![json!("CLOSED"), Json::Null],
        };
        let inner = coroutine.delegate().map(|inner| json!(generator_of(inner.name().unwrap_or_default())));
        let inner = inner.unwrap_or(match generator.delegation.get() {
            Delegation::None => Json::Null,
            Delegation::Items => json!("iter"),
            Delegation::Shared(id) => json!(id),
        });
        vec![json!(state), inner]
    }

    // --- the driver ---

    fn drive(self: &Rc<Self>) -> Result<(), Stop> {
        self.event(json!(["prog", self.program.id]));
        for (index, act) in self.program.main.iter().enumerate() {
            if self.act(index, act).is_err() || self.stop.borrow().is_some() {
                break;
            }
        }
        let mut index = self.program.main.len();
        for slot in 0..self.program.slots {
            if self.stop.borrow().is_none() && self.slot(slot).is_some() {
                self.store(slot, None);
                self.event(json!(["op", index, "drop", format!("s{slot}"), "end"]));
                index += 1;
            }
        }
        match self.stop.borrow().as_ref() {
            None => {}
            Some(Stop::TooManyStatements) => self.event(json!(["limit"])),
            Some(other) => return Err(other.clone()),
        }
        self.event(json!(["end", self.program.id, self.trace.count() - 1]));
        Ok(())
    }

    fn act(self: &Rc<Self>, index: usize, act: &Act) -> Result<(), Exception> {
        let name = |slot: &usize| format!("s{slot}");
        match act {
            Act::New { slot, function, argument } => {
                let handle = self.create(*function, *argument)?;
                let id = handle.id;
                self.store(*slot, Some(handle));
                self.event(json!(["op", index, "new", name(slot), "gen", id]));
            }
            Act::Drop { slot } => {
                let what = if self.slot(*slot).is_some() { "ok" } else { "empty" };
                self.store(*slot, None);
                self.event(json!(["op", index, "drop", name(slot), what]));
            }
            Act::State { slot } => {
                let generator = self.slot(*slot);
                let mut event = vec![json!("op"), json!(index), json!("state"), json!(name(slot))];
                if generator.is_some() {
                    event.push(json!("state"));
                }
                event.extend(self.observe(generator.as_ref()));
                self.event(Json::Array(event));
            }
            Act::Operate { slot, operation } => {
                let beginning = [json!("op"), json!(index)];
                self.operate_traced(&beginning, *operation, &name(slot), self.slot(*slot).as_ref())?;
            }
        }
        Ok(())
    }
}

/// The number of the generator whose coroutine has this name.
fn generator_of(name: &str) -> usize {
    name.parse().expect("coroutines are named by their numbers")
}
