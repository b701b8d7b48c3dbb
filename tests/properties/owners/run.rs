//! Running a program.

use super::program::{Act, Give, Program, Step, Then};
use super::world::{Co, Item, Seen, Token, World, check, with};
use crate::reports::on_report;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;
use switchback::{Builder, CloseError, CoroutineState, Event, Misuse, SendError, State, Thrown, Yielder};

type Y = Yielder<Item, Item, Item>;
type Result<T> = std::result::Result<T, Thrown<Item>>;
type Payload = Box<dyn Any + Send>;
type Scripts = Rc<[Vec<Step>]>;

/// More values than this are not kept at hand.
const MOST: usize = 6;

pub(super) fn run(program: &Program) -> std::result::Result<Seen, String> {
    on_report(|report| {
        let number = report.coroutine().name().and_then(|name| name.parse().ok());
        if let (Event::Leaked, Some(co)) = (report.event(), number) {
            with(|world| world.leak(co));
        }
    });
    World::open();
    let mut body = Body { me: 0, y: None, scripts: program.scripts.clone().into(), hand: Vec::new() };
    for step in &program.main {
        catch_unwind(AssertUnwindSafe(|| drop(body.steps(std::slice::from_ref(step))))).unwrap_or_else(seen);
    }
    // One after the other, as a panic of one would drop the others during it.
    while let Some(item) = body.hand.pop() {
        catch_unwind(AssertUnwindSafe(|| drop(item))).unwrap_or_else(seen);
    }
    check(!thread::panicking(), || "the thread panics".into());
    World::close()
}

/// A panic has been caught: one of the program's, or a private unwind.
fn seen(payload: Payload) {
    let words = payload.downcast_ref::<String>().cloned();
    check(words.is_none() && !payload.is::<&str>(), || format!("a panic from elsewhere: {words:?}"));
    // It may be a bomb itself.
    mem::forget(catch_unwind(AssertUnwindSafe(|| drop(payload))));
}

fn label(thrown: &Thrown<Item>) -> Option<usize> {
    if let Thrown::Error(item) = thrown { Some(item.token.id) } else { None }
}

/// A coroutine that runs a script, with what it has been given.
fn coroutine(home: usize, scripts: &Scripts, script: u8, mut hand: Vec<Item>) -> Option<Item> {
    let me = with(World::new_co)?;
    let all = scripts.clone();
    let script = usize::from(script) % scripts.len();
    hand.iter().for_each(|item| with(|world| world.settle(item.token.id, me)));
    let co = Builder::new().name(me.to_string()).create_throwing(move |y: &Y| {
        with(|world| world.woken(me));
        let mut body = Body { me, y: Some(y), scripts: all.clone(), hand: mem::take(&mut hand) };
        let end = body.steps(&all[script]);
        // Not on the way out: what a function returns is lost when the destructor of a local panics (rust-lang/rust#47949).
        drop(body);
        let end = end.map(|value| value.unwrap_or_else(|| Item::new(me, false)));
        with(|world| world.set_end(me, end.as_ref().map_or_else(label, |item| Some(item.token.id))));
        end
    });
    Some(Item::with_co(home, me, co.expect("a stack")))
}

/// What runs a script: a coroutine, or the consumer of all.
struct Body<'a> {
    /// Its number.
    me: usize,
    y: Option<&'a Y>,
    scripts: Scripts,
    /// Its values.
    hand: Vec<Item>,
}

/// Yields when it is dropped.
struct YieldsOnDrop<'a> {
    me: usize,
    y: &'a Y,
    item: Option<Item>,
}

impl Drop for YieldsOnDrop<'_> {
    fn drop(&mut self) {
        let Some(item) = self.item.take() else { return };
        let panicking = thread::panicking();
        if panicking && !with(|world| world.woke_calmly(self.me)) {
            // It may be allowed to, and then nobody knows any more whether the thread panics: docs/SAFETY.md, hole 3.
            return;
        }
        let end = yield_item(self.me, self.y, item);
        if panicking {
            check(matches!(end, Err(Thrown::Misuse(Misuse::Panicking))), || "suspended during a panic".into());
        }
    }
}

fn yield_item(me: usize, y: &Y, item: Item) -> Result<Item> {
    with(|world| world.yields(me, item.token.id));
    received(me, y.yield_(item))
}

/// What has been received is what was sent last, and belongs to `me` now.
fn received(me: usize, message: Result<Item>) -> Result<Item> {
    with(|world| world.woken(me));
    let id = match &message {
        Ok(item) => Some(item.token.id),
        Err(thrown) => label(thrown),
    };
    if let Some(id) = id {
        let sent = with(|world| world.sent);
        check(sent == Some(id), || format!("received {id} instead of {sent:?}"));
        with(|world| world.settle(id, me));
    }
    message
}

