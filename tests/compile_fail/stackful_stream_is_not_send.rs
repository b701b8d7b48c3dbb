// A body stays on the thread that it begins on, whatever it holds.
use switchback::future::stackful_stream;

fn needs_send(_: impl Send) {}

fn main() {
    needs_send(stackful_stream(|_, y| y.yield_(1)));
}
