// A resumer goes to another thread only if what it carries may.
use std::rc::Rc;
use switchback::{Resumer, task};

fn main() {
    let _ = task::suspend(|resumer: Resumer<Rc<i32>>| {
        std::thread::spawn(move || drop(resumer));
    });
}
