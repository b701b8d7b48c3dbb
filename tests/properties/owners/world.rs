//! What is known of a program's values and coroutines while it runs.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::thread;
use switchback::Coroutine;

pub(super) type Co = Coroutine<Item, Item, Item, Item>;

/// A value that is counted. It may have a coroutine in it.
pub(super) struct Item {
    // The destructor of this runs first, and may panic: then the coroutine is dropped during that.
    pub(super) token: Token,
    pub(super) co: Option<Co>,
}

/// The part of a value that is counted: the number that it has.
pub(super) struct Token {
    pub(super) id: usize,
    is_bomb: bool,
}

/// What a bomb panics with.
pub(super) struct Boom;

#[derive(Debug)]
struct Value {
    drops: usize,
    /// The coroutine in whose frames it is, or 0: the consumer of all.
    home: usize,
    /// The coroutine in it, or 0.
    co: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Dropped,
    /// On purpose, or with the stack that it is on.
    Leaked,
    /// If anything is leaked, this may be so, too.
    Either,
}

#[derive(Default)]
struct Known {
    /// What it has returned or failed with.
    end: Option<usize>,
    /// What may have been thrown at a `yield_or_unwind`, which its root keeps.
    escaped: Option<usize>,
    /// Whether it runs because it was started or woken while the thread was not panicking, as far as is known.
    woke_calmly: bool,
}

#[derive(Default)]
pub(super) struct World {
    values: Vec<Value>,
    /// The coroutines. There is none of the number 0.
    known: Vec<Known>,
    leaked: usize,
    /// What was sent or thrown last, and what was yielded.
    pub(super) sent: Option<usize>,
    yielded: Option<usize>,
    failure: Option<String>,
}

/// So many coroutines in a program are enough.
const MOST: usize = 300;

thread_local!(static WORLD: RefCell<World> = RefCell::default());

pub(super) fn with<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(f)
}

/// What a program has come to.
pub(super) struct Seen {
    pub(super) coroutines: usize,
    pub(super) leaked: usize,
}

/// Notes what must not be. A panic would be taken for one of the program's.
pub(super) fn check(holds: bool, words: impl FnOnce() -> String) {
    if !holds {
        let words = words();
        with(|world| _ = world.failure.get_or_insert(words));
    }
}

impl World {
    pub(super) fn open() {
        with(|world| *world = Self { known: vec![Known::default()], ..Self::default() });
    }

    pub(super) fn close() -> Result<Seen, String> {
        let world = with(std::mem::take);
        world.failure.map_or(Ok(()), Err)?;
        for (id, value) in world.values.iter().enumerate() {
            let is_right = match value.fate {
                Fate::Dropped => value.drops == 1,
                Fate::Leaked => value.drops == 0,
                Fate::Either => value.drops == 1 || (world.leaked > 0 && value.drops == 0),
            };
            if !is_right {
                return Err(format!("value {id}: {value:?}"));
            }
        }
        Ok(Seen { coroutines: world.known.len() - 1, leaked: world.leaked })
    }

    /// A number for a coroutine, if there may be another one.
    pub(super) fn new_co(&mut self) -> Option<usize> {
        let number = self.known.len();
        (number <= MOST).then(|| {
            self.known.push(Known::default());
            number
        })
    }

    pub(super) fn settle(&mut self, id: usize, home: usize) {
        self.values[id].home = home;
    }

    /// A coroutine is about to yield this.
    pub(super) fn yields(&mut self, co: usize, id: usize) {
        self.yielded = Some(id);
        self.known[co].woke_calmly = false;
    }

    pub(super) fn yielded(&self) -> Option<usize> {
        self.yielded
    }

    /// A coroutine is about to delegate, and to send this.
    pub(super) fn delegates(&mut self, co: usize, first: Option<usize>) {
        self.sent = first;
        self.known[co].woke_calmly = false;
    }

    /// A coroutine goes on.
    pub(super) fn woken(&mut self, co: usize) {
        self.known[co].woke_calmly = !thread::panicking();
    }

    pub(super) fn woke_calmly(&self, co: usize) -> bool {
        self.known[co].woke_calmly
    }

    pub(super) fn set_end(&mut self, co: usize, end: Option<usize>) {
        self.known[co].end = end;
    }

    pub(super) fn end(&self, co: usize) -> Option<usize> {
        self.known[co].end
    }

    /// A yield of this coroutine unwinds. What was sent last may be why.
    pub(super) fn escapes(&mut self, co: usize) {
        self.known[co].escaped = self.sent;
    }

    /// A coroutine is leaked, with all that is in its frames, and so on.
    pub(super) fn leak(&mut self, co: usize) {
        self.leaked += 1;
        if let Some(escaped) = self.known[co].escaped {
            self.values[escaped].fate = Fate::Either;
        }
        let mut inner = Vec::new();
        for value in self.values.iter_mut().filter(|value| value.home == co && value.drops == 0) {
            if value.fate != Fate::Leaked {
                value.fate = Fate::Leaked;
                inner.extend((value.co != 0).then_some(value.co));
            }
        }
        inner.into_iter().for_each(|inner| self.leak(inner));
    }

    /// A value is forgotten.
    pub(super) fn forget(&mut self, id: usize) {
        self.values[id].fate = Fate::Leaked;
        match self.values[id].co {
            0 => {}
            co => self.leak(co),
        }
    }
}

impl Token {
    pub(super) fn new(home: usize, is_bomb: bool) -> Self {
        with(|world| {
            world.values.push(Value { drops: 0, home, co: 0, fate: Fate::Dropped });
            Self { id: world.values.len() - 1, is_bomb }
        })
    }

    /// For a panic. While a coroutine is being leaked, what destructors panic with is, too.
    pub(super) fn payload(is_bomb: bool) -> Self {
        let token = Self::new(0, is_bomb);
        with(|world| world.values[token.id].fate = Fate::Either);
        token
    }
}

impl Item {
    pub(super) fn new(home: usize, is_bomb: bool) -> Self {
        Self { token: Token::new(home, is_bomb), co: None }
    }

    pub(super) fn with_co(home: usize, co: usize, handle: Co) -> Self {
        let item = Self { token: Token::new(home, false), co: Some(handle) };
        with(|world| world.values[item.token.id].co = co);
        item
    }

    /// The number of the coroutine in it.
    pub(super) fn number(&self) -> usize {
        with(|world| world.values[self.token.id].co)
    }
}

/// What is sent when nobody chooses what.
impl Default for Item {
    fn default() -> Self {
        let item = Self::new(0, false);
        with(|world| world.sent = Some(item.token.id));
        item
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        with(|world| world.values[self.id].drops += 1);
        // Otherwise it would end the process.
        if self.is_bomb && !thread::panicking() {
            resume_unwind(Box::new(Boom));
        }
    }
}
