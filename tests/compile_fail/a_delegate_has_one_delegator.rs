// A coroutine that is being delegated to is lent, and cannot be delegated to by another. [98]
use switchback::{Scoped, Yielder, scoped};

fn main() {
    scoped(
        |y: &Yielder<i32>| y.yield_(1),
        |inner: &mut Scoped<'_, i32>| {
            scoped(
                |first: &Yielder<i32>| first.yield_from(inner),
                |first: &mut Scoped<'_, i32>| {
                    let _ = first.next();
                    scoped(
                        |second: &Yielder<i32>| second.yield_from(inner),
                        |second: &mut Scoped<'_, i32>| second.next(),
                    )
                },
            )
        },
    );
}
