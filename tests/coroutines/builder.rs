//! Names, sizes, stacks of one's own, and bodies of every size.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::ptr::NonNull;
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::stack::{DEFAULT_SIZE, GuardedStack, MAX_SIZE, MIN_SIZE, ProvidedStack, Stack};
use switchback::{Builder, Coroutine, Generator, SendError, State, Thrown, Yielder};

#[test]
fn names_and_places_are_kept_to_the_end() {
    // [87]
    let line = line!() + 1;
    let mut co = Builder::new().name("named").generator(|y| y.yield_(1)).expect("a stack");
    for _ in 0..3 {
        assert_eq!(co.name(), Some("named"));
        assert_eq!((co.created_at().file(), co.created_at().line()), (file!(), line));
        co.next();
    }
    assert_eq!(co.state(), State::Finished);
    assert_eq!(Generator::<i32>::new(|_| Ok(())).created_at().line(), line!());
    assert_eq!(Generator::<i32>::new(|_| Ok(())).name(), None, "the next on the same stack has no name");
}

/// Recurses until `bytes` of stack below `from` are in use, and returns how many are, reading all it has written.
#[inline(never)]
fn dig(from: usize, bytes: usize) -> usize {
    let block = black_box([1_u8; 512]);
    let used = from - block.as_ptr().addr();
    let deepest = if used < bytes { dig(from, bytes) } else { used };
    deepest * usize::from(black_box(block)[0])
}

#[test]
#[cfg_attr(switchback_asan, ignore = "AddressSanitizer's frames are several times as large")]
fn a_stack_can_be_used_to_its_size() {
    fn check(size: usize, builder: Builder) {
        let bytes = size / 10 * 9;
        let mut co: Coroutine<(), (), usize> = builder
            .create(move |_| {
                let here = 0_u8;
                Ok(dig((&raw const here).addr(), bytes))
            })
            .expect("a stack");
        let Ok(Complete(used)) = co.start() else { panic!("it returns") };
        assert!(used >= bytes && used < size, "{used} of {size}");
    }
    for size in [64 << 10, 100_000, 1 << 20, 16 << 20] {
        check(size, Builder::new().stack_size(size));
    }
    check(DEFAULT_SIZE, Builder::new());
}

/// A stack that counts its drops.
struct Counting(GuardedStack, Rc<Cell<u32>>);

// SAFETY: it is the stack inside.
unsafe impl Stack for Counting {
    fn top(&self) -> NonNull<u8> {
        self.0.top()
    }

