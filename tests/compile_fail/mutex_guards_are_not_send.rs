// A guard is dropped where it was made, as in std.
fn is_send<T: Send>(_: T) {}

fn main() {
    let mutex = switchback::sync::Mutex::new(0);
    is_send(mutex.lock().unwrap());
}
