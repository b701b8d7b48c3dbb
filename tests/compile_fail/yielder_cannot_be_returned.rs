// A yielder does not leave its body as the result. [111]
use switchback::{Coroutine, Yielder};

fn main() {
    let _ = Coroutine::<i32, (), &'static Yielder<i32>>::new(|y| Ok(y));
}
