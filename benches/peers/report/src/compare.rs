//! Two runs: how far their ratios are from each other.

use crate::result::{OURS, Results, Row, quantile};
use crate::table::figure;
use std::fmt::Write;

fn is_same(one: &Row, other: &Row) -> bool {
    one.workload == other.workload && one.live == other.live && one.system == other.system
}

/// The ratios of the first that the other has too, those that differ most first, and how far most are from each other.
pub fn text(results: &Results, other: &Results) -> String {
    let mut all: Vec<(&Row, f64, f64)> = Vec::new();
    for row in results.rows.iter().filter(|row| row.system != OURS) {
        let there = other.rows.iter().find(|one| is_same(one, row)).and_then(|row| row.ratio);
        // Memory that is less than a page in all has no ratio.
        if let (Some([here, ..]), Some([there, ..])) = (row.ratio, there)
            && here > 0.0
            && there > 0.0
        {
            all.push((row, here, there));
        }
    }
    if all.is_empty() {
        return "no row is in both\n".to_owned();
    }
    let apart = |(_, here, there): &(&Row, f64, f64)| (here / there).max(there / here) - 1.0;
    all.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
    let differences: Vec<f64> = all.iter().map(apart).collect();
    let at = |part| figure(quantile(&differences, part) * 100.0);
    // What each page states of its own ratios, as far as it goes: half of the width of the quartiles.
    let agree = |(row, here, there): &&(&Row, f64, f64)| {
        let spread = |results: &Results| results.rows.iter().find(|one| is_same(one, row)).and_then(Row::spread);
        let noise = spread(results).unwrap_or(0.0).max(spread(other).unwrap_or(0.0));
        (here - there).abs() <= noise * here.max(*there)
    };
    let mut text = format!(
        "ratios in both: {}; {} agree within the noise that one of both states; half are within {} % of each other, nine of ten within {} %\n",
        all.len(),
        all.iter().filter(agree).count(),
        at(0.5),
        at(0.9)
    );
    for one in all.iter().take(20) {
        let (row, here, there) = one;
        let live = row.live.map_or_else(String::new, |live| format!(", {live} live"));
        let _ = writeln!(
            text,
            "  {:6} %  {}{live}, {}: {} and {}",
            figure(apart(one) * 100.0),
            row.workload,
            row.system,
            figure(*here),
            figure(*there)
        );
    }
    text
}
