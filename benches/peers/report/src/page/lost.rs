//! What is lost, row by row, each with its reason; then how many rows are lost and won against each peer.

use super::svg::{escape, prose};
use super::{Side, distinct, goals, side};
use crate::reasons::Reasons;
use crate::result::{OURS, Results, Row};
use crate::table::{count, figure};
use std::fmt::Write;

/// A row, or of the sweep a figure at all numbers of live ones: who takes less, and which goals are missed.
struct Loss<'a> {
    workload: &'a str,
    peers: Vec<(&'a Row, [f64; 3])>,
    /// Ours.
    missed: Vec<&'a Row>,
}

impl Loss<'_> {
    /// One of its rows.
    fn row(&self) -> &Row {
        self.peers.first().map(|(row, _)| *row).or(self.missed.first().copied()).expect("what is lost has a row")
    }

    /// How much a peer takes of ours at best.
    fn least(&self) -> f64 {
        self.peers.iter().map(|(_, ratio)| ratio[0]).fold(1.0, f64::min)
    }
}

/// The rows in which anybody takes less, or a goal is missed: the worst first.
fn losses(results: &Results) -> Vec<Loss<'_>> {
    let mut losses: Vec<Loss<'_>> = distinct(results.rows.iter(), |row| &row.workload)
        .into_iter()
        .map(|workload| {
            let peers = results.of(workload).filter(|row| row.is_peers());
            let peers = peers.filter_map(|row| Some((row, row.ratio?))).filter(|(_, ratio)| ratio[0] < 1.0).collect();
            let missed =
                results.of(workload).filter(|row| row.goal.as_ref().is_some_and(|goal| goal.is_missed())).collect();
            Loss { workload, peers, missed }
        })
        .filter(|loss| !loss.peers.is_empty() || !loss.missed.is_empty())
        .collect();
    losses.sort_by(|a, b| {
        (a.row().live.is_some(), a.least()).partial_cmp(&(b.row().live.is_some(), b.least())).expect("numbers")
    });
    losses
}

/// The names of rows that `write` tells of.
pub(super) fn names(results: &Results) -> Vec<&str> {
    losses(results).into_iter().map(|loss| loss.workload).collect()
}

pub(super) fn write(html: &mut String, results: &Results, reasons: &Reasons) {
    let losses = losses(results);
    let rows = |is_swept: bool| {
        let all = distinct(results.rows.iter().filter(|row| row.live.is_some() == is_swept), |row| &row.workload).len();
        (losses.iter().filter(|loss| loss.row().live.is_some() == is_swept).count(), all)
    };
    let ((lost, all), (swept, of_the_sweep)) = (rows(false), rows(true));
    *html += "<h2 id=\"lost\">What we lose</h2>\n";
    let swept = if of_the_sweep == 0 {
        String::new()
    } else {
        format!("; of the sweep's figures {swept} of {of_the_sweep}, at some number of live ones")
    };
    let _ = writeln!(
        html,
        "<p>Rows in which any peer takes less than switchback, by however little, or a goal is missed: {lost} of {all}{swept}. Beside each \
         is what is known of why.</p>"
    );
    for (is_swept, heading) in [(false, ""), (true, "<h3>Of the sweep</h3>\n")] {
        if losses.iter().any(|loss| loss.row().live.is_some() == is_swept) {
            *html += heading;
            *html += "<div class=\"cards\">\n";
            for loss in losses.iter().filter(|loss| loss.row().live.is_some() == is_swept) {
                card(html, results, reasons, loss);
            }
            *html += "</div>\n";
        }
    }
    by_peer(html, results);
}

fn card(html: &mut String, results: &Results, reasons: &Reasons, loss: &Loss<'_>) {
    let name = escape(loss.workload);
    let _ = writeln!(html, "<section class=\"card\" id=\"why-{name}\"><h4><a href=\"#{name}\">{name}</a></h4>");
    if !loss.peers.is_empty() {
        if loss.row().live.is_some() { swept(html, loss) } else { single(html, results, loss) }
    }
    missed(html, loss);
    let instructions = goals::instructions(&results.of(loss.workload).collect::<Vec<_>>());
    if !instructions.is_empty() {
        let _ = writeln!(html, "<p>{instructions}</p>");
    }
    why(html, reasons, loss);
    *html += "</section>\n";
}

fn noise(ratio: &[f64; 3]) -> &'static str {
    if side(ratio) == Side::Noise { "<small>within the noise</small>" } else { "" }
}

