// A task of its own must not get a yielder: it is of another stack.
use switchback::{Generator, task};

fn main() {
    let _generator = Generator::<i32>::new(|y| {
        task::spawn_local(|| y.yield_(1).is_ok());
        Ok(())
    });
}
