//! One page of all of it, which needs nothing else: no network, no script.

mod balance;
mod bars;
mod lines;
mod style;
mod svg;

use crate::result::{Results, Row};
use crate::table::{count, figure};
use std::fmt::Write;
use svg::{escape, prose};

/// What a user would write without coroutines: no peer that could be lost to.
const BOUND: &str = "hand";

/// The page, in HTML.
pub(crate) fn page(results: &Results) -> String {
    let mut html = String::with_capacity(200_000);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<title>switchback beside its peers</title>\n<style>{}</style>\n<main>\n\
         <h1>switchback beside its peers</h1>\n",
        style::CSS
    );
    html += "<p>CPU time of an item, in nanoseconds where nothing else is said. Each batch is a process of its own, pinned to one CPU; batches of \
             all systems are interleaved. Shown is the <b>median</b>; the whisker has half of the batches between its ends, and the tick is the \
             least. A ratio is the median of the ratios to switchback's batch of the same round: above 1, switchback is faster. Bars \
             and lines are on scales of powers of ten. Absolute figures \
             differ from machine to machine; compare ratios.</p>\n";
    machine(&mut html, results);
    balance::write(&mut html, results);
    goals(&mut html, results);
    groups(&mut html, results);
    sweep(&mut html, results);
    figures(&mut html, results);
    html += "</main>\n</html>\n";
    html
}

fn machine(html: &mut String, results: &Results) {
    let machine = &results.machine;
    let pinned = machine.pinned.map_or_else(|| "not pinned".to_owned(), |cpu| format!("all of it on CPU {cpu}"));
    *html += "<h2>Machine</h2>\n<dl class=\"card\">\n";
    let mitigations = if machine.mitigations.is_empty() {
        "none that the kernel tells".to_owned()
    } else {
        machine.mitigations.join("; ")
    };
    let mut versions: Vec<String> = Vec::new();
    for row in &results.rows {
        let version = format!("{}: {}", row.system, row.version);
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    for (name, value) in [
        ("CPU", format!("{}, {} cores; {pinned}", machine.cpu, machine.cores)),
        ("Kernel", machine.kernel.clone()),
        ("Load when it began", machine.load.clone()),
        ("Mitigations", mitigations),
        ("Compiler", machine.rustc.clone()),
        ("Versions", versions.join("; ")),
    ] {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    for remark in &results.remarks {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(&remark.system), escape(&remark.text));
    }
    *html += "</dl>\n";
}

/// Missed ones first.
fn goals(html: &mut String, results: &Results) {
    let mut goals: Vec<_> = results.rows.iter().filter_map(|row| Some((row, row.goal.as_ref()?))).collect();
    if goals.is_empty() {
        return;
    }
    goals.sort_by_key(|(_, goal)| (!goal.is_missed(), goal.is.is_none()));
    *html += "<h2>Goals</h2>\n<p>Ours divided by the peer's, set before anything was measured.</p>\n\
              <div class=\"wide\"><table>\n<tr><th>row<th>peer<th>at most<th>is<th>\n";
    for (row, goal) in goals {
        let (is, verdict) = match goal.is {
            None => ("not measured".to_owned(), ""),
            Some(is) if goal.is_missed() => (figure(is), "<b class=\"lose\">missed</b>"),
            Some(is) => (figure(is), "met"),
        };
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{is}<td>{verdict}",
            escape(&name(row)),
            escape(&goal.peer),
            figure(goal.at_most)
        );
    }
    *html += "</table></div>\n";
}

/// A row's name, with how many are live where it is one of the sweep.
fn name(row: &Row) -> String {
    row.live.map_or_else(|| row.workload.clone(), |live| format!("{}, {} live", row.workload, count(live)))
}

/// The names of what `rows` has, each once, in order.
fn distinct<'a>(rows: impl Iterator<Item = &'a Row>, of: impl Fn(&'a Row) -> &'a str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for row in rows {
        if !names.contains(&of(row)) {
            names.push(of(row));
        }
    }
    names
}

/// Bars for each workload; and lines for delegation by depth.
fn groups(html: &mut String, results: &Results) {
    let rows = || results.rows.iter().filter(|row| row.live.is_none());
    for group in distinct(rows(), |row| &row.group) {
        let _ = writeln!(html, "<h2>{}</h2>\n<div class=\"cards\">", escape(group));
        if group == "delegate" {
            let depth = |row: &Row| row.workload.strip_prefix("delegate-").and_then(|depth| depth.parse().ok());
            let chains: Vec<(&Row, f64)> = rows().filter_map(|row| Some((row, depth(row)?))).collect();
            card(html, "delegation", "an item through so many coroutines, ns", &lines::chart(&chains, "coroutines"));
        }
        for workload in distinct(rows().filter(|row| row.group == group), |row| &row.workload) {
            let of_it: Vec<&Row> = rows().filter(|row| row.workload == workload).collect();
            let what = format!("{}; {}", of_it[0].what, of_it[0].trip);
            card(html, workload, &what, &bars::chart(&of_it));
        }
        *html += "</div>\n";
    }
}

fn sweep(html: &mut String, results: &Results) {
    let rows = || results.rows.iter().filter(|row| row.live.is_some());
    let workloads = distinct(rows(), |row| &row.workload);
    if workloads.is_empty() {
        return;
    }
    *html += "<h2>Many live ones</h2>\n<p>sweep-1 yields one call down, sweep-16 sixteen calls down. A line ends where its system did. \
              What is zero lies at the lower edge.</p>\n<div class=\"cards\">\n";
    for workload in workloads {
        let points: Vec<(&Row, f64)> =
            rows().filter(|row| row.workload == workload).filter_map(|row| Some((row, row.live? as f64))).collect();
        let what = format!("{}, {}", points[0].0.what, if points[0].0.unit == "B" { "bytes" } else { "ns" });
        card(html, workload, &what, &lines::chart(&points, "live ones"));
    }
    *html += "</div>\n";
}

fn card(html: &mut String, title: &str, what: &str, chart: &str) {
    let _ = writeln!(
        html,
        "<figure class=\"card\"><figcaption><b>{}</b> {}</figcaption>\n{chart}</figure>",
        escape(title),
        prose(what)
    );
}

/// All figures as a table.
fn figures(html: &mut String, results: &Results) {
    *html += "<h2>All figures</h2>\n<details><summary>Show the table</summary>\n<div class=\"wide\"><table>\n\
              <tr><th>row<th>system<th>unit<th>min<th>median<th>quartiles<th>ratio<th>quartiles<th>items<th>batches\n";
    for row in &results.rows {
        let [ratio, low, high] = row.ratio.map_or_else(<[String; 3]>::default, |ratio| ratio.map(figure));
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}–{}<td>{ratio}<td>{low}–{high}<td>{}<td>{}",
            escape(&name(row)),
            escape(&row.system),
            row.unit,
            figure(row.minimum),
            figure(row.median),
            figure(row.quartiles[0]),
            figure(row.quartiles[1]),
            count(row.n),
            row.batches
        );
    }
    *html += "</table></div>\n</details>\n";
}
