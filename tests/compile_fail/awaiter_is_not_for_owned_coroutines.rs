// An owned coroutine could be resumed when the body is suspended, or gone.
use switchback::{Generator, stackful};

fn main() {
    drop(stackful(|cx| {
        let inner = Generator::<()>::new(|_| {
            let _ = cx.await_(std::future::ready(()));
            Ok(())
        });
        inner.count()
    }));
}
