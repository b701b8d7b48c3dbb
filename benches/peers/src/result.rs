//! What has been measured: the rows of `--json`, which reports are made of.

use crate::machine::Machine;
use serde::{Deserialize, Serialize};

/// One system's figure for one workload.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) group: String,
    pub(crate) what: String,
    pub(crate) system: String,
    pub(crate) version: String,
    /// `ns`, of CPU time; or `B`.
    pub(crate) unit: String,
    /// `round trip` or `one way`.
    pub(crate) trip: String,
    /// Of the sweep: how many are live.
    pub(crate) live: Option<u64>,
    pub(crate) minimum: f64,
    pub(crate) median: f64,
    /// Half of the batches lie between these.
    pub(crate) quartiles: [f64; 2],
    /// Items in a batch.
    pub(crate) n: u64,
    pub(crate) batches: usize,
    /// This one's by ours: the median and the quartiles of the ratios of batches of the same round.
    pub(crate) ratio: Option<[f64; 3]>,
    /// Ours: what is aimed at.
    pub(crate) goal: Option<Goal>,
    /// Of the machine.
    pub(crate) machine: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) peer: String,
    /// Ours by the peer's is to be at most this.
    pub(crate) at_most: f64,
    /// What it is; nothing where the peer was not measured.
    pub(crate) is: Option<f64>,
}

impl Goal {
    pub(crate) fn is_missed(&self) -> bool {
        self.is.is_some_and(|is| is > self.at_most)
    }
}

/// Who was not there, or stopped.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub(crate) struct Remark {
    pub(crate) system: String,
    pub(crate) text: String,
}

/// All of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) remarks: Vec<Remark>,
}

/// The value below which the given part of the values lies, interpolated.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = part * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// Median and quartiles of `values` by those of `ours`, batch by batch.
pub(crate) fn ratios(values: &[f64], ours: &[f64]) -> Option<[f64; 3]> {
    let ratios: Vec<f64> =
        values.iter().zip(ours).map(|(value, ours)| value / ours).filter(|ratio| ratio.is_finite()).collect();
    (!ratios.is_empty()).then(|| [0.5, 0.25, 0.75].map(|part| quantile(&ratios, part)))
}
