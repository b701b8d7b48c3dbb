// A yielder does not reach another thread, not even inside its body.
use switchback::Generator;

fn main() {
    let _ = Generator::<i32>::new(|y| {
        std::thread::scope(|scope| {
            scope.spawn(|| y.yield_(1));
        });
        Ok(())
    });
}
