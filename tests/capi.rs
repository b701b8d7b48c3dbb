//! The C API: the library is built as README says, and programs in C and C++ are compiled, linked with it, and run.
//!
//! With the feature `capi` only: `cargo test --features capi --test capi`. What a machine has no compiler for is told and left
//! out, unless SWITCHBACK_REQUIRE has `c`, as in `.ci/capi`.
#![cfg(all(feature = "capi", unix))]

#[path = "common/require.rs"]
mod require;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the library is, once it is built: in the least time, as it is the C side that is tested.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| build("capi"))
}

/// Builds it with these features, and returns the folder.
fn build(features: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(features.replace(',', "-"));
    let built = Command::new(env!("CARGO"))
        .args(["rustc", "--locked", "--lib", "--release", "--features", features])
        .args(["--crate-type", "staticlib,cdylib"])
        .env("CARGO_TARGET_DIR", &target)
        .envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")])
        .envs([("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")])
        .current_dir(ROOT)
        .status();
    assert!(built.expect("cargo").success());
    target.join("release")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {:?} {text} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        require::skip("c", &format!("no {program} here"));
    }
    found
}

/// The libraries of the system that the static library is linked with.
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iinclude"];

/// Compiles `source` with each compiler there is, links it with each library, and hands what is run to `check`. Then the same
/// with the inline functions in place of those of the library.
fn with_each(source: &str, check: impl Fn(&mut Command)) {
    let (compilers, standard) =
        if source.ends_with(".c") { (["gcc", "clang"], "-std=c99") } else { (["g++", "clang++"], "-std=c++11") };
    let library = library();
    let stem = Path::new(source).file_stem().expect("a name").to_string_lossy().into_owned();
    for compiler in compilers.into_iter().filter(|compiler| has(compiler)) {
        for (kind, options) in
            [("a", &["-g"][..]), ("so", &["-g"]), ("so", &["-O2", "-include", "tests/capi/by_inline.h"])]
        {
            let program = library.join(format!("{stem}-{compiler}-{kind}"));
            run(Command::new(compiler)
                .args(STRICT)
                .args([standard, source, "-o"])
                .arg(&program)
                .args(options)
                .arg(library.join(format!("libswitchback.{kind}")))
                .args(SYSTEM)
                .current_dir(ROOT));
            check(Command::new(&program).env("LD_LIBRARY_PATH", library).current_dir(ROOT));
        }
    }
}

/// Two switches in one function, optimised in each way, must not get in its way.
#[test]
fn inline_functions_do_what_the_library_does() {
    let (library, source) = (library(), "tests/capi/inline.c");
    let mut compiled = 0;
    for (compiler, language) in [
        ("gcc", ["-std=c99", "-xc"]),
        ("clang", ["-std=c99", "-xc"]),
        ("g++", ["-std=c++11", "-xc++"]),
        ("clang++", ["-std=c++11", "-xc++"]),
    ] {
        if !has(compiler) {
            continue;
        }
        for options in [
            ["-O0", "-fno-omit-frame-pointer", "-fPIC"],
            ["-O0", "-fomit-frame-pointer", "-fno-stack-protector"],
            ["-O2", "-fno-omit-frame-pointer", "-fstack-protector-all"],
            ["-O2", "-fomit-frame-pointer", "-fPIC"],
            ["-O3", "-fno-omit-frame-pointer", "-funroll-loops"],
            ["-O3", "-fomit-frame-pointer", "-fPIC"],
        ] {
            let program = library.join(format!("inline-{compiler}"));
            let mut command = Command::new(compiler);
            command.args(STRICT).args(language).args(options).args([source, "-o"]).arg(&program);
            if cfg!(target_arch = "x86_64") && compiled % 2 == 0 {
                command.arg("-fcf-protection");
            }
            run(command.args(["-xnone"]).arg(library.join("libswitchback.so")).arg("-lpthread").current_dir(ROOT));
            assert_eq!(run(Command::new(&program).env("LD_LIBRARY_PATH", library)), "all is well\n", "{options:?}");
            compiled += 1;
        }
        // In the other dialect of assembly, and with registers that few CPUs have: it assembles, and says so.
        for options in [["-O2", "-masm=intel"], ["-O2", "-mavx512f"]].iter().filter(|_| cfg!(target_arch = "x86_64")) {
            run(Command::new(compiler)
                .args(STRICT)
                .args(language)
                .args(options)
                .args([source, "-c", "-o", "/dev/null"])
                .current_dir(ROOT));
        }
    }
}

