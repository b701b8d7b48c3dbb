// What a local task returns stays on its thread, and so does the handle that it comes from.
use std::rc::Rc;
use switchback::task;

fn main() {
    let handle = task::spawn_local(|| Rc::new(5));
    task::spawn(move || drop(handle.join()));
}
