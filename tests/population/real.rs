//! The same programs on coroutines.

use super::model::{Answer, Model, State, Why};
use super::program::{Act, Program, Step, Then};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use switchback::{CloseError, Coroutine, CoroutineState, Misuse, SendError, Thrown, Yielder};

thread_local! {
    static ALIVE: Cell<isize> = const { Cell::new(0) };
}

/// A number that is counted as long as it lives: none may be lost, none dropped twice.
struct Value(u8);

impl Value {
    fn new(value: u8) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(value)
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

type Co = Coroutine<Value, Value, Value, Value>;

fn coroutine(steps: Rc<[Step]>) -> Co {
    Coroutine::throwing(move |y| {
        let mut sum = 0;
        function(y, &steps, &mut sum).map(Value::new)
    })
}

fn function(y: &Yielder<Value, Value, Value>, steps: &[Step], sum: &mut u8) -> Result<u8, Thrown<Value>> {
    for step in steps {
        let (end, then) = match step {
            Step::Yield(value, then) => (y.yield_(Value::new(value.wrapping_add(*sum))).map(|sent| sent.0), then),
            Step::YieldOrUnwind(value) => (Ok(y.yield_or_unwind(Value::new(*value)).0), &Then::Leave),
            Step::Call(steps, then) => (function(y, steps, sum), then),
            Step::Delegate(steps, then) => {
                let mut inner = coroutine(steps.as_slice().into());
                (y.yield_from(&mut inner).map(|returned| returned.0), then)
            }
            Step::Fail(error) => return Err(Thrown::Error(Value::new(*error))),
            #[cfg(feature = "planted")]
            Step::Panic(payload @ 200..) if *sum != 0 => return Ok(past_the_end(*payload)),
            Step::Panic(payload) => resume_unwind(Box::new(Value::new(*payload))),
            Step::Return(value) => return Ok(value.wrapping_add(*sum)),
        };
        match end {
            Ok(value) => *sum = sum.wrapping_add(value),
            Err(thrown) if *then == Then::Leave => return Err(thrown),
            Err(_) => {}
        }
    }
    Ok(*sum)
}

/// Reads past the end of an array on the coroutine's stack.
#[cfg(feature = "planted")]
#[inline(never)]
fn past_the_end(index: u8) -> u8 {
    let array = std::hint::black_box([1_u8; 16]);
    // SAFETY: there is none: a sanitizer is to see it.
    unsafe { array.as_ptr().add(usize::from(index % 8) + 16).read_volatile() }
}

fn why(thrown: &Thrown<Value>) -> Why {
    match thrown {
        Thrown::Exit => Why::Exit,
        Thrown::Error(error) => Why::Error(error.0),
        Thrown::Misuse(Misuse::Ignored) => Why::Ignored,
        other => panic!("{:?} is not what a program here can come to", std::mem::discriminant(other)),
    }
}

fn answer<T>(end: Result<CoroutineState<Value, Value>, SendError<T, Value>>) -> Answer {
    match end {
        Ok(CoroutineState::Yielded(value)) => Answer::Yielded(value.0),
        Ok(CoroutineState::Complete(value)) => Answer::Complete(value.0),
        Err(SendError::Thrown(thrown)) => Answer::Thrown(why(&thrown)),
        Err(SendError::NotStarted(_)) => Answer::NotStarted,
        Err(SendError::Started(_)) => Answer::Started,
        Err(SendError::Finished(_)) => Answer::Finished,
        Err(_) => panic!("no program here can come to this"),
    }
}

fn act(co: &mut Co, act: Act) -> Answer {
    match act {
        Act::Start => answer(co.start()),
        Act::Resume => answer(co.resume()),
        Act::Send(value) => answer(co.send(Value::new(value))),
        Act::Throw(error) => answer(co.throw(Value::new(error))),
        Act::ThrowExit => answer(co.throw_exit()),
        Act::Close => match co.close() {
            Ok(value) => Answer::Closed(value.as_ref().map(|value| value.0)),
            Err(CloseError::Ignored(value)) => Answer::Yielded(value.0),
            Err(CloseError::Error(error)) => Answer::Thrown(Why::Error(error.0)),
            Err(CloseError::Misuse(Misuse::Ignored)) => Answer::Thrown(Why::Ignored),
            Err(_) => panic!("no program here can come to this"),
        },
    }
}

fn payload_of(panic: &(dyn std::any::Any + Send)) -> u8 {
    panic.downcast_ref::<Value>().expect("a panic of the program's").0
}

/// Runs a program on both, and says where they differ.
pub(crate) fn compare(program: &Program) -> Result<(), String> {
    let mut model = Model::new(&program.body);
    let mut co = coroutine(program.body.as_slice().into());
    for (index, &next) in program.acts.iter().enumerate() {
        let expected = model.act(next);
        let real = catch_unwind(AssertUnwindSafe(|| act(&mut co, next)))
            .unwrap_or_else(|panic| Answer::Panicked(payload_of(&*panic)));
        let (state, expected_state) = (co.state(), model.state);
        let same_state = matches!(
            (state, expected_state),
            (switchback::State::Created, State::Created)
                | (switchback::State::Suspended, State::Suspended)
                | (switchback::State::Finished, State::Finished)
        );
        if real != expected || !same_state {
            return Err(format!(
                "act {index}, {next:?}: {real:?}, {state:?} instead of {expected:?}, {expected_state:?}"
            ));
        }
    }
    let expected = model.drop_it();
    let real = catch_unwind(AssertUnwindSafe(|| drop(co))).err().map(|panic| payload_of(&*panic));
    if real != expected {
        return Err(format!("dropped: {real:?} instead of {expected:?}"));
    }
    match ALIVE.replace(0) {
        0 => Ok(()),
        count => Err(format!("{count} values are left over")),
    }
}
