//! The page and README's tables, of what has been measured before: `cargo run --manifest-path benches/peers/report/Cargo.toml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};
use switchback_peers_report::reasons::Reasons;
use switchback_peers_report::result::Results;
use switchback_peers_report::{compare, page, readme};

const USAGE: &str = "\
usage: switchback-peers-report [OPTION]..

Makes docs/bench/index.html, and README.md's tables, of docs/bench/x86_64.json, or what is asked for of what is given.

  --from FILE     what --json of benches/peers has written; of several files, all rows
  --json FILE     writes all rows
  --report DIR    writes DIR/index.html
  --readme FILE   writes the tables between the marks of FILE
  --against FILE  prints how far another run's ratios are from these
  --again FILE    notes another run's ratios in these, which makes them part of their noise
  --check         writes nothing: fails where files are not what would be written";

#[derive(Default)]
struct Options {
    from: Vec<PathBuf>,
    json: Option<PathBuf>,
    report: Option<PathBuf>,
    readme: Option<PathBuf>,
    against: Option<PathBuf>,
    again: Option<PathBuf>,
    check: bool,
}

fn main() -> ExitCode {
    let done = options()
        .map_err(|error| format!("{error}\n{USAGE}"))
        .and_then(|options| options.map_or(Ok(()), |options| run(&options)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says; nothing where it only wants to know.
fn options() -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().map(PathBuf::from).ok_or_else(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--from" => options.from.push(value()?),
            "--json" => options.json = Some(value()?),
            "--report" => options.report = Some(value()?),
            "--readme" => options.readme = Some(value()?),
            "--against" => options.against = Some(value()?),
            "--again" => options.again = Some(value()?),
            "--check" => options.check = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(None);
            }
            _ => return Err(format!("{argument} is unknown")),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let bench = root.join("docs/bench");
    if options.json.is_none() && options.report.is_none() && options.readme.is_none() && options.against.is_none() {
        (options.report, options.readme) = (Some(bench.clone()), Some(root.join("README.md")));
    }
    if options.from.is_empty() {
        options.from.push(bench.join("x86_64.json"));
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<(), String> {
    let mut all = options.from.iter().map(|file| results(file));
    let first = all.next().expect("there is at least the committed one")?;
    let mut results = all.try_fold(first, |results, more| results.and(more?))?;
    if let Some(file) = &options.again {
        results.again(&self::results(file)?)?;
    }
    let reasons = Reasons::of_the_repository();
    if let Some(file) = &options.against {
        print!("{}", compare::text(&results, &self::results(file)?));
    }
    if let Some(file) = &options.json {
        put(options, file, &results.to_json())?;
    }
    if let Some(folder) = &options.report {
        put(options, &folder.join("index.html"), &page::page(&results, &reasons))?;
    }
    if let Some(file) = &options.readme {
        let renewed = readme::renew(&read(file)?, &results).map_err(|error| format!("{}: {error}", file.display()))?;
        put(options, file, &renewed)?;
    }
    // What is right has been written.
    let strangers = reasons.strangers(&results);
    if strangers.is_empty() {
        Ok(())
    } else {
        Err(format!("WHY.md names what was not measured: {}", strangers.join("; ")))
    }
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn results(file: &Path) -> Result<Results, String> {
    Results::from_json(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))
}

/// Writes a file; or looks whether it is there as it would be written.
fn put(options: &Options, file: &Path, text: &str) -> Result<(), String> {
    if !options.check {
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        return folder.and_then(|()| fs::write(file, text)).map_err(|error| format!("{}: {error}", file.display()));
    }
    let is = read(file)?;
    if is == text {
        return Ok(());
    }
    let (line, (is, made)) = (1..)
        .zip(is.lines().chain([""]).zip(text.lines().chain([""])))
        .find(|(_, (is, made))| is != made)
        .unwrap_or((0, ("", "")));
    let short = |text: &str| text.chars().take(200).collect::<String>();
    Err(format!(
        "{} is not what the figures give (benches/peers/publish.sh --figures makes it anew), line {line}:\n  it has  {}\n  and not {}",
        file.display(),
        short(is),
        short(made)
    ))
}
