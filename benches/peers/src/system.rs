//! How each system is started: this program itself for those of Rust, and what is made of `foreign/` for the others.

use crate::catalog::OURS;
use crate::machine::output;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A system that can be measured.
#[derive(Clone)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// The program and its first arguments; a workload and a number of items follow.
    command: Vec<PathBuf>,
}

impl System {
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command
    }
}

/// Why a system is not there.
pub(crate) struct Absent(pub(crate) String);

/// Finds or makes the programs of a system.
///
/// # Errors
///
/// The reason, where this machine does not have what it takes.
///
/// # Panics
///
/// What is there and cannot be compiled is a mistake here, and no reason to go on without it.
pub(crate) fn prepare(name: &'static str) -> Result<System, Absent> {
    match name {
        "switchback" => ours(name, name).map(|system| System { version: system.version + &commit(), ..system }),
        "corosensei" | "generator" | "may" | "tokio" => ours(name, name),
        "tokio-bare" => ours(name, "tokio"),
        "smol" => ours(name, "async-executor"),
        "aligned" => ours(name, OURS),
        "hand" | "boxed" => {
            let version = output("rustc", &["-V"]).unwrap_or_else(|| "rustc".to_owned());
            Ok(itself(name, version))
        }
        "boost-context" => {
            cpp(name, "context.cpp", "boost/context/fiber.hpp", "libboost-context-dev", &["-lboost_context"])
        }
        "boost-fiber" => {
            let libraries = ["-lboost_fiber", "-lboost_context", "-lpthread"];
            cpp(name, "fibers.cpp", "boost/fiber/all.hpp", "libboost-fiber-dev", &libraries)
        }
        "stackless" => stackless(name),
        "go" => go(name, &["peer.go", "channels.go", "sweep.go"], 0),
        "go-pull" => go(name, &["peer.go", "pull.go"], 23),
        "luajit" => lua(name, "luajit", "luajit"),
        "lua" => lua(name, "lua5.4", "lua5.4"),
        "python" => python(name, "generators.py", ""),
        "greenlet" => {
            python(name, "greenlets.py", "import greenlet; print('greenlet', greenlet.__version__, end=', ')")
        }
        "asyncio" => python(name, "tasks.py", ""),
        _ => unreachable!("the catalog names a system that nobody knows: {name}"),
    }
}

fn itself(name: &'static str, version: String) -> System {
    let program = env::current_exe().expect("this program has a path");
    System { name, version, command: vec![program, "run".into(), name.into()] }
}

fn ours(name: &'static str, package: &str) -> Result<System, Absent> {
    let lock = include_str!("../Cargo.lock");
    let line = format!("name = \"{package}\"\n");
    let mut packages = lock.split("[[package]]").filter(|text| text.contains(&line));
    let text = packages.next().expect("Cargo.lock names the package");
    let version = text.lines().find_map(|line| line.strip_prefix("version = "));
    let version = version.expect("a package has a version").trim_matches('"');
    Ok(itself(name, format!("{package} {version}")))
}

/// Which one of ours it is, where git knows.
fn commit() -> String {
    let arguments = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty=, changed", "--exclude=*"];
    output("git", &arguments).map_or_else(String::new, |commit| format!(" ({commit})"))
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign").join(file)
}

/// Where compiled programs go: beside this one.
fn built(name: &str) -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    let folder = program.parent().expect("it lies in a folder").join("foreign");
    fs::create_dir_all(&folder).expect("a folder can be made beside this program");
    folder.join(name)
}

