// A task of a scope must be Send, so that it cannot get the awaiter of a body around the scope, which belongs to another stack.
use switchback::{stackful, thread};

fn main() {
    let _body = stackful(|cx| {
        thread::scope(|s| {
            s.spawn(|| cx.await_(std::future::ready(1)).is_ok());
        });
    });
}