    fn limit(&self) -> NonNull<u8> {
        self.0.limit()
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn a_given_stack_is_dropped_once_when_its_coroutine_has_ended() {
    let drops = Rc::new(Cell::new(0));
    let make = || {
        let stack = Counting(GuardedStack::new(64 << 10).expect("a stack"), drops.clone());
        Builder::new().stack(stack).generator(|y| y.yield_all([1, 2])).expect("it is large enough")
    };
    let mut to_the_end = make();
    assert_eq!((to_the_end.next(), drops.get()), (Some(1), 0));
    assert_eq!(to_the_end.next(), Some(2));
    assert_eq!((to_the_end.next(), drops.get()), (None, 1), "at its end, not at the handle's");
    drop(to_the_end);
    assert_eq!(drops.get(), 1);
    drop(make());
    assert_eq!(drops.get(), 2, "never started");
    let mut suspended = make();
    suspended.next();
    drop(suspended);
    assert_eq!(drops.get(), 3, "suspended");
    let mut forgotten = make();
    forgotten.next();
    std::mem::forget(forgotten);
    assert_eq!(drops.get(), 3, "a forgotten coroutine keeps its stack");
}

#[test]
#[cfg_attr(switchback_asan, ignore = "AddressSanitizer keeps local variables in places of its own")]
fn provided_memory_is_run_on() {
    const SIZE: usize = 256 << 10;
    let memory: &'static mut [u8] = Box::leak(vec![0; SIZE].into_boxed_slice());
    let range = memory.as_ptr_range();
    // SAFETY: the memory is leaked, so it is valid for ever, and nobody else uses it. What runs on it needs little.
    let stack = unsafe { ProvidedStack::new(NonNull::from(memory).cast(), SIZE) };
    let mut co = Builder::new()
        .stack(stack)
        .generator(|y| {
            let local = 0_u8;
            y.yield_((&raw const local).addr())
        })
        .expect("it is large enough");
    let local = co.next().expect("an address");
    assert!((range.start.addr()..range.end.addr()).contains(&local));
}

#[test]
fn a_stack_that_is_too_small_comes_back_with_the_body() {
    let drops = Rc::new(Cell::new(0));
    struct Small(Counting);
    // SAFETY: less of the stack inside.
    unsafe impl Stack for Small {
        fn top(&self) -> NonNull<u8> {
            self.0.top()
        }

        fn limit(&self) -> NonNull<u8> {
            // SAFETY: within the stack.
            unsafe { self.0.top().sub(8192) }
        }
    }
    let stack = Small(Counting(GuardedStack::new(1).expect("a stack"), drops.clone()));
    let captured = Rc::new(7);
    let kept = captured.clone();
    let refused = Builder::new().stack(stack).generator(move |y| y.yield_(*kept)).expect_err("it is too small");
    assert!(refused.to_string().contains("8192"), "{refused}");
    let (error, body, stack) = refused.into_parts();
    assert!(error.os_error().is_none());
    assert_eq!((Rc::strong_count(&captured), drops.get()), (2, 0));
    drop(stack.expect("it comes back"));
    assert_eq!(drops.get(), 1);
    assert_eq!(Generator::new(body).next(), Some(7), "the body is as good as new");
}

#[test]
fn a_size_that_no_machine_has_is_an_error() {
    let refused = Builder::new().stack_size(usize::MAX).generator(|y| y.yield_(1)).expect_err("too large");
    assert!(refused.to_string().contains("the largest is "), "{refused}");
    assert_eq!(Generator::new(refused.into_body()).next(), Some(1));
}

#[test]
fn a_body_may_be_larger_than_what_is_written_on_a_fresh_stack() {
    fn check<const N: usize>() {
        let large = [0xa5_u8; N];
        let dropped = Rc::new(());
        let held = dropped.clone();
        let body = move |y: &switchback::Yielder<usize>| {
            let _held = &held;
            y.yield_(large.iter().filter(|byte| **byte == 0xa5).count())?;
            Ok(())
        };
        let mut co = Builder::new().stack_size(1 << 20).generator(body).expect("a stack");
        assert_eq!(co.next(), Some(N));
        drop(co);
        assert_eq!(Rc::strong_count(&dropped), 1);
    }
    check::<900>();
    check::<1_100>();
    check::<66_001>();
}

#[test]
fn a_body_may_be_aligned_to_anything() {
    #[repr(align(64))]
    struct Line(u8);
    #[repr(align(4096))]
    struct Page(u8);
    #[repr(align(65536))]
    struct Huge(u8);
    fn check<T: 'static>(aligned: T, value: fn(&T) -> u8) {
        let mut co = Builder::new()
            .stack_size(1 << 20)
            .generator(move |y| {
                let whole = &aligned;
                y.yield_(((&raw const *whole).addr() % align_of::<T>(), value(whole)))
            })
            .expect("a stack");
        assert_eq!(co.next(), Some((0, 9)));
    }
    check(Line(9), |x| x.0);
    check(Page(9), |x| x.0);
    // A debug build moves it many times, and each copy takes two times 64 KiB of the stack that it is created on.
    let roomy = std::thread::Builder::new().stack_size(64 << 20).spawn(|| check(Huge(9), |x| x.0));
    roomy.expect("a thread").join().expect("it ends well");
}

#[test]
fn a_large_nothing_can_be_sent() {
    type Large = Option<[u8; 4_000]>;
    let mut co = Coroutine::<bool, Large>::new(|y| {
        let mut nothing = true;
        loop {
            nothing = y.yield_(nothing)?.is_none();
        }
    });
    assert_eq!(co.resume(), Ok(Yielded(true)));
    assert_eq!(co.resume(), Ok(Yielded(true)));
    assert_eq!(co.send(Some([1; 4_000])), Ok(Yielded(false)));
}

#[test]
fn the_four_types_need_not_have_the_same_size() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(128))]
    struct Nothing;
    fn rotate<A, B, C, D>(a: A, b: B, c: C, d: D)
    where
        A: Clone + PartialEq + std::fmt::Debug + 'static,
        B: Clone + PartialEq + std::fmt::Debug + 'static,
        C: Clone + PartialEq + std::fmt::Debug + 'static,
        D: Clone + PartialEq + std::fmt::Debug + 'static,
    {
        let (first, sent, end, thrown) = (a.clone(), b.clone(), c.clone(), d.clone());
        // A debug build copies a page many times, and each copy takes two pages of stack.
        let body = move |y: &Yielder<A, B, D>| {
            assert_eq!(y.yield_(first.clone()), Ok(sent));
            assert_eq!(y.yield_(first), Err(Thrown::Error(thrown)));
            Ok(end)
        };
        let mut co: Coroutine<A, B, C, D> = Builder::new().stack_size(1 << 20).create_throwing(body).expect("a stack");
        assert_eq!(co.start(), Ok(Yielded(a.clone())));
        assert_eq!(co.send(b.clone()), Ok(Yielded(a)));
        assert_eq!(co.throw(d.clone()), Ok(Complete(c)));
        assert_eq!(co.throw(d.clone()), Err(SendError::Finished(d)));
        assert_eq!(co.send(b.clone()), Err(SendError::Finished(b)));
    }
    let (page, words) = (Page(std::array::from_fn(|i| i as u8)), vec![String::from("w"); 3]);
    rotate(page, 1_u8, Nothing, words.clone());
    rotate(words.clone(), page, (1_u8, 2_u64), Nothing);
    rotate(Nothing, words.clone(), page, Some(Box::new(7)));
    rotate(None::<Box<i32>>, Nothing, words, page);
}

