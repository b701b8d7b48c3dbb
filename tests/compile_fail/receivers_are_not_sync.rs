// One at a time receives, as in std.
fn is_sync<T: Sync>(_: &T) {}

fn main() {
    let (_sender, receiver) = switchback::sync::mpsc::channel::<u8>();
    is_sync(&receiver);
}
