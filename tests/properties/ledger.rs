//! Values whose drops are counted, and what must be true of them whatever a program does.
#![cfg_attr(not(panic = "unwind"), allow(dead_code))] // there no destructor panics

use crate::reports::on_report;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use switchback::Event;

/// A frame of a body, by the level of its coroutine (the outermost is 0), and which of its values: what it has captured is
/// 0, its locals follow in the order of their declaration.
type Place = (usize, usize);

#[derive(Debug)]
struct Entry {
    label: &'static str,
    /// Where it lives, if it stays in one frame.
    place: Option<Place>,
    drops: usize,
    /// Whether its frame was leaked, with it.
    is_leaked: bool,
}

#[derive(Default)]
struct Ledger {
    entries: Vec<Entry>,
    /// The places of dropped values, in this order.
    order: Vec<Place>,
    /// The values whose destructors panic.
    bombs: Vec<usize>,
    gone_off: Vec<usize>,
    has_been_caught: bool,
    reports: Vec<(String, Event)>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
    /// The levels whose frames are being unwound, a bit for each: during a panic of the consumer's nothing else can tell. A
    /// destructor that panics then ends the process, as everywhere in Rust.
    static UNWINDING: Cell<u32> = const { Cell::new(0) };
    /// Whether the consumer is: what runs on other stacks may panic all the same.
    static DURING_A_PANIC: Cell<bool> = const { Cell::new(false) };
}

/// Starts a new page. The values of it with these numbers panic when they are dropped.
pub(crate) fn open(bombs: &[usize]) {
    on_report(|report| {
        let name = report.coroutine().name().unwrap_or_default().to_owned();
        if report.event() == Event::Leaked {
            leak(|level| name == level.to_string());
        }
        LEDGER.with_borrow_mut(|ledger| ledger.reports.push((name, report.event())));
    });
    LEDGER.set(Ledger { bombs: bombs.to_vec(), ..Ledger::default() });
    calm(0);
}

/// The frames of some levels are leaked, with what lives there now.
pub(crate) fn leak(is_one: impl Fn(usize) -> bool) {
    LEDGER.with_borrow_mut(|ledger| {
        let alive = ledger.entries.iter_mut().filter(|entry| entry.drops == 0);
        alive.for_each(|entry| entry.is_leaked |= entry.place.is_some_and(|(level, _)| is_one(level)));
    });
}

/// What is on the page in the end.
#[derive(Debug)]
pub(crate) struct Page {
    entries: Vec<Entry>,
    order: Vec<Place>,
    pub(crate) gone_off: Vec<usize>,
    /// What one of them has panicked with has been seen.
    pub(crate) has_been_caught: bool,
    pub(crate) reports: Vec<(String, Event)>,
}

pub(crate) fn close() -> Page {
    let Ledger { entries, order, gone_off, has_been_caught, reports, .. } = LEDGER.take();
    Page { entries, order, gone_off, has_been_caught, reports }
}

impl Page {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every value was dropped once; what was leaked, never.
    ///
    /// A function that returns while the destructor of one of its locals panics may lose the value that it returns
    /// (rust-lang/rust#47949).
    pub(crate) fn assert_dropped_once(&self, case: &dyn Debug) {
        let mut losses = self.gone_off.iter().filter(|&&bomb| self.entries[bomb].place.is_some());
        for (index, entry) in self.entries.iter().enumerate() {
            let drops = usize::from(!entry.is_leaked);
            if entry.drops < drops && entry.place.is_none() && losses.next().is_some() {
                continue;
            }
            assert_eq!(entry.drops, drops, "drops of value {index}, {entry:?}: {case:?} {self:#?}");
        }
    }

    /// Each frame has dropped its values last to first, what was captured in the end; `inner_first`: and a delegate all
    /// of its own before its delegator any.
    pub(crate) fn assert_order(&self, inner_first: bool, case: &dyn Debug) {
        for (index, &(level, slot)) in self.order.iter().enumerate() {
            for &(later_level, later_slot) in &self.order[index + 1..] {
                let is_right =
                    if level == later_level { slot > later_slot } else { !inner_first || level > later_level };
                assert!(
                    is_right,
                    "{:?} is dropped before {:?}: {case:?} {self:#?}",
                    (level, slot),
                    (later_level, later_slot)
                );
            }
        }
    }
}