/// What an act leads to.
enum End {
    Yielded(Item),
    /// With what it has returned or failed with.
    Finished(Option<Item>),
    /// With what was given.
    Refused(Box<dyn Any>),
}

impl End {
    fn of<T: 'static>(end: std::result::Result<CoroutineState<Item, Item>, SendError<T, Item>>) -> Self {
        match end {
            Ok(CoroutineState::Yielded(item)) => Self::Yielded(item),
            Ok(CoroutineState::Complete(item)) => Self::Finished(Some(item)),
            Err(SendError::Thrown(Thrown::Error(error))) => Self::Finished(Some(error)),
            Err(SendError::Thrown(_)) => Self::Finished(None),
            Err(refused) => Self::Refused(Box::new(refused.into_value())),
        }
    }
}

/// Tells when it is dropped without having been forgotten.
struct Escapes(usize);

impl Drop for Escapes {
    fn drop(&mut self) {
        with(|world| world.escapes(self.0));
    }
}

impl<'a> Body<'a> {
    fn take(&mut self, which: u8) -> Option<Item> {
        let count = self.hand.len();
        (count > 0).then(|| self.hand.swap_remove(usize::from(which) % count))
    }

    /// One with a coroutine in it.
    fn take_co(&mut self, which: u8) -> Option<(Item, usize)> {
        let with_co: Vec<usize> = (0..self.hand.len()).filter(|&index| self.hand[index].co.is_some()).collect();
        let &index = with_co.get(usize::from(which) % with_co.len().max(1))?;
        let item = self.hand.swap_remove(index);
        let number = item.number();
        Some((item, number))
    }

    fn keep(&mut self, item: Item) {
        with(|world| world.settle(item.token.id, self.me));
        if self.hand.len() < MOST {
            self.hand.push(item);
        }
    }

    fn give(&mut self, give: &Give) -> Item {
        let own = if let Give::Own(which) = give { self.take(*which) } else { None };
        own.unwrap_or_else(|| Item::new(self.me, matches!(give, Give::Bomb)))
    }

    /// Does steps, up to one that returns a value.
    fn steps(&mut self, steps: &[Step]) -> Result<Option<Item>> {
        let mut locals = Vec::new();
        let mut end = Ok(None);
        for step in steps {
            end = self.step(step, &mut locals);
            if !matches!(end, Ok(None)) {
                break;
            }
        }
        // Not on the way out, as above.
        drop(locals);
        end
    }

    fn step(&mut self, step: &Step, locals: &mut Vec<YieldsOnDrop<'a>>) -> Result<Option<Item>> {
        match step {
            Step::New(script, given) => {
                let given = (0..*given).map_while(|_| self.hand.pop()).collect();
                self.adopt(*script, given);
            }
            Step::Chain(script, length) => {
                let mut inner: Option<Item> = None;
                for _ in 0..*length {
                    let given = inner.into_iter().collect();
                    inner = coroutine(self.me, &self.scripts, *script, given);
                }
                inner.into_iter().for_each(|item| self.keep(item));
            }
            Step::Tree(script, depth) => self.tree(*script, *depth).into_iter().for_each(|item| self.keep(item)),
            Step::Act(act, which) => self.act(act, *which),
            Step::Catch(steps) => match catch_unwind(AssertUnwindSafe(|| self.steps(steps))) {
                Ok(end) => return end,
                Err(payload) => seen(payload),
            },
            Step::Return(give) => return Ok(Some(self.give(give))),
            Step::Fail(give) => return Err(Thrown::Error(self.give(give))),
            Step::Panic(is_bomb) => resume_unwind(Box::new(Token::payload(*is_bomb))),
            step => {
                if let Some(y) = self.y {
                    return self.suspend(y, step, locals);
                }
            }
        }
        Ok(None)
    }

    /// The steps that only coroutines can do.
    fn suspend(&mut self, y: &'a Y, step: &Step, locals: &mut Vec<YieldsOnDrop<'a>>) -> Result<Option<Item>> {
        let me = self.me;
        let (end, then) = match step {
            Step::Yield(give, then) => (yield_item(me, y, self.give(give)).map(Some), *then),
            Step::YieldOrUnwind(give) => {
                let item = self.give(give);
                with(|world| world.yields(me, item.token.id));
                let escapes = Escapes(me);
                let sent = y.yield_or_unwind(item);
                mem::forget(escapes);
                (received(me, Ok(sent)).map(Some), Then::Leave)
            }
            Step::YieldAll(count, then) => {
                let items = (0..*count).map(|_| {
                    let item = Item::new(me, false);
                    with(|world| world.yields(me, item.token.id));
                    item
                });
                let end = y.yield_all(items).map(|()| None);
                with(|world| world.woken(me));
                (end, *then)
            }
            Step::Delegate(which, first, then) => (self.delegate(y, *which, first.as_ref()), *then),
            Step::YieldOnDrop(give) => {
                let item = Some(self.give(give));
                locals.push(YieldsOnDrop { me, y, item });
                return Ok(None);
            }
            _ => {
                let five = y.on_parent_stack(|| 5);
                check(five == 5, || format!("on_parent_stack returns {five}"));
                return Ok(None);
            }
        };
        // Whoever woke it may have been panicking, it is not itself.
        let is_refused = matches!(end, Err(Thrown::Misuse(Misuse::Panicking | Misuse::Delegating)));
        check(!is_refused, || format!("{step:?} was refused"));
        match end {
            Ok(item) => item.into_iter().for_each(|item| self.keep(item)),
            Err(thrown) if then == Then::Leave => return Err(thrown),
            Err(_) => {}
        }
        Ok(None)
    }

