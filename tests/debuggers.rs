//! gdb and perf see coroutines: each test runs this program again, for the test called `scene`, under the tool.
//!
//! Numbers in brackets are rows of docs/PYTHON.md.
// A harness whose panics abort runs each test in yet another process.
#![cfg(all(target_os = "linux", panic = "unwind", not(switchback_fallback)))]
// What watches memory does not stand a debugger beside it: AddressSanitizer's shadow would be in each core, 20 TB large.
#![cfg(not(any(feature = "asan", feature = "tsan", feature = "valgrind")))]

#[path = "common/process.rs"]
mod process;
#[path = "common/require.rs"]
mod require;

use process::inside;
use std::hint::black_box;
use std::panic::Location;
use std::path::PathBuf;
use std::process::Command;
use switchback::stack::{GuardedStack, Stack};
use switchback::{Builder, Generator, Thrown, Yielder};

/// Where gdb is to stop: a name that is no other and is not mangled.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn switchback_test_stop() {
    if inside().as_deref() == Some("abort") {
        std::process::abort();
    }
    black_box(());
}

/// Where perf is to find the program.
#[inline(never)]
fn burning_function() -> u32 {
    let begin = std::time::Instant::now();
    let mut sum = 0_u32;
    while begin.elapsed().as_millis() < 400 {
        sum = spinning_function(sum);
    }
    sum
}

#[inline(never)]
fn spinning_function(mut sum: u32) -> u32 {
    for i in 0..2_000_000 {
        sum = black_box(sum.wrapping_mul(31) ^ i);
    }
    sum
}

#[inline(never)]
fn innermost_function(y: &Yielder<u32>, stop: fn()) -> Result<(), Thrown> {
    stop();
    y.yield_(1)?;
    black_box(());
    Ok(())
}

#[inline(never)]
fn delegating_function(y: &Yielder<u32>, inner: &mut Generator<u32>) -> Result<(), Thrown> {
    black_box(y.yield_from(inner))
}

#[inline(never)]
fn consuming_function(co: &mut Generator<u32>) -> u32 {
    black_box(co.next()).expect("a value")
}

/// On stderr: libtest leaves that alone.
fn tell(name: &str, site: &Location<'_>) {
    eprintln!("site {name} {}:{}", site.file(), site.line());
}

fn named(
    name: &str,
    stack: GuardedStack,
    body: impl FnOnce(&Yielder<u32>) -> Result<(), Thrown> + 'static,
) -> Generator<u32> {
    let co = Builder::new().name(name).stack(stack).generator(body).expect("a stack");
    tell(name, co.created_at());
    co
}

/// `name` delegates to `name-middle` and that to `name-inner`, which calls `stop` and yields. Stacks come outermost first.
fn chain(name: &str, stacks: [GuardedStack; 3], stop: fn()) -> Generator<u32> {
    let [outer, middle, inner] = stacks;
    let mut inner = named(&format!("{name}-inner"), inner, move |y| innermost_function(y, stop));
    let mut middle = named(&format!("{name}-middle"), middle, move |y| delegating_function(y, &mut inner));
    named(name, outer, move |y| delegating_function(y, &mut middle))
}

/// The lowest first.
fn stacks<const N: usize>() -> [GuardedStack; N] {
    let mut stacks: Vec<_> = (0..N).map(|_| GuardedStack::new(256 * 1024).expect("a stack")).collect();
    stacks.sort_by_key(|stack| stack.top());
    stacks.try_into().expect("N stacks")
}

/// A chain that is resumed by a coroutine whose stack is below those of all others, or above.
fn consumer(name: &'static str, above: bool, stop: fn()) -> Generator<u32> {
    let mut stacks = stacks::<4>();
    if above {
        stacks.reverse();
    }
    let [consumer, rest @ ..] = stacks;
    let mut chain = chain(name, rest, stop);
    named(&format!("{name}-consumer"), consumer, move |y| y.yield_(consuming_function(&mut chain)))
}

