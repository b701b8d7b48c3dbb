// Whoever locks it has the value, on whatever thread.
use std::rc::Rc;

fn is_sync<T: Sync>(_: &T) {}

fn main() {
    is_sync(&switchback::sync::Mutex::new(Rc::new(5)));
}
