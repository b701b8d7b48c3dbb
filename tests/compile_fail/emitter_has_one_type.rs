// A stream is one of items of one type.
use switchback::future::stackful_stream;

fn main() {
    drop(stackful_stream(|_, y| {
        y.yield_(1)?;
        y.yield_("two")
    }));
}
