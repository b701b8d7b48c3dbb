//! docs/PYTHON.md says nothing that is not so: its rows are all there, and what each names as its test is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) const PAGE: &str = include_str!("../../docs/PYTHON.md");

/// How many behaviours there are.
const ROWS: usize = 113;

/// The text of the first fenced block of `language` in `text`.
#[track_caller]
pub(crate) fn block(text: &str, language: &str) -> String {
    let mut lines = text.lines().skip_while(|line| *line != format!("```{language}"));
    assert!(lines.next().is_some(), "no block of {language} in {text}");
    lines.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect()
}

/// One behaviour of CPython's.
struct Row<'a> {
    number: usize,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// A line of a table whose first cell is a number.
    fn of(line: &'a str) -> Option<Self> {
        let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        Some(Self { number: cells[0].parse().ok()?, cells })
    }

    /// What it names in its last cell: all that is there is between backticks, but for commas.
    fn evidence(&self) -> Vec<&'a str> {
        let last = self.cells[3];
        let (between, named): (Vec<_>, Vec<_>) = last.split('`').enumerate().partition(|(index, _)| index % 2 == 0);
        let stray: String = between.into_iter().map(|(_, text)| text.replace([',', ' '], "")).collect();
        assert_eq!(stray, "", "row {}: what shows it: {last}", self.number);
        named.into_iter().map(|(_, name)| name).collect()
    }

    fn reason(&self) -> Option<&'a str> {
        self.cells[2].strip_prefix("no meaning: ")
    }
}

fn rows() -> Vec<Row<'static>> {
    let rows: Vec<_> = PAGE.lines().filter_map(Row::of).collect();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.cells.len() == 4), "each has four cells");
    rows
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).map_err(|error| format!("{path}: {error}"))
}

/// The text of the test `name` in `source`: from its name to the brace that ends it, which stands as far out as the `fn`.
fn test<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let at = source.find(&format!("fn {name}() {{\n"))?;
    let (before, text) = source.split_at(at);
    let (attributes, indent) = before.rsplit_once('\n')?;
    let is_test = attributes
        .lines()
        .rev()
        .map(str::trim)
        .take_while(|line| !line.is_empty() && !line.ends_with(['{', '}', ';']))
        .any(|line| line == "#[test]");
    let end = text.find(&format!("\n{indent}}}\n"))?;
    is_test.then(|| &text[..end])
}

/// Whether one of `lines` is a comment that has the row in brackets: `// [1, 4 to 7]`.
fn cites(lines: &str, row: usize) -> bool {
    let brackets = lines.lines().filter_map(|line| line.trim().strip_prefix("// ")).filter_map(|line| {
        let (_, rest) = line.split_once('[')?;
        Some(rest.split_once(']')?.0)
    });
    brackets.flat_map(|list| list.split(", ")).any(|part| {
        let (first, last) = part.split_once(" to ").unwrap_or((part, part));
        matches!((first.parse(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&row))
    })
}

/// What is wrong with this as the evidence of the row, if anything is.
fn check(row: usize, evidence: &str) -> Result<(), String> {
    if let Some(id) = evidence.strip_prefix("classic: ") {
        let programs = read("tests/conformance/classic.jsonl")?;
        let is_there = programs.lines().any(|line| line.starts_with(&format!("{{\"id\":\"{id}\",")));
        return if is_there { Ok(()) } else { Err(format!("no classic program is called {id}")) };
    }
    if let Some((file, name)) = evidence.split_once(": ") {
        let source = read(file)?;
        let text = test(&source, name).ok_or_else(|| format!("{file} has no test {name}"))?;
        return if cites(text, row) { Ok(()) } else { Err(format!("{file}: {name} is not about row {row}")) };
    }
    if !(evidence.starts_with("tests/compile_fail/") && evidence.ends_with(".rs")) {
        return Err(format!("what is {evidence}?"));
    }
    read(&evidence.replace(".rs", ".stderr"))?;
    if cites(&read(evidence)?, row) { Ok(()) } else { Err(format!("{evidence} is not about row {row}")) }
}

#[test]
fn every_behaviour_has_one_row_and_they_are_in_order() {
    for row in rows() {
        assert!(row.cells[1..3].iter().all(|cell| !cell.is_empty()), "row {}", row.number);
    }
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    for row in rows() {
        let reason = row.reason().is_some_and(|reason| reason.len() > 10);
        assert!(reason || !row.evidence().is_empty(), "row {} has neither a test nor a reason", row.number);
    }
}

#[test]
fn what_shows_a_row_is_there_and_is_about_it() {
    let wrong: Vec<_> = rows()
        .iter()
        .flat_map(|row| row.evidence().into_iter().map(|evidence| (row.number, evidence)))
        .filter_map(|(number, evidence)| check(number, evidence).err().map(|why| format!("row {number}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_that_classic_programs_show_has_a_test_in_rust_too() {
    for row in rows() {
        let evidence = row.evidence();
        assert!(
            evidence.is_empty() || evidence.iter().any(|name| !name.starts_with("classic: ")),
            "row {}: {evidence:?}",
            row.number
        );
    }
}

#[test]
fn every_test_about_a_row_in_this_program_is_named_by_it() {
    let named: BTreeSet<_> = rows().iter().flat_map(|row| row.evidence().into_iter().map(str::to_owned)).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let mut tests = 0;
    for entry in fs::read_dir(folder).expect("the folder of this test").map(|entry| entry.expect("an entry")) {
        let file = format!("tests/python/{}", entry.file_name().display());
        if !file.ends_with(".rs") || ["page.rs", "slides.rs"].iter().any(|own| file.ends_with(own)) {
            continue;
        }
        let source = read(&file).expect("it is there");
        for name in source.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.strip_suffix("() {")) {
            if test(&source, name).is_some() {
                tests += 1;
                assert!(named.contains(&format!("{file}: {name}")), "the page does not name {file}: {name}");
            }
        }
    }
    assert!(tests > 20, "{tests} tests were found");
}

#[test]
fn the_checks_of_this_file_can_fail() {
    let source =
        "#[test]\n#[cfg(unix)]\nfn real() {\n    // [3, 5 to 7] words\n    let x = 1;\n}\n\nfn helper() {\n}\n";
    let text = test(source, "real").expect("it is one");
    assert_eq!((1..10).filter(|row| cites(text, *row)).collect::<Vec<_>>(), [3, 5, 6, 7]);
    assert!(test(source, "helper").is_none() && test(source, "gone").is_none());
    let about = |evidence| check(1, evidence).err().unwrap_or_default();
    assert!(about("tests/coroutines/protocol.rs: no_such_test").contains("has no test"));
    assert!(about("tests/coroutines/protocol.rs: drop_closes").contains("is not about row 1"));
    assert!(about("tests/no_such_file.rs: drop_closes").contains("tests/no_such_file.rs"));
    assert!(about("tests/compile_fail/no_such_file.rs").contains("no_such_file"));
    assert!(about("classic: no-such-program").contains("no classic program"));
    assert!(about("something").contains("what is something?"));
    assert_eq!(about("tests/coroutines/protocol.rs: creating_runs_nothing"), "");
    let row = Row::of("| 7 | a | no meaning: words | `x`, `y` |").expect("a row");
    assert_eq!((row.number, row.reason(), row.evidence()), (7, Some("words"), vec!["x", "y"]));
    assert!(Row::of("| # | Python | switchback | shown by |").is_none());
}