#[test]
fn debug_output_tells_state_name_and_place() {
    let yielder = Rc::new(RefCell::new(String::new()));
    let told = yielder.clone();
    let mut co = Builder::new()
        .name("the name")
        .generator(move |y| {
            *told.borrow_mut() = format!("{y:?}");
            y.yield_(1)
        })
        .expect("a stack");
    let place = co.created_at().to_string();
    for state in ["Created", "Suspended", "Finished"] {
        let debug = format!("{co:?}");
        assert!([state, "the name", &place].iter().all(|part| debug.contains(part)), "{debug}");
        let _ = co.resume();
    }
    assert!(yielder.borrow().contains("the name") && yielder.borrow().contains("builder.rs"), "{yielder:?}");
}

#[test]
fn a_given_stack_is_dropped_at_once_however_its_coroutine_ends() {
    // [36]
    for how in ["close", "throw", "throw at a new one", "panic", "unwind"] {
        if cfg!(panic = "abort") && ["panic", "unwind"].contains(&how) {
            continue;
        }
        let drops = Rc::new(Cell::new(0));
        let stack = Counting(GuardedStack::new(64 << 10).expect("a stack"), drops.clone());
        let mut co: Coroutine<i32, (), (), &str> = Builder::new()
            .name("unwound")
            .stack(Box::new(stack))
            .create_throwing(move |y| match how {
                "panic" => y.yield_(1).map(|()| std::panic::panic_any("boom")),
                "unwind" => y.yield_(1).or_else(|_| y.yield_(2)).or_else(|_| y.yield_(3)),
                _ => y.yield_(1),
            })
            .expect("it is large enough");
        if how != "throw at a new one" {
            assert_eq!(co.start(), Ok(Yielded(1)));
        }
        assert_eq!(drops.get(), 0);
        match how {
            "close" => assert_eq!(co.close(), Ok(None)),
            "panic" => assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| co.resume())).is_err()),
            "unwind" => drop(std::mem::replace(&mut co, Coroutine::throwing(|_| Ok(())))),
            _ => assert_eq!(co.throw("x"), Err(SendError::Thrown(Thrown::Error("x")))),
        }
        assert_eq!(drops.get(), 1, "{how}");
        drop(co);
        assert_eq!(drops.get(), 1, "{how}");
    }
}

