//! Names, sizes, stacks of one's own, and bodies of every size.

use std::cell::Cell;
use std::hint::black_box;
use std::ptr::NonNull;
use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::stack::{DEFAULT_SIZE, GuardedStack, ProvidedStack, Stack};
use switchback::{Builder, Coroutine, Generator, State};

#[test]
fn names_and_places_are_kept_to_the_end() {
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
    assert!(refused.to_string().contains("the largest is 64 GiB"), "{refused}");
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
