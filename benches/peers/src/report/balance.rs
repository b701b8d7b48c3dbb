//! What is lost, row by row, then how many rows are lost and won against each peer.

use super::svg::escape;
use super::{BOUND, distinct};
use crate::catalog::OURS;
use crate::result::{Results, Row};
use crate::table::{count, figure};
use std::fmt::Write;

/// A peer's row, and the median and the quartiles of its ratio to ours.
type Compared<'a> = (&'a Row, [f64; 3]);

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

pub(crate) fn write(html: &mut String, results: &Results) {
    let peers = results.rows.iter().filter(|row| row.system != OURS && row.system != BOUND);
    let compared: Vec<Compared<'_>> = peers.filter_map(|row| Some((row, row.ratio?))).collect();
    if compared.is_empty() {
        return;
    }
    let mut lost: Vec<&Compared<'_>> = compared.iter().filter(|(_, ratio)| ratio[0] < 1.0).collect();
    lost.sort_by(|a, b| a.1[0].total_cmp(&b.1[0]));
    *html += "<h2>Where a peer takes less</h2>\n";
    if lost.is_empty() {
        *html += "<p>In no row.</p>\n";
    }
    single(html, results, &lost);
    swept(html, &lost);
    by_peer(html, &compared);
}

/// Those that are not of the sweep.
fn single(html: &mut String, results: &Results, lost: &[&Compared<'_>]) {
    let lost: Vec<_> = lost.iter().filter(|(row, _)| row.live.is_none()).collect();
    if lost.is_empty() {
        return;
    }
    *html += "<div class=\"wide\"><table>\n<tr><th>row<th>peer<th>its ratio to ours<th>quartiles<th>ours<th>its\n";
    for (row, ratio) in lost {
        let ours = results.rows.iter().find(|ours| ours.system == OURS && ours.workload == row.workload);
        let noise = if side(ratio) == Side::Noise { " (within the noise)" } else { "" };
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}<td class=\"lose\">{}<td>{}–{}{noise}<td>{}<td>{} {}",
            escape(&row.workload),
            escape(&row.system),
            figure(ratio[0]),
            figure(ratio[1]),
            figure(ratio[2]),
            ours.map_or_else(String::new, |ours| figure(ours.median)),
            figure(row.median),
            row.unit
        );
    }
    *html += "</table></div>\n";
}

/// Those of the sweep: in one line what differs in nothing but how many are live.
fn swept(html: &mut String, lost: &[&Compared<'_>]) {
    let lost: Vec<&&Compared<'_>> = lost.iter().filter(|(row, _)| row.live.is_some()).collect();
    if lost.is_empty() {
        return;
    }
    *html += "<p>And of the sweep:</p>\n<div class=\"wide\"><table>\n<tr><th>figure<th>peer<th>its ratios to ours<th>at live ones\n";
    for workload in distinct(lost.iter().map(|(row, _)| *row), |row| &row.workload) {
        let of_it = || lost.iter().filter(|(row, _)| row.workload == workload);
        for system in distinct(of_it().map(|(row, _)| *row), |row| &row.system) {
            let mut all: Vec<(u64, f64, bool)> = of_it()
                .filter(|(row, _)| row.system == system)
                .filter_map(|(row, ratio)| Some((row.live?, ratio[0], side(ratio) == Side::Noise)))
                .collect();
            all.sort_by_key(|(live, ..)| *live);
            let ratios: Vec<String> = all.iter().map(|(_, ratio, _)| figure(*ratio)).collect();
            let live = all
                .iter()
                .map(|(live, _, noise)| format!("{}{}", count(*live), if *noise { " (within the noise)" } else { "" }));
            let (ratios, live) = (ratios.join(", "), live.collect::<Vec<_>>().join("; "));
            let _ = writeln!(
                html,
                "<tr><td>{}<td>{}<td class=\"lose\">{ratios}<td>{live}",
                escape(workload),
                escape(system)
            );
        }
    }
    *html += "</table></div>\n";
}

fn by_peer(html: &mut String, compared: &[Compared<'_>]) {
    *html += "<h2>Rows by peer</h2>\n<div class=\"wide\"><table>\n\
              <tr><th>peer<th>rows<th>it takes less<th>within the noise<th>it takes more\n";
    for peer in distinct(compared.iter().map(|(row, _)| *row), |row| &row.system) {
        let sides: Vec<Side> =
            compared.iter().filter(|(row, _)| row.system == peer).map(|(_, ratio)| side(ratio)).collect();
        let of = |wanted: &Side| sides.iter().filter(|side| *side == wanted).count();
        let [less, noise, more] = [Side::Less, Side::Noise, Side::More].map(|side| of(&side));
        let _ = writeln!(html, "<tr><td>{}<td>{}<td>{less}<td>{noise}<td>{more}", escape(peer), sides.len());
    }
    *html += "</table></div>\n";
}
