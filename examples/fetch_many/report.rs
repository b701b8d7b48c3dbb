//! What is told: a line for each page on standard output, and on standard error how far it is, if that is a terminal.

use crate::many::{Failed, Fetched};
use std::fmt;
use std::time::Duration;
use switchback::io::{self, Write};

const BAR: usize = 40;

pub(crate) struct Report {
    total: usize,
    told: usize,
    has_bar: bool,
}

impl Report {
    pub(crate) fn new(total: usize) -> Self {
        let report = Self { total, told: 0, has_bar: io::stderr().is_terminal() };
        report.draw();
        report
    }

    /// A line for that page.
    pub(crate) fn tell(&mut self, page: &Fetched) -> io::Result<()> {
        self.told += 1;
        self.wipe();
        let took = page.took.as_secs_f64();
        let url = &page.url;
        match &page.outcome {
            Ok(answer) => {
                writeln!(io::stdout(), "{:>6} {:>10} bytes {took:>8.3} s  {url}", answer.status, answer.bytes)
            }
            Err(failed) => writeln!(io::stdout(), "failed {:>16} {took:>8.3} s  {url}: {failed}", "-"),
        }?;
        self.draw();
        Ok(())
    }

    /// The last line.
    pub(crate) fn sum_up(&mut self, pages: &[Fetched], took: Duration) -> io::Result<()> {
        self.wipe();
        self.has_bar = false;
        let well = pages.iter().filter(|page| page.is_well()).count();
        let bytes: u64 = pages.iter().flat_map(|page| &page.outcome).map(|answer| answer.bytes).sum();
        let alone: Duration = pages.iter().map(|page| page.took).sum();
        writeln!(
            io::stdout(),
            "{} pages in {:.3} s, one after another {:.3} s: {well} well, {} failed, {bytes} bytes",
            pages.len(),
            took.as_secs_f64(),
            alone.as_secs_f64(),
            pages.len() - well
        )
    }

    fn draw(&self) {
        if self.has_bar {
            let full = BAR * self.told / self.total.max(1);
            let bar = format!("\r[{}{}] {} of {}", "#".repeat(full), ".".repeat(BAR - full), self.told, self.total);
            let _ = io::stderr().write_all(bar.as_bytes());
        }
    }

    fn wipe(&self) {
        if self.has_bar {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the time is over"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// A message for whoever runs the program. `eprintln!` would panic where standard error is closed.
pub(crate) fn complain(message: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "fetch_many: {message}");
}
