//! A backtrace leads from a coroutine through its delegators into whoever resumed it, and on.
//!
//! Not where corosensei switches: its frames lead to the consumer, past the delegators.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.
#![cfg(not(switchback_fallback))]

use crate::require::{self, frame_pointer};
use std::backtrace::Backtrace;
use std::hint::black_box;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use switchback::stack::{GuardedStack, Stack};
use switchback::{Builder, Generator, Yielder};

#[inline(never)]
fn innermost_function(y: &Yielder<String>) -> Result<(), switchback::Thrown> {
    y.yield_(Backtrace::force_capture().to_string())?;
    black_box(());
    Ok(())
}

#[inline(never)]
fn delegating_function(y: &Yielder<String>, inner: &mut Generator<String>) -> Result<(), switchback::Thrown> {
    black_box(y.yield_from(inner))
}

#[inline(never)]
fn consuming_function(co: &mut Generator<String>) -> String {
    black_box(co.next()).expect("a backtrace")
}

fn chain() -> Generator<String> {
    let mut inner = Generator::new(innermost_function);
    let mut middle = Generator::new(move |y| delegating_function(y, &mut inner));
    Generator::new(move |y| delegating_function(y, &mut middle))
}

/// Where in `trace` each of `names` is, asserting that all are there in this order.
fn assert_in_order(trace: &str, names: &[&str]) {
    let mut rest = trace;
    for name in names {
        let at = rest.find(name).unwrap_or_else(|| panic!("no {name} further out in:\n{trace}"));
        rest = &rest[at + name.len()..];
    }
}

const ORDER: [&str; 5] =
    ["innermost_function", "delegating_function", "delegating_function", "consuming_function", "test::run_test"];

#[test]
fn each_side_is_in_the_trace_and_the_trace_ends() {
    // [88]
    let trace = consuming_function(&mut chain());
    assert_in_order(&trace, &ORDER);
    assert!(trace.lines().count() < 400, "it does not go round:\n{trace}");
}

#[test]
fn each_side_is_in_the_trace_of_a_coroutine_inside_a_coroutine() {
    // The consumer's stack is then a coroutine's, which may lie above or below the other in memory.
    let mut outer = Generator::new(|y| y.yield_(consuming_function(&mut chain())));
    let trace = consuming_function(&mut outer);
    assert_in_order(&trace, &ORDER[..4]);
    assert_in_order(&trace, &["consuming_function", "consuming_function", "test::run_test"]);
}

#[test]
fn each_side_is_in_the_trace_of_whoever_resumes_it_last() {
    let mut co = Generator::<String>::new(|y| {
        y.yield_(String::new())?;
        innermost_function(y)
    });
    assert_eq!(co.next().as_deref(), Some(""), "first resumed here");
    assert_in_order(&consuming_function(&mut co), &["innermost_function", "consuming_function", "test::run_test"]);
}

/// `count` stacks, the lowest in memory first.
fn stacks(count: usize) -> Vec<GuardedStack> {
    let mut stacks: Vec<_> = (0..count).map(|_| GuardedStack::new(256 * 1024).expect("a stack")).collect();
    stacks.sort_by_key(|stack| stack.top());
    stacks
}

/// Three coroutines that delegate, outermost first, on the given stacks; the innermost yields what `f` returns.
fn chain_on<T: 'static>(stacks: [GuardedStack; 3], f: impl Fn() -> T + 'static) -> Generator<T> {
    #[inline(never)]
    fn delegating_function<T>(y: &Yielder<T>, inner: &mut Generator<T>) -> Result<(), switchback::Thrown> {
        black_box(y.yield_from(inner))
    }
    let [outer, middle, inner] = stacks;
    let mut inner = Builder::new()
        .stack(inner)
        .generator(move |y: &Yielder<T>| {
            let value = f();
            y.yield_(value)
        })
        .expect("a stack");
    let mut middle =
        Builder::new().stack(middle).generator(move |y| delegating_function(y, &mut inner)).expect("a stack");
    Builder::new().stack(outer).generator(move |y| delegating_function(y, &mut middle)).expect("a stack")
}

#[inline(never)]
fn consuming<T: 'static>(co: &mut Generator<T>) -> T {
    black_box(co.next()).expect("a value")
}

