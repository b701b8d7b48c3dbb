// Several readers have a reference at the same time, on several threads.
use std::cell::Cell;

fn is_sync<T: Sync>(_: &T) {}

fn main() {
    is_sync(&switchback::sync::RwLock::new(Cell::new(5)));
}
