//! Programs, as they are once they have been read and checked: nothing in here names what is not there.

/// A value of the language: a number, or nothing.
pub(crate) type Value = Option<i64>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Functions are Python's generator functions.
    Generators,
    /// Functions are `async def`.
    Coroutines,
}

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// How many generators the driver can hold.
    pub(crate) slots: usize,
    pub(crate) functions: Vec<Function>,
    pub(crate) main: Vec<Act>,
}

#[derive(Debug)]
pub(crate) struct Function {
    /// How many variables for values: `x0`, `x1`, ….
    pub(crate) values: usize,
    /// How many variables for generators: `a0`, `a1`, ….
    pub(crate) generators: usize,
    pub(crate) body: Vec<Statement>,
}

/// What the driver does.
#[derive(Debug)]
pub(crate) enum Act {
    New { slot: usize, function: usize, argument: Value },
    Drop { slot: usize },
    State { slot: usize },
    Operate { slot: usize, operation: Operation<Value> },
}

/// What is done to a generator, with its argument: an expression as it stands in a program, or its value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<T> {
    Next,
    Send(T),
    Throw(Class, T),
    Close,
}

impl<T> Operation<T> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Send(_) => "send",
            Self::Throw(..) => "throw",
            Self::Close => "close",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Statement {
    /// The number that the trace calls it by.
    pub(crate) site: i64,
    pub(crate) step: Step,
}

/// Where a statement puts its value: a variable, or nowhere.
pub(crate) type Destination = Option<usize>;

#[derive(Debug)]
pub(crate) enum Step {
    Log(Expression),
    Set(usize, Expression),
    Yield(Expression, Destination),
    YieldFrom(Source, Destination),
    Return(Expression),
    Raise(Class, Expression),
    Reraise,
    Try(Vec<Statement>, Vec<Handler>, Option<Vec<Statement>>),
    If(Condition, Vec<Statement>, Vec<Statement>),
    Loop(i64, Vec<Statement>),
    New { variable: usize, function: usize, argument: Expression },
    Drive { operation: Operation<Expression>, target: Target, destination: Destination, raw: bool },
    Delete(Target),
    State(Target),
}

#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) catches: Vec<Catch>,
    pub(crate) payload: Destination,
    pub(crate) body: Vec<Statement>,
}

/// What a body delegates to.
#[derive(Debug)]
pub(crate) enum Source {
    Call(usize, Expression),
    List(Vec<Expression>),
    Variable(Target),
}

/// Where a body finds a generator.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// In a variable of its own.
    Variable(usize),
    /// In a slot of the driver.
    Slot(usize),
}

#[derive(Debug)]
pub(crate) enum Expression {
    Literal(Value),
    Variable(usize),
    Argument,
    Add(Box<[Expression; 2]>),
    Subtract(Box<[Expression; 2]>),
}

#[derive(Debug)]
pub(crate) enum Condition {
    Null(Expression),
    Equal(Expression, Expression),
    Less(Expression, Expression),
}

/// A class of exceptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    E0,
    E1,
    E2,
    E3,
    GeneratorExit,
    StopIteration,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
}

impl Class {
    pub(crate) const ALL: [(&str, Self); 10] = [
        ("E0", Self::E0),
        ("E1", Self::E1),
        ("E2", Self::E2),
        ("E3", Self::E3),
        ("GeneratorExit", Self::GeneratorExit),
        ("StopIteration", Self::StopIteration),
        ("RuntimeError", Self::RuntimeError),
        ("ValueError", Self::ValueError),
        ("TypeError", Self::TypeError),
        ("AttributeError", Self::AttributeError),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// Whether programs raise it. The others are made by the runtime.
    pub(crate) fn can_be_raised(self) -> bool {
        self as usize <= Self::StopIteration as usize
    }
}

/// What a handler names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Catch {
    Only(Class),
    /// `except Exception`: all but GeneratorExit.
    Exception,
    /// `except BaseException`: all.
    BaseException,
}

impl Catch {
    pub(crate) fn matches(self, class: Class) -> bool {
        match self {
            Self::Only(only) => only == class,
            Self::Exception => class != Class::GeneratorExit,
            Self::BaseException => true,
        }
    }
}

const MODULUS: i64 = 10_007;

/// A value as a number.
pub(crate) fn number(value: Value) -> i64 {
    value.unwrap_or(0)
}

/// The sum, between 0 and 10,006. Reduced first, so that it does not overflow.
pub(crate) fn add(a: Value, b: Value) -> Value {
    Some((number(a).rem_euclid(MODULUS) + number(b).rem_euclid(MODULUS)).rem_euclid(MODULUS))
}

/// The difference, likewise.
pub(crate) fn subtract(a: Value, b: Value) -> Value {
    Some((number(a).rem_euclid(MODULUS) - number(b).rem_euclid(MODULUS)).rem_euclid(MODULUS))
}
