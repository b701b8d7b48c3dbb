//! What must not compile: each claim in a file of its own, with what the compiler says of it beside it.
//!
//! On one kind of host only: the compiler's words are the same on all, and a cross-compiled test cannot run a compiler.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
