// A body goes to the thread of its host, so what it holds must be able to.
use std::rc::Rc;
use switchback::{future::Host, stackful_on};

fn main() {
    let host = Host::new().unwrap();
    let shared = Rc::new(1);
    drop(stackful_on(&host, move |_| *shared));
}
