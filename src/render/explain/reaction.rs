//! How long a scale-out takes, part by part, and what came of the last ones.

use crate::model::reaction::{Part, Source, Spread};
use crate::model::scale_out::Reaction;
use crate::model::snapshot::Snapshot;

pub(super) fn sentences(snapshot: &Snapshot) -> Vec<String> {
    let reaction = &snapshot.reaction;
    if snapshot.activities.known().is_none() && reaction.scale_outs == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let parts = [
        ("from the load crossing the target to the alarm", reaction.time.alarm),
        ("from the alarm to the activity", reaction.time.activity),
        ("from the activity to instances in service", reaction.time.start_up),
    ];
    lines.extend(parts.map(|(what, part)| format!("{what}: {}", words(part))));
    lines.push(format!(
        "together {} minutes in the middle, {} at the 95 % point",
        tenth(reaction.time.p50()),
        tenth(reaction.time.p95())
    ));
    if let Some(recovery) = reaction.seen.recovery {
        let what = "from instances in service to latency back in the objective";
        lines.push(format!("{what}: {}", spread(recovery)));
    }
    if let Some(cold) = reaction.seen.cold.filter(|cold| cold.p95 > 0.0) {
        lines.push(format!(
            "bad minutes at a calm load while new instances warm up: {} in the middle, {} at the 95 % point",
            tenth(cold.p50),
            tenth(cold.p95)
        ));
    }
    lines.extend(joining(reaction));
    lines.extend(failures(reaction));
    lines
}

fn joining(reaction: &Reaction) -> Option<String> {
    (reaction.joins_with_errors > 0).then(|| {
        format!(
            "new instances answered with 5XX at first in {} of {} scale-outs",
            reaction.joins_with_errors, reaction.joins_watched
        )
    })
}

fn failures(reaction: &Reaction) -> Option<String> {
    let counts = [
        (reaction.failures_quota, "for the account's quota"),
        (reaction.failures_capacity, "because AWS had no instances"),
        (reaction.failures_other, "for another reason"),
    ];
    let lines: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    (!lines.is_empty()).then(|| format!("failed scale-outs: {}", lines.join(", ")))
}

fn words(part: Part) -> String {
    let from = match part.source {
        Source::Measured { observations } => format!("measured, {observations} times"),
        Source::Stated => "as stated".to_owned(),
        Source::InstanceType => "assumed by the instance type; too few were seen".to_owned(),
    };
    format!("{} ({from})", spread(part.minutes))
}

fn spread(spread: Spread) -> String {
    format!("{} minutes, 95 % point {}", tenth(spread.p50), tenth(spread.p95))
}

fn tenth(minutes: f64) -> String {
    format!("{minutes:.1}")
}
