// What is sent is received on whatever thread.
use std::rc::Rc;

fn is_send<T: Send>(_: T) {}

fn main() {
    let (sender, receiver) = switchback::sync::mpsc::channel::<Rc<u8>>();
    is_send(sender);
    is_send(receiver);
}
