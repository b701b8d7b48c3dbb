// An awaiter stays inside of its body.
use switchback::stackful;

fn main() {
    drop(stackful(|cx| cx));
}
