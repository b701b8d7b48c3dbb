//! Reads programs, and refuses those that could not run: what the other modules get needs no checks.

use super::program::{
    Act, Catch, Class, Condition, Destination, Expression, Function, Handler, Kind, Operation, Program, Source,
    Statement, Step, Target, Value,
};
use serde_json::{Map, Value as Json};

/// What is wrong with a program.
type Result<T> = std::result::Result<T, String>;

/// More variables or slots than this are a mistake.
const MOST_VARIABLES: usize = 1_000;

/// The program that a line holds. JSON is not read that is nested more than 127 deep. So neither this, nor the interpreter on
/// the stacks of coroutines, recurses deeper than stacks of the default size hold several times.
///
/// # Errors
///
/// What is wrong with the line, in words.
pub(crate) fn parse(line: &str) -> Result<Program> {
    let json: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let program = json.as_object().ok_or("a program is an object")?;
    let kind = match text(field(program, "kind")?)? {
        "gen" => Kind::Generators,
        "coro" => Kind::Coroutines,
        other => return Err(format!("there is no kind {other:?}")),
    };
    let level = field(program, "level")?.as_u64().filter(|level| (1..=3).contains(level));
    let functions = array(field(program, "funcs")?)?;
    let shape = Shape {
        level: level.ok_or("the level is not 1, 2 or 3")?,
        slots: count(field(program, "slots")?)?,
        functions: functions.len(),
    };
    let functions = functions
        .iter()
        .enumerate()
        .map(|(index, function)| shape.function(function).map_err(|wrong| format!("function {index}: {wrong}")));
    let main = array(field(program, "main")?)?
        .iter()
        .enumerate()
        .map(|(index, act)| shape.act(act).map_err(|wrong| format!("operation {index}: {wrong}")));
    Ok(Program {
        id: text(field(program, "id")?)?.into(),
        kind,
        slots: shape.slots,
        functions: functions.collect::<Result<_>>()?,
        main: main.collect::<Result<_>>()?,
    })
}

fn field<'a>(object: &'a Map<String, Json>, name: &str) -> Result<&'a Json> {
    object.get(name).ok_or_else(|| format!("there is no {name:?}"))
}

fn text(json: &Json) -> Result<&str> {
    json.as_str().ok_or_else(|| format!("no text: {}", brief(json)))
}

fn array(json: &Json) -> Result<&[Json]> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| format!("no list: {}", brief(json)))
}

/// An array that begins with a word.
fn tagged(json: &Json) -> Result<(&str, &[Json])> {
    match array(json)?.split_first() {
        Some((Json::String(word), rest)) => Ok((word, rest)),
        _ => Err(format!("it does not begin with a word: {}", brief(json))),
    }
}

fn integer(json: &Json) -> Result<i64> {
    json.as_i64().ok_or_else(|| format!("no number of 64 bits: {}", brief(json)))
}

fn value(json: &Json) -> Result<Value> {
    if json.is_null() { Ok(None) } else { integer(json).map(Some) }
}

fn count(json: &Json) -> Result<usize> {
    let count = usize::try_from(integer(json)?).ok().filter(|count| *count <= MOST_VARIABLES);
    count.ok_or_else(|| format!("not from 0 to {MOST_VARIABLES}: {json}"))
}

fn null(json: &Json) -> Result<()> {
    if json.is_null() { Ok(()) } else { Err(format!("null belongs here, not {}", brief(json))) }
}

/// A number that is less than `limit`.
fn index(json: &Json, limit: usize, what: &str) -> Result<usize> {
    let index = usize::try_from(integer(json)?).ok().filter(|index| *index < limit);
    index.ok_or_else(|| format!("there is no {what} {json}: they are {limit}"))
}

/// The number in `name`, a letter and digits, if the letter is this one.
fn numbered(name: &str, letter: char) -> Option<&str> {
    name.strip_prefix(letter).filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn variable(name: &str, letter: char, limit: usize) -> Result<Option<usize>> {
    let Some(digits) = numbered(name, letter) else { return Ok(None) };
    let index = digits.parse().ok().filter(|index| *index < limit);
    index.map(Some).ok_or_else(|| format!("there is no {name}: they are {limit}"))
}

fn class(json: &Json) -> Result<Class> {
    let name = text(json)?;
    let found = Class::ALL.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, class)| class).ok_or_else(|| format!("there is no exception {name:?}"))
}

