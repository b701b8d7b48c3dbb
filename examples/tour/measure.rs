//! Part four: what one switch costs on this machine, beside an indirect function call and a peer.

use std::error::Error;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::time::Instant;

use switchback::CoroutineState::Yielded;
use switchback::{Coroutine, Thrown, Yielder};

use crate::out::Out;

/// A round trip is one `send` and the `yield_` that answers it.
const TRIPS: u64 = 100_000;

/// The median of this many batches is printed: one that was interrupted moves it little.
const BATCHES: usize = 15;

/// How many function calls deep the nested yield is.
const DEPTH: u32 = 4;

/// Makes a number of round trips, each of which adds one, and gives the sum.
type Batch = Box<dyn FnMut(u64) -> Result<u64, Box<dyn Error>>>;

/// Runs every contender and prints a line for each.
pub(crate) fn compare(out: &Out) -> Result<(), Box<dyn Error>> {
    let build = if cfg!(debug_assertions) { "debug build: use --release" } else { "release build" };
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    out.heading(format_args!("One round trip on this machine ({arch} {os}, {build})"));
    let mut contenders: Vec<(&str, Batch)> = vec![
        ("indirect function call", function_call()),
        ("switchback, yield in the body itself", ours(|y, x| y.yield_(x))?),
        ("corosensei, yield in the body itself", theirs(|y, x| y.suspend(x))),
        ("switchback, yield four calls down", ours(|y, x| our_descent(y, DEPTH, x))?),
        ("corosensei, yield four calls down", theirs(|y, x| their_descent(y, DEPTH, x))),
    ];
    let mut times: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::with_capacity(BATCHES)).collect();
    // In turns, so that a machine that changes its speed changes it for all of them.
    for _ in 0..BATCHES {
        for ((name, batch), times) in contenders.iter_mut().zip(&mut times) {
            let start = Instant::now();
            let sum = batch(black_box(TRIPS))?;
            times.push(start.elapsed().as_secs_f64() * 1e9 / TRIPS as f64);
            assert_eq!(sum, TRIPS, "{name}: every round trip adds one");
        }
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    for ((name, _), median) in contenders.iter().zip(&medians) {
        out.line(format_args!("{name:<38} {median:>7.1} ns {:>7.1} calls", median / medians[0]));
    }
    out.line(format_args!("(median of {BATCHES} batches of {TRIPS})"));
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn function_call() -> Batch {
    let add_one: fn(u64) -> u64 = black_box(|x| x + 1);
    Box::new(move |trips| Ok((0..trips).fold(0, |x, _| add_one(x))))
}

/// The body is generic so that each yield is compiled into its own loop, as it would be in a user's program.
fn ours(answer: impl Fn(&Yielder<u64, u64>, u64) -> Result<u64, Thrown> + 'static) -> Result<Batch, Box<dyn Error>> {
    let mut adder = Coroutine::<u64, u64>::new(move |y| {
        let mut x = y.yield_(0)?;
        loop {
            x = answer(y, x + 1)?;
        }
    });
    adder.start()?;
    Ok(Box::new(move |trips| {
        let mut x = 0;
        for _ in 0..trips {
            let Yielded(next) = adder.send(x)? else {
                return Err("the adder ended".into());
            };
            x = next;
        }
        Ok(x)
    }))
}

fn theirs(answer: impl Fn(&corosensei::Yielder<u64, u64>, u64) -> u64 + 'static) -> Batch {
    // Never dropped: a peer that is suspended unwinds its stack then, which a program with `panic=abort` cannot bear.
    let mut adder = ManuallyDrop::new(corosensei::Coroutine::<u64, u64, ()>::new(move |y, mut x| {
        loop {
            x = answer(y, x + 1);
        }
    }));
    Box::new(move |trips| {
        let mut x = 0;
        for _ in 0..trips {
            x = adder.resume(x).as_yield().ok_or("the adder ended")?;
        }
        Ok(x)
    })
}

/// Every level has something left to do after the call, else it would be compiled to a jump.
#[inline(never)]
fn our_descent(y: &Yielder<u64, u64>, depth: u32, x: u64) -> Result<u64, Thrown> {
    match depth {
        0 => y.yield_(x),
        _ => our_descent(y, depth - 1, x).map(black_box),
    }
}

#[inline(never)]
fn their_descent(y: &corosensei::Yielder<u64, u64>, depth: u32, x: u64) -> u64 {
    match depth {
        0 => y.suspend(x),
        _ => black_box(their_descent(y, depth - 1, x)),
    }
}
