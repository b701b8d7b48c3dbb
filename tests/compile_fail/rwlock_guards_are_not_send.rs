// A guard is dropped where it was made, as in std.
fn is_send<T: Send>(_: T) {}

fn main() {
    let lock = switchback::sync::RwLock::new(0);
    is_send(lock.read().unwrap());
    is_send(lock.write().unwrap());
}