fn raisable(json: &Json) -> Result<Class> {
    let class = class(json)?;
    if class.can_be_raised() { Ok(class) } else { Err(format!("programs do not raise {}", class.name())) }
}

fn catch(json: &Json) -> Result<Catch> {
    match json.as_str() {
        Some("Exception") => Ok(Catch::Exception),
        Some("BaseException") => Ok(Catch::BaseException),
        _ => class(json).map(Catch::Only),
    }
}

/// The beginning of something that may be long.
fn brief(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn wrong_shape<T>(word: &str, rest: &[Json]) -> Result<T> {
    Err(format!("{word:?} is unknown, or not followed by {} things", rest.len()))
}

/// What a program has, that its parts may name.
struct Shape {
    level: u64,
    slots: usize,
    functions: usize,
}

impl Shape {
    fn function_index(&self, json: &Json) -> Result<usize> {
        index(json, self.functions, "function")
    }

    fn act(&self, json: &Json) -> Result<Act> {
        let (word, rest) = tagged(json)?;
        let [slot, rest @ ..] = rest else { return wrong_shape(word, rest) };
        let slot = index(slot, self.slots, "slot")?;
        let operation = match (word, rest) {
            ("new", [function, argument]) => {
                return Ok(Act::New { slot, function: self.function_index(function)?, argument: value(argument)? });
            }
            ("drop", []) => return Ok(Act::Drop { slot }),
            ("state", []) => return Ok(Act::State { slot }),
            ("next", []) => Operation::Next,
            ("send", [sent]) => Operation::Send(value(sent)?),
            ("throw", [class, payload]) => Operation::Throw(raisable(class)?, value(payload)?),
            ("close", []) => Operation::Close,
            _ => return wrong_shape(word, rest),
        };
        Ok(Act::Operate { slot, operation })
    }

    fn function(&self, json: &Json) -> Result<Function> {
        let function = json.as_object().ok_or("a function is an object")?;
        let values = count(field(function, "ints")?)?;
        let generators = count(field(function, "gens")?)?;
        let scope = Scope { shape: self, values, generators, in_handler: false };
        Ok(Function { values, generators, body: scope.block(field(function, "body")?)? })
    }
}

/// Where in a function something stands.
#[derive(Clone, Copy)]
struct Scope<'a> {
    shape: &'a Shape,
    values: usize,
    generators: usize,
    in_handler: bool,
}