#[test]
fn scene() {
    let Some(word) = inside() else { return };
    let nothing: fn() = || ();
    let fresh = Builder::new().name("fresh").generator::<u32, _, _>(|_| Ok(())).expect("a stack");
    tell("fresh", fresh.created_at());
    let [plain, ended] = stacks::<2>();
    named("ended", ended, |_| Ok(())).for_each(drop);
    let mut plain = named("plain", plain, move |y| innermost_function(y, nothing));
    plain.next();
    let mut parked = chain("parked", stacks(), nothing);
    parked.next();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (_end, is_end) = std::sync::mpsc::channel::<()>();
    let elsewhere = std::thread::spawn(move || {
        let mut co =
            named("elsewhere", stacks::<1>().into_iter().next().expect("one"), move |y| innermost_function(y, nothing));
        co.next();
        ready.send(()).expect("the scene waits");
        let _ = is_end.recv();
    });
    is_ready.recv().expect("the other thread is there");
    let burn: fn() = || {
        black_box(burning_function());
    };
    let stop = if word == "burn" { burn } else { || switchback_test_stop() };
    consuming_function(&mut consumer("below", false, stop));
    consuming_function(&mut consumer("above", true, stop));
    drop(_end);
    elsewhere.join().expect("it ends well");
}

/// This program, for the scene.
fn scene_arguments() -> [String; 5] {
    let program = std::env::current_exe().expect("a path").display().to_string();
    [program, "--exact".into(), "scene".into(), "--nocapture".into(), "--test-threads=1".into()]
}

/// Whether an emulator runs this program: then there is nothing for the tools to see.
fn emulated() -> bool {
    std::env::var_os("SWITCHBACK_RUNNER").is_some()
}

/// What `gdb` says to these commands, unless there is no gdb with Python.
fn gdb(word: &str, commands: &[&str], guard: &str) -> Option<String> {
    let mut gdb = Command::new("gdb");
    gdb.args(["--batch", "-nx", "-iex", "set debuginfod enabled off", "-ex", "set width 0"]);
    gdb.args(commands.iter().flat_map(|command| ["-ex", command])).arg("--args").args(scene_arguments());
    gdb.env("SWITCHBACK_TEST_INSIDE", word).env("SWITCHBACK_GUARD", guard);
    let python = Command::new("gdb").args(["--batch", "-nx", "-ex", "python print('py' + 'thon')"]).output();
    if emulated() || !python.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("python")) {
        require::skip("gdb", "there is no gdb with Python for this program here");
        return None;
    }
    let output = gdb.output().expect("gdb is there");
    Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[track_caller]
fn assert_in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("no {word:?} in its place in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

const CHAIN: [&str; 5] =
    ["innermost_function", "delegating_function", "delegating_function", "consuming_function", "consuming_function"];

#[test]
fn gdb_walks_from_a_coroutine_to_its_thread_and_ends_there() {
    let commands = ["break switchback_test_stop", "run", "bt", "echo ====\\n", "continue", "bt"];
    let Some(output) = gdb("stop", &commands, "") else { return };
    let (below, above) = output.split_once("====\n").expect("two backtraces");
    for trace in [below, above] {
        assert_in_order(trace, &["#0 ", "switchback_test_stop", "#1 "]);
        assert_in_order(trace, &CHAIN);
        let last = trace.lines().rfind(|line| line.starts_with('#')).expect("frames");
        assert!(last.contains("clone"), "it does not end where the thread begins: {last}\n{trace}");
        assert!(!trace.contains("corrupt stack") && !trace.contains("Backtrace stopped"), "{trace}");
    }
}

fn script() -> String {
    format!("source {}/docs/gdb/switchback.py", env!("CARGO_MANIFEST_DIR"))
}

/// One coroutine's lines in what the script has written.
#[track_caller]
fn paragraph<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = output.lines().skip_while(|line| !line.contains(&format!("  \"{name}\"  created at ")));
    let head = lines.next().unwrap_or_else(|| panic!("no coroutine {name} in:\n{output}"));
    [head].into_iter().chain(lines.take_while(|line| line.starts_with("       "))).collect()
}

