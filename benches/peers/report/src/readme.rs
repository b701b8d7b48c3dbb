//! README's tables, each between two marks.

use crate::first::among_stackful;
use crate::result::{OURS, Results, Row};
use crate::table::{count, figure};
use std::fmt::Write;

const END: &str = "<!-- /benches/peers -->";

/// What stands between marks of these names.
const PARTS: [&str; 4] = ["machine", "coroutines", "tasks", "summary"];

/// Rows in README's words; the others have those of ROWS.md.
#[rustfmt::skip]
const LABELS: &[(&str, &str)] = &[
    ("roundtrip-0", "resume + yield, in the body"),
    ("roundtrip-1", "the same, yield one call down"),
    ("roundtrip-4", "the same, yield four calls down"),
    ("roundtrip-16", "the same, yield sixteen calls down"),
    ("send", "resume + yield, a `u64` both ways, in the body"),
    ("value-64B", "the same with 64 bytes both ways"),
    ("value-4KiB", "the same with 4 KiB both ways"),
    ("throw", "throw + catch + yield; corosensei is sent a `Result`"),
    ("close", "create + start + close while suspended"),
    ("create-fresh", "create + start, on a new stack, all kept"),
    ("create-pooled", "create + run + drop, pooled stack"),
    ("drop-suspended", "create + start + drop while suspended"),
    ("walk", "recursive walk of 2^20 nodes, an item"),
    ("walk-nodes", "one coroutine for each of 2^20 nodes, an item"),
    ("delegate-1", "an item of one coroutine"),
    ("delegate-10", "an item through a chain of 10 coroutines"),
    ("delegate-100", "an item through a chain of 100"),
    ("delegate-1000", "an item through a chain of 1,000"),
    ("for", "`for x in generator`, an item"),
    ("for-dyn", "the same through `Box<dyn Iterator>`"),
    ("yield", "`yield_now`, one switch"),
    ("spawn-join", "spawn + join, one at a time"),
    ("million", "a million spawned, then joined"),
    ("million-again", "the same once more in that process"),
    ("channel", "a channel with room for one, to and fro, a message"),
    ("skynet", "skynet, a million leaves"),
    ("mutex", "a mutex that a hundred tasks pass on"),
];

/// The compiler's own coroutines, which cannot yield from a function they call.
const STACKLESS: &str = "stackless";

/// README, with what stands between its marks made anew.
///
/// # Errors
///
/// Where a mark is missing, or one is unknown.
pub fn renew(readme: &str, results: &Results) -> Result<String, String> {
    let mut text = readme.to_owned();
    for part in PARTS {
        let begin = format!("<!-- benches/peers: {part} -->");
        let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("it has no {begin}"))?;
        let (_, after) = rest.split_once(END).ok_or_else(|| format!("it has no {END} after {begin}"))?;
        let made = match part {
            "machine" => machine(results),
            "summary" => summary(results),
            "tasks" => table(results, "tokio", |row| row.group == "tasks"),
            _ => table(results, "corosensei", |row| row.group != "tasks"),
        };
        text = format!("{before}{begin}\n{made}{END}{after}");
    }
    Ok(text)
}

/// On what, and how often.
fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let batches = results.rows.iter().filter(|row| row.live.is_none()).map(|row| row.batches);
    let (least, most) = batches.fold((usize::MAX, 0), |(least, most), one| (least.min(one), most.max(one)));
    let batches = if least < most { format!("{least} to {most}") } else { most.to_string() };
    let version = |system: &str| {
        let row = results.rows.iter().find(|row| row.system == system);
        row.map_or_else(|| format!("no {system}"), |row| row.version.clone())
    };
    format!(
        "Medians of {batches} batches, of an {} with {} cores under {}, {}, beside {} with default features and {}.\n",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.rustc.split(" (").next().unwrap_or_default(),
        version("corosensei"),
        version("tokio"),
    )
}

/// The rows of which this is true, ours beside this peer's.
fn table(results: &Results, peer: &str, wanted: impl Fn(&Row) -> bool) -> String {
    let mut text = format!(
        "\n| | switchback | {peer} | ratio (quartiles) | goal | least of the others |\n|---|---|---|---|---|---|\n"
    );
    for ours in results.rows.iter().filter(|row| row.system == OURS && row.live.is_none() && wanted(row)) {
        let label =
            LABELS.iter().find(|(name, _)| *name == ours.workload).map_or(ours.what.as_str(), |(_, label)| label);
        let beside = results.of(&ours.workload).find(|row| row.system == peer);
        let is = beside
            .and_then(Row::ours_by_its)
            .map_or_else(String::new, |[is, low, high]| format!("{} ({}–{})", ratio(is), ratio(low), ratio(high)));
        let goal = ours.goal.as_ref().map_or_else(String::new, |goal| {
            format!("{}{}", goal.at_most, if goal.is_missed() { ", **missed**" } else { "" })
        });
        // What has no stack is no reason not to name who has.
        let least = [true, false].map(|is_stackless| {
            let others = results.of(&ours.workload).filter(|row| row.is_peers() && row.system != peer);
            let these = others.filter(|row| (row.system == STACKLESS) == is_stackless);
            these.min_by(|a, b| a.median.total_cmp(&b.median)).map_or_else(String::new, |row| {
                let bold = if row.median < ours.median { "**" } else { "" };
                format!("{bold}{} {}{bold}", row.system, figure(row.median))
            })
        });
        let least: Vec<String> = least.into_iter().filter(|one| !one.is_empty()).collect();
        let _ = writeln!(
            text,
            "| {label} | {} | {} | {is} | {goal} | {} |",
            figure(ours.median),
            beside.map_or_else(String::new, |row| figure(row.median)),
            least.join("; "),
        );
    }
    text + "\n"
}

/// How much is lost.
fn summary(results: &Results) -> String {
    let goals: Vec<&Row> =
        results.rows.iter().filter(|row| row.goal.as_ref().is_some_and(|goal| goal.is.is_some())).collect();
    let missed: Vec<&&Row> =
        goals.iter().filter(|row| row.goal.as_ref().is_some_and(|goal| goal.is_missed())).collect();
    let swept = missed.iter().filter(|row| row.live.is_some()).count();
    let mut lost: Vec<&str> = Vec::new();
    let mut all: Vec<&str> = Vec::new();
    for row in results.rows.iter().filter(|row| row.live.is_none() && (row.is_peers() || row.system == OURS)) {
        let is_less = row.ratio.is_some_and(|[ratio, ..]| ratio < 1.0);
        for (names, wanted) in [(&mut all, true), (&mut lost, is_less)] {
            if wanted && !names.contains(&row.workload.as_str()) {
                names.push(&row.workload);
            }
        }
    }
    let first = among_stackful(results, |row| row.live.is_none());
    format!(
        "In {} of these {} rows some peer takes less than switchback. Among stackful systems it is first, or within 5 % of the first, in {} of {}, \
         and within a goal that allows more in {}. Of {} goals {} are missed: {} in these tables and {swept} in the sweep.\n",
        lost.len(),
        all.len(),
        first.near(),
        first.rows,
        first.allowed.len(),
        goals.len(),
        missed.len(),
        missed.len() - swept
    )
}

/// A ratio that may be very small.
fn ratio(value: f64) -> String {
    if value < 0.01 { format!("1/{}", count((1.0 / value).round() as u64)) } else { figure(value) }
}
