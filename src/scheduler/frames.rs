//! The functions of a backtrace that are a program's own.
#![forbid(unsafe_code)]

use std::backtrace::Backtrace;

/// What is between a call that waits and the walk of its stack, and below the closure of a task.
const PLUMBING: [&str; 18] = [
    "switchback::scheduler::",
    "<switchback::scheduler::",
    "switchback::runtime::",
    "switchback::coroutine::",
    "<switchback::coroutine::",
    "switchback::arch::",
    "std::backtrace",
    "<std::backtrace",
    "std::panicking::",
    "std::panic::",
    "core::panic::unwind_safe::",
    "<core::panic::unwind_safe::",
    "core::ops::function::",
    "<alloc::boxed::Box<",
    "__rust_",
    "corosensei::",
    "<corosensei::",
    "stack_init_trampoline",
];

/// The function that runs a task's closure. Or the one that has woken the task to be walked: where corosensei switches, the
/// frames of a coroutine inside of a task lead straight to it.
fn is_root(function: &str) -> bool {
    let is = |of, name| function.contains(of) && function.ends_with(name);
    is("switchback::scheduler::task::Task<", "::run") || is("switchback::coroutine::raw::Raw<", "::inspect")
}

/// The calls by which a task is walked: in an optimised program all of its own may be part of functions of the crate.
const WALK: [&str; 6] = [
    "switchback::scheduler::walk::",
    "switchback::scheduler::inspect::",
    "switchback::coroutine::",
    "switchback::arch::",
    "std::backtrace",
    "<std::backtrace",
];

/// A line for each function of a suspended task, innermost first. The calls by which it was suspended and walked, and what has
/// started it, are left out, as far as functions have names.
pub(super) fn frames_of(trace: &Backtrace) -> Vec<String> {
    let functions = functions(&trace.to_string());
    let root = functions.iter().position(|(function, _)| is_root(function)).unwrap_or(functions.len());
    let without = |plumbing: &[&str]| -> Vec<String> {
        let shown = functions[..root].iter();
        let shown = shown.filter(|(function, _)| !plumbing.iter().any(|plumbing| function.starts_with(plumbing)));
        shown.map(line).collect()
    };
    let own = without(&PLUMBING);
    if own.is_empty() { without(&WALK) } else { own }
}

fn line((function, place): &(String, String)) -> String {
    if place.is_empty() { function.clone() } else { format!("{function} at {place}") }
}

/// The functions and places of a backtrace as std prints it, inlined ones as well.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut functions: Vec<(String, String)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let (Some(place), Some((_, last))) = (line.strip_prefix("at "), functions.last_mut()) {
            place.clone_into(last);
            continue;
        }
        let (number, name) = line.split_once(": ").unwrap_or(("", line));
        let name = if number.bytes().all(|byte| byte.is_ascii_digit()) { name } else { line };
        functions.push((name.to_owned(), String::new()));
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn a_backtrace_is_read() {
        let text = "   0: one\n             at ./src/a.rs:1:2\n      inlined::<impl A: B>\n   1: <T as two>::f\n";
        let expected = [("one", "./src/a.rs:1:2"), ("inlined::<impl A: B>", ""), ("<T as two>::f", "")];
        assert_eq!(functions(text), expected.map(|(name, place)| (name.to_owned(), place.to_owned())));
    }
}
