// What is no future, and does not become one, cannot be awaited.
fn main() {
    drop(switchback::stackful(|_| switchback::await_("text")));
}