/// A value that is counted.
#[derive(Debug)]
pub(crate) struct Counted(usize);

/// What a bomb panics with.
struct Boom;

impl Counted {
    /// One that goes from hand to hand.
    pub(crate) fn new(label: &'static str) -> Self {
        Self::write(label, None)
    }

    /// One that stays in a frame.
    pub(crate) fn at(level: usize, slot: usize) -> Self {
        Self::write("resident", Some((level, slot)))
    }

    fn write(label: &'static str, place: Option<Place>) -> Self {
        LEDGER.with_borrow_mut(|ledger| {
            ledger.entries.push(Entry { label, place, drops: 0, is_leaked: false });
            Self(ledger.entries.len() - 1)
        })
    }

    /// It stays in a frame from now on.
    pub(crate) fn settle(&self, level: usize, slot: usize) {
        LEDGER.with_borrow_mut(|ledger| ledger.entries[self.0].place = Some((level, slot)));
    }

    pub(crate) fn label(&self) -> &'static str {
        LEDGER.with_borrow(|ledger| {
            let entry = &ledger.entries[self.0];
            assert_eq!(entry.drops, 0, "it has been dropped, and is in use: {entry:?}");
            entry.label
        })
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self::new("default")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let (is_bomb, place) = LEDGER.with_borrow_mut(|ledger| {
            let entry = &mut ledger.entries[self.0];
            entry.drops += 1;
            ledger.order.extend(entry.place);
            (entry.drops == 1 && ledger.bombs.contains(&self.0), entry.place)
        });
        // What goes from hand to hand may be anywhere.
        let frames = place.map_or(u32::MAX, |(level, _)| 1 << level);
        let is_fatal = if DURING_A_PANIC.get() { UNWINDING.get() & frames != 0 } else { thread::panicking() };
        if is_bomb && !is_fatal {
            LEDGER.with_borrow_mut(|ledger| ledger.gone_off.push(self.0));
            UNWINDING.set(UNWINDING.get() | frames);
            resume_unwind(Box::new(Boom));
        }
    }
}

/// The last local of a body's frame: it is the first to see that the frame is unwound.
pub(crate) struct Frame {
    level: usize,
    returns: bool,
}

impl Frame {
    pub(crate) fn new(level: usize) -> Self {
        Self { level, returns: false }
    }

    /// It is about to return.
    pub(crate) fn returns(mut self) {
        self.returns = true;
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if !self.returns {
            UNWINDING.set(UNWINDING.get() | 1 << self.level);
        }
    }
}

/// The frames of this level, and of those further in, are not unwound any more: they have ended, or it was caught.
pub(crate) fn calm(level: usize) {
    UNWINDING.set(UNWINDING.get() & ((1 << level) - 1));
}

/// A panic has been caught. Whether it was a bomb's.
pub(crate) fn is_bombs(payload: &(dyn Any + Send)) -> bool {
    let is_bomb = payload.is::<Boom>();
    LEDGER.with_borrow_mut(|ledger| ledger.has_been_caught |= is_bomb);
    is_bomb
}

/// Drops `value` during a panic.
pub(crate) fn drop_during_a_panic<T>(value: T) {
    struct Panicking<T>(Option<T>);
    impl<T> Drop for Panicking<T> {
        fn drop(&mut self) {
            assert!(thread::panicking());
            DURING_A_PANIC.set(true);
            drop(self.0.take());
            DURING_A_PANIC.set(false);
        }
    }
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _dropped = Panicking(Some(value));
        calm(0);
        resume_unwind(Box::new("the consumer's own"))
    }));
    assert_eq!(caught.expect_err("it panics").downcast_ref::<&str>(), Some(&"the consumer's own"));
}