#[test]
fn provided_memory_may_begin_and_end_anywhere() {
    // Nothing of it is aligned, and it is as small as can be: what is written on it lies within it.
    for (start, end) in [(0, 0), (1, 0), (0, 1), (3, 5), (63, 61)] {
        const SIZE: usize = 128 << 10;
        let memory: &'static mut [u8] = Box::leak(vec![0xa5; SIZE + 256].into_boxed_slice());
        let (begin, len) = (64 + start, SIZE - start - end);
        let base = NonNull::from(memory).cast::<u8>();
        // SAFETY: the memory is leaked, so it is valid for ever, and only its edges, which are not the stack's, are read
        // by others. What runs on it needs little.
        let stack = unsafe { ProvidedStack::new(base.add(begin), len) };
        let mut co: Coroutine<u64, u64> = Builder::new()
            .stack(stack)
            .create(|y| {
                let mut x = 0;
                loop {
                    x = y.yield_(x + dig_little(x))?;
                }
            })
            .expect("it is large enough");
        assert_eq!(co.start(), Ok(Yielded(0)));
        assert_eq!(co.send(5), Ok(Yielded(10)));
        assert_eq!(co.close(), Ok(None));
        // SAFETY: within the allocation, outside the stack.
        let outside = unsafe {
            [std::slice::from_raw_parts(base.as_ptr(), begin), {
                std::slice::from_raw_parts(base.as_ptr().add(begin + len), SIZE + 256 - begin - len)
            }]
        };
        assert!(outside.iter().all(|part| part.iter().all(|byte| *byte == 0xa5)), "{start} {end}");
    }
}

/// `x`, by way of vector registers that are saved at aligned places.
#[inline(never)]
fn dig_little(x: u64) -> u64 {
    black_box(black_box([x as f64 / 4.0; 4]).iter().sum::<f64>()) as u64
}

#[test]
fn what_a_create_error_says() {
    let refused = Builder::new().name("x").stack_size(usize::MAX).generator(|y| y.yield_(1)).expect_err("too large");
    let text = refused.to_string();
    assert!(text.starts_with("no stack for a coroutine: ") && text.contains(&usize::MAX.to_string()), "{text}");
    assert!(text.ends_with(&refused.error().to_string()), "{text}");
    assert!(format!("{refused:?}").contains("TooLarge"), "{refused:?}");
    assert!(std::error::Error::source(&refused).is_none());
    let (error, body, stack) = refused.into_parts();
    assert!(error.os_error().is_none() && stack.is_none());
    assert_eq!(Generator::new(body).collect::<Vec<_>>(), [1]);
    // One byte too many is as many as all of them.
    let refused = Builder::new().stack_size(MAX_SIZE + 1).create(|y: &Yielder<i32, i32>| y.yield_(1));
    assert!(refused.expect_err("too large").error().to_string().contains(&(MAX_SIZE + 1).to_string()));
}

#[test]
fn the_smallest_stack_can_be_asked_for_and_used() {
    for size in [0, 1, MIN_SIZE] {
        let co = Builder::new().stack_size(size).generator(|y| y.yield_all([1, 2])).expect("a stack");
        assert_eq!(co.sum::<i32>(), 3);
    }
}

#[test]
fn a_builder_makes_coroutines_that_can_be_thrown_at() {
    let mut co = Builder::new()
        .name("")
        .create_throwing(|y: &Yielder<i32, i32, String>| match y.yield_(1) {
            Err(Thrown::Error(word)) => Ok(word + "!"),
            other => other.map(|x| x.to_string()),
        })
        .expect("a stack");
    assert_eq!(co.name(), Some(""), "a name of no letters is a name");
    assert_eq!(co.start(), Ok(Yielded(1)));
    assert_eq!(co.throw("caught".into()), Ok(Complete("caught!".into())));
    let mut tried = Coroutine::<i32, (), (), &str>::try_throwing(|y| y.yield_(1)).expect("a stack");
    assert_eq!((tried.name(), tried.created_at().line()), (None, line!() - 1));
    assert_eq!(tried.throw("early"), Err(SendError::Thrown(Thrown::Error("early"))));
    assert_eq!(Generator::try_new(|y| y.yield_all([4])).expect("a stack").next(), Some(4));
    let debug = format!("{:?}", Builder::new().name("b").stack_size(77));
    assert!(debug.contains("\"b\"") && debug.contains("77"), "{debug}");
}

#[test]
fn a_large_body_fits_on_a_stack_of_the_default_size() {
    let large = [0x5a_u8; 66_001];
    let mut co = Generator::new(move |y| {
        y.yield_(large.iter().map(|byte| u64::from(*byte)).sum::<u64>())?;
        y.yield_(u64::from(large[66_000]))
    });
    assert_eq!((co.next(), co.next()), (Some(66_001 * 0x5a), Some(0x5a)));
    // And one that never starts is dropped without being moved there.
    let counted = Rc::new(());
    let held = counted.clone();
    let new = Builder::new().stack_size(MIN_SIZE).generator(move |y| {
        let _held = &held;
        y.yield_(large[0])
    });
    drop(new.expect("a stack"));
    assert_eq!(Rc::strong_count(&counted), 1);
}

