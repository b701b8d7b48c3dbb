// A handle of a scoped task may carry borrows, and does not outlive the scope.
use switchback::thread;

fn main() {
    let _handle = thread::scope(|s| s.spawn(|| 5));
}
