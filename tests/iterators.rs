//! Coroutines as iterators.

#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(panic = "unwind")]
use switchback::Thrown;
use switchback::{Generator, State};

fn three() -> Generator<i32, &'static str> {
    Generator::new(|y| {
        y.yield_all(1..=3)?;
        Ok("end")
    })
}

#[test]
fn a_for_loop_sees_every_item() {
    let mut seen = Vec::new();
    for x in three() {
        seen.push(x);
    }
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn an_iteration_that_has_ended_stays_ended() {
    let mut items = three();
    assert_eq!(items.by_ref().count(), 3);
    assert_eq!((items.next(), items.next()), (None, None));
    assert_eq!(items.state(), State::Finished);
}

#[test]
fn the_return_value_is_kept_by_values() {
    let mut items = three();
    let mut values = items.values();
    assert_eq!(values.take_return(), None);
    assert_eq!(values.by_ref().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(values.next(), None);
    assert_eq!(values.take_return(), Some("end"));
    assert_eq!(values.take_return(), None);
}

#[test]
fn leaving_a_loop_early_leaves_the_rest() {
    let mut items = three();
    for x in &mut items {
        if x == 1 {
            break;
        }
    }
    assert_eq!(items.collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn adaptors_compose() {
    let sum: i32 = three().zip(three().skip(1)).map(|(a, b)| a * b).sum();
    assert_eq!(sum, 2 + 2 * 3);
    let naturals = Generator::<u64>::new(|y| y.yield_all(0..));
    assert_eq!(naturals.take_while(|n| *n < 5).last(), Some(4));
}

#[test]
#[cfg(panic = "unwind")]
fn an_iteration_that_fails_panics_instead_of_ending() {
    let mut items = Generator::<i32>::new(|_| Err(Thrown::Exit));
    let payload = catch_unwind(AssertUnwindSafe(|| items.next())).expect_err("it must not look like an end");
    let text = payload.downcast_ref::<String>().expect("a formatted message");
    assert!(text.contains("asked to exit"), "{text}");
    assert_eq!(items.next(), None, "afterwards it has finished");
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_in_the_body_comes_out_of_next() {
    let mut items = Generator::<i32>::new(|y| {
        y.yield_(1)?;
        panic!("boom")
    });
    assert_eq!(items.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| items.next())).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    assert_eq!(items.next(), None);
}
