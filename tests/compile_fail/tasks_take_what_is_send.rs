// Any worker may begin a task.
use std::rc::Rc;

fn main() {
    let local = Rc::new(5);
    switchback::task::spawn(move || *local);
}
