// One that is made and not used is warned of, by whatever function it is made. [99]
#![deny(unused_must_use)]

use switchback::{Builder, Generator};

fn made_elsewhere() -> Generator<i32> {
    Generator::new(|y| y.yield_(1))
}

fn main() {
    Generator::<i32>::new(|y| y.yield_(1));
    made_elsewhere();
    Builder::new().name("forgotten");
}