fn single(html: &mut String, results: &Results, loss: &Loss<'_>) {
    let ours = results.of(loss.workload).find(|row| row.system == OURS);
    let _ = write!(
        html,
        "<table>\n<tr><th>who<th class=\"n\">{}<th class=\"n\">of ours<th class=\"n\">quartiles\n<tr><td>switchback<td class=\"n\">{}<td><td>\n",
        loss.row().unit,
        ours.map_or_else(String::new, |row| figure(row.median))
    );
    for (row, ratio) in &loss.peers {
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n lose\">{}<td class=\"n\">{}–{}{}",
            escape(&row.system),
            figure(row.median),
            figure(ratio[0]),
            figure(ratio[1]),
            figure(ratio[2]),
            noise(ratio)
        );
    }
    *html += "</table>\n";
}

/// In one line what differs in nothing but how many are live.
fn swept(html: &mut String, loss: &Loss<'_>) {
    *html += "<table>\n<tr><th>who<th>of ours, at live ones\n";
    for system in distinct(loss.peers.iter().map(|(row, _)| *row), |row| &row.system) {
        let mut all: Vec<_> = loss.peers.iter().filter(|(row, _)| row.system == system).collect();
        all.sort_by_key(|(row, _)| row.live);
        let parts = all.iter().map(|(row, ratio)| {
            let live = count(row.live.unwrap_or_default());
            format!(
                "<span><b class=\"lose\">{}</b> at {live}{}</span>",
                figure(ratio[0]),
                noise(ratio).replace("<small>", " <small>")
            )
        });
        let _ =
            writeln!(html, "<tr><td>{}<td class=\"wraps\">{}", escape(system), parts.collect::<Vec<_>>().join(", "));
    }
    *html += "</table>\n";
}

fn missed(html: &mut String, loss: &Loss<'_>) {
    let Some(goal) = loss.missed.first().and_then(|row| row.goal.as_ref()) else { return };
    let is = loss.missed.iter().map(|row| {
        let is = figure(row.goal.as_ref().and_then(|goal| goal.is).unwrap_or_default());
        let live = row.live.map_or_else(String::new, |live| format!(" at {}", count(live)));
        format!("<b class=\"lose\">{is}</b>{live}")
    });
    let _ = writeln!(
        html,
        "<p>Goal: at most {} of {}. Ours is {}: missed.</p>",
        goal.at_most,
        escape(&goal.peer),
        is.collect::<Vec<_>>().join(", ")
    );
}

fn why(html: &mut String, reasons: &Reasons, loss: &Loss<'_>) {
    let row = loss.row();
    let mut texts: Vec<String> = reasons.of(row).map(prose).collect();
    let is_known = !texts.is_empty();
    let mut unknown: Vec<&str> = Vec::new();
    let mut peers = distinct(loss.peers.iter().map(|(row, _)| *row), |row| &row.system);
    peers.extend(loss.missed.iter().filter_map(|row| row.goal.as_ref()).map(|goal| goal.peer.as_str()));
    peers.sort_unstable();
    peers.dedup();
    for peer in &peers {
        let before = texts.len();
        texts.extend(reasons.of_peer(row, peer).map(|text| format!("<b>{}</b>: {}", escape(peer), prose(text))));
        if texts.len() == before {
            unknown.push(peer);
        }
    }
    for text in &texts {
        let _ = writeln!(html, "<p class=\"why\">{}</p>", text.replace("\n\n", "</p>\n<p class=\"why\">"));
    }
    if is_known || unknown.is_empty() {
        return;
    }
    let beside = if texts.is_empty() { String::new() } else { format!(" beside {}", escape(&unknown.join(", "))) };
    let _ = writeln!(html, "<p class=\"why unknown\">No reason is known yet{beside}.</p>");
}

fn by_peer(html: &mut String, results: &Results) {
    let peers = results.rows.iter().filter(|row| row.is_peers());
    let compared: Vec<(&Row, [f64; 3])> = peers.filter_map(|row| Some((row, row.ratio?))).collect();
    if compared.is_empty() {
        return;
    }
    *html += "<h2>Rows by peer</h2>\n<p>How many rows a peer takes less or more in than we. Noise is a row whose ratios' quartiles have 1 between them.</p>\n\
              <table>\n<tr><th>peer<th class=\"n\">rows<th class=\"n\">less<th class=\"n\">noise<th class=\"n\">more\n";
    for peer in distinct(compared.iter().map(|(row, _)| *row), |row| &row.system) {
        let sides: Vec<Side> =
            compared.iter().filter(|(row, _)| row.system == peer).map(|(_, ratio)| side(ratio)).collect();
        let of = |wanted: &Side| sides.iter().filter(|side| *side == wanted).count();
        let [less, noise, more] = [Side::Less, Side::Noise, Side::More].map(|side| of(&side));
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{less}<td class=\"n\">{noise}<td class=\"n\">{more}",
            escape(peer),
            sides.len()
        );
    }
    *html += "</table>\n";
}
