// A coroutine that errors can be thrown at is no iterator: its errors would have nowhere to go.
use switchback::Coroutine;

fn main() {
    let mut co = Coroutine::<i32, (), (), String>::throwing(|_| Ok(()));
    for _ in &mut co {}
}
