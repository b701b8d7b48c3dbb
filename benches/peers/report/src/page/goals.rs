//! What was aimed at, and what it is: in tables, and in a line below each chart.

use super::svg::escape;
use super::{name, noise};
use crate::first::among_stackful;
use crate::result::{Goal, Results, Row};
use crate::table::figure;
use std::fmt::Write;

type Aimed<'a> = (&'a Row, &'a Goal);

/// Whether we are first among those who have stacks, row by row where we are not.
pub(super) fn write_first(html: &mut String, results: &Results) {
    let first = among_stackful(results, |_| true);
    if first.rows == 0 {
        return;
    }
    let list = |rows: &[&Row]| {
        let one = |row: &&Row| {
            let ratio = row.ours_by_its().map_or_else(String::new, |[ratio, ..]| figure(ratio));
            format!("{} ({ratio} of {})", escape(&name(row)), escape(&row.system))
        };
        rows.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    let _ = writeln!(
        html,
        "<h2 id=\"first\">Among stackful systems</h2>\n<p>Of {} rows that another system with real stacks has too (those of the sweep by each number \
         of live ones), switchback is first, or within 5 % of the first, in {}; within a goal that allows more in {}; <b class=\"lose\">behind</b> in {}.</p>",
        first.rows,
        first.near(),
        first.allowed.len(),
        first.behind.len()
    );
    for (what, rows) in [("Behind", &first.behind), ("Within a goal that allows more", &first.allowed)] {
        if !rows.is_empty() {
            let _ = writeln!(html, "<details><summary>{what}</summary>\n<p>{}.</p></details>", list(rows));
        }
    }
}

/// Missed ones, then those that are met, then those of which nothing is known.
pub(super) fn write(html: &mut String, results: &Results) {
    let goals: Vec<Aimed<'_>> = results.rows.iter().filter_map(|row| Some((row, row.goal.as_ref()?))).collect();
    if goals.is_empty() {
        return;
    }
    let (measured, unknown): (Vec<Aimed<'_>>, Vec<_>) = goals.into_iter().partition(|(_, goal)| goal.is.is_some());
    let (missed, met): (Vec<Aimed<'_>>, Vec<_>) = measured.iter().partition(|(_, goal)| goal.is_missed());
    let _ = writeln!(
        html,
        "<h2 id=\"goals\">Goals</h2>\n<p>Ours divided by the peer's, set before anything was measured: {}, of which <b class=\"lose\">{}</b> \
         are missed and {} are met.</p>",
        measured.len(),
        missed.len(),
        met.len()
    );
    if !missed.is_empty() {
        table(html, results, &missed);
    }
    let _ = writeln!(html, "<details><summary>Those that are met</summary>");
    table(html, results, &met);
    *html += "</details>\n";
    if !unknown.is_empty() {
        let _ = writeln!(
            html,
            "<details><summary>{} more, of which the peer was not measured</summary>\n<p>",
            unknown.len()
        );
        let names: Vec<String> =
            unknown.iter().map(|(row, goal)| format!("{} ({})", escape(&name(row)), escape(&goal.peer))).collect();
        let _ = writeln!(html, "{}.</p></details>", names.join("; "));
    }
}

fn table(html: &mut String, results: &Results, goals: &[Aimed<'_>]) {
    *html += "<div class=\"wide\"><table class=\"goals\">\n<tr><th>row<th>at most<th class=\"n\">is<th class=\"n\">±\n";
    for (row, goal) in goals {
        let is = figure(goal.is.unwrap_or_default());
        let is = match goal.is_missed() {
            false => is,
            true if is_within_noise(results, row) => {
                format!(
                    "<a class=\"lose\" href=\"#why-{}\">{is}</a><small>by less than the noise</small>",
                    escape(&row.workload)
                )
            }
            true => format!("<a class=\"lose\" href=\"#why-{}\">{is}</a>", escape(&row.workload)),
        };
        let spread = beside(results, row).and_then(Row::spread).map_or_else(String::new, noise::percent);
        let _ = writeln!(
            html,
            "<tr><td class=\"wraps\">{}<td class=\"wraps\">{} of {}<td class=\"n\">{is}<td class=\"n\">{spread}",
            escape(&name(row)),
            goal.at_most,
            escape(&goal.peer),
        );
    }
    *html += "</table></div>\n";
}

/// The row of the peer that a goal of ours names.
fn beside<'a>(results: &'a Results, ours: &Row) -> Option<&'a Row> {
    let peer = &ours.goal.as_ref()?.peer;
    results.rows.iter().find(|row| row.workload == ours.workload && row.live == ours.live && row.system == *peer)
}

/// Whether a goal lies between the quartiles of what it is about.
fn is_within_noise(results: &Results, ours: &Row) -> bool {
    let at_most = ours.goal.as_ref().map_or(0.0, |goal| goal.at_most);
    let ratio = beside(results, ours).and_then(Row::ours_by_its);
    ratio.is_some_and(|[_, low, high]| low <= at_most && at_most <= high)
}

/// What is to be said below a chart: the goal, where to read why it is lost, and how noisy its ratios are.
pub(super) fn verdict(rows: &[&Row], is_lost: bool) -> String {
    let mut text = String::new();
    if let Some((goal, is)) = rows.iter().find_map(|row| row.goal.as_ref()).and_then(|goal| Some((goal, goal.is?))) {
        let verdict = if goal.is_missed() { "<b class=\"lose\">missed</b>" } else { "met" };
        let _ =
            write!(text, "Goal: at most {} of {}; is {}, {verdict}. ", goal.at_most, escape(&goal.peer), figure(is));
    }
    text += &instructions(rows);
    text += &link(rows, is_lost);
    let mut spreads: Vec<(f64, &str)> =
        rows.iter().filter_map(|row| Some((row.spread()?, row.system.as_str()))).collect();
    spreads.sort_by(|a, b| a.0.total_cmp(&b.0));
    match &spreads[..] {
        [] => {}
        [(spread, _)] => {
            let _ = write!(text, "Its ratio is within {}.", noise::percent(*spread));
        }
        [(least, quiet), .., (most, loud)] => {
            let (least, most) = (noise::percent(*least), noise::percent(*most));
            let _ = write!(text, "Ratios within {least} ({}) to {most} ({}).", escape(quiet), escape(loud));
        }
    }
    below(&text)
}

fn below(text: &str) -> String {
    format!("<p class=\"verdict\">{}</p>", text.trim_end())
}

/// Instructions an item, of those whose were counted.
pub(super) fn instructions(rows: &[&Row]) -> String {
    let counts: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{} {}", escape(&row.system), figure(row.instructions?)))).collect();
    if counts.is_empty() {
        String::new()
    } else {
        format!("Instructions an item, by callgrind: {}. ", counts.join(", "))
    }
}

/// The same for a figure of the sweep.
pub(super) fn verdict_of_sweep(rows: &[&Row], is_lost: bool) -> String {
    let goals: Vec<&Goal> = rows.iter().filter_map(|row| row.goal.as_ref()).filter(|goal| goal.is.is_some()).collect();
    let mut text = String::new();
    if let Some(goal) = goals.first() {
        let missed = goals.iter().filter(|goal| goal.is_missed()).count();
        let verdict = match missed {
            0 => format!("met at all {} numbers of live ones that it has", goals.len()),
            _ => format!("<b class=\"lose\">missed at {missed}</b> of {} numbers of live ones", goals.len()),
        };
        let _ = write!(text, "Goal: at most {} of {}, {verdict}. ", goal.at_most, escape(&goal.peer));
    }
    below(&(text + &link(rows, is_lost)))
}

fn link(rows: &[&Row], is_lost: bool) -> String {
    if !is_lost {
        return String::new();
    }
    format!("<a href=\"#why-{}\">What we lose here, and why.</a> ", escape(&rows[0].workload))
}
