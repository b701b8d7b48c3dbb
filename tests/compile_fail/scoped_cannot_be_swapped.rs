// Two scoped coroutines are not swapped between their scopes.
use switchback::{Scoped, Yielder, scoped};

fn main() {
    scoped(
        |y: &Yielder<i32>| y.yield_(1),
        |outer: &mut Scoped<'_, i32>| {
            scoped(|y: &Yielder<i32>| y.yield_(2), |inner: &mut Scoped<'_, i32>| std::mem::swap(outer, inner));
        },
    );
}
