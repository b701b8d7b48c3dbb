// What is no future, and does not become one, cannot be awaited.
use switchback::stackful;

fn main() {
    drop(stackful(|cx| cx.await_(5)));
}
