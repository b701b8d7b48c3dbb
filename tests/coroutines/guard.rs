//! On every system: a body that runs off the end of its stack ends the process before it does harm.

use crate::process::{Outside, inside};
use std::hint::black_box;
use switchback::Generator;

#[inline(never)]
pub(crate) fn recurse(n: u64) -> u64 {
    let block = black_box([n; 64]);
    if black_box(n) == u64::MAX {
        return 0; // never: there is no stack for so many
    }
    recurse(n + 1) + black_box(block)[0]
}

#[test]
fn running_off_the_end_of_a_stack_ends_the_process() {
    if inside().is_some() {
        // A neighbour on either side, whose stack must not be what is written to.
        let mut before = Generator::new(|y| y.yield_all(0..));
        before.next();
        let mut deep = Generator::<u64>::new(|y| y.yield_(recurse(0)));
        let mut after = Generator::new(|y| y.yield_all(0..));
        after.next();
        deep.next();
        println!("it went on: {:?} {:?}", before.next(), after.next());
        return;
    }
    let text = Outside::default().run("guard::running_off_the_end_of_a_stack_ends_the_process", "inside").text();
    assert!(text.contains("running 1 test"), "{text}");
    // Not by the status alone: of a process that dies so, wine says that it has succeeded.
    let ended = !text.contains("test result: ok");
    assert!(ended && !text.contains("it went on") && !text.contains("panicked"), "{text}");
}