/// Stopped below, all is as the scene has it. `thread` is gdb's number for the thread that runs it: of a process the second,
/// after the harness; of a core the first, as it is the one that has ended it.
#[track_caller]
fn assert_scene(output: &str, sites: &str, thread: u32) {
    let number = |name: &str| paragraph(output, name)[0].split_whitespace().next().expect("a number").to_owned();
    let inner_in = |name: &str| format!("delegating to {}", number(name));
    for (name, state, frames) in [
        ("fresh", "created", &["not started: ", "entry"][..]),
        ("plain", "suspended", &["innermost_function"]),
        ("elsewhere", "suspended", &["innermost_function"]),
        ("parked", &inner_in("parked-middle"), &["delegating_function"]),
        ("parked-middle", &inner_in("parked-inner"), &["delegating_function", "delegating_function"]),
        ("parked-inner", "suspended", &["innermost_function", "delegating_function", "delegating_function"]),
        ("below", &inner_in("below-middle"), &["delegating_function"]),
        ("below-middle", &inner_in("below-inner"), &["delegating_function", "delegating_function"]),
        (
            "below-inner",
            &format!("running in thread {thread}"),
            &["switchback_test_stop", "innermost_function", "delegating_function", "delegating_function"],
        ),
        ("below-consumer", "resuming another", &["consuming_function"]),
    ] {
        let lines = paragraph(output, name);
        let site = sites
            .lines()
            .find_map(|line| line.strip_prefix(&format!("site {name} ")))
            .unwrap_or_else(|| panic!("the scene has not told of {name}:\n{sites}"));
        let head = format!("  {state}  \"{name}\"  created at {site}  stack ");
        assert!(lines[0].contains(&head), "expected {head:?}: {}", lines[0]);
        let trace = lines[1..].join("\n");
        assert_in_order(&trace, frames);
        // Not more than its own side: a suspended coroutine has no consumer.
        for function in ["innermost_function", "delegating_function", "consuming_function"] {
            let expected = frames.iter().filter(|frame| **frame == function).count();
            assert_eq!(trace.matches(function).count(), expected, "{name}: {function} in\n{trace}");
        }
    }
    assert!(output.contains("\n10 coroutines"), "{output}");
    assert!(!output.contains("\"ended\"") && !output.contains("Error") && !output.contains("Exception"), "{output}");
}

#[test]
fn the_gdb_script_lists_the_coroutines_of_a_process() {
    // [88]
    let script = script();
    let commands = ["break switchback_test_stop", "run", &script, "switchback coroutines", "bt 1"];
    let Some(output) = gdb("stop", &commands, "") else { return };
    assert_scene(&output, &output, 2);
    // The thread is selected again, and its frame.
    assert_in_order(&output, &["\n10 coroutines", "#0 ", "switchback_test_stop"]);
}

#[test]
fn the_gdb_script_selects_a_parked_coroutine_until_told_otherwise() {
    let script = script();
    let pick = "python select = lambda name: gdb.execute('switchback select ' + next(line.split()[0] for line in \
                gdb.execute('switchback coroutines -brief', to_string=True).splitlines() if '\"' + name + '\"' in line))";
    let commands = [
        "break switchback_test_stop",
        "run",
        &script,
        pick,
        "echo ====\\n",
        "python select('parked-inner')",
        "bt",
        "echo ====\\n",
        "switchback select",
        "bt",
        "echo ====\\n",
        "python select('plain')",
        "continue",
        "bt",
    ];
    let Some(output) = gdb("stop", &commands, "") else { return };
    let parts: Vec<_> = output.split("====\n").collect();
    assert_in_order(parts[1], &CHAIN[..3]);
    assert!(!parts[1].contains("consuming_function") && !parts[1].contains("corrupt"), "{}", parts[1]);
    for trace in &parts[2..] {
        assert_in_order(trace, &["switchback_test_stop"]);
        assert_in_order(trace, &CHAIN);
    }
}

