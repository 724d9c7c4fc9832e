//! What AWS does with a variant: its instances, its alarms, what it tried of late and why it did not
//! scale.

use super::super::plan::forecast_words;
use crate::model::fact::{Fact, WhyKind};
use crate::model::scaling::{Activity, Alarm};
use crate::model::status::VariantStatus;
use crate::model::units::human;

/// How many of AWS's scaling activities are reported.
const ACTIVITIES: usize = 3;

pub(super) fn sentences(status: &VariantStatus) -> Vec<String> {
    let (snapshot, report) = (&status.snapshot, &status.decision.report);
    let mut lines = Vec::new();
    lines.extend(
        report.instances.and_then(forecast_words).map(|words| format!("instances: {words}")),
    );
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let variant = endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant));
    if let Some((current, wanted)) =
        variant.and_then(|v| v.current_instances.zip(v.desired_instances))
        && current != wanted
    {
        let way = if wanted > current { "scaling out" } else { "scaling in" };
        lines.push(format!("{way}: {current} in service, {wanted} wanted by AWS"));
    }
    if let Some(target) = snapshot.target.known().and_then(Option::as_ref) {
        lines.push(format!("min {}, max {}", target.min_capacity, target.max_capacity));
        if target.suspended.any() {
            lines.push(format!("suspended: {}", target.suspended.words()));
        }
    }
    let alarms = snapshot.alarms.known().map_or(&[][..], Vec::as_slice);
    lines.extend(alarms.iter().filter_map(alarm));
    match &snapshot.activities {
        Fact::Known(activities) if activities.is_empty() => {
            lines.push("AWS has not scaled it in the last six weeks".to_owned());
        }
        Fact::Known(activities) => {
            lines.extend(activities.iter().take(ACTIVITIES).map(Activity::sentence));
        }
        Fact::Unknown(why) if why.kind == WhyKind::NotReadYet => {
            lines.push("what AWS did of late is read within the hour".to_owned());
        }
        Fact::Unknown(why) => {
            lines.push(format!("what AWS did of late is not known: {}", why.message));
        }
    }
    lines
}

/// `AlarmHigh (above 600) is alarm since 2026-11-23T11:58:00Z`.
fn alarm(alarm: &Alarm) -> Option<String> {
    let side = alarm.side()?;
    let beyond = alarm.threshold.map_or_else(String::new, |value| {
        let word = if side.as_str() == "high" { "above" } else { "below" };
        format!(" ({word} {})", human(value))
    });
    let since =
        alarm.state_since.map_or_else(String::new, |at| format!(" since {}", at.format("%FT%TZ")));
    let off = if alarm.actions_enabled { "" } else { ", and its actions are disabled" };
    let state = match alarm.state.as_str() {
        "ok" => "OK",
        "alarm" => "in ALARM",
        "insufficient_data" => "without data",
        other => other,
    };
    Some(format!("{} is {state}{beyond}{since}{off}", side.aws_name()))
}