/// What `f` returns two delegations down from a coroutine whose stack is, in memory, below all of theirs or above. The
/// stacks of the three rise or fall with it, so that each step of the way is tried in both directions.
fn nested<T: 'static>(above: bool, f: impl Fn() -> T + 'static) -> T {
    let mut stacks = stacks(4);
    if above {
        stacks.reverse();
    }
    let [consumer, outer, middle, inner] = <[_; 4]>::try_from(stacks).expect("four stacks");
    assert_eq!(consumer.top() > inner.top(), above);
    let mut chain = chain_on([outer, middle, inner], f);
    let mut consumer = Builder::new().stack(consumer).generator(move |y: &Yielder<T>| y.yield_(consuming(&mut chain)));
    consuming(consumer.as_mut().expect("a stack"))
}

const NESTED: [&str; 5] =
    ["delegating_function", "delegating_function", "backtrace::consuming", "backtrace::consuming", "test::run_test"];

#[test]
fn each_side_is_in_the_trace_whichever_stack_is_higher() {
    for above in [false, true] {
        let trace = nested(above, || Backtrace::force_capture().to_string());
        assert_in_order(&trace, &NESTED);
        assert!(trace.lines().count() < 400, "it does not go round:\n{trace}");
    }
}

/// What the unwinder tells of each frame, innermost first, and why it has stopped.
#[inline(never)]
fn raw_walk() -> (Vec<(usize, usize)>, i32) {
    use core::ffi::c_void;
    type Frames = Vec<(usize, usize)>;
    unsafe extern "C" {
        fn _Unwind_Backtrace(trace: extern "C" fn(*mut c_void, *mut c_void) -> i32, argument: *mut c_void) -> i32;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    }
    extern "C" fn note(context: *mut c_void, frames: *mut c_void) -> i32 {
        // SAFETY: the context is the unwinder's, and the argument what it was given below.
        let (frames, frame) =
            unsafe { (&mut *frames.cast::<Frames>(), (_Unwind_GetIP(context), _Unwind_GetCFA(context))) };
        frames.push(frame);
        // Another number than 0 ends the walk.
        i32::from(frames.len() > 1_000)
    }
    let mut frames = Frames::new();
    // SAFETY: the function takes the argument for what it is.
    let why = unsafe { _Unwind_Backtrace(note, (&raw mut frames).cast()) };
    (frames, why)
}

#[test]
fn the_unwinder_passes_each_stack_once_and_ends() {
    const END_OF_STACK: i32 = 5;
    let here = 0_u8;
    for above in [false, true] {
        let mut stacks = stacks(4);
        if above {
            stacks.reverse();
        }
        let ranges: Vec<_> = stacks.iter().map(|stack| stack.limit().addr().get()..stack.top().addr().get()).collect();
        let [consumer, outer, middle, inner] = <[_; 4]>::try_from(stacks).expect("four stacks");
        let mut chain = chain_on([outer, middle, inner], raw_walk);
        let mut consumer = Builder::new()
            .stack(consumer)
            .generator(move |y: &Yielder<_>| y.yield_(consuming(&mut chain)))
            .expect("a stack");
        let (frames, why) = consuming(&mut consumer);
        assert_eq!(why, END_OF_STACK, "{frames:x?}");
        let mut places: Vec<_> = frames
            .iter()
            // The frame of `follow` is in a control block, which is on a stack as well.
            .map(|(_, cfa)| ranges.iter().position(|range| range.contains(&(cfa - 1))))
            .collect();
        places.dedup();
        // Innermost, middle, outermost; then inwards by the control blocks; then its consumer, and the thread.
        let way = [Some(3), Some(2), Some(1), Some(2), Some(3), Some(0), None];
        assert_eq!(places, way, "{frames:x?}");
        let last = frames.last().expect("a frame").1;
        assert!(last > (&raw const here).addr(), "the thread's outermost frame is further out than this function's");
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_comes_out_through_delegators_with_its_message_and_was_traced_to_the_thread() {
    const MESSAGE: &str = "from far inside";
    thread_local!(static TRACES: std::cell::RefCell<Vec<String>> = const { Vec::new() }.into());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() == Some(MESSAGE) {
            TRACES.with_borrow_mut(|traces| traces.push(Backtrace::force_capture().to_string()));
        } else {
            before(info);
        }
    }));
    for above in [false, true] {
        let caught = catch_unwind(AssertUnwindSafe(|| nested(above, || panic!("from far inside"))));
        let payload = caught.expect_err("it panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&MESSAGE));
        let traces = TRACES.take();
        assert_eq!(traces.len(), 1, "told once, where it began");
        assert_in_order(&traces[0], &NESTED);
    }
}

