// A task that borrows must be Send, so that it cannot get a yielder, which belongs to another stack.
use switchback::{Generator, thread};

fn main() {
    let _generator = Generator::<i32>::new(|y| {
        thread::scope(|s| {
            s.spawn(|| y.yield_(1).is_ok());
        });
        Ok(())
    });
}
