//! The compiler's own coroutines, which are state machines: `PROGRAM WORKLOAD N` prints `ns=CPU_TIME sum=SUM`. They are unstable, so a
//! nightly compiler makes this, without cargo.
//!
//! They cannot yield from a function that they call. What "calls down" and delegation are for others is a coroutine inside of another
//! here, which is resumed in a loop. Each item is hidden from the optimiser, which would make a formula of the whole loop.

#![feature(coroutines, coroutine_trait, stmt_expr_attributes)]

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::ops::{
    Coroutine,
    CoroutineState::{Complete, Yielded},
};
use std::pin::Pin;
use std::process::exit;

struct Outcome {
    ns: u64,
    sum: u64,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// CPU time of the process so far, in nanoseconds.
fn cpu_time() -> u64 {
    const PROCESS_CPU_TIME: i32 = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: it writes a time there, which has this form on Linux of 64 bits.
    unsafe { clock_gettime(PROCESS_CPU_TIME, &raw mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

#[inline(always)]
fn timed(work: impl FnOnce() -> u64) -> Outcome {
    let start = cpu_time();
    let sum = black_box(work());
    Outcome { ns: cpu_time() - start, sum }
}

/// An iterator of what a coroutine yields.
struct Items<C>(C);

impl<C: Coroutine<Yield = u64, Return = ()> + Unpin> Iterator for Items<C> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        match Pin::new(&mut self.0).resume(()) {
            Yielded(x) => Some(x),
            Complete(()) => None,
        }
    }
}

/// The sum of `n` items, of which the first has been taken before.
#[inline(always)]
fn items(co: impl Coroutine<Yield = u64, Return = ()> + Unpin, n: u64) -> Outcome {
    let mut items = Items(co);
    items.next();
    timed(|| {
        let mut total = 0;
        for _ in 0..n {
            total += black_box(items.next().expect("it has more items"));
        }
        total
    })
}

/// Yields each item of another one.
macro_rules! yield_from {
    ($inner:expr) => {{
        let mut inner = $inner;
        loop {
            let state = Pin::new(&mut inner).resume(());
            match state {
                Yielded(x) => yield x,
                Complete(()) => break,
            }
        }
    }};
}

/// Yields as many coroutines down as it is given letters.
macro_rules! down {
    ($x:expr,) => {
        yield $x
    };
    ($x:expr, $first:ident $($rest:ident)*) => {
        yield_from!(
            #[coroutine]
            move || {
                down!($x, $($rest)*);
                black_box($x);
            }
        )
    };
}

macro_rules! roundtrip {
    ($n:expr, $($calls:ident)*) => {
        items(
            #[coroutine]
            move || {
                yield 0;
                for i in 0..=$n {
                    down!(i, $($calls)*);
                }
            },
            $n,
        )
    };
}

fn send(n: u64) -> Outcome {
    let mut echo = #[coroutine]
    |mut x: u64| {
        loop {
            x = yield x;
        }
    };
    let mut resume = |x| match Pin::new(&mut echo).resume(x) {
        Yielded(x) => x,
        Complete(()) => unreachable!("it never ends"),
    };
    resume(0);
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            total += black_box(resume(black_box(i)));
        }
        total
    })
}

fn value<const WORDS: usize>(n: u64) -> Outcome {
    let mut echo = #[coroutine]
    |mut x: [u64; WORDS]| {
        loop {
            x = yield x;
        }
    };
    let mut resume = |x| match Pin::new(&mut echo).resume(x) {
        Yielded(x) => x,
        Complete(()) => unreachable!("it never ends"),
    };
    resume([0; WORDS]);
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            let answer = resume([black_box(i); WORDS]);
            let answer = black_box(&answer);
            total += (answer[0] + answer[WORDS - 1]) / 2;
        }
        total
    })
}

