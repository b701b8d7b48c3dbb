// A scoped coroutine does not leave its scope through what is outside.
use switchback::{Scoped, Yielder, scoped};

fn main() {
    let mut escaped: Option<&mut Scoped<'_, i32>> = None;
    scoped(|y: &Yielder<i32>| y.yield_(1), |co| escaped = Some(co));
    escaped.unwrap().next();
}
