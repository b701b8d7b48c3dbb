//! Why a row is lost: the texts of WHY.md by the names of rows and peers.

use crate::result::{Results, Row};

/// All texts.
pub struct Reasons(Vec<Reason>);

struct Reason {
    /// Names of rows, or what they begin with.
    rows: Vec<String>,
    /// If any, it is about this one only.
    peer: Option<String>,
    text: String,
}

impl Reasons {
    /// Those of benches/peers/WHY.md.
    pub fn of_the_repository() -> Self {
        Self::parse(include_str!("../../WHY.md"))
    }

    /// Whatever follows the mark, by headings.
    ///
    /// # Panics
    ///
    /// Where there is no mark.
    pub fn parse(page: &str) -> Self {
        let (_, text) = page.split_once("<!-- reasons -->").expect("WHY.md has a mark where the reasons begin");
        let parts = format!("\n{text}");
        let reasons = parts.split("\n## ").skip(1).map(|part| {
            let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
            let (rows, peer) = heading.split_once(" of ").map_or((heading, None), |(rows, peer)| (rows, Some(peer)));
            Reason {
                rows: rows.split(',').map(|name| name.trim().to_owned()).collect(),
                peer: peer.map(|peer| peer.trim().to_owned()),
                text: text.trim().to_owned(),
            }
        });
        Self(reasons.filter(|reason| !reason.text.is_empty()).collect())
    }

    /// What is known of a row, whoever the peer is.
    pub fn of<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|reason| reason.peer.is_none() && reason.names(row)).map(|reason| reason.text.as_str())
    }

    /// What is known of it beside this peer.
    pub fn of_peer<'a>(&'a self, row: &'a Row, peer: &'a str) -> impl Iterator<Item = &'a str> {
        let about = move |reason: &&Reason| reason.peer.as_deref() == Some(peer) && reason.names(row);
        self.0.iter().filter(about).map(|reason| reason.text.as_str())
    }

    /// What they name, and nothing that was measured is called.
    pub fn strangers(&self, results: &Results) -> Vec<String> {
        let mut strangers = Vec::new();
        for reason in &self.0 {
            for name in &reason.rows {
                let is_known = results.rows.iter().any(|row| is_name_of(name, row) && reason.is_about(row));
                if !is_known {
                    strangers
                        .push(reason.peer.as_ref().map_or_else(|| name.clone(), |peer| format!("{name} of {peer}")));
                }
            }
        }
        strangers
    }
}

impl Reason {
    fn names(&self, row: &Row) -> bool {
        self.rows.iter().any(|name| is_name_of(name, row))
    }

    fn is_about(&self, row: &Row) -> bool {
        self.peer.as_ref().is_none_or(|peer| *peer == row.system)
    }
}

fn is_name_of(name: &str, row: &Row) -> bool {
    let rest = row.workload.strip_prefix(name);
    row.group == name || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
