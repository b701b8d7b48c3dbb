//! How many random programs are tried, and which.
//!
//! Always the same ones, so that a failure is one of the change that it comes with. `SWITCHBACK_CASES` multiplies their
//! number, and `SWITCHBACK_SEED` chooses others. With `SWITCHBACK_TRACE` each is printed before it runs, for when one ends
//! the process.
//!
//! Each has a thread of its own: a thread that wrongly believes that it is panicking is one of the failures.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::fmt::Debug;
use std::thread;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text:?}")))
}

/// Has `property` hold for `count` programs, or fewer where they are slow; shrinks one that it does not hold for.
pub(crate) fn check<P: Debug + Send>(
    programs: impl Strategy<Value = P>,
    count: u32,
    property: impl Fn(P) -> Result<(), String> + Sync,
) {
    let factor = u32::try_from(number("SWITCHBACK_CASES").unwrap_or(1)).expect("not so many");
    let cases = count.div_ceil(if crate::SLOW { 10 } else { 1 }).saturating_mul(factor);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("SWITCHBACK_SEED").unwrap_or(0).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let trace = std::env::var_os("SWITCHBACK_TRACE").is_some();
    let end = runner.run(&programs, |program| {
        if trace {
            eprintln!("{program:?}");
        }
        let end = thread::scope(|scope| scope.spawn(|| property(program)).join());
        end.unwrap_or_else(|_| Err("it panics".into())).map_err(TestCaseError::fail)
    });
    if let Err(failure) = end {
        panic!("{failure}");
    }
}
