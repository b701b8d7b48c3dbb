// A yielder does not leave its body through what the body has captured. [111]
use std::cell::Cell;
use std::rc::Rc;
use switchback::{Generator, Yielder};

fn main() {
    let place: Rc<Cell<Option<&'static Yielder<i32>>>> = Rc::default();
    let inside = place.clone();
    let _ = Generator::<i32>::new(move |y| {
        inside.set(Some(y));
        Ok(())
    });
}
