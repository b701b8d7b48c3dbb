// What a body returns comes from the thread of its host, so it must be able to.
use std::rc::Rc;
use switchback::{future::Host, stackful_on};

fn main() {
    let host = Host::new().unwrap();
    drop(stackful_on(&host, |_| Rc::new(1)));
}