/// The inline functions have the text of arch/, but for comments and white space.
#[test]
fn inline_text_is_that_of_arch() {
    fn words(line: &str) -> String {
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    let header = text("include/switchback_inline.h");
    for (cpu, comment) in [("x86_64", "#"), ("aarch64", "//")] {
        let source = text(&format!("arch/{cpu}/switch.s"));
        // On aarch64 `#` begins a number.
        let wanted: Vec<String> = source
            .lines()
            .map(|line| words(line.split_once(comment).map_or(line, |(code, _)| code)))
            .filter(|line| !line.is_empty())
            .collect();
        assert!(wanted.len() > 8, "{wanted:?}");
        let marker = format!("/* The text of arch/{cpu}/switch.s");
        let (_, rest) = header.split_once(&marker).unwrap_or_else(|| panic!("the header has no {marker}"));
        let found: Vec<String> = rest
            .lines()
            .skip(2) // of the comment and of the macro's name
            .map_while(|line| Some(words(line.trim().strip_prefix('"')?.split_once("\\n\"")?.0)))
            .collect();
        assert_eq!(found, wanted, "{cpu}");
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of this tree")
}

#[test]
fn misuse_is_a_status() {
    with_each("tests/capi/misuse.c", |program| assert_eq!(run(program), "all is well\n"));
}

/// The program in docs/C.md.
#[test]
fn the_page_has_a_program() {
    let page = text("docs/C.md");
    let (_, rest) = page.split_once("```c\n").expect("a program in C");
    let (program, _) = rest.split_once("```\n").expect("its end");
    let source = library().join("page.c");
    fs::write(&source, program).expect("a file in the target directory");
    with_each(source.to_str().expect("a path"), |program| assert_eq!(run(program), "1\n4\n9\n3 squares\n"));
}

#[test]
fn dialogues_print_what_python_prints() {
    let expected = text("examples/c/dialogues.txt");
    with_each("examples/c/dialogues.c", |program| assert_eq!(run(program), expected));
    if has("python3") {
        assert_eq!(run(Command::new("python3").arg("examples/c/dialogues.py").current_dir(ROOT)), expected);
    }
}

#[test]
fn a_generator_walks_directories() {
    fn files(path: &Path) -> usize {
        let entries = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").path());
        entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }
    let expected = format!("{} files, ", files(&Path::new(ROOT).join("src")));
    with_each("examples/c/walk.c", |program| assert!(run(program.arg("src")).starts_with(&expected)));
}

#[test]
fn an_echo_server_serves_its_clients() {
    with_each("examples/c/echo.c", |program| {
        assert_eq!(run(program.arg("20")), "20 connections\n200 lines came back\n");
    });
}

#[test]
fn a_range_for_goes_over_a_coroutine() {
    let expected = text("examples/c/words.txt");
    with_each("examples/c/words.cpp", |program| assert_eq!(run(program), expected));
}

#[test]
fn generators_go_at_unusual_times() {
    with_each("tests/capi/wrapper.cpp", |program| assert_eq!(run(program), "all is well\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn other_threads_and_signals_come_by() {
    with_each("tests/capi/races.c", |program| assert_eq!(run(program), "all is well\n"));
}

#[test]
fn the_header_declares_what_the_libraries_export() {
    // A declaration is a line that begins with a type and names one function before its parenthesis.
    let header = text("include/switchback.h") + &text("include/switchback_inline.h");
    let declared: BTreeSet<&str> = header
        .lines()
        .filter(|line| {
            line.starts_with(|c: char| c.is_ascii_lowercase())
                && !line.starts_with("typedef")
                && !line.starts_with("static")
        })
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("swb_"))
        .collect();
    assert!(declared.len() > 40, "{declared:?}");
    if !has("nm") {
        return;
    }
    for (kind, options) in [("so", ["-D", "--defined-only"]), ("a", ["-g", "--defined-only"])] {
        let symbols = run(Command::new("nm").args(options).arg(library().join(format!("libswitchback.{kind}"))));
        let all = symbols.lines().filter_map(|line| line.split(' ').nth(2));
        let exported: BTreeSet<&str> = all.filter(|name| kind == "so" || name.starts_with("swb_")).collect();
        assert_eq!(declared, exported, "{kind}");
    }
}

#[test]
fn python_drives_a_coroutine_by_ctypes() {
    if has("python3") {
        let output = run(Command::new("python3")
            .arg("tests/capi/drive.py")
            .arg(library().join("libswitchback.so"))
            .current_dir(ROOT));
        assert_eq!(output, "1 4 9 returned 3\n");
    }
}

#[test]
fn valgrind_finds_nothing() {
    if has("valgrind") {
        // Which is told of stacks.
        let library = build("capi,valgrind");
        for source in ["tests/capi/misuse.c", "tests/capi/inline.c"] {
            let program = library.join("checked");
            run(Command::new("gcc")
                .args(["-std=c99", "-g", "-Iinclude", source, "-o"])
                .arg(&program)
                .arg(library.join("libswitchback.a"))
                .args(SYSTEM)
                .current_dir(ROOT));
            run(Command::new("valgrind").args(["-q", "--error-exitcode=9"]).arg(&program));
        }
    }
}