    fn delegate(&mut self, y: &Y, which: u8, first: Option<&Give>) -> Result<Option<Item>> {
        let Some((mut item, number)) = self.take_co(which) else { return Ok(None) };
        let Some(co) = &mut item.co else { return Ok(None) };
        let first = first.map(|give| self.give(give));
        with(|world| world.delegates(self.me, first.as_ref().map(|item| item.token.id)));
        let end = match first {
            Some(first) => y.yield_from_with(first, co),
            None => y.yield_from(co),
        };
        with(|world| world.woken(self.me));
        self.came_from(number, end.as_ref().map_or_else(label, |value| Some(value.token.id)));
        self.keep(item);
        end.map(Some)
    }

    fn adopt(&mut self, script: u8, given: Vec<Item>) {
        if let Some(item) = coroutine(self.me, &self.scripts, script, given) {
            self.keep(item);
        }
    }

    fn tree(&mut self, script: u8, depth: u8) -> Option<Item> {
        let below = if depth == 0 { Vec::new() } else { (0..2).filter_map(|_| self.tree(script, depth - 1)).collect() };
        coroutine(self.me, &self.scripts, script, below)
    }

    /// What has come out of a coroutine's end is what it has ended with, as far as that is known.
    fn came_from(&self, number: usize, id: Option<usize>) {
        if let (Some(id), Some(end)) = (id, with(|world| world.end(number))) {
            check(id == end, || format!("{number} has ended with {end}, and {id} has come"));
            with(|world| world.settle(id, self.me));
        }
    }

    fn act(&mut self, act: &Act, which: u8) {
        let Some((mut item, number)) = self.take_co(which) else { return };
        match act {
            Act::Drop => drop(item),
            Act::DropDuringAPanic => {
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    let _dropped = item;
                    resume_unwind(Box::new(Token::payload(false)))
                }));
                caught.unwrap_or_else(seen);
            }
            Act::Forget => {
                with(|world| world.forget(item.token.id));
                mem::forget(item);
            }
            act => {
                let Some(mut co) = item.co.take() else { return };
                let before = co.state();
                let end = self.call(&mut co, act);
                let state = co.state();
                item.co = Some(co);
                self.keep(item);
                let expected = match end {
                    Ok(End::Refused(_)) => before,
                    Ok(End::Yielded(_)) => State::Suspended,
                    Ok(End::Finished(_)) | Err(_) => State::Finished,
                };
                check(state == expected, || format!("{state:?} instead of {expected:?}"));
                match end {
                    Ok(end) => self.came(number, end),
                    Err(payload) => resume_unwind(payload),
                }
            }
        }
    }

    /// A panic is one of the coroutine's.
    fn call(&mut self, co: &mut Co, act: &Act) -> thread::Result<End> {
        let item = match act {
            Act::Send(give) | Act::Throw(give) => Some(self.give(give)),
            _ => None,
        };
        with(|world| world.sent = item.as_ref().map(|item| item.token.id));
        catch_unwind(AssertUnwindSafe(|| match (act, item) {
            (Act::Send(_), Some(item)) => End::of(co.send(item)),
            (Act::Throw(_), Some(item)) => End::of(co.throw(item)),
            (Act::Start, _) => End::of(co.start()),
            (Act::Resume, _) => End::of(co.resume()),
            (Act::ThrowExit, _) => End::of(co.throw_exit()),
            _ => match co.close() {
                Ok(value) => End::Finished(value),
                Err(CloseError::Ignored(item)) => End::Yielded(item),
                Err(CloseError::Error(error)) => End::Finished(Some(error)),
                Err(_) => End::Finished(None),
            },
        }))
    }

    /// Keeps what has come.
    fn came(&mut self, number: usize, end: End) {
        match end {
            End::Yielded(item) => {
                let (id, yielded) = (item.token.id, with(|world| world.yielded()));
                check(Some(id) == yielded, || format!("{id} has come, and {yielded:?} was yielded"));
                self.keep(item);
            }
            End::Finished(item) => {
                self.came_from(number, item.as_ref().map(|item| item.token.id));
                item.into_iter().for_each(|item| self.keep(item));
            }
            End::Refused(value) => drop(value),
        }
    }
}
