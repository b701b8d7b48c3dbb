// A stackful future may be forgotten while it is suspended, so it borrows nothing.
use switchback::stackful;

fn main() {
    let text = String::from("on main's stack");
    let borrowed = &text;
    drop(stackful(move |_| borrowed.len()));
}
