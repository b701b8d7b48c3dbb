//! Random programs of coroutines, each run on the library and by a model without stacks, which must agree at every act.
//! `tests/fuzz` lets a fuzzer choose the programs.
#![cfg(panic = "unwind")]

mod model;
mod program;
#[path = "../common/random.rs"]
mod random;
mod real;

use program::{Act, Bytes, Program, Step, Then};
use random::random;

/// A program that disagrees, made smaller as long as it does.
fn shrink(mut program: Program) -> (Program, String) {
    let mut words = real::compare(&program).expect_err("it disagrees");
    loop {
        let smaller = (0..program.acts.len() + program.body.len()).find_map(|index| {
            let mut smaller = program.clone();
            match index.checked_sub(program.acts.len()) {
                None => drop(smaller.acts.remove(index)),
                Some(index) => drop(smaller.body.remove(index)),
            }
            real::compare(&smaller).err().map(|words| (smaller, words))
        });
        match smaller {
            Some(found) => (program, words) = found,
            None => return (program, words),
        }
    }
}

#[test]
fn random_programs_do_what_the_model_says() {
    switchback::set_report_hook(|_| {});
    const SEEDS: u64 = if cfg!(debug_assertions) { 50_000 } else { 400_000 };
    for seed in 0..SEEDS {
        let mut state = seed;
        let bytes: Vec<u8> = (0..16).flat_map(|_| random(&mut state).to_le_bytes()).collect();
        let program = Bytes(&bytes).program();
        if real::compare(&program).is_err() {
            let (program, words) = shrink(program);
            panic!("seed {seed}: {words}\n{program:#?}");
        }
    }
}

#[test]
fn the_model_knows_its_rules() {
    // So that both do not agree on nothing: these have names in the documents.
    use model::{Answer, Model, Why};
    let inner = vec![Step::Yield(1, Then::Stay), Step::Yield(2, Then::Leave)];
    let body = [Step::Delegate(inner, Then::Stay), Step::Yield(3, Then::Leave)];
    let mut model = Model::new(&body);
    assert_eq!(model.act(Act::Send(1)), Answer::NotStarted);
    assert_eq!(model.act(Act::Start), Answer::Yielded(1));
    assert_eq!(model.act(Act::Close), Answer::Yielded(3), "the delegate ignores it, the delegator minds neither");
    assert_eq!(model.act(Act::Throw(7)), Answer::Thrown(Why::Error(7)));
    assert_eq!(model.act(Act::Resume), Answer::Finished);
}
