// What opens the insides of a delegate is in a private module.
use switchback::coroutine::delegate::sealed::Key;

fn main() {
    let _ = Key(());
}
