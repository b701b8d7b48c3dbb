//! How far ratios of one run are from each other, and so how near another run's are to be.

use super::svg::escape;
use super::{distinct, name};
use crate::result::{Results, Row, quantile};
use crate::table::figure;
use std::fmt::Write;

/// A part as a percentage to both sides.
pub(super) fn percent(spread: f64) -> String {
    let percent = spread * 100.0;
    if percent < 9.95 { format!("±{percent:.1} %") } else { format!("±{percent:.0} %") }
}

/// What is known of other runs.
fn again(all: &[(&Row, f64)]) -> String {
    // How far the other run's is, and how far it is to be by the quartiles alone.
    let apart: Vec<(f64, f64)> = all
        .iter()
        .filter_map(|(row, _)| {
            let ([ratio, low, high], again) = (row.ratio?, row.again?);
            Some(((again - ratio).abs() / ratio, (high - low) / 2.0 / ratio))
        })
        .collect();
    if apart.is_empty() {
        return "What one run cannot see (where code and stacks happen to lie, a neighbour on the machine) comes to it: another run's ratios may \
                be further away."
            .to_owned();
    }
    let distances: Vec<f64> = apart.iter().map(|(distance, _)| *distance).collect();
    format!(
        "One run shows nothing of what changes from run to run (where code and stacks happen to lie, a neighbour on the machine). So all of it was \
         measured once more: of {} ratios {} were within that again, half differed by {} % or less, nine of ten by {} %. Where a ratio differed by more \
         than its quartiles tell, ± is by how much. That is what a further run's are to agree within, on a machine of this kind that is as quiet.",
        apart.len(),
        apart.iter().filter(|(distance, noise)| distance <= noise).count(),
        figure(quantile(&distances, 0.5) * 100.0),
        figure(quantile(&distances, 0.9) * 100.0)
    )
}

pub(super) fn write(html: &mut String, results: &Results) {
    let all: Vec<(&Row, f64)> = results.rows.iter().filter_map(|row| Some((row, row.spread()?))).collect();
    if all.is_empty() {
        return;
    }
    let of = |rows: &[&(&Row, f64)], part| quantile(&rows.iter().map(|(_, spread)| *spread).collect::<Vec<_>>(), part);
    let whole: Vec<&(&Row, f64)> = all.iter().collect();
    let batches = results.rows.iter().map(|row| row.batches);
    let (least, most) = (batches.clone().min().unwrap_or_default(), batches.max().unwrap_or_default());
    let batches = if least < most { format!("{least} to {most}") } else { most.to_string() };
    *html += "<h2 id=\"noise\">Noise</h2>\n";
    let _ = writeln!(
        html,
        "<p>Each ratio stands with the quartiles of its batches ({batches} of them), and beside them with half of their width as a part \
         of it, ±. {} Half of all ratios have {} or less, nine of ten {}; a difference of two ratios below these says nothing.</p>",
        again(&all),
        percent(of(&whole, 0.5)),
        percent(of(&whole, 0.9))
    );
    *html += "<div class=\"wide\"><table>\n<tr><th>group<th class=\"n\">ratios<th class=\"n\">half within<th class=\"n\">nine of ten<th class=\"n\">widest<th>which\n";
    for group in distinct(results.rows.iter(), |row| &row.group) {
        let rows: Vec<&(&Row, f64)> = all.iter().filter(|(row, _)| row.group == group).collect();
        let Some((widest, spread)) = rows.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied() else { continue };
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}: {}",
            escape(group),
            rows.len(),
            percent(of(&rows, 0.5)),
            percent(of(&rows, 0.9)),
            percent(*spread),
            escape(&name(widest)),
            escape(&widest.system)
        );
    }
    *html += "</table></div>\n";
}
