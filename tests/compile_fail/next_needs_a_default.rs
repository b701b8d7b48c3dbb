// A coroutine that waits for values that have no default has no `next`, and cannot be iterated over. [92]
use switchback::Coroutine;

struct Answer;

fn main() {
    let mut co = Coroutine::<&str, Answer>::new(|y| y.yield_("question?").map(drop));
    let _ = co.resume();
    for _ in co {}
}
