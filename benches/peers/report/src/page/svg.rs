//! What charts are made of.

use crate::result::Row;
use crate::table::{count, figure};

/// Width of all charts, in units of their own: about a phone's.
pub(crate) const WIDTH: f64 = 350.0;

/// Text that means nothing to HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The same, where what is between backticks is code.
pub(crate) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 0 { escape(part) } else { format!("<code>{}</code>", escape(part)) }).collect()
}

/// Powers of ten, from one place to another.
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Whole decades that have all `values` in them.
    pub(crate) fn decades(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for value in values.filter(|value| *value > 0.0) {
            (low, high) = (low.min(value.log10()), high.max(value.log10()));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // A little room: what is least is to be seen as well.
        let (low, high) = ((low - 0.05).floor(), high.ceil());
        Self { low, high: high.max(low + 1.0), from, to }
    }

    /// From the least of `values` to the greatest.
    pub(crate) fn whole(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = (low.max(1.0).log10().floor(), high.max(10.0).log10());
        Self { low, high: high.max(low + 1.0), from, to }
    }

    /// Where a value is. What is not above zero is at the edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let part = if value > 0.0 { (value.log10() - self.low) / (self.high - self.low) } else { 0.0 };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The decades: the place and the name of each, not more than six names.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, Option<String>)> {
        let decades = (self.high - self.low).round() as i32;
        let step = (decades + 5) / 6;
        (0..=decades).map(move |decade| {
            let value = 10_f64.powi(self.low as i32 + decade);
            (self.place(value), (decade % step == 0).then(|| short(value)))
        })
    }
}

/// A power of ten in few letters.
fn short(value: f64) -> String {
    match value {
        large if large >= 999_999.0 => format!("{:.0}M", value / 1e6),
        large if large >= 999.0 => format!("{:.0}k", value / 1e3),
        middle if middle >= 0.999 => format!("{value:.0}"),
        _ => format!("{value}"),
    }
}

/// All of a row, for who points at it.
pub(crate) fn title(row: &Row) -> String {
    let ratio = row.ratio.map_or_else(String::new, |[ratio, low, high]| {
        format!("; ratio to ours {} ({}–{})", figure(ratio), figure(low), figure(high))
    });
    let live = row.live.map_or_else(String::new, |live| format!(", {} live", count(live)));
    escape(&format!(
        "{} ({}){live}: median {} {}, min {}, quartiles {}–{}{ratio}; {} batches of {}",
        row.system,
        row.version,
        figure(row.median),
        row.unit,
        figure(row.minimum),
        figure(row.quartiles[0]),
        figure(row.quartiles[1]),
        row.batches,
        count(row.n)
    ))
}
