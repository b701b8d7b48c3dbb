//! What a coroutine is called, where it was made, and what a backtrace from inside it shows.

#[cfg(unix)]
use crate::process::{Outside, inside};
use crate::reports::reported;
use std::panic::Location;
use switchback::{Builder, Coroutine, Event, Generator, Yielder};

type Failing = Coroutine<i32, (), (), &'static str>;

/// One that answers its exit with an error.
#[track_caller]
fn failing(name: &str) -> Failing {
    let co =
        Builder::new().name(name).create_throwing(|y: &Yielder<i32, (), _>| y.yield_(1).map_err(|_| "late".into()));
    co.expect("a stack")
}

#[test]
fn a_name_is_given_at_creation_and_told_wherever_the_coroutine_is() {
    // [87]
    const NAME: &str = "named once";
    reported(NAME);
    let mut inner = failing(NAME);
    assert_eq!(inner.name(), Some(NAME));
    assert!(format!("{inner:?}").contains(NAME));
    inner.start().expect("starts");
    drop(inner);
    assert_eq!(reported(NAME), [Event::ErrorLost], "by its name");

    let mut inner = failing(NAME);
    let mut outer = Failing::throwing(move |y| y.yield_from(&mut inner));
    assert_eq!(outer.name(), None);
    outer.start().expect("starts");
    assert_eq!(outer.delegate().and_then(|inner| inner.name()), Some(NAME));
    outer.resume().expect("it ends well");
}

#[test]
fn the_place_of_creation_is_that_of_whoever_answers_for_it() {
    // [103] A function marked `track_caller` hands the question on to its caller.
    fn at(line: u32, place: &Location<'_>) -> bool {
        (place.file(), place.line()) == (file!(), line)
    }
    let co = failing("mine");
    assert!(at(line!() - 1, co.created_at()), "{}", co.created_at());
    let mut inner = Generator::<i32>::new(|y| y.yield_(1));
    let line = line!() - 1;
    let mut outer = Generator::<i32>::new(move |y| y.yield_from(&mut inner));
    outer.next();
    assert!(outer.delegate().is_some_and(|inner| at(line, inner.created_at())));
}

#[test]
#[cfg(unix)]
fn a_report_tells_the_place_of_creation() {
    // [39, 103]
    if inside().is_some() {
        let mut co = failing("reported");
        eprintln!("line {}", co.created_at().line());
        co.start().expect("starts");
        drop(co);
        return;
    }
    let ended = Outside::default().run("naming::a_report_tells_the_place_of_creation", "report");
    ended.assert_success();
    let text = ended.text();
    let line = text.lines().find_map(|line| line.strip_prefix("line ")).unwrap_or_else(|| panic!("no line: {text}"));
    let words = format!("switchback: coroutine \"reported\" created at {}:{line}:", file!());
    assert!(text.contains(&words) && text.contains("ended with an error when it was dropped"), "{words}\n{text}");
}

#[test]
#[cfg(not(switchback_fallback))]
fn a_send_and_a_throw_meet_the_same_frames() {
    // [88] Those of the delegators, and then those of whoever has resumed.
    use std::backtrace::Backtrace;
    use std::hint::black_box;
    type Traced = Coroutine<String, (), (), ()>;
    #[inline(never)]
    fn innermost_function(y: &Yielder<String, (), ()>) -> Result<(), switchback::Thrown<()>> {
        loop {
            let trace = Backtrace::force_capture().to_string();
            if let Err(exit @ switchback::Thrown::Exit) = y.yield_(trace) {
                return Err(exit);
            }
            black_box(());
        }
    }
    #[inline(never)]
    fn delegating_function(y: &Yielder<String, (), ()>, inner: &mut Traced) -> Result<(), switchback::Thrown<()>> {
        black_box(y.yield_from(inner))
    }
    #[inline(never)]
    fn consuming_function(co: &mut Traced, how: &str) -> String {
        let state = black_box(match how {
            "start" => co.start(),
            "send" => co.resume(),
            _ => co.throw(()).map_err(|_| switchback::SendError::Running(())),
        });
        state.expect("it goes on").yielded().expect("a trace")
    }
    let mut inner = Traced::throwing(innermost_function);
    let mut co = Traced::throwing(move |y| delegating_function(y, &mut inner));
    let functions = ["innermost_function", "delegating_function", "consuming_function"];
    let met: Vec<Vec<_>> = ["start", "send", "throw"]
        .map(|how| {
            let trace = consuming_function(&mut co, how);
            let name = |line: &str| functions.into_iter().find(|name| line.contains(&format!("::{name}")));
            let mut met: Vec<_> = trace.lines().filter_map(name).collect();
            met.dedup(); // functions of the library are generic over the first, and have it in their names
            met
        })
        .into();
    assert_eq!(met, [functions; 3]);
}