/// The chain of frame pointers from here until `end`, or until it has become too long.
#[inline(never)]
fn walk_frame_pointers(end: usize) -> Vec<usize> {
    let mut chain = vec![frame_pointer()];
    while let Some(&last) = chain.last()
        && last != end
        && chain.len() < 200
    {
        // SAFETY: up to `end` it is a chain of records, if the test passes; if not, any end of the process will do.
        chain.push(unsafe { core::ptr::with_exposed_provenance::<usize>(last).read() });
    }
    chain
}

#[test]
fn the_chain_of_frame_pointers_passes_each_side() {
    if !require::has_frame_pointers() {
        return require::skip("frame-pointers", "this program is built without frame pointers");
    }
    thread_local!(static SEEN: std::cell::RefCell<Vec<usize>> = const { Vec::new() }.into());
    fn seen(pointer: usize) {
        SEEN.with_borrow_mut(|seen| seen.push(pointer));
    }
    #[inline(never)]
    fn innermost(y: &Yielder<Vec<usize>>, end: usize) -> Result<(), switchback::Thrown> {
        seen(frame_pointer());
        y.yield_(walk_frame_pointers(end))?;
        // Again after having been resumed by somebody else.
        y.yield_(walk_frame_pointers(SEEN.with_borrow(|seen| seen[0])))
    }
    #[inline(never)]
    fn delegating(y: &Yielder<Vec<usize>>, inner: &mut Generator<Vec<usize>>) -> Result<(), switchback::Thrown> {
        seen(frame_pointer());
        black_box(y.yield_from(inner))
    }
    #[inline(never)]
    fn consuming(co: &mut Generator<Vec<usize>>) -> Vec<usize> {
        seen(frame_pointer());
        black_box(co.next()).expect("a chain")
    }
    // One call further in than the first consumer, so that its frame is at another place.
    #[inline(never)]
    fn consuming_elsewhere(co: &mut Generator<Vec<usize>>) -> (usize, Vec<usize>) {
        black_box(consuming_deeper(black_box(co)))
    }
    #[inline(never)]
    fn consuming_deeper(co: &mut Generator<Vec<usize>>) -> (usize, Vec<usize>) {
        // Not inside the closure, which may have a frame of its own.
        let here = frame_pointer();
        SEEN.with_borrow_mut(|seen| seen[0] = here);
        let chain = consuming(co);
        (frame_pointer(), chain)
    }
    for delegators in 0..4 {
        for above in [false, true] {
            SEEN.take();
            let mut stacks = stacks(delegators + 2);
            if above {
                stacks.reverse();
            }
            let mut stacks = stacks.into_iter();
            let consumer = Builder::new().stack(stacks.next().expect("enough"));
            let on = |stack: Option<GuardedStack>| Builder::new().stack(stack.expect("enough"));
            let end = frame_pointer();
            seen(end);
            let mut co = on(stacks.next_back()).generator(move |y: &Yielder<_>| innermost(y, end)).expect("a stack");
            for _ in 0..delegators {
                let mut inner = co;
                co =
                    on(stacks.next_back()).generator(move |y: &Yielder<_>| delegating(y, &mut inner)).expect("a stack");
            }
            let mut co = consumer
                .generator(move |y: &Yielder<Vec<usize>>| {
                    y.yield_(consuming(&mut co))?;
                    let (end, chain) = consuming_elsewhere(&mut co);
                    assert_eq!(chain.last(), Some(&end), "{chain:x?}");
                    y.yield_(chain)
                })
                .expect("a stack");
            let chain = consuming(&mut co);
            // From the outermost inwards, as they were called: this function, `consuming` twice, delegators, innermost.
            let called = SEEN.take();
            assert_eq!(called.len(), delegators + 4);
            let met: Vec<_> = chain.iter().rev().filter(|pointer| called.contains(pointer)).copied().collect();
            assert_eq!(met, called, "{delegators} delegators: {chain:x?}");
            SEEN.set(called);
            let second = co.next().expect("a chain");
            let passed = second.iter().filter(|pointer| met[3..].contains(pointer)).count();
            assert_eq!(passed, delegators + 1, "from the second consumer: {second:x?}");
        }
    }
}
