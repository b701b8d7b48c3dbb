//! Chains of ten thousand, on a consumer whose stack would not hold a recursion of a hundred bytes for each level: what
//! happens half way. tests/coroutines/delegation.rs has what happens at their ends.

use std::cell::{Cell, RefCell};
use std::ops::Range;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Builder, CloseError, Coroutine, Misuse, SendError, State, Thrown, Yielder};

type Co = Coroutine<i32, i32, i32, &'static str>;
type Y = Yielder<i32, i32, &'static str>;
type Result<T> = std::result::Result<T, Thrown<&'static str>>;

/// ThreadSanitizer has no more than some 8,000 fibers. AddressSanitizer and Valgrind look for each stack in a list of all, and
/// emulators for each of its mappings.
const DEPTH: usize = if crate::SLOW { 1_000 } else { 10_000 };
const HALF: usize = DEPTH / 2;

/// Runs `f` on a thread with a small stack; one at a time, as a process has room for a few ten thousand stacks only.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(f).expect("a thread");
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}

/// The levels whose frames have gone, in this order. The innermost is 0.
#[derive(Clone, Default)]
struct Gone(Rc<RefCell<Vec<usize>>>);

struct Frame(Gone, usize);

impl Drop for Frame {
    fn drop(&mut self) {
        self.0.0.borrow_mut().push(self.1);
    }
}

impl Gone {
    fn frame(&self, level: usize) -> Frame {
        Frame(self.clone(), level)
    }

    /// These have gone since the last call, from the inside out.
    #[track_caller]
    fn assert(&self, levels: Range<usize>) {
        assert!(self.0.take().into_iter().eq(levels));
    }
}

fn coroutine(body: impl FnOnce(&Y) -> Result<i32> + 'static) -> Co {
    Builder::new().stack_size(64 * 1024).create_throwing(body).expect("a stack")
}

/// Yields 1, then what it is sent, up to 99; what it is thrown instead it asks `on` about.
fn innermost(gone: &Gone, on: On) -> Co {
    let frame = gone.frame(0);
    coroutine(move |y| {
        let _frame = frame;
        let mut sent = 1;
        while sent != 99 {
            sent = y.yield_(sent).or_else(|thrown| on(y, thrown))?;
        }
        Ok(0)
    })
}

type On = fn(&Y, Thrown<&'static str>) -> Result<i32>;
/// What a level does with its delegate.
type Level = fn(&Y, &mut Co) -> Result<i32>;

const LEAVE: On = |_, thrown| Err(thrown);
const PASS: Level = |y, inner| y.yield_from(inner).map(|value| value + 1);

/// These levels around a chain: they pass on what comes, but for those named.
fn around(mut chain: Co, levels: Range<usize>, gone: &Gone, special: &[(usize, Level)]) -> Co {
    for level in levels {
        let does = special.iter().find(|(at, _)| *at == level).map_or(PASS, |(_, does)| *does);
        let (mut inner, frame) = (chain, gone.frame(level));
        chain = coroutine(move |y| {
            let end = does(y, &mut inner);
            // So that this level goes when its delegate has gone, though it had captured it.
            drop((inner, frame));
            end
        });
    }
    chain
}

/// A whole chain, started.
fn started(on: On, special: &[(usize, Level)]) -> (Co, Gone) {
    let gone = Gone::default();
    let mut chain = around(innermost(&gone, on), 1..DEPTH, &gone, special);
    assert_eq!(chain.start(), Ok(Yielded(1)));
    (chain, gone)
}

#[test]
fn an_error_rises_through_all_of_them() {
    for (thrown, comes) in [("x", "x"), ("replace it", "own")] {
        on_a_small_stack(move || {
            let on: On = |_, thrown| Err(if thrown == Thrown::Error("x") { thrown } else { "own".into() });
            let (mut chain, gone) = started(on, &[]);
            assert_eq!(chain.throw(thrown), Err(SendError::Thrown(Thrown::Error(comes))));
            gone.assert(0..DEPTH);
            assert_eq!(chain.state(), State::Finished);
        });
    }
}

#[test]
#[cfg(panic = "unwind")]
fn an_error_that_unwinds_the_innermost_rises_through_all_others() {
    on_a_small_stack(|| {
        let (mut chain, gone) = started(|y, _| Ok(y.yield_or_unwind(2)), &[]);
        assert_eq!(chain.throw("the first"), Ok(Yielded(2)));
        assert_eq!(chain.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
        gone.assert(0..DEPTH);
    });
}

#[test]
fn who_has_caught_an_error_half_way_is_the_innermost_from_then_on() {
    on_a_small_stack(|| {
        let half: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Error("x")));
            assert_eq!(inner.state(), State::Finished);
            y.yield_(50)
        };
        let (mut chain, gone) = started(LEAVE, &[(HALF, half)]);
        assert_eq!(chain.throw("x"), Ok(Yielded(50)));
        gone.assert(0..HALF);
        assert_eq!(chain.throw("y"), Err(SendError::Thrown(Thrown::Error("y"))));
        gone.assert(HALF..DEPTH);
    });
}

