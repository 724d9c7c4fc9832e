//! One line about one variant, as the demo prints it while it happens.

use anstyle::{AnsiColor, Style};

use super::{Standing, printable};
use crate::model::status::VariantStatus;

/// `12:04  ~ fraud-scorer/AllTraffic  drift: ...`, with colour. `width` is that of the widest
/// variant, for lines that stand in columns.
#[must_use]
pub fn line(status: &VariantStatus, width: usize) -> String {
    let report = &status.decision.report;
    let standing = Standing::of(report);
    let style = style(standing);
    format!(
        "{}  {style}{}{style:#} {:<width$}  {}",
        status.decision.at.format("%H:%M"),
        standing.sign(),
        status.snapshot.id.short(),
        printable(&report.sentence),
    )
}

/// The colour of a sign.
#[must_use]
pub const fn style(standing: Standing) -> Style {
    match standing {
        Standing::Unknown => AnsiColor::Red.on_default().bold(),
        Standing::Create => AnsiColor::Green.on_default().bold(),
        Standing::Change => AnsiColor::Yellow.on_default().bold(),
        Standing::Held => AnsiColor::Magenta.on_default().bold(),
        Standing::InSync => AnsiColor::Green.on_default(),
        Standing::Unmanaged => Style::new().dimmed(),
    }
}