/// A folder of its own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("switchback-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn the_gdb_script_lists_the_coroutines_of_a_core_that_gdb_has_made() {
    let folder = folder("gcore");
    let core = folder.join("made").display().to_string();
    // What gdb cannot read it leaves out, and guards that are advice are in the midst of what can be read.
    let make = ["break switchback_test_stop", "run", &format!("generate-core-file {core}")];
    let made = gdb("stop", &make, "protection");
    let listed = gdb("stop", &[&format!("core-file {core}"), &script(), "switchback coroutines"], "");
    std::fs::remove_dir_all(&folder).expect("it is there");
    if let (Some(made), Some(listed)) = (made, listed) {
        assert_scene(&listed, &made, 1);
    }
}

#[test]
fn the_gdb_script_lists_the_coroutines_of_a_core_that_the_system_has_made() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with(['|', '/']) || emulated() {
        return require::skip("core", "cores of this process do not come to its folder here");
    }
    let folder = folder("core");
    let [program, arguments @ ..] = scene_arguments();
    let ended = Command::new("sh")
        .args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\"", &program])
        .args(arguments)
        .current_dir(&folder)
        .env("SWITCHBACK_TEST_INSIDE", "abort")
        .output()
        .expect("a shell");
    let told = String::from_utf8_lossy(&ended.stderr);
    let core = std::fs::read_dir(&folder).expect("a folder").next().map(|entry| entry.expect("an entry").path());
    let Some(core) = core else {
        std::fs::remove_dir_all(&folder).expect("it is there");
        return require::skip("core", "the system makes no cores here");
    };
    let listed = gdb("stop", &[&format!("core-file {}", core.display()), &script(), "switchback coroutines"], "");
    std::fs::remove_dir_all(&folder).expect("it is there");
    if let Some(listed) = listed {
        assert_scene(&listed, &told, 1);
    }
}

#[test]
fn perf_walks_from_a_coroutine_to_its_thread_by_frame_pointers() {
    if !require::has_frame_pointers() || emulated() {
        return require::skip("frame-pointers", "this program is built without frame pointers, or emulated");
    }
    let folder = folder("perf");
    let data = folder.join("data").display().to_string();
    // The clock is there in virtual machines as well, which have no counters.
    let recorded = Command::new("perf")
        .args(["record", "-e", "cpu-clock", "-F", "999", "--call-graph", "fp", "-o", &data, "--"])
        .args(scene_arguments())
        .env("SWITCHBACK_TEST_INSIDE", "burn")
        .output();
    let script = Command::new("perf").args(["script", "-i", &data, "-F", "ip,sym"]).output();
    std::fs::remove_dir_all(&folder).expect("it is there");
    let (Ok(recorded), Ok(script)) = (recorded, script) else { return require::skip("perf", "there is no perf here") };
    let told = String::from_utf8_lossy(&recorded.stderr);
    if !recorded.status.success() {
        return require::skip("perf", &format!("perf cannot record here: {told}"));
    }
    let script = String::from_utf8_lossy(&script.stdout);
    let samples: Vec<_> = script.split("\n\n").filter(|sample| sample.contains("spinning_function")).collect();
    assert!(samples.len() > 50, "{} samples of some 800: {told}", samples.len());
    let whole = |sample: &&&str| {
        let mut rest = **sample;
        ["spinning", "burning", "innermost", "delegating", "delegating", "consuming", "consuming", "run_test"]
            .iter()
            .all(|word| match rest.find(word) {
                Some(at) => {
                    rest = &rest[at + word.len()..];
                    true
                }
                None => false,
            })
    };
    // The first instructions of a function have no frame yet.
    let passed = samples.iter().filter(whole).count();
    assert!(
        passed * 100 >= samples.len() * 95,
        "{passed} of {} samples are whole, as not:\n{}",
        samples.len(),
        samples[0]
    );
    // It ends: a walk that goes round is as long as perf allows, 127 frames.
    assert!(samples.iter().all(|sample| sample.lines().count() < 120), "{}", samples[0]);
}
