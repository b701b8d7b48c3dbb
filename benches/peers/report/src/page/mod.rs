//! One page of all of it, which needs nothing else: no network, no script.

mod bars;
mod goals;
mod lines;
mod lost;
mod noise;
mod style;
mod svg;

use crate::reasons::Reasons;
use crate::result::{OURS, Results, Row};
use crate::table::{count, figure};
use std::fmt::Write;
use svg::{escape, prose};

/// How a peer's figure lies to ours.
#[derive(PartialEq)]
enum Side {
    Less,
    /// The quartiles of the ratios have 1 between them.
    Noise,
    More,
}

fn side(&[_, low, high]: &[f64; 3]) -> Side {
    match () {
        () if high < 1.0 => Side::Less,
        () if low > 1.0 => Side::More,
        () => Side::Noise,
    }
}

/// The page, in HTML.
pub fn page(results: &Results, reasons: &Reasons) -> String {
    let mut html = String::with_capacity(200_000);
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<title>switchback beside its peers</title>\n<style>{}</style>\n<main>\n\
         <h1>switchback beside its peers</h1>\n",
        style::CSS
    );
    html += "<p>CPU time of an item, in nanoseconds where nothing else is said; of the sweep also memory. Each batch is a process of its own, \
             pinned to one CPU; batches of all systems are interleaved. Shown is the <b>median</b>; the whisker has half of the batches between \
             its ends, and the tick is the least. A ratio (×) is the median of the ratios to switchback's batch of the same round: above 1, \
             switchback is faster, and <span class=\"lose\">below 1</span> it is slower. Bars and lines are on scales of powers of ten. \
             Absolute figures differ from machine to machine; compare ratios.</p>\n";
    html += "<nav><a href=\"#lost\">What we lose</a> <a href=\"#first\">Among stackful systems</a> <a href=\"#goals\">Goals</a> <a href=\"#noise\">Noise</a>";
    for group in distinct(results.rows.iter(), |row| &row.group) {
        let _ = write!(html, " <a href=\"#group-{0}\">{0}</a>", escape(group));
    }
    html += " <a href=\"#figures\">All figures</a></nav>\n";
    machine(&mut html, results);
    lost::write(&mut html, results, reasons);
    goals::write_first(&mut html, results);
    goals::write(&mut html, results);
    noise::write(&mut html, results);
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
    for (name, value) in [
        ("CPU", format!("{}, {} cores; {pinned}", machine.cpu, machine.cores)),
        ("Kernel", machine.kernel.clone()),
        ("Load when it began", machine.load.clone()),
        ("Mitigations", mitigations),
        ("Compiler", machine.rustc.clone()),
    ] {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    *html += "</dl>\n<details class=\"card\" open><summary>Versions, and who is not there</summary>\n<dl>\n";
    for system in distinct(results.rows.iter(), |row| &row.system) {
        let versions = distinct(results.rows.iter().filter(|row| row.system == system), |row| &row.version).join("; ");
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(system), escape(&versions));
    }
    for remark in &results.remarks {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(&remark.system), escape(&remark.text));
    }
    *html += "</dl>\n</details>\n";
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
    let lost = lost::names(results);
    for group in distinct(rows(), |row| &row.group) {
        let _ = writeln!(html, "<h2 id=\"group-{0}\">{0}</h2>\n<div class=\"cards\">", escape(group));
        if group == "delegate" {
            let depth = |row: &Row| row.workload.strip_prefix("delegate-").and_then(|depth| depth.parse().ok());
            let chains: Vec<(&Row, f64)> = rows().filter_map(|row| Some((row, depth(row)?))).collect();
            card(
                html,
                "delegation",
                "an item through so many coroutines; round trip, ns of CPU time",
                &lines::chart(&chains, "coroutines"),
                "",
            );
        }
        for workload in distinct(rows().filter(|row| row.group == group), |row| &row.workload) {
            let of_it: Vec<&Row> = rows().filter(|row| row.workload == workload).collect();
            let what = format!("{}; {}", of_it[0].what, of_it[0].trip);
            let below = goals::verdict(&of_it, lost.contains(&workload));
            card(html, workload, &what, &bars::chart(&of_it), &below);
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
    let lost = lost::names(results);
    *html += "<h2 id=\"group-sweep\">Many live ones</h2>\n<p>sweep-1 yields one call down, sweep-16 sixteen calls down. A line ends where its \
              system did. What is zero lies at the lower edge.</p>\n";
    let stops = results.remarks.iter().filter(|remark| remark.text.starts_with("sweep-"));
    let stops: Vec<String> =
        stops.map(|stop| format!("<li>{}, {}", escape(&stop.system), escape(&stop.text))).collect();
    if !stops.is_empty() {
        let _ = writeln!(html, "<ul>{}</ul>", stops.join("\n"));
    }
    *html += "<div class=\"cards\">\n";
    for workload in workloads {
        let points: Vec<(&Row, f64)> =
            rows().filter(|row| row.workload == workload).filter_map(|row| Some((row, row.live? as f64))).collect();
        let (row, _) = points[0];
        let what = if row.unit == "B" {
            format!("{}, bytes", row.what)
        } else {
            format!("{}; {}, ns of CPU time", row.what, row.trip)
        };
        let of_it: Vec<&Row> = points.iter().map(|(row, _)| *row).collect();
        let below = goals::verdict_of_sweep(&of_it, lost.contains(&workload)) + &medians(&of_it);
        card(html, workload, &what, &lines::chart(&points, "live ones"), &below);
    }
    *html += "</div>\n";
}

/// What a line shows, in figures.
fn medians(rows: &[&Row]) -> String {
    let systems = distinct(rows.iter().copied(), |row| &row.system);
    let mut live: Vec<u64> = rows.iter().filter_map(|row| row.live).collect();
    live.sort_unstable();
    live.dedup();
    let mut html =
        String::from("<details><summary>Medians</summary>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">live");
    for system in &systems {
        let _ = write!(html, "<th class=\"n\">{}", escape(system));
    }
    for live in live {
        let _ = write!(html, "\n<tr><td class=\"n\">{}", count(live));
        for system in &systems {
            let row = rows.iter().find(|row| row.live == Some(live) && row.system == *system);
            let _ = write!(html, "<td class=\"n\">{}", row.map_or_else(|| "–".to_owned(), |row| figure(row.median)));
        }
    }
    html + "\n</table></div></details>"
}

fn card(html: &mut String, title: &str, what: &str, chart: &str, below: &str) {
    let _ = writeln!(
        html,
        "<figure class=\"card\" id=\"{0}\"><figcaption><b>{0}</b> {1}</figcaption>\n{chart}\n{below}</figure>",
        escape(title),
        prose(what)
    );
}

/// All figures as a table: what a chart tells only to who points at it is here for everyone.
fn figures(html: &mut String, results: &Results) {
    *html += "<h2 id=\"figures\">All figures</h2>\n<details><summary>Show the table</summary>\n<div class=\"wide\"><table>\n\
              <tr><th>row<th>system<th>unit<th>trip<th class=\"n\">min<th class=\"n\">median<th class=\"n\">quartiles<th class=\"n\">ratio<th class=\"n\">quartiles\
              <th class=\"n\">±<th class=\"n\">items<th class=\"n\">batches\n";
    for row in &results.rows {
        let ratio = row.ratio.filter(|_| row.system != OURS);
        let (ratio, quartiles) = ratio.map_or_else(Default::default, |[ratio, low, high]| {
            (figure(ratio), format!("{}–{}", figure(low), figure(high)))
        });
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}–{}<td class=\"n\">{ratio}<td class=\"n\">{quartiles}\
             <td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}",
            escape(&name(row)),
            escape(&row.system),
            row.unit,
            if row.unit == "B" { "" } else { &row.trip },
            figure(row.minimum),
            figure(row.median),
            figure(row.quartiles[0]),
            figure(row.quartiles[1]),
            row.spread().map_or_else(String::new, noise::percent),
            count(row.n),
            row.batches
        );
    }
    *html += "</table></div>\n</details>\n";
}