impl Scope<'_> {
    fn block(self, json: &Json) -> Result<Vec<Statement>> {
        array(json)?.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(self, json: &Json) -> Result<Statement> {
        let (word, rest) = tagged(json)?;
        let [site, rest @ ..] = rest else { return wrong_shape(word, rest) };
        let site = integer(site)?;
        let step = self.step(word, rest).map_err(|wrong| format!("{word} {site}: {wrong}"))?;
        Ok(Statement { site, step })
    }

    fn step(self, word: &str, rest: &[Json]) -> Result<Step> {
        Ok(match (word, rest) {
            ("log", [value]) => Step::Log(self.expression(value)?),
            ("set", [name, value]) => {
                let variable = self.destination(name)?.ok_or("null cannot be set")?;
                Step::Set(variable, self.expression(value)?)
            }
            ("yield", [value, destination]) => Step::Yield(self.expression(value)?, self.destination(destination)?),
            ("yfrom", [source, destination]) => Step::YieldFrom(self.source(source)?, self.destination(destination)?),
            ("return", [value]) => Step::Return(self.expression(value)?),
            ("raise", [class, payload]) => Step::Raise(raisable(class)?, self.expression(payload)?),
            ("reraise", []) if self.in_handler => Step::Reraise,
            ("reraise", []) => return Err("there is no handler around it".into()),
            ("try", [body, handlers, last]) => {
                let handlers: Vec<_> = array(handlers)?.iter().map(|json| self.handler(json)).collect::<Result<_>>()?;
                if handlers.is_empty() && last.is_null() {
                    return Err("it has neither a handler nor a finally block".into());
                }
                let last = if last.is_null() { None } else { Some(self.block(last)?) };
                Step::Try(self.block(body)?, handlers, last)
            }
            ("if", [condition, then, otherwise]) => {
                Step::If(self.condition(condition)?, self.block(then)?, self.block(otherwise)?)
            }
            ("loop", [count, body]) => Step::Loop(integer(count)?, self.block(body)?),
            ("new", [name, function, argument]) => {
                let Target::Variable(variable) = self.target(name)? else { return Err(format!("{name} is a slot")) };
                let function = self.shape.function_index(function)?;
                Step::New { variable, function, argument: self.expression(argument)? }
            }
            ("drive", [operation, target, argument, destination, mode]) => Step::Drive {
                operation: self.operation(text(operation)?, argument)?,
                target: self.target(target)?,
                destination: self.destination(destination)?,
                raw: match text(mode)? {
                    "raw" => true,
                    "traced" => false,
                    other => return Err(format!("there is no mode {other:?}")),
                },
            },
            ("del", [target]) => Step::Delete(self.target(target)?),
            ("state", [target]) => Step::State(self.target(target)?),
            _ => return wrong_shape(word, rest),
        })
    }

    fn handler(self, json: &Json) -> Result<Handler> {
        let [names, payload, body] = array(json)? else { return Err(format!("no handler: {}", brief(json))) };
        let catches: Vec<_> = array(names)?.iter().map(catch).collect::<Result<_>>()?;
        if catches.is_empty() {
            return Err("a handler names no exception".into());
        }
        let inside = Self { in_handler: true, ..self };
        Ok(Handler { catches, payload: self.destination(payload)?, body: inside.block(body)? })
    }

    fn operation(self, name: &str, argument: &Json) -> Result<Operation<Expression>> {
        match name {
            "next" => null(argument).map(|()| Operation::Next),
            "close" => null(argument).map(|()| Operation::Close),
            "send" => Ok(Operation::Send(self.expression(argument)?)),
            "throw" => {
                let [class, payload] = array(argument)? else {
                    return Err(format!("no exception: {}", brief(argument)));
                };
                Ok(Operation::Throw(raisable(class)?, self.expression(payload)?))
            }
            other => Err(format!("there is no operation {other:?}")),
        }
    }

    fn source(self, json: &Json) -> Result<Source> {
        match tagged(json)? {
            ("call", [function, argument]) => {
                Ok(Source::Call(self.shape.function_index(function)?, self.expression(argument)?))
            }
            ("list", [items]) => {
                Ok(Source::List(array(items)?.iter().map(|item| self.expression(item)).collect::<Result<_>>()?))
            }
            ("var", [target]) => Ok(Source::Variable(self.target(target)?)),
            (word, rest) => wrong_shape(word, rest),
        }
    }

    fn target(self, json: &Json) -> Result<Target> {
        let name = text(json)?;
        let (target, level) = if let Some(own) = variable(name, 'a', self.generators)? {
            (Target::Variable(own), 2)
        } else if let Some(slot) = variable(name, 's', self.shape.slots)? {
            (Target::Slot(slot), 3)
        } else {
            return Err(format!("{name:?} names no generator"));
        };
        if self.shape.level < level {
            return Err(format!("{name} belongs to level {level}, and this program says {}", self.shape.level));
        }
        Ok(target)
    }

    fn destination(self, json: &Json) -> Result<Destination> {
        if json.is_null() {
            return Ok(None);
        }
        let name = text(json)?;
        variable(name, 'x', self.values)?.map(Some).ok_or_else(|| format!("{name:?} is no variable for values"))
    }

    fn expression(self, json: &Json) -> Result<Expression> {
        match json {
            Json::Null | Json::Number(_) => value(json).map(Expression::Literal),
            Json::String(name) if name == "p" => Ok(Expression::Argument),
            Json::String(name) => match variable(name, 'x', self.values)? {
                Some(variable) => Ok(Expression::Variable(variable)),
                None => Err(format!("{name:?} is no variable for values")),
            },
            _ => {
                let terms = |a, b| Ok::<_, String>(Box::new([self.expression(a)?, self.expression(b)?]));
                match tagged(json)? {
                    ("add", [a, b]) => terms(a, b).map(Expression::Add),
                    ("sub", [a, b]) => terms(a, b).map(Expression::Subtract),
                    (word, rest) => wrong_shape(word, rest),
                }
            }
        }
    }

    fn condition(self, json: &Json) -> Result<Condition> {
        match tagged(json)? {
            ("none", [a]) => Ok(Condition::Null(self.expression(a)?)),
            ("eq", [a, b]) => Ok(Condition::Equal(self.expression(a)?, self.expression(b)?)),
            ("lt", [a, b]) => Ok(Condition::Less(self.expression(a)?, self.expression(b)?)),
            (word, rest) => wrong_shape(word, rest),
        }
    }
}