#[test]
#[expect(clippy::result_large_err, reason = "it is what the test is about")]
fn what_is_larger_than_the_stack_may_be_the_outcome_of_a_body_that_never_runs() {
    type Large = [u8; 100_000];
    let returns = Builder::new().stack_size(0).generator::<i32, Large, _>(|_| Ok([0; 100_000])).expect("a stack");
    assert!(returns.stack_size().is_some_and(|size| size < size_of::<Large>()));
    drop(returns);
    let body = |y: &Yielder<i32, (), Large>| y.yield_(1);
    let mut throws = Builder::new().stack_size(0).create_throwing(body).expect("a stack");
    assert!(throws.close().is_ok());
}

#[test]
fn each_of_a_chain_tells_of_the_next_and_only_while_it_delegates() {
    // [85]
    fn named(name: &str, body: impl FnOnce(&Yielder<i32>) -> Result<(), Thrown> + 'static) -> Generator<i32> {
        Builder::new().name(name).generator(body).expect("a stack")
    }
    let mut c = named("c", |y| y.yield_(1));
    assert!(c.delegate().is_none());
    let mut b = named("b", move |y| y.yield_from(&mut c));
    assert_eq!(b.next(), Some(1));
    assert_eq!(b.delegate().and_then(|next| next.name()), Some("c"));
    let mut a = named("a", move |y| y.yield_from(&mut b).and_then(|()| y.yield_(2)));
    assert_eq!(a.next(), Some(2), "b ends by the first next");
    assert!(a.delegate().is_none());
    let mut unnamed = Generator::<i32>::new(|y| y.yield_(3));
    let place = unnamed.created_at();
    let mut outer = Generator::<i32>::new(move |y| y.yield_from(&mut unnamed));
    outer.next();
    assert_eq!(outer.delegate().map(|next| (next.name(), next.created_at())), Some((None, place)));
    assert_eq!(outer.close(), Ok(None));
    assert!(outer.delegate().is_none());
}

#[test]
fn on_parent_stack_runs_on_the_stack_of_whoever_resumed() {
    fn here() -> usize {
        let local = 0_u8;
        (&raw const local).addr()
    }
    let near = |a: usize, b: usize| a.abs_diff(b) < 16 * 1024;
    let mut co = Generator::<(usize, usize)>::new(|y| {
        y.yield_((here(), y.on_parent_stack(here)))?;
        y.yield_((here(), y.on_parent_stack(here)))?;
        Ok(())
    });
    let (inside, parent) = co.next().expect("first");
    assert!(near(parent, here()) && !near(inside, here()));
    // Resumed by another coroutine, it is that one's stack.
    let mut other = Generator::new(move |y| {
        let (_, parent) = co.next().expect("second");
        y.yield_(parent.abs_diff(here()))?;
        Ok(())
    });
    assert!(other.next().expect("a distance") < 16 * 1024);
}

#[test]
#[cfg(panic = "unwind")]
fn on_parent_stack_nests_and_serves_destructors_in_a_forced_unwind() {
    fn here() -> usize {
        let local = 0_u8;
        (&raw const local).addr()
    }
    struct Calls<'a>(&'a Yielder<i32>, Rc<Cell<bool>>);
    impl Drop for Calls<'_> {
        fn drop(&mut self) {
            let distance = self.0.on_parent_stack(here).abs_diff(self.0.on_parent_stack(here));
            self.1.set(std::thread::panicking() && distance < 16 * 1024);
        }
    }
    let served = Rc::new(Cell::new(false));
    let told = served.clone();
    let mut co = Generator::<i32, ()>::new(move |y| {
        let _calls = Calls(y, told);
        loop {
            let _ = y.yield_(1);
        }
    });
    co.next();
    drop(co);
    assert!(served.get());

    let mut outer = Generator::<usize>::new(|y| {
        let innermost = y.on_parent_stack(|| {
            let mut inner = Generator::<usize>::new(|y| y.yield_(y.on_parent_stack(here)));
            inner.next().expect("an address")
        });
        y.yield_(innermost)
    });
    assert!(outer.next().expect("an address").abs_diff(here()) < 16 * 1024, "two calls up, both on this stack");
}
