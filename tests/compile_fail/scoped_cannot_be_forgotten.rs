// A scoped coroutine is lent, not given: it cannot be moved away or forgotten.
use switchback::{Scoped, Yielder, scoped};

fn main() {
    scoped(|y: &Yielder<i32>| y.yield_(1), |co: &mut Scoped<'_, i32>| std::mem::forget(*co));
}
