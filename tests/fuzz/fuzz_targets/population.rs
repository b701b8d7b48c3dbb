//! The programs of `tests/population`, chosen by a fuzzer: the library and the model must agree on each of them.
#![no_main]

#[path = "../../population/model.rs"]
mod model;
#[path = "../../population/program.rs"]
mod program;
#[path = "../../population/real.rs"]
mod real;

libfuzzer_sys::fuzz_target!(
    init: switchback::set_report_hook(|_| {}),
    |bytes: &[u8]| {
        let program = program::Bytes(bytes).program();
        if let Err(words) = real::compare(&program) {
            panic!("{words}\n{program:#?}");
        }
    }
);
