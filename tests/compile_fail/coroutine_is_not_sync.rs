// A coroutine is not shared between threads. [113]
use switchback::Generator;

fn shared<T: Sync>(_: &T) {}

fn main() {
    let co = Generator::<i32>::new(|_| Ok(()));
    shared(&co);
}