/// Runs a compiler.
fn compile(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(output.status.success(), "{command:?} has failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn cpp(name: &'static str, file: &str, header: &str, package: &str, libraries: &[&str]) -> Result<System, Absent> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "g++".to_owned());
    if output(&compiler, &["--version"]).is_none() {
        return Err(Absent(format!("there is no C++ compiler {compiler} (Debian: g++)")));
    }
    let program = built(name);
    // A program without the library's header and code would be the library's absence, not a mistake here.
    let probe = program.with_extension("probe.cpp");
    fs::write(&probe, format!("#include <{header}>\nint main() {{}}\n")).expect("it can be written");
    let probed = Command::new(&compiler).arg("-std=c++17").arg(&probe).arg("-o").arg(&program).args(libraries).output();
    if !probed.is_ok_and(|output| output.status.success()) {
        return Err(Absent(format!("{compiler} finds no {header}, or not its library (Debian: {package})")));
    }
    compile(
        Command::new(&compiler)
            .args(["-O2", "-DNDEBUG", "-std=c++17"])
            .arg(source(file))
            .arg("-o")
            .arg(&program)
            .args(libraries),
    );
    let version = output(&program.to_string_lossy(), &["version"]).unwrap_or_default();
    Ok(System { name, version, command: vec![program] })
}

/// By a nightly compiler: that of rustup, or the one of PATH.
fn stackless(name: &'static str) -> Result<System, Absent> {
    for compiler in [&["rustup", "run", "nightly", "rustc"][..], &["rustc"]] {
        let arguments: Vec<&str> = compiler[1..].iter().copied().chain(["-V"]).collect();
        let Some(version) = output(compiler[0], &arguments).filter(|version| version.contains("-nightly")) else {
            continue;
        };
        let program = built(name);
        let mut command = Command::new(compiler[0]);
        command.args(&compiler[1..]).args(["--edition=2024", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-o"]);
        compile(command.arg(&program).arg(source("stackless.rs")));
        return Ok(System { name, version, command: vec![program] });
    }
    Err(Absent("there is no nightly Rust (rustup toolchain install nightly)".to_owned()))
}

/// The first Go that is new enough: that of PATH, or the one that install.sh has put beside what is built.
fn go(name: &'static str, files: &[&str], least: u32) -> Result<System, Absent> {
    let program = built(name);
    let target = program.ancestors().nth(3).expect("it lies in target/release/foreign");
    let mut seen = Vec::new();
    for go in [Path::new("go"), &target.join("python/go/bin/go")] {
        let Some(version) = output(&go.to_string_lossy(), &["version"]) else { continue };
        let version = version.trim_start_matches("go version ").to_owned();
        let minor =
            version.strip_prefix("go1.").and_then(|rest| rest.split(['.', ' ', 'r', 'b']).next()?.parse::<u32>().ok());
        if least > 0 && minor.is_none_or(|minor| minor < least) {
            seen.push(version);
            continue;
        }
        compile(Command::new(go).args(["build", "-o"]).arg(&program).args(files.iter().map(|file| source(file))));
        return Ok(System { name, version, command: vec![program] });
    }
    Err(Absent(match &seen[..] {
        [] => "there is no go (Debian: golang-go)".to_owned(),
        seen => {
            format!("it takes Go 1.{least}, and this is {} (benches/peers/install.sh brings one)", seen.join(" and "))
        }
    }))
}

fn lua(name: &'static str, program: &str, package: &str) -> Result<System, Absent> {
    let version =
        output(program, &["-v"]).ok_or_else(|| Absent(format!("there is no {program} (Debian: {package})")))?;
    let version = version.split("  ").next().unwrap_or_default().split(" -- ").next().unwrap_or_default().to_owned();
    Ok(System { name, version, command: vec![program.into(), source("coroutines.lua")] })
}

fn python(name: &'static str, file: &str, probe: &str) -> Result<System, Absent> {
    // Debian's greenlet is for Debian's Python.
    let ours = env::var("PYTHON").ok();
    let candidates = ours.as_deref().map_or(vec!["/usr/bin/python3", "python3"], |python| vec![python]);
    let version = "import sys; print('CPython', '.'.join(map(str, sys.version_info[:3])))";
    let found = |python: &&&str| output(python, &["-c", version]).is_some();
    let Some(python) = candidates.iter().find(found) else {
        return Err(Absent(format!("there is no {} (Debian: python3)", candidates.join(" and no "))));
    };
    let code = if probe.is_empty() { version.to_owned() } else { format!("{probe}; {version}") };
    match output(python, &["-c", &code]) {
        Some(version) => Ok(System { name, version, command: vec![python.into(), source(file)] }),
        None => {
            Err(Absent(format!("{python} has no {name} (Debian: python3-{name}; PYTHON names another interpreter)")))
        }
    }
}
