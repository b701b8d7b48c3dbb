// A stackful future inside of a body cannot have the outer awaiter: it may be polled elsewhere.
use switchback::stackful;

fn main() {
    drop(stackful(|outer| {
        let inner = stackful(move |_| outer.await_(std::future::ready(())));
        outer.await_(inner)
    }));
}
