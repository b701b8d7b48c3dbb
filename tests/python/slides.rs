//! The slides of docs/PYTHON.md: each in Python and in Rust, both run, and what they print compared.
//!
//! The Rust of a slide is a file in `slides/`, compiled here, and repeated on the page. The Python is on the page alone.

use crate::page::{PAGE, block};
use crate::require;
use std::cell::RefCell;
use std::process::{Command, ExitCode, Termination};

thread_local!(static PRINTED: RefCell<String> = const { RefCell::new(String::new()) });

/// What the slides print goes here.
macro_rules! println {
    ($($arguments:tt)*) => { crate::slides::print(format!($($arguments)*)) };
}

fn print(line: String) {
    PRINTED.with_borrow_mut(|printed| printed.extend([line.as_str(), "\n"]));
}

struct Slide {
    name: &'static str,
    rust: &'static str,
    main: fn() -> ExitCode,
}

macro_rules! slides {
    ($($name:ident)*) => {
        $(mod $name {
            include!(concat!("slides/", stringify!($name), ".rs"));

            pub(super) fn play() -> std::process::ExitCode {
                std::process::Termination::report(main())
            }
        })*

        const SLIDES: &[Slide] = &[$(Slide {
            name: stringify!($name),
            rust: include_str!(concat!("slides/", stringify!($name), ".rs")),
            main: $name::play,
        }),*];
    };
}

slides! { fibonacci answer counter throw close general tree ask event_loop }

impl Slide {
    /// What its Rust prints.
    fn printed(&self) -> String {
        PRINTED.take();
        assert_eq!((self.main)(), ().report(), "{} ends well", self.name);
        PRINTED.take()
    }
}

/// A slide as the page has it.
struct Shown {
    python: String,
    rust: String,
    prints: String,
}

/// The slides of the page, in its order, each with what is run here.
fn slides() -> impl Iterator<Item = (Shown, &'static Slide)> {
    let shown: Vec<_> = PAGE
        .split("<table>")
        .skip(1)
        .map(|rest| {
            let (table, after) = rest.split_once("</table>").expect("a table ends");
            Shown { python: block(table, "python"), rust: block(table, "rust"), prints: block(after, "text") }
        })
        .collect();
    assert_eq!(shown.len(), SLIDES.len(), "slides on the page, and here");
    shown.into_iter().zip(SLIDES)
}

/// What Python prints, or why it cannot be asked.
fn python(program: &str) -> Result<String, String> {
    // Isolated: the environment and the folder have no say.
    let output = Command::new("python3").args(["-I", "-c", program]).output();
    let output = output.map_err(|error| format!("there is no python3 here: {error}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program}\nends with:\n{err}");
    Ok(out.replace("\r\n", "\n"))
}

#[test]
fn the_page_shows_the_rust_that_is_run_here() {
    for (shown, slide) in slides() {
        // A checkout for Windows may have other ends of lines.
        assert_eq!(shown.rust, slide.rust.replace("\r\n", "\n"), "tests/python/slides/{}.rs and the page", slide.name);
    }
}

#[test]
fn the_rust_of_each_slide_prints_what_the_page_says() {
    for (shown, slide) in slides() {
        assert_eq!(slide.printed(), shown.prints, "{}", slide.name);
    }
}

#[test]
fn the_python_of_each_slide_prints_what_its_rust_prints() {
    for (shown, slide) in slides() {
        match python(&shown.python) {
            Ok(printed) => assert_eq!(printed, slide.printed(), "Python, and tests/python/slides/{}.rs", slide.name),
            Err(why) => return require::skip("python", &why),
        }
    }
}