#[test]
fn an_exit_that_is_ignored_half_way_is_a_misuse_one_level_further_out() {
    on_a_small_stack(|| {
        let half: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Exit));
            let sent = y.yield_(60)?;
            y.yield_(sent + 1)
        };
        let above: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Misuse(Misuse::Ignored)));
            assert_eq!(inner.state(), State::Suspended, "and it is whole");
            assert_eq!((inner.send(70), inner.send(5)), (Ok(Yielded(71)), Ok(Complete(5))));
            Ok(5)
        };
        let (mut chain, gone) = started(LEAVE, &[(HALF, half), (HALF + 1, above)]);
        assert_eq!(chain.close(), Ok(None), "what is returned is no answer to an exit, at all the others");
        gone.assert(0..DEPTH);
    });
}

#[test]
fn an_exit_that_the_innermost_ignores_reaches_it_again_when_half_of_them_have_left() {
    on_a_small_stack(|| {
        // Each passes the misuse on and drops its delegate; who catches it half way goes on.
        let half: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Misuse(Misuse::Ignored)));
            assert_eq!(inner.state(), State::Finished);
            Ok(0)
        };
        let first: Level = |y, inner| {
            let ignored = y.yield_from(inner);
            assert_eq!((inner.state(), inner.send(3)), (State::Suspended, Ok(Yielded(3))));
            ignored
        };
        let on: On = |y, thrown| {
            let sent = y.yield_(77)?;
            y.yield_(sent)?;
            Err(thrown)
        };
        let (mut chain, gone) = started(on, &[(1, first), (HALF, half)]);
        assert_eq!(chain.throw_exit(), Err(SendError::Thrown(Thrown::Exit)));
        gone.assert(0..DEPTH);
    });
}

#[test]
fn a_delegation_half_way_through_an_exit_ignores_it_whatever_it_is_to() {
    on_a_small_stack(|| {
        let half: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Exit));
            let gone = Gone::default();
            let mut late = around(innermost(&gone, LEAVE), 1..DEPTH / 10, &gone, &[]);
            assert_eq!(late.start(), Ok(Yielded(1)));
            let end = y.yield_from(&mut late);
            gone.assert(0..DEPTH / 10);
            end
        };
        let above: Level = |y, inner| {
            assert_eq!(y.yield_from(inner), Err(Thrown::Misuse(Misuse::Ignored)));
            assert_eq!(inner.send(6), Ok(Yielded(6)), "by the innermost of the late ones");
            // All of them in one delegation again, until the next exit.
            y.yield_from(inner)
        };
        let (mut chain, gone) = started(
            LEAVE,
            &[
                (HALF, half),
                (HALF + 1, above),
                (DEPTH - 1, |y, inner| {
                    assert_eq!(y.yield_from(inner), Err(Thrown::Misuse(Misuse::Ignored)));
                    y.yield_(80)
                }),
            ],
        );
        assert_eq!(chain.close(), Err(CloseError::Ignored(80)));
        gone.assert(0..DEPTH - 1);
        assert_eq!(chain.close(), Ok(None));
    });
}

#[test]
fn half_a_chain_that_has_been_started_is_adopted_by_the_other_half() {
    on_a_small_stack(|| {
        let gone = Gone::default();
        let mut half = around(innermost(&gone, LEAVE), 1..HALF, &gone, &[]);
        assert_eq!((half.start(), half.send(2)), (Ok(Yielded(1)), Ok(Yielded(2))));
        let adopts: Level = |y, inner| {
            assert_eq!(y.yield_(-1), Ok(3));
            y.yield_from_with(4, inner)
        };
        let mut chain = around(half, HALF..DEPTH, &gone, &[(HALF, adopts)]);
        assert_eq!((chain.start(), chain.send(3)), (Ok(Yielded(-1)), Ok(Yielded(4))));
        // And all of them by one more.
        let mut co = coroutine(move |y| {
            assert_eq!(chain.send(5), Ok(Yielded(5)));
            let end = y.yield_from(&mut chain);
            assert_eq!(chain.state(), State::Finished);
            end
        });
        assert_eq!((co.start(), co.send(6)), (Ok(Yielded(0)), Ok(Yielded(6))));
        assert_eq!(co.send(99), Ok(Complete(DEPTH as i32 - 2)));
        gone.assert(0..DEPTH);
    });
}

