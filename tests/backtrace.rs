//! A backtrace leads from a coroutine through its delegators into whoever resumed it, and on.

use std::backtrace::Backtrace;
use std::hint::black_box;
use switchback::{Generator, Yielder};

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
