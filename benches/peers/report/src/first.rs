//! Whether ours is first among stackful systems, or how far behind.

use crate::result::{OURS, Results, Row};

/// What has a stack of its own for each coroutine or task, so that any function may suspend it.
const STACKFUL: [&str; 10] =
    ["corosensei", "generator", "may", "boost-context", "boost-fiber", "go", "go-pull", "luajit", "lua", "greenlet"];

/// So much more than the first takes is as good as first.
const NEAR: f64 = 1.05;

/// Rows in which a stackful peer was measured too.
pub struct First<'a> {
    pub rows: usize,
    /// Further behind than [`NEAR`], but only of a peer of which the goal allows more, and that is met: those peers' rows.
    pub allowed: Vec<&'a Row>,
    /// Further behind: the row of who takes least.
    pub behind: Vec<&'a Row>,
}

impl First<'_> {
    /// First, or near it.
    pub fn near(&self) -> usize {
        self.rows - self.allowed.len() - self.behind.len()
    }
}

/// Of the rows of which this is true.
pub fn among_stackful(results: &Results, wanted: impl Fn(&Row) -> bool) -> First<'_> {
    let mut first = First { rows: 0, allowed: Vec::new(), behind: Vec::new() };
    for ours in results.rows.iter().filter(|row| row.system == OURS && wanted(row)) {
        let mut peers: Vec<(&Row, f64)> = results
            .of(&ours.workload)
            .filter(|row| row.live == ours.live && STACKFUL.contains(&row.system.as_str()))
            .filter_map(|row| Some((row, row.ours_by_its()?[0])))
            .collect();
        peers.sort_by(|a, b| b.1.total_cmp(&a.1));
        first.rows += usize::from(!peers.is_empty());
        let is_allowed =
            |row: &Row| ours.goal.as_ref().is_some_and(|goal| goal.peer == row.system && !goal.is_missed());
        let mut ahead = peers.iter().filter(|(_, ratio)| *ratio > NEAR).map(|(row, _)| *row);
        let Some(foremost) = ahead.clone().next() else { continue };
        match ahead.find(|row| !is_allowed(row)) {
            Some(row) => first.behind.push(row),
            None => first.allowed.push(foremost),
        }
    }
    first
}
