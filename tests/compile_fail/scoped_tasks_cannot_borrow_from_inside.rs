// What a scope's body has on its stack is gone before the scope waits for its tasks.
use switchback::{Cancelled, task};

fn main() {
    let _ = task::scope(|s| {
        let inside = 5;
        s.spawn(|| Ok::<_, Cancelled>(inside));
        Ok(())
    });
}