/// The nearest to a throw: a `Result` is sent.
fn throw(n: u64) -> Outcome {
    let mut catches = #[coroutine]
    |_: Result<(), u64>| {
        let mut x = 0;
        loop {
            let sent = yield x;
            if let Err(error) = sent {
                x = error;
            }
        }
    };
    let mut resume = |x| match Pin::new(&mut catches).resume(x) {
        Yielded(x) => x,
        Complete(()) => unreachable!("it never ends"),
    };
    resume(Ok(()));
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            total += black_box(resume(Err(black_box(i))));
        }
        total
    })
}

fn create_pooled(n: u64) -> Outcome {
    timed(|| {
        let mut total = 0;
        for i in 0..n {
            let mut co = #[coroutine]
            move || {
                if black_box(false) {
                    yield 0;
                }
                black_box(i)
            };
            match Pin::new(&mut co).resume(()) {
                Complete(x) => total += x,
                Yielded(_) => unreachable!("it only returns"),
            }
        }
        total
    })
}

thread_local! {
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

struct Adds(u64);

impl Drop for Adds {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + self.0);
    }
}

fn drop_suspended(n: u64) -> Outcome {
    timed(|| {
        for i in 0..n {
            let mut co = Items(
                #[coroutine]
                move || {
                    let _adds = Adds(i);
                    yield i;
                },
            );
            assert_eq!(black_box(co.next()), Some(i), "it yields first");
            drop(co);
        }
        DROPPED.take()
    })
}

type Boxed = Pin<Box<dyn Coroutine<Yield = u64, Return = ()>>>;

/// The coroutine of the root of the tree over `low..high`, which is not empty.
fn node(low: u64, high: u64) -> Boxed {
    Box::pin(
        #[coroutine]
        move || {
            let middle = (low + high) / 2;
            if low < middle {
                yield_from!(node(low, middle));
            }
            yield middle;
            if middle + 1 < high {
                yield_from!(node(middle + 1, high));
            }
        },
    )
}

fn counter(n: u64) -> impl Coroutine<Yield = u64, Return = ()> + Unpin {
    #[coroutine]
    move || {
        for i in 0..n {
            yield i;
        }
    }
}

fn chain(depth: u64, n: u64) -> Outcome {
    let mut chain: Boxed = Box::pin(
        #[coroutine]
        move || {
            yield 0;
            for i in 0..=n {
                yield i;
            }
        },
    );
    for _ in 1..depth {
        let inner = chain;
        chain = Box::pin(
            #[coroutine]
            move || yield_from!(inner),
        );
    }
    items(chain, n)
}

fn sum(items: impl Iterator<Item = u64>) -> Outcome {
    timed(|| {
        let mut total = 0;
        for x in items {
            total += black_box(x);
        }
        total
    })
}

fn run(workload: &str, n: u64) -> Option<Outcome> {
    Some(match workload {
        "roundtrip-0" => roundtrip!(n,),
        "roundtrip-1" => roundtrip!(n, a),
        "roundtrip-4" => roundtrip!(n, a b c d),
        "roundtrip-16" => roundtrip!(n, a b c d e f g h i j k l m n o p),
        "send" => send(n),
        "value-64B" => value::<8>(n),
        "value-4KiB" => value::<512>(n),
        "throw" => throw(n),
        "create-pooled" => create_pooled(n),
        "drop-suspended" => drop_suspended(n),
        "walk-nodes" => sum(Items(node(0, n))),
        "delegate-1" => chain(1, n),
        "delegate-10" => chain(10, n),
        "delegate-100" => chain(100, n),
        "delegate-1000" => chain(1000, n),
        "for" => sum(Items(counter(n))),
        "for-dyn" => sum(black_box(Box::new(Items(counter(n))) as Box<dyn Iterator<Item = u64>>)),
        _ => return None,
    })
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, workload, n] = &arguments[..] else { exit(2) };
    let Ok(n) = n.parse::<u64>() else { exit(2) };
    // Once to warm up.
    let _ = run(workload, (n / 10).next_multiple_of(100));
    let Some(Outcome { ns, sum }) = run(workload, n) else {
        eprintln!("there is no workload {workload}");
        exit(2)
    };
    println!("ns={ns} sum={sum}");
}
