//! The report as two tables, and as CSV.

use std::fmt::Write as _;

use super::rows::{Report, Row};
use crate::render::printable;

/// The variants with the most risk first: minutes over capacity, then the smallest buffer.
pub(super) fn by_risk(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<&Row> = report.variants.iter().collect();
    let minutes = |row: &Row| row.minutes_over_capacity.unwrap_or(-1.0);
    let buffer = |row: &Row| row.buffer_at_peak.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| minutes(b).total_cmp(&minutes(a)).then(buffer(a).total_cmp(&buffer(b))));
    rows
}

/// What was found of a variant in words, beside the numbers.
pub(super) fn remarks(row: &Row) -> String {
    let mut all = Vec::new();
    if let Some(days) = row.idle_days {
        all.push(format!("idle for {days} days"));
    }
    if let Some(since) = row.at_min_since {
        all.push(format!("at min since {}", since.format("%F")));
    }
    if let Some(why) = &row.no_waste_because {
        all.push(printable(why).into_owned());
    }
    all.join("; ")
}

/// What the report says of itself before its tables.
pub(super) fn summary(report: &Report) -> Vec<String> {
    let hours = one(report.waste_hours);
    let mut lines = vec![match report.waste_dollars.zip(report.dollars) {
        Some((waste, all)) => format!(
            "Waste in the last week: {hours} instance hours; those with a price are ${} of ${}.",
            cents(waste),
            cents(all)
        ),
        None => format!("Waste in the last week: {hours} instance hours."),
    }];
    if !report.without_price.is_empty() {
        lines.push(format!(
            "No price is configured for {}, so only its hours are counted (docs/report.md).",
            report.without_price.join(", ")
        ));
    }
    lines
}

/// Two tables: the most waste first, and the most risk first; within `width` columns where there is a
/// terminal.
pub fn text(report: &Report, width: Option<usize>) -> String {
    let mut out = String::new();
    for sentence in summary(report) {
        let _ = writeln!(out, "{sentence}");
    }
    let waste = report.variants.iter().map(|row| {
        vec![
            row.id.to_string(),
            row.instance_type.clone().unwrap_or_else(dash),
            shown(row.instance_hours, one),
            shown(row.dollars, cents),
            shown(row.waste_hours, one),
            shown(row.waste_dollars, cents),
            remarks(row),
        ]
    });
    let waste: Vec<Vec<String>> = waste.collect();
    let _ = writeln!(out, "\nMost waste first, in the last week:");
    let headings = ["VARIANT", "TYPE", "HOURS", "$", "WASTE HOURS", "WASTE $", "REMARKS"];
    out.push_str(&crate::render::table::table(&headings, &waste, width));
    let risk: Vec<Vec<String>> = by_risk(report)
        .into_iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                shown(row.minutes_over_capacity, |minutes| format!("{minutes:.0}")),
                shown(row.buffer_now, percent),
                shown(row.buffer_now_minus_one, percent),
                shown(row.buffer_at_peak, percent),
                shown(row.buffer_at_peak_minus_one, percent),
            ]
        })
        .collect();
    let _ = writeln!(out, "\nMost risk first, in the last week:");
    let headings =
        ["VARIANT", "MINUTES OVER", "FREE NOW", "MINUS ONE", "FREE AT PEAK", "MINUS ONE"];
    out.push_str(&crate::render::table::table(&headings, &risk, width));
    out
}

/// One row for each variant, with the keys of the JSON as headings.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn csv(report: &Report) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "account_id",
        "region",
        "endpoint",
        "variant",
        "managed",
        "instance_type",
        "dollars_per_hour",
        "watched_hours",
        "instance_hours",
        "dollars",
        "waste_hours",
        "waste_dollars",
        "minutes_over_capacity",
        "idle_days",
        "at_min_since",
        "buffer_now",
        "buffer_now_minus_one",
        "buffer_at_peak",
        "buffer_at_peak_minus_one",
    ])?;
    let number = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
    for row in &report.variants {
        writer.write_record([
            row.id.account_id.to_string(),
            row.id.region.to_string(),
            row.id.endpoint.to_string(),
            row.id.variant.to_string(),
            row.managed.to_string(),
            row.instance_type.clone().unwrap_or_default(),
            number(row.dollars_per_hour),
            number(Some(row.watched_hours)),
            number(row.instance_hours),
            number(row.dollars),
            number(row.waste_hours),
            number(row.waste_dollars),
            number(row.minutes_over_capacity),
            row.idle_days.map(|days| days.to_string()).unwrap_or_default(),
            row.at_min_since.map(|at| at.format("%FT%TZ").to_string()).unwrap_or_default(),
            number(row.buffer_now),
            number(row.buffer_now_minus_one),
            number(row.buffer_at_peak),
            number(row.buffer_at_peak_minus_one),
        ])?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn shown(value: Option<f64>, words: impl Fn(f64) -> String) -> String {
    value.map_or_else(dash, words)
}

pub(super) fn dash() -> String {
    "-".to_owned()
}

pub(super) fn one(value: f64) -> String {
    format!("{value:.1}")
}

pub(super) fn cents(value: f64) -> String {
    format!("{value:.2}")
}

/// The share of capacity that is free; where none is, how much there would have to be.
pub(super) fn percent(share: f64) -> String {
    if share < 0.0 {
        format!("none, {:.1}x load", 1.0 - share)
    } else {
        format!("{:.0} %", share * 100.0)
    }
}
