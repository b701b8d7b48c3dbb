//! What the command line says.

use std::env;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: switchback-peers-bench [OPTION].. [WORKLOAD or GROUP]..

Without names all of ROWS.md is measured; `sweep` is a group too. A name is a part of a workload's name, or a group's.

  --system NAME   only this one, and ours; may be given several times
  --batches N     batches of each system (15)
  --live N        the sweep goes no further than so many live ones (1000000)
  --json FILE     writes all figures, an object a row; report/ makes pages and tables of such files
  --report DIR    writes DIR/index.html
  --instructions  counts those of an item of ours and corosensei's too, by callgrind, in the groups switch and iterate
  --test          runs everything once, in small, for the sums only
  --may-skip NAME only this system may be missing; without it any may, and is skipped with its reason
  --list          prints the names of the workloads
  --rows          prints ROWS.md";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Print {
    Help,
    Names,
    Rows,
}

pub(crate) struct Options {
    names: Vec<String>,
    systems: Vec<String>,
    pub(crate) batches: usize,
    pub(crate) live: u64,
    pub(crate) json: Option<PathBuf>,
    pub(crate) report: Option<PathBuf>,
    pub(crate) instructions: bool,
    pub(crate) test: bool,
    /// If any is named, the others must be there.
    may_skip: Vec<String>,
    pub(crate) print: Option<Print>,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, String> {
        let mut options = Self {
            names: Vec::new(),
            systems: Vec::new(),
            batches: 15,
            live: 1_000_000,
            json: None,
            report: None,
            instructions: false,
            test: false,
            may_skip: Vec::new(),
            print: None,
        };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--system" => options.systems.push(value()?),
                "--batches" => options.batches = number(&value()?)? as usize,
                "--live" => options.live = number(&value()?)?,
                "--json" => options.json = Some(value()?.into()),
                "--report" => options.report = Some(value()?.into()),
                "--instructions" => options.instructions = true,
                "--test" => options.test = true,
                "--may-skip" => options.may_skip.push(value()?),
                "--list" => options.print = Some(Print::Names),
                "--rows" => options.print = Some(Print::Rows),
                "--help" | "-h" => options.print = Some(Print::Help),
                // What cargo adds.
                "--bench" => {}
                option if option.starts_with('-') => return Err(format!("{option} is unknown")),
                name => options.names.push(name.to_owned()),
            }
        }
        if options.test {
            // Enough to see that the answers are right.
            (options.batches, options.live) = (1, options.live.min(1_000));
        }
        Ok(options)
    }

    /// Whether a workload is asked for.
    pub(crate) fn wants(&self, workload: &str, group: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| workload.contains(name.as_str()) || group == name)
    }

    /// Whether a system is. Without ours there is no ratio.
    pub(crate) fn wants_system(&self, system: &str) -> bool {
        self.systems.is_empty() || system == crate::catalog::OURS || self.systems.iter().any(|name| name == system)
    }

    /// Whether a system may be missing.
    pub(crate) fn may_skip(&self, system: &str) -> bool {
        self.may_skip.is_empty() || self.may_skip.iter().any(|name| name == system)
    }

    /// The first name that was given and is no workload's.
    pub(crate) fn stranger<'s>(&'s self, known: &[(String, &str)]) -> Option<&'s str> {
        let is_known = |name: &&String| known.iter().any(|(workload, group)| workload.contains(*name) || group == name);
        self.names.iter().find(|name| !is_known(name)).map(String::as_str)
    }

    /// The names of systems that were given.
    pub(crate) fn systems(&self) -> &[String] {
        &self.systems
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("{text} is no number from 1 on"))
}
