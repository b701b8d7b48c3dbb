// Other threads must not wait with it.
use switchback::stackful;

fn main() {
    drop(stackful(|cx| {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(cx.await_(std::future::ready(()))));
        });
    }));
}
