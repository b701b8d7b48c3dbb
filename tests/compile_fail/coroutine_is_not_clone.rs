// A coroutine is not copied. [110]
use switchback::Generator;

fn main() {
    let co = Generator::<i32>::new(|_| Ok(()));
    let _ = co.clone();
}
