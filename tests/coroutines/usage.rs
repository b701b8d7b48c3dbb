//! How much of their stacks coroutines have used. Measuring is turned on for the whole process: one test, in one of its own.
// AddressSanitizer keeps local variables elsewhere, to find uses of them after their function has returned.
#![cfg(not(feature = "asan"))]

use crate::process::{Outside, inside};
use std::hint::black_box;
use switchback::stack::{self, Measure, Usage};
use switchback::{Builder, Generator};

/// Uses `kib` KiB of stack, and a little more.
#[inline(never)]
fn dig(kib: usize) -> usize {
    let block = black_box([kib as u8; 1_000]);
    if kib == 0 { 0 } else { dig(kib - 1) + 1 + usize::from(black_box(block)[7]) / 256 }
}

/// The line where `deep` makes its coroutines.
const DEEP: u32 = line!() + 3;

fn deep(kib: usize) -> Generator<usize> {
    Builder::new().generator(move |y| y.yield_(dig(kib))).expect("a stack")
}

/// What coroutines created at this place have used.
fn used_by(line: u32) -> Option<Usage> {
    stack::usage().into_iter().find(|usage| usage.created_at.line() == line && usage.created_at.file() == file!())
}

#[test]
fn what_coroutines_use_is_told_by_handle_and_by_place() {
    if inside().is_none() {
        return Outside::default()
            .run("usage::what_coroutines_use_is_told_by_handle_and_by_place", "measured")
            .assert_success();
    }
    assert_eq!(stack::set_measure(Measure::Painted), Measure::Off);
    for kib in [10, 40, 20] {
        let mut co = deep(kib);
        assert_eq!(co.stack_high_water(), co.stack_high_water());
        assert!(co.stack_high_water().is_some_and(|used| used < 1_000), "it has not started");
        assert_eq!(co.next(), Some(kib));
        let used = co.stack_high_water().expect("it has its stack");
        let least = kib * 1_000;
        assert!((least..5 * least + 20_000).contains(&used), "{used} for {kib} KiB");
        assert!(used <= co.stack_size().expect("it has its stack"));
        assert_eq!(co.next(), None);
        assert_eq!((co.stack_high_water(), co.stack_size()), (None, None));
    }
    let told = used_by(DEEP).expect("it was measured");
    assert_eq!(told.coroutines, 3);
    assert!((40_000..220_000).contains(&told.high_water), "{told:?}");
    assert!((250 << 10..=256 << 10).contains(&told.stack_size), "{told:?}");

    // By pages: never less than what is used, and what others have touched before does not count.
    assert_eq!(stack::set_measure(Measure::Pages), Measure::Painted);
    let line = line!() + 1;
    let mut co = Generator::new(|y| y.yield_(dig(20)));
    assert_eq!(co.next(), Some(20));
    assert_eq!(co.next(), None);
    let told = used_by(line).expect("it was measured");
    let most = if cfg!(target_os = "linux") { 150_000 } else { told.stack_size };
    assert!(told.coroutines == 1 && (20_000..=most).contains(&told.high_water), "{told:?}");

    assert_eq!(stack::set_measure(Measure::Off), Measure::Pages);
    let mut co = deep(1);
    assert_eq!(co.by_ref().count(), 1);
    assert_eq!(used_by(DEEP).map(|usage| usage.coroutines), Some(3), "nobody is measured now");

    // Without measuring, a stack remembers what was touched, until it is trimmed.
    let mut co = deep(45);
    assert_eq!(co.by_ref().count(), 1);
    let next = deep(0);
    let before = next.stack_high_water().expect("it has its stack");
    assert!(before > 45_000, "{before}");
    drop(next);
    stack::trim();
    let after = deep(0).stack_high_water().expect("it has its stack");
    #[cfg(target_os = "linux")]
    assert!(after < 20_000, "{after}");
    println!("{before} before trimming, {after} after");
}
