// A body stays on the thread that it begins on, whatever it holds.
use switchback::stackful;

fn needs_send(_: impl Send) {}

fn main() {
    needs_send(stackful(|_| 1));
}
