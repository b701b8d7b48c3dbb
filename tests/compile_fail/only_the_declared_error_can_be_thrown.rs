// What is thrown at a coroutine has the type that it says, and nothing at all where it says none. [27]
use switchback::{Coroutine, Generator};

fn main() {
    let mut co = Coroutine::<i32, (), (), std::fmt::Error>::throwing(|y| y.yield_(1));
    let _ = co.throw("not an fmt::Error");
    let mut plain = Generator::new(|y| y.yield_(1));
    let _ = plain.throw(std::fmt::Error);
}
