//! The rows as text.

use crate::result::{OURS, Row};
use std::fmt::Write;

/// One workload's rows, ours first.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut last = "";
    for row in rows {
        if row.workload != last {
            last = &row.workload;
            let live = row.live.map_or_else(String::new, |live| format!(", {} live", count(live)));
            let _ = writeln!(text, "\n{}{live} ({}, {}): {}", row.workload, row.unit, row.trip, row.what);
            let (min, median, quartiles) = ("min", "median", "quartiles");
            let _ = writeln!(text, "  {:16}{min:>12}{median:>12}{quartiles:>26}{:>10}  quartiles", "", "ratio");
        }
        let quartiles = format!("{}–{}", figure(row.quartiles[0]), figure(row.quartiles[1]));
        let ratio = row.ratio.filter(|_| row.system != OURS);
        let ratios = ratio.map_or_else(
            || format!("{:>10}", "1"),
            |[median, low, high]| format!("{:>10}  {}–{}", figure(median), figure(low), figure(high)),
        );
        let _ = write!(
            text,
            "  {:16}{:>12}{:>12}{quartiles:>26}{ratios}",
            row.system,
            figure(row.minimum),
            figure(row.median)
        );
        if let Some(goal) = &row.goal {
            let verdict = goal.is.map_or_else(
                || "not measured".to_owned(),
                |is| format!("{}, {}", figure(is), if goal.is_missed() { "MISSED" } else { "met" }),
            );
            let _ = write!(text, "  goal {} of {}: {verdict}", goal.at_most, goal.peer);
        }
        text.push('\n');
    }
    text
}

/// Three digits that say something.
pub fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.1 => format!("{value:.0$}", (1.0 - small.log10().floor()).min(6.0) as usize),
        // Not 1.00, where the question is which side of 1 it is.
        almost if (0.995..0.9995).contains(&almost) => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        large => format!("{}{}", if value < 0.0 { "-" } else { "" }, count(large.round() as u64)),
    }
}

/// A number by groups of three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|three| std::str::from_utf8(three).expect("digits")).collect();
    groups.join(",")
}
