//! One line about one variant, as the demo prints it while it happens.

use anstyle::{AnsiColor, Style};

use super::{Standing, printable, sign};
use crate::model::decision::Report;
use crate::model::status::VariantStatus;

/// `12:04  ~ fraud-scorer/AllTraffic  drift: ...`, with colour. `width` is that of the widest
/// variant, for lines that stand in columns.
pub fn line(status: &VariantStatus, width: usize) -> String {
    let report = &status.decision.report;
    let style = style_of(report);
    format!(
        "{}  {style}{}{style:#} {:<width$}  {}",
        status.decision.at.format("%H:%M"),
        sign(report),
        status.snapshot.id.short(),
        printable(&report.headline()),
    )
}

/// The colour of a variant's sign: red where it is known to be unsafe.
pub fn style_of(report: &Report) -> Style {
    if report.is_unsafe() { style(Standing::Unknown) } else { style(Standing::of(report)) }
}

/// The colour of a sign.
pub const fn style(standing: Standing) -> Style {
    match standing {
        Standing::Unknown => AnsiColor::Red.on_default().bold(),
        Standing::Create => AnsiColor::Green.on_default().bold(),
        Standing::Change => AnsiColor::Yellow.on_default().bold(),
        Standing::NotCompared => AnsiColor::Yellow.on_default(),
        Standing::Held => AnsiColor::Magenta.on_default().bold(),
        Standing::InSync => AnsiColor::Green.on_default(),
        Standing::Unmanaged => Style::new().dimmed(),
    }
}