#[test]
#[cfg_attr(switchback_asan, ignore = "AddressSanitizer keeps local variables in places of its own")]
fn the_innermost_runs_something_on_the_stack_of_the_outermosts_consumer() {
    on_a_small_stack(|| {
        thread_local!(static CONSUMER: Cell<usize> = const { Cell::new(0) });
        fn here() -> usize {
            let local = 0_u8;
            (&raw const local).addr()
        }
        CONSUMER.set(here());
        let on: On = |y, _| {
            let is_near = |address: usize| i32::from(address.abs_diff(CONSUMER.get()) < 64 * 1024);
            Ok(10 * is_near(y.on_parent_stack(here)) + is_near(here()))
        };
        let (mut chain, _) = started(on, &[]);
        assert_eq!(chain.throw("x"), Ok(Yielded(10)));
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_below_is_caught_half_way() {
    on_a_small_stack(|| {
        let half: Level = |y, inner| {
            let caught = catch_unwind(AssertUnwindSafe(|| y.yield_from(inner)));
            assert_eq!(caught.expect_err("it panics").downcast_ref::<&str>(), Some(&"deep"));
            assert!(!std::thread::panicking());
            y.yield_(50)
        };
        let (mut chain, gone) = started(|_, _| resume_unwind(Box::new("deep")), &[(HALF, half)]);
        assert_eq!(chain.throw("x"), Ok(Yielded(50)));
        gone.assert(0..HALF);
        drop(chain);
        gone.assert(HALF..DEPTH);
    });
}

#[test]
#[cfg(panic = "unwind")]
fn stubborn_ones_are_unwound_one_by_one_and_one_half_way_may_swallow_it() {
    // Each that goes has all further in asked once more, and they ignore it: their number counts squared.
    const DEPTH: usize = 500;
    fn insist(y: &Y, inner: &mut Co) -> Result<i32> {
        loop {
            let end = y.yield_from(inner);
            if end != Err(Thrown::Misuse(Misuse::Ignored)) {
                return end;
            }
        }
    }
    thread_local! {
        static SWALLOWED: Cell<bool> = const { Cell::new(false) };
        static ASKED: Cell<usize> = const { Cell::new(0) };
    }
    on_a_small_stack(|| {
        crate::reports::on_report(|_| {});
        let swallows: Level = |y, inner| {
            SWALLOWED.set(catch_unwind(AssertUnwindSafe(|| insist(y, inner))).is_err());
            Ok(0)
        };
        let gone = Gone::default();
        let mut chain = innermost(&gone, |_, _| {
            ASKED.set(ASKED.get() + 1);
            Ok(2)
        });
        for level in 1..DEPTH {
            let does = if level == DEPTH / 2 { swallows } else { insist };
            chain = around(chain, level..level + 1, &gone, &[(level, does)]);
        }
        assert_eq!(chain.start(), Ok(Yielded(1)));
        drop(chain);
        gone.assert(0..DEPTH);
        assert_eq!((SWALLOWED.get(), ASKED.get()), (true, DEPTH), "each of them has asked the innermost");
    });
}

// ---- where each resumes the next by itself

/// Passes on what comes from one that it resumes, and what it is sent and thrown.
fn by_hand(y: &Y, inner: &mut Co) -> Result<i32> {
    let mut state = inner.start()?;
    loop {
        state = match state {
            Complete(value) => return Ok(value + 1),
            Yielded(value) => match y.yield_(value) {
                Ok(sent) => inner.send(sent)?,
                Err(Thrown::Error(error)) => inner.throw(error)?,
                Err(thrown) => return Err(thrown),
            },
        };
    }
}

fn chain_by_hand(on: On) -> (Co, Gone) {
    let gone = Gone::default();
    let mut chain = innermost(&gone, on);
    for level in 1..DEPTH {
        chain = around(chain, level..level + 1, &gone, &[(level, by_hand)]);
    }
    assert_eq!(chain.start(), Ok(Yielded(1)));
    (chain, gone)
}

#[test]
fn where_each_resumes_the_next_by_hand_all_is_the_same() {
    on_a_small_stack(|| {
        let (mut chain, gone) = chain_by_hand(LEAVE);
        assert_eq!((chain.send(2), chain.send(99)), (Ok(Yielded(2)), Ok(Complete(DEPTH as i32 - 1))));
        gone.assert(0..DEPTH);
        let (mut chain, gone) = chain_by_hand(LEAVE);
        assert_eq!(chain.throw("x"), Err(SendError::Thrown(Thrown::Error("x"))));
        gone.assert(0..DEPTH);
        for close in [true, false] {
            let (mut chain, gone) = chain_by_hand(LEAVE);
            if close {
                assert_eq!(chain.close(), Ok(None));
            }
            drop(chain);
            gone.assert(0..DEPTH);
        }
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_goes_through_all_that_resume_each_other_by_hand() {
    on_a_small_stack(|| {
        let (mut chain, gone) = chain_by_hand(|_, _| resume_unwind(Box::new("deep")));
        let payload = catch_unwind(AssertUnwindSafe(|| chain.throw("x"))).expect_err("it panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"deep"));
        gone.assert(0..DEPTH);
    });
}
