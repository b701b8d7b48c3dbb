// On the poller's stack there is nothing to suspend.
use switchback::stackful;

fn main() {
    drop(stackful(|cx| cx.on_parent_stack(|| drop(cx.await_(std::future::ready(()))))));
}
