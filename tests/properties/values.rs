//! Values of every size and shape, on every way through a coroutine.

use std::rc::Rc;
use switchback::CoroutineState::{Complete, Yielded};
use switchback::{Coroutine, SendError, Thrown};

#[test]
fn they_go_through_unharmed_delegated_or_not() {
    #[derive(Clone, PartialEq, Debug)]
    #[repr(align(64))]
    struct Aligned(u8);
    fn round_trip<T: Clone + PartialEq + std::fmt::Debug + 'static>(value: T) {
        let new = || {
            let first = value.clone();
            Coroutine::<T, T, T, T>::throwing(move |y| {
                let sent = y.yield_(first)?;
                let thrown = match y.yield_(sent) {
                    Err(Thrown::Error(thrown)) => thrown,
                    other => other?,
                };
                let back = y.yield_(thrown)?;
                Ok(back)
            })
        };
        let mut alone = new();
        assert_eq!(alone.start().expect("starts"), Yielded(value.clone()));
        assert_eq!(alone.send(value.clone()).expect("sent"), Yielded(value.clone()));
        let (mut inner, first) = (new(), value.clone());
        inner.start().expect("starts");
        let mut delegator = Coroutine::throwing(move |y| y.yield_from_with(first, &mut inner));
        assert_eq!(delegator.start().expect("starts"), Yielded(value.clone()));
        for mut co in [alone, delegator] {
            assert_eq!(co.throw(value.clone()).expect("thrown"), Yielded(value.clone()));
            assert_eq!(co.send(value.clone()).expect("sent"), Complete(value.clone()));
            assert_eq!(co.send(value.clone()), Err(SendError::Finished(value.clone())));
        }
    }
    round_trip(());
    round_trip(1_u8);
    round_trip((1_u8, 2_u32));
    round_trip([1_u8; 7]);
    round_trip(Aligned(3));
    round_trip(u128::MAX);
    round_trip(String::from("a string"));
    round_trip(Box::new(7));
    round_trip(Some(Rc::new(7)));
    round_trip(vec![1, 2, 3]);
    round_trip([7_u64; 64]);
    // Up to four words travel in registers.
    round_trip(("two", "texts"));
    round_trip([1_u64, 2, 3]);
    round_trip([[1_u8; 13], [2; 13]]);
    round_trip([u128::MAX, 1]);
    round_trip([1_u64, 2, 3, 4]);
    round_trip([1_u64, 2, 3, 4, 5]);
    round_trip([9_u8; 33]);
}
