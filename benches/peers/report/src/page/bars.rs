//! One bar a system.

use super::svg::{Scale, WIDTH, escape, title};
use crate::result::{BOUNDS, OURS, Row};
use crate::table::figure;
use std::fmt::Write;

const ROW: f64 = 20.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 244.0;

/// The systems of one workload, in ascending order of their medians.
pub(crate) fn chart(rows: &[&Row]) -> String {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a.median.total_cmp(&b.median));
    let bottom = rows.len() as f64 * ROW;
    let scale = Scale::decades(rows.iter().flat_map(|row| [row.minimum, row.quartiles[1]]), LEFT, RIGHT);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\">\n", bottom + 16.0);
    for (x, name) in scale.ticks() {
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} 0V{bottom}\"/>");
        if let Some(name) = name {
            let _ = writeln!(
                svg,
                "<text class=\"faint\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
                bottom + 12.0
            );
        }
    }
    for (number, row) in rows.iter().enumerate() {
        bar(&mut svg, row, &scale, number as f64 * ROW);
    }
    svg += "</svg>";
    svg
}

fn bar(svg: &mut String, row: &Row, scale: &Scale, top: f64) {
    let class = match row.system.as_str() {
        OURS => "bar ours",
        system if BOUNDS.contains(&system) => "bar bound",
        _ => "bar",
    };
    let (text, middle) = (top + ROW / 2.0 + 3.5, top + ROW / 2.0);
    let [min, median, low, high] =
        [row.minimum, row.median, row.quartiles[0], row.quartiles[1]].map(|value| scale.place(value));
    let weight = if row.system == OURS { " font-weight=\"700\"" } else { "" };
    let _ = writeln!(svg, "<g><title>{}</title>", title(row));
    let _ = writeln!(svg, "<text x=\"0\" y=\"{text}\"{weight}>{}</text>", escape(&row.system));
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" rx=\"2\"/>",
        top + 3.0,
        (median - LEFT).max(1.0),
        ROW - 6.0
    );
    // Quartiles, with ends; and the least.
    let _ = writeln!(
        svg,
        "<path class=\"spread\" d=\"M{low:.1} {middle}H{high:.1}M{low:.1} {}v6M{high:.1} {}v6M{min:.1} {}v10\"/>",
        middle - 3.0,
        middle - 3.0,
        middle - 5.0
    );
    let ratio = row.ratio.filter(|_| row.system != OURS);
    let (class, ratio) = match ratio {
        None => ("", String::new()),
        Some([ratio, ..]) => {
            (if ratio < 1.0 { " class=\"lose\"" } else { " class=\"faint\"" }, format!("{}×", figure(ratio)))
        }
    };
    let _ = writeln!(svg, "<text x=\"292\" y=\"{text}\" text-anchor=\"end\"{weight}>{}</text>", figure(row.median));
    let _ = writeln!(svg, "<text x=\"{WIDTH}\" y=\"{text}\" text-anchor=\"end\"{class}>{ratio}</text></g>");
}
