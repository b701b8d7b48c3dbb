// A delegate yields, is sent and is thrown what its delegator is.
use switchback::{Coroutine, Generator};

fn main() {
    let mut inner = Coroutine::<u8>::new(|_| Ok(()));
    let _ = Generator::<i32>::new(move |y| y.yield_from(&mut inner));
}
