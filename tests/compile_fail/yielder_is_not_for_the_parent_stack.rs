// What runs on the parent stack does not have the yielder.
use switchback::Generator;

fn main() {
    let _ = Generator::<i32>::new(|y| {
        let _ = y.on_parent_stack(|| y.yield_(1));
        Ok(())
    });
}
