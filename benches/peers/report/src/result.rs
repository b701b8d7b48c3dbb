//! What has been measured: the rows of `--json`, which reports are made of.

use nanoserde::{DeJson, SerJson};

/// Whose figures the others' are divided by.
pub const OURS: &str = "switchback";

/// No peers that could be lost to: what a user would write without coroutines, and ours on stacks without colours.
pub const BOUNDS: [&str; 2] = ["hand", "aligned"];

/// What is to be known of the machine.
#[derive(Clone, PartialEq, SerJson, DeJson)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// The kernel's answers to the CPU's flaws, those that are not "Not affected".
    pub mitigations: Vec<String>,
    pub rustc: String,
    /// How busy it was when the measurement began.
    pub load: String,
    /// The CPU on which all of it ran.
    pub pinned: Option<usize>,
}

impl Machine {
    /// In one line.
    pub fn summary(&self) -> String {
        let pinned = self.pinned.map_or_else(|| "not pinned".to_owned(), |cpu| format!("pinned to CPU {cpu}"));
        format!("{}, {} cores, {pinned}, load {}; {}; {}", self.cpu, self.cores, self.load, self.kernel, self.rustc)
    }
}

/// One system's figure for one workload.
#[derive(Clone, SerJson, DeJson)]
pub struct Row {
    pub workload: String,
    pub group: String,
    pub what: String,
    pub system: String,
    pub version: String,
    /// `ns CPU`, nanoseconds of CPU time; or `B`.
    pub unit: String,
    /// `round trip` or `one way`.
    pub trip: String,
    /// Of the sweep: how many are live.
    pub live: Option<u64>,
    pub minimum: f64,
    pub median: f64,
    /// Half of the batches lie between these.
    pub quartiles: [f64; 2],
    /// Items in a batch.
    pub n: u64,
    pub batches: usize,
    /// This one's by ours: the median and the quartiles of the ratios of batches of the same round.
    pub ratio: Option<[f64; 3]>,
    /// The median in another run of all of it, where there was one.
    pub again: Option<f64>,
    /// Ours: what is aimed at.
    pub goal: Option<Goal>,
    /// Instructions an item, by callgrind, where they were counted.
    pub instructions: Option<f64>,
    /// Of the machine.
    pub machine: String,
}

impl Row {
    /// Whether it is one of somebody to be compared with.
    pub fn is_peers(&self) -> bool {
        self.system != OURS && !BOUNDS.contains(&self.system.as_str())
    }

    /// What says which row it is: several systems have one.
    fn place(&self) -> (&str, Option<u64>) {
        (&self.workload, self.live)
    }

    /// The median and the quartiles of ours divided by its: the other way round than `ratio`.
    pub fn ours_by_its(&self) -> Option<[f64; 3]> {
        self.ratio.map(|[ratio, low, high]| [1.0 / ratio, 1.0 / high, 1.0 / low])
    }

    /// Half of the width of the ratio's quartiles, or how far another run's was, if that is more; as a part of the ratio: 0.02 is 2 %
    /// to each side.
    pub fn spread(&self) -> Option<f64> {
        let [ratio, low, high] = self.ratio.filter(|[ratio, ..]| self.system != OURS && *ratio > 0.0)?;
        let apart = self.again.map_or(0.0, |again| (again - ratio).abs());
        Some(apart.max((high - low) / 2.0) / ratio)
    }
}

#[derive(Clone, SerJson, DeJson)]
pub struct Goal {
    pub peer: String,
    /// Ours by the peer's is to be at most this.
    pub at_most: f64,
    /// What it is; nothing where the peer was not measured.
    pub is: Option<f64>,
}

impl Goal {
    pub fn is_missed(&self) -> bool {
        self.is.is_some_and(|is| is > self.at_most)
    }
}

/// Who was not there, or stopped.
#[derive(Clone, SerJson, DeJson, PartialEq)]
pub struct Remark {
    pub system: String,
    pub text: String,
}

/// All of it.
#[derive(SerJson, DeJson)]
pub struct Results {
    pub machine: Machine,
    pub rows: Vec<Row>,
    pub remarks: Vec<Remark>,
}

impl Results {
    /// What `to_json` has written.
    ///
    /// # Errors
    ///
    /// Where the text is something else, in words.
    pub fn from_json(text: &str) -> Result<Self, String> {
        Self::deserialize_json(text).map_err(|error| error.to_string())
    }

    /// A line a row.
    pub fn to_json(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(SerJson::serialize_json).collect();
        format!(
            "{{\"machine\":{},\n\"rows\":[\n{}\n],\n\"remarks\":{}}}\n",
            self.machine.serialize_json(),
            rows.join(",\n"),
            self.remarks.serialize_json()
        )
    }

    /// This run and another one, of other rows, on the same machine.
    ///
    /// # Errors
    ///
    /// Where it was another machine, or both have a row: which one is right is not for a program to say.
    pub fn and(mut self, other: Self) -> Result<Self, String> {
        let load = format!("{}; {}", self.machine.load, other.machine.load);
        if (Machine { load: String::new(), ..self.machine.clone() })
            != (Machine { load: String::new(), ..other.machine.clone() })
        {
            return Err(format!("these are two machines: {}; and {}", self.machine.summary(), other.machine.summary()));
        }
        if let Some(row) = other.rows.iter().find(|row| self.rows.iter().any(|one| one.place() == row.place())) {
            return Err(format!("both have a row {}", row.workload));
        }
        self.machine.load = load;
        self.rows.extend(other.rows);
        self.remarks
            .extend(other.remarks.into_iter().filter(|remark| !self.remarks.contains(remark)).collect::<Vec<_>>());
        Ok(self)
    }

    /// Notes the ratios of another run beside those of this one.
    ///
    /// # Errors
    ///
    /// Where it was another machine.
    pub fn again(&mut self, other: &Self) -> Result<(), String> {
        if self.machine.cpu != other.machine.cpu || self.machine.kernel != other.machine.kernel {
            return Err(format!("these are two machines: {}; and {}", self.machine.summary(), other.machine.summary()));
        }
        for row in &mut self.rows {
            let same = other.of(&row.workload).find(|one| one.live == row.live && one.system == row.system);
            row.again = same.and_then(|one| one.ratio).map(|[ratio, ..]| ratio);
        }
        Ok(())
    }

    /// The rows of one workload.
    pub fn of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.workload == workload)
    }
}

/// The value below which the given part of the values lies, interpolated.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = part * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// Median and quartiles of `values` by those of `ours`, batch by batch.
pub fn ratios(values: &[f64], ours: &[f64]) -> Option<[f64; 3]> {
    let ratios: Vec<f64> =
        values.iter().zip(ours).map(|(value, ours)| value / ours).filter(|ratio| ratio.is_finite()).collect();
    (!ratios.is_empty()).then(|| [0.5, 0.25, 0.75].map(|part| quantile(&ratios, part)))
}
