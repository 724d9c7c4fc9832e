//! What the demo says at its end: what diverged, what was repaired, what it cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use prometheus::Registry;

use crate::model::ids::VariantId;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::units::{for_reading, human};
use crate::render::{line, sign};

const TITLE: Style = Style::new().bold();

/// The summary, with colour codes. Its numbers are those of `/metrics`.
pub(super) fn summary(
    fleet: &FleetStatus,
    written: &BTreeMap<VariantId, Vec<String>>,
    registry: &Registry,
    minutes: i64,
) -> String {
    let mut out = format!("\n{TITLE}After {minutes} virtual minutes{TITLE:#}\n");
    let width = fleet.variants.keys().map(|id| id.short().len()).max().unwrap_or(0);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n{TITLE}Repaired{TITLE:#}");
    for (id, writes) in written {
        let _ = writeln!(out, "  {:width$}  {}", id.short(), writes.join(", "));
    }
    let _ = writeln!(out, "\n{TITLE}Now{TITLE:#}");
    for (id, status) in &fleet.variants {
        let report = &status.decision.report;
        let (style, sign) = (line::style_of(report), sign(report));
        let headline = report.headline();
        let _ = writeln!(out, "{style}{sign}{style:#} {:width$}  {headline}", id.short());
    }
    let _ = writeln!(out, "\n{TITLE}Capacity and divergence{TITLE:#}");
    for (id, status) in &fleet.variants {
        let findings = &status.decision.report.estimate.findings;
        let found: Vec<String> = findings.iter().map(|f| format!(", {}", f.as_str())).collect();
        let _ = writeln!(out, "  {:width$}  {}{}", id.short(), capacity(status), found.concat());
    }
    let total = |name: &str| human(sum(registry, name));
    let _ = writeln!(
        out,
        "\n{TITLE}Cost{TITLE:#}\n  {} CloudWatch metrics requested, {} US dollars; {} AWS calls, {} of them writes",
        total("setpoint_cloudwatch_metrics_requested_total"),
        total("setpoint_cloudwatch_cost_dollars_total"),
        total("setpoint_aws_calls_total"),
        total("setpoint_writes_total"),
    );
    out
}

/// What is known of one variant's capacity, and how its target compares.
pub(super) fn capacity(status: &VariantStatus) -> String {
    let report = &status.decision.report;
    let estimate = &report.estimate;
    let whole = |v: f64| human(for_reading(v).floor());
    let mut text = match (estimate.capacity.estimate, estimate.capacity.low, estimate.capacity.high)
    {
        (Some(middle), Some(low), Some(high)) => {
            format!(
                "{} {} ({} to {})",
                estimate.verdict.as_str(),
                whole(middle),
                whole(low),
                whole(high)
            )
        }
        _ => match estimate.capacity.lower_bound {
            Some(bound) => format!("{} {}", estimate.verdict.as_str(), whole(bound)),
            None => estimate.verdict.as_str().to_owned(),
        },
    };
    if let Some(configured) = report.configured_target {
        let _ = write!(text, ", target {}", human((configured * 10.0).round() / 10.0));
    }
    if let (Some(safe), Some(divergence)) = (report.safe_target, report.divergence) {
        let _ = write!(text, ", safe target {}, divergence {divergence:.2}", whole(safe));
    }
    text
}

/// The sum of all series of a counter.
fn sum(registry: &Registry, name: &str) -> f64 {
    registry
        .gather()
        .iter()
        .filter(|family| family.name() == name)
        .flat_map(prometheus::proto::MetricFamily::get_metric)
        .map(|metric| metric.get_counter().get_value())
        .sum()
}
