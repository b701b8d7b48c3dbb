// A coroutine stays on its thread, whatever its closure is. [113]
use switchback::Generator;

fn main() {
    let mut co = Generator::<i32>::new(|_| Ok(()));
    std::thread::spawn(move || co.next());
}
