//! One line a system, both axes by powers of ten.

use super::distinct;
use super::svg::{Scale, WIDTH, escape, title};
use crate::result::{OURS, Row};
use std::fmt::Write;

const HEIGHT: f64 = 253.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 268.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 216.0;
/// Names keep so far apart.
const APART: f64 = 12.0;

/// How the lines of the others differ where their colours do not.
const DASHES: [&str; 6] = ["6 3", "2 3", "9 3 2 3", "1 3", "12 4", "4 2"];

/// Rows at their places on the horizontal axis, which is named.
pub(crate) fn chart(points: &[(&Row, f64)], axis: &str) -> String {
    let x = Scale::whole(points.iter().map(|(_, x)| *x), LEFT, RIGHT);
    let y = Scale::decades(points.iter().flat_map(|(row, _)| [row.quartiles[0], row.quartiles[1]]), BOTTOM, TOP);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
    for (x, name) in x.ticks() {
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>");
        if let Some(name) = name {
            let _ = writeln!(
                svg,
                "<text class=\"faint\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
                BOTTOM + 16.0
            );
        }
    }
    for (y, name) in y.ticks() {
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        if let Some(name) = name {
            let _ = writeln!(
                svg,
                "<text class=\"faint\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
                LEFT - 4.0,
                y + 3.5
            );
        }
    }
    let middle = (LEFT + RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "<text class=\"faint\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{axis}</text>",
        BOTTOM + 31.0
    );

    let systems = distinct(points.iter().map(|(row, _)| *row), |row| &row.system);
    let mut names: Vec<(f64, f64, usize, &str)> = Vec::new();
    // Ours last, above the others.
    for (number, system) in systems.iter().enumerate().rev() {
        let of_it: Vec<&(&Row, f64)> = points.iter().filter(|(row, _)| row.system == *system).collect();
        let places: Vec<(f64, f64)> = of_it.iter().map(|(row, at)| (x.place(*at), y.place(row.median))).collect();
        line(&mut svg, system, number, &places);
        for ((row, _), (across, down)) in of_it.iter().zip(&places) {
            let [low, high] = row.quartiles.map(|value| y.place(value));
            let _ = writeln!(
                svg,
                "<g style=\"fill:var(--c{0});stroke:var(--c{0})\"><title>{1}</title><path d=\"M{across:.1} {low:.1}V{high:.1}\"/>\
                 <circle cx=\"{across:.1}\" cy=\"{down:.1}\" r=\"2.6\"/></g>",
                number.min(6),
                title(row)
            );
        }
        if let Some((across, down)) = places.last() {
            names.push((*across, *down, number, system));
        }
    }
    write_names(&mut svg, names);
    svg += "</svg>";
    svg
}

fn line(svg: &mut String, system: &str, number: usize, places: &[(f64, f64)]) {
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let (class, dash) = match (system, number) {
        (OURS, _) | (_, 0) => ("line ours", String::new()),
        _ => ("line", format!(" stroke-dasharray=\"{}\"", DASHES[(number - 1) % DASHES.len()])),
    };
    let _ = writeln!(
        svg,
        "<path class=\"{class}\" style=\"stroke:var(--c{})\"{dash} d=\"M{}\"/>",
        number.min(6),
        path.join("L")
    );
}

/// A name at the height where its line ends, or as near as there is room.
fn write_names(svg: &mut String, mut names: Vec<(f64, f64, usize, &str)>) {
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut heights: Vec<f64> = names.iter().map(|(_, y, ..)| y.max(TOP + 4.0)).collect();
    for i in 1..heights.len() {
        heights[i] = heights[i].max(heights[i - 1] + APART);
    }
    // If that has pushed the last ones out, all move up.
    let mut lowest = BOTTOM;
    for height in heights.iter_mut().rev() {
        *height = height.min(lowest);
        lowest = *height - APART;
    }
    for ((x, y, number, system), height) in names.into_iter().zip(heights) {
        let weight = if system == OURS { " font-weight=\"700\"" } else { "" };
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {y:.1}L{:.1} {height:.1}\" style=\"stroke:var(--c{})\" stroke-width=\".6\" opacity=\".6\"/>",
            x + 3.0,
            RIGHT + 8.0,
            number.min(6),
        );
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" style=\"fill:var(--c{})\"{weight}>{}</text>",
            RIGHT + 11.0,
            height + 3.5,
            number.min(6),
            escape(system)
        );
    }
}
