// A scoped coroutine does not leave its scope as the result.
use switchback::{Scoped, Yielder, scoped};

fn main() {
    let words = vec![1, 2];
    let escaped = scoped(|y: &Yielder<i32>| y.yield_all(words.iter().copied()), |co: &mut Scoped<'_, i32>| co);
    drop(words);
    escaped.next();
}
